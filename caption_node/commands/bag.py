# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption bag``: a recording in, JSON lines or a recording of descriptions out."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from caption_node.bag.captioning import describe_bag, write_descriptions
from caption_node.bag.reader import BagReader, Topic
from caption_node.bag.writer import BagWriter, partial_path
from caption_node.commands.lines import print_line, say
from caption_node.commands.overlays import open_overlays
from caption_node.commands.progress import Progress
from caption_node.description import ModelInfo, SceneDescription
from caption_node.errors import BagError, ConfigError

_MOST_FAULTS_SHOWN = 20


def run(options: argparse.Namespace) -> int:
    """
    Describe a recording.

    :returns: The exit status.
    """
    prints = options.jsonl or not options.output
    if options.merge and not options.output:
        raise ConfigError('--merge needs --output', 'say where the merged recording goes: -o OUT')
    with ExitStack() as stack:
        try:
            reader = stack.enter_context(BagReader(options.bag))
            topics = reader.image_topics(options.topics)
            if not any(t.count for t in topics):
                raise _nothing_to_read(reader, topics)
        except BagError as err:
            if prints:
                _print_fault(options.bag, err, ModelInfo())
            raise
        try:
            damage = _describe(options, reader, topics, prints, stack)
        except KeyboardInterrupt:
            if options.output:
                kept = partial_path(Path(options.output))
                say(f'caption: interrupted; what was written is in {kept}')
            raise
    return 1 if damage else 0


def _describe(
    options: argparse.Namespace,
    reader: BagReader,
    topics: Sequence[Topic],
    prints: bool,
    stack: ExitStack,
) -> bool:
    """Return whether anything went wrong."""
    from caption_node.pipeline import CaptionPipeline

    # Outputs first: a name that is taken is found out before the model loads.
    writer = stack.enter_context(BagWriter(options.output)) if options.output else None
    pipeline = CaptionPipeline.open(options.model, options.backend, options.threads)
    stack.enter_context(pipeline)
    names = [t.name for t in topics]
    batch = min(options.batch, pipeline.bundle.max_batch)
    described = describe_bag(reader, pipeline, batch, names, options.every)
    if writer is not None:
        original = stack.enter_context(BagReader(options.bag)) if options.merge else None
        described = write_descriptions(described, writer, original)
    rate_hz = _rate_hz(reader, topics)
    total = sum(t.count for t in topics)
    if options.every:
        rate_hz = min(rate_hz, 1 / options.every)
        total = min(total, len(topics) * (int(reader.duration_s / options.every) + 1))
    overlays = stack.enter_context(open_overlays(options.overlay, names, rate_hz))
    with Progress(total, options.quiet) as progress:
        for item in described:
            if prints:
                print_line(item.description.to_json())
            overlays.add(item, _picture_name(item.source.camera, item.source.stamp_ns))
            progress.advance(item.description.status == 'error')
    if prints:
        for error in reader.damage:
            _print_fault(options.bag, error, pipeline.model)
    _report(reader.damage)
    return bool(progress.failed or reader.damage)


def _nothing_to_read(reader: BagReader, topics: Sequence[Topic]) -> BagError:
    names = ', '.join(t.name for t in topics)
    if reader.damage:
        return BagError(f'{reader.damage[-1]}; no image on {names} can be read')
    return BagError(f'{reader.path} holds no image on {names}')


def _rate_hz(reader: BagReader, topics: Sequence[Topic]) -> float:
    most = max((t.count for t in topics), default=0)
    return (most - 1) / reader.duration_s if most > 1 and reader.duration_s > 0 else 1.0


def _picture_name(camera: str, stamp_ns: int) -> str:
    return str(Path(camera.strip('/') or 'camera') / str(stamp_ns))


def _print_fault(bag: str, error: BagError, model: ModelInfo) -> None:
    fault = SceneDescription(file=str(bag), status='error', error=str(error), model=model)
    print_line(fault.to_json())


def _report(damage: Sequence[BagError]) -> None:
    """Name on standard error what could not be read."""
    for error in damage[:_MOST_FAULTS_SHOWN]:
        say(f'error: {error}')
    if len(damage) > _MOST_FAULTS_SHOWN:
        say(f'error: and {len(damage) - _MOST_FAULTS_SHOWN} more')
