# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption bag``: recordings in, JSON lines or recordings of descriptions out."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from caption_node.bag.fingerprint import fingerprint
from caption_node.bag.images import RecordedImage
from caption_node.bag.journal import Job, Journal, assemble, journal_path
from caption_node.bag.layout import storage_suffix
from caption_node.bag.reader import BagReader, Topic
from caption_node.bag.workers import DescribedImage, Work, Workers, open_workers
from caption_node.bag.writer import BagWriter
from caption_node.batching import Described
from caption_node.commands.lines import print_line, say
from caption_node.commands.overlays import open_overlays
from caption_node.commands.progress import Progress
from caption_node.description import ModelInfo, SceneDescription
from caption_node.errors import BagError, CaptionError, ConfigError

_MOST_FAULTS_SHOWN = 20


def run(options: argparse.Namespace) -> int:
    """
    Describe recordings, one after another.

    :returns: The exit status.
    """
    bags = [Path(b) for b in options.bags]
    if options.merge and not options.output:
        raise ConfigError('--merge needs --output', 'say where the merged recording goes: -o OUT')
    if options.overlay and len(bags) > 1:
        raise ConfigError('--overlay takes one recording at a time')
    outputs = _outputs(bags, options.output)
    with ExitStack() as stack:
        state = _Run(options, stack)
        is_failed = False
        for bag, output in zip(bags, outputs, strict=True):
            try:
                is_failed |= state.describe(bag, output)
            except BagError as err:
                if state.prints:
                    _print_fault(bag, err, state.model)
                if len(bags) == 1:
                    raise
                _report([err])
                is_failed = True
            except KeyboardInterrupt:
                if output is not None and journal_path(output).exists():
                    say(
                        'caption: interrupted; what was described is in '
                        f'{journal_path(output)}: run the same command again to go on'
                    )
                raise
    return 1 if is_failed else 0


