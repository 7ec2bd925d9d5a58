# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption evaluate``: how good descriptions of labelled frames are."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
import sys
from typing import Any

from caption_node.batching import describe_all
from caption_node.commands.evaluate_files import Results, frame_path, open_results
from caption_node.commands.image import ImageFile
from caption_node.commands.judging import judge_frames, judge_table
from caption_node.commands.lines import print_line, print_text, say
from caption_node.commands.progress import Progress
from caption_node.errors import ConfigError
from caption_node.evaluation.frames import LabelledFrame, read_frames
from caption_node.evaluation.measure import Evaluation, evaluate
from caption_node.evaluation.predictions import Prediction, read_predictions
from caption_node.evaluation.report import FORMAT_VERSION, to_json
from caption_node.evaluation.tables import Table, all_tables

Frames = Mapping[str, Sequence[LabelledFrame]]

_NAMED = 5
"""So many missing frames and bad lines are named, the rest is counted."""


def run(options: argparse.Namespace) -> int:
    """
    Measure, print, and write.

    :returns: The exit status: 1 if a frame had no description or a line was none.
    """
    if options.streaming:
        from caption_node.commands.streaming import run_streaming

        return run_streaming(options, lambda data, tables: _print(options, data, tables))
    _check_options(options)
    frames: Frames
    splits = dict.fromkeys(options.split or ['val'])
    frames = read_frames(Path(options.labels), splits, options.source)
    left_out = _left_out_files(options.leave_one_out or (), frames)
    if options.leave_one_out:
        frames = {name: [f for f in part if f.source in left_out] for name, part in frames.items()}
    with open_results(options.output, options.diagram, bool(options.frames)) as results:
        predictions, faults = _collect(options, frames, left_out, results)
        _check_any(frames, predictions)
        measured = {name: evaluate(part, predictions) for name, part in frames.items()}
        for name, result in measured.items():
            _name_missing(name, result)
        data = {
            'format_version': FORMAT_VERSION,
            'labels': str(options.labels),
            'source': options.source,
            'splits': {name: to_json(result) for name, result in measured.items()},
        }
        tables = all_tables(measured)
        if options.judge:
            judged = judge_frames(
                options.judge, Path(options.frames), frames, predictions, options.threads
            )
            data['judged'] = judged
            tables.append(judge_table(judged))
        results.write(data, tables, measured)
        _print(options, data, tables)
    missing = any(result.missing for result in measured.values())
    return 1 if faults or missing else 0


def _check_options(options: argparse.Namespace) -> None:
    if not options.labels:
        raise ConfigError('--labels is missing', 'give the label file of the frames')
    if options.judge and not options.frames:
        raise ConfigError('--judge looks at the pictures', 'give their folder with --frames')
    for name in ('labels_topic', 'topics', 'playback_duration'):
        if getattr(options, name):
            raise ConfigError(f'--{name.replace("_", "-")} goes with --streaming only')


def _collect(
    options: argparse.Namespace, frames: Frames, left_out: Mapping[str, str], results: Results
) -> tuple[dict[str, Prediction], int]:
    """Return what was said of every frame, and how many lines or pictures failed."""
    if options.frames:
        return _describe(options, frames, results)
    wanted = {f.id: f for part in frames.values() for f in part}
    if left_out:
        return _read_left_out(left_out, wanted)
    return _read(options.predictions, wanted)


def _read(
    files: Sequence[str], wanted: Mapping[str, LabelledFrame]
) -> tuple[dict[str, Prediction], int]:
    found: dict[str, Prediction] = {}
    faults = 0
    for file in files:
        for frame, said in read_predictions(Path(file), wanted):
            if isinstance(said, Prediction):
                found[frame] = said
                continue
            faults += 1
            if faults <= _NAMED:
                say(f'error: {said}')
    if faults > _NAMED:
        say(f'error: {faults - _NAMED} more lines are no descriptions')
    return found, faults