class _Run:
    """One start of the command: the model is loaded for the first recording that needs it."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack) -> None:
        self._options = options
        self._stack = stack
        self._workers: Workers | None = None
        self.prints = options.jsonl or not options.output

    @property
    def model(self) -> ModelInfo:
        """The model, as far as it is known."""
        return ModelInfo() if self._workers is None else self._workers.model

    def describe(self, bag: Path, output: Path | None) -> bool:
        """
        Describe one recording.

        :returns: Whether anything went wrong.
        """
        options = self._options
        if output is not None and output.exists():
            if len(options.bags) == 1:
                raise BagError(f'{output} exists already', 'remove it, or give another name')
            say(f'caption: {output} exists already and is left as it is')
            return False
        with ExitStack() as stack:
            reader = stack.enter_context(BagReader(bag))
            topics = reader.image_topics(options.topics)
            if not any(t.count for t in topics):
                raise _nothing_to_read(reader, topics)
            total = expected_frames(reader, topics, options.every)
            workers = self._open_workers(total)
            names = [t.name for t in topics]
            journal = None
            if output is not None:
                job = _job(bag, workers, names, options.every)
                journal = Journal(output, job, anew=bool(options.overlay))
                stack.enter_context(journal)
            overlays = open_overlays(options.overlay, names, _rate_hz(reader, topics, options))
            stack.enter_context(overlays)

            def draw(item: Described[RecordedImage]) -> None:
                name = Path(item.source.camera.strip('/') or 'camera') / str(item.source.stamp_ns)
                overlays.add(item, str(name))

            label = f'{bag.name}: ' if len(options.bags) > 1 else ''
            duration_s = reader.duration_s
            with Progress(total, options.quiet, duration_s / max(total, 1), label) as progress:
                done = self._earlier(journal, progress)
                segments = workers.describe(
                    reader, names, options.every, done, draw if options.overlay else None
                )
                for segment in segments:
                    self._take(segment, journal, progress)
            damage = list(reader.damage)
            if journal is not None and output is not None:
                damage += self._finish(bag, output, journal)
            damage = list({str(d): d for d in damage}.values())
            if self.prints:
                for error in damage:
                    _print_fault(bag, error, workers.model)
            _report(damage)
            return bool(progress.failed or damage)

    def _take(
        self, segment: Sequence[DescribedImage], journal: Journal | None, progress: Progress
    ) -> None:
        # First what must not be lost.
        if journal is not None:
            journal.add(segment)
        for image in segment:
            if self.prints:
                print_line(image.description.to_json())
            progress.advance(image.description.status == 'error')

    def _earlier(self, journal: Journal | None, progress: Progress) -> int:
        """Take over what an earlier run has described, and return how many images that are."""
        if journal is None:
            return 0
        if journal.is_of_other_job:
            say(f'caption: {journal.path} is of another model or other options: begun anew')
        count = journal.count
        if count:
            say(f'caption: going on behind {count} frames of an earlier run')
            failed = 0
            for description in journal.descriptions():
                failed += description.status == 'error'
                if self.prints:
                    print_line(description.to_json())
            progress.take_over(count, failed)
        return count

    def _finish(self, bag: Path, output: Path, journal: Journal) -> list[BagError]:
        """Write the output, and return what of the original messages could not be read."""
        with ExitStack() as stack:
            writer = stack.enter_context(BagWriter(output))
            original = stack.enter_context(BagReader(bag)) if self._options.merge else None
            assemble(journal, writer, original)
        journal.remove()
        return original.damage if original is not None else []

    def _open_workers(self, frames: int) -> Workers:
        if self._workers is None:
            options = self._options
            work = Work(
                options.model,
                options.backend,
                options.threads,
                options.batch,
                sentences=options.sentences,
            )
            jobs = 1 if options.overlay else options.jobs
            self._workers = self._stack.enter_context(open_workers(work, jobs, frames))
        return self._workers


def _outputs(bags: Sequence[Path], output: str | None) -> list[Path | None]:
    """Return where the descriptions of every recording go; several go into a folder."""
    if output is None:
        return [None] * len(bags)
    if len(bags) == 1:
        return [Path(output)]
    folder = Path(output)
    if folder.suffix == '.mcap' or folder.is_file():
        raise ConfigError(
            f'{folder} cannot take the descriptions of {len(bags)} recordings',
            'give a folder: every recording gets a file of its own in it',
        )
    taken: dict[Path, Path] = {}
    for bag in bags:
        place = folder / f'{_stem(bag)}.mcap'
        if place in taken:
            raise ConfigError(
                f'{taken[place]} and {bag} would both be written to {place}',
                'describe them apart, each with an --output of its own',
            )
        if place.exists() and place.resolve() == bag.resolve():
            raise ConfigError(f'{bag} would be written to itself', 'give another folder')
        taken[place] = bag
    return list(taken)


def _stem(bag: Path) -> str:
    name = bag.resolve().name
    if storage_suffix(bag) is None:
        return name
    return Path(bag.stem).stem if bag.suffix == '.zstd' else bag.stem


def _job(bag: Path, workers: Workers, names: Sequence[str], every_s: float) -> Job:
    model = workers.model
    said_by = [model.sha256, workers.manifest_sha256, model.backend, model.precision]
    if workers.work.sentences != 'model':
        said_by.append(workers.work.sentences)
    return Job(fingerprint(bag), ' '.join(said_by), tuple(names), every_s, workers.work.batch)


def expected_frames(reader: BagReader, topics: Sequence[Topic], every_s: float) -> int:
    """Return about how many frames will be described."""
    total = sum(t.count for t in topics)
    if every_s:
        total = min(total, len(topics) * (int(reader.duration_s / every_s) + 1))
    return total


def _nothing_to_read(reader: BagReader, topics: Sequence[Topic]) -> BagError:
    names = ', '.join(t.name for t in topics)
    if reader.damage:
        return BagError(f'{reader.damage[-1]}; no image on {names} can be read')
    return BagError(f'{reader.path} holds no image on {names}')


def _rate_hz(reader: BagReader, topics: Sequence[Topic], options: argparse.Namespace) -> float:
    most = max((t.count for t in topics), default=0)
    rate_hz = (most - 1) / reader.duration_s if most > 1 and reader.duration_s > 0 else 1.0
    return min(rate_hz, 1 / options.every) if options.every else rate_hz


def _print_fault(bag: Path, error: CaptionError, model: ModelInfo) -> None:
    fault = SceneDescription(file=str(bag), status='error', error=str(error), model=model)
    print_line(fault.to_json())


def _report(damage: Sequence[CaptionError]) -> None:
    """Name on standard error what could not be read."""
    for error in damage[:_MOST_FAULTS_SHOWN]:
        say(f'error: {error}')
    if len(damage) > _MOST_FAULTS_SHOWN:
        say(f'error: and {len(damage) - _MOST_FAULTS_SHOWN} more')