def _read_left_out(
    files: Mapping[str, str], wanted: Mapping[str, LabelledFrame]
) -> tuple[dict[str, Prediction], int]:
    """Take the frames of each source from the model that did not know it, and from no other."""
    found: dict[str, Prediction] = {}
    faults = 0
    for source, file in files.items():
        said, bad = _read([file], {i: f for i, f in wanted.items() if f.source == source})
        found.update(said)
        faults += bad
    return found, faults


def _left_out_files(pairs: Sequence[str], frames: Frames) -> dict[str, str]:
    """Return the file of each source that was left out once."""
    sources = {f.source for part in frames.values() for f in part}
    files: dict[str, str] = {}
    for pair in pairs:
        source, equals, file = pair.partition('=')
        if not equals or source not in sources:
            raise ConfigError(
                f'--leave-one-out {pair!r} names no source of these frames',
                'write SOURCE=FILE; sources: ' + ', '.join(sorted(sources)),
            )
        files[source] = file
    without = sorted(sources - set(files))
    if files and without:
        say(f'warning: not measured, no file was given for it: {", ".join(without)}')
    return files


def _describe(
    options: argparse.Namespace, frames: Frames, results: Results
) -> tuple[dict[str, Prediction], int]:
    from caption_node.pipeline import CaptionPipeline

    folder = Path(options.frames)
    if not folder.is_dir():
        raise ConfigError(f'folder of frames {folder} does not exist')
    sources = [
        ImageFile(str(frame_path(folder, f.file)), name=f.id)
        for part in frames.values()
        for f in part
    ]
    found: dict[str, Prediction] = {}
    with ExitStack() as stack:
        pipeline = stack.enter_context(
            CaptionPipeline.open(
                options.model, options.backend, options.threads, sentences=options.sentences
            )
        )
        progress = stack.enter_context(Progress(len(sources), options.quiet))
        batch = min(options.batch, pipeline.bundle.max_batch)
        for item in describe_all(pipeline, sources, batch):
            results.add(item.description)
            failed = item.description.status == 'error'
            if failed and progress.failed < _NAMED:
                say(f'error: {item.description.error}')
            progress.advance(failed)
            found[item.source.name] = Prediction.from_description(item.description)
    return found, progress.failed


def _check_any(frames: Frames, predictions: Mapping[str, Prediction]) -> None:
    first = next(f.id for part in frames.values() for f in part)
    if not any(p.caption or p.values for p in predictions.values()):
        raise ConfigError(
            'no frame has a description: there is nothing to measure',
            f'descriptions belong to frames by the name of their file, for instance {first}.jpg',
        )


def _name_missing(split: str, result: Evaluation) -> None:
    if result.missing:
        names = ', '.join(result.missing[:_NAMED])
        more = len(result.missing) - _NAMED
        say(
            f'warning: {len(result.missing)} of {result.frames} frames of {split} have no '
            f'description and count as wrong: {names}' + (f' and {more} more' if more > 0 else '')
        )
    if result.left_out:
        say(
            f'warning: {result.left_out} frames of {split} have fewer annotators than the others '
            'and were left out'
        )


def _print(options: argparse.Namespace, data: dict[str, Any], tables: Sequence[Table]) -> None:
    if options.json:
        print_line(data)
    elif options.table == 'markdown':
        print_text('\n'.join(table.to_markdown() for table in tables).rstrip('\n'))
    else:
        for text in _drawn(tables):
            print_text(text)


def _drawn(tables: Sequence[Table]) -> Iterator[str]:
    """Draw tables as rich does; as Markdown where rich is not installed."""
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text
    except ImportError:
        yield from (table.to_markdown() for table in tables)
        return
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    console = Console(width=None if is_terminal else 140, force_terminal=is_terminal)
    for table in tables:
        drawn = RichTable(title=table.title, title_justify='left', box=box.SIMPLE_HEAD)
        for i, column in enumerate(table.columns):
            drawn.add_column(
                column, justify='right' if i else 'left', no_wrap=not i, overflow='fold'
            )
        for row in table.rows:
            bold = row[0].startswith('**')
            drawn.add_row(Text(row[0].strip('*')), *row[1:], style='bold' if bold else None)
        with console.capture() as capture:
            console.print(drawn)
        yield capture.get().rstrip('\n')
