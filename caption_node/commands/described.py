# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The descriptions of a recording: those that it holds, or else new ones."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from caption_node.bag.captioning import describe_bag
from caption_node.bag.descriptions import (
    RecordedDescription,
    description_topics,
    read_descriptions,
)
from caption_node.bag.images import IMAGE_TYPES
from caption_node.bag.reader import BagReader
from caption_node.commands.lines import say
from caption_node.commands.progress import Progress
from caption_node.errors import BagError


@dataclass(frozen=True, slots=True)
class DescribedRecording:
    """
    What is said of a recording.

    :param has_images: Whether it holds the images too.
    :param damage: What of it could not be read.
    """

    described: Sequence[RecordedDescription]
    has_images: bool
    damage: Sequence[BagError]


def open_described(bag: Path, options: argparse.Namespace) -> DescribedRecording:
    """
    Read the descriptions of a recording, or make them where it holds images only.

    :param options: How to make them: ``model``, ``backend``, ``threads``, ``batch``, ``every``.
    :raises CaptionError: If it holds neither, or the model cannot be loaded.
    """
    with BagReader(bag) as reader:
        has_images = any(t.type in IMAGE_TYPES and t.count for t in reader.topics)
        if description_topics(reader):
            described = list(read_descriptions(reader))
        elif has_images:
            described = list(_describe(reader, options))
        else:
            reader.image_topics()  # says what the recording holds instead
            raise BagError(f'{bag} holds neither descriptions nor images')
        return DescribedRecording(described, has_images, reader.damage)


def stem(bag: Path) -> str:
    """Return the name of a recording without its suffix."""
    return bag.stem if bag.is_file() else bag.resolve().name


def _describe(reader: BagReader, options: argparse.Namespace) -> Iterator[RecordedDescription]:
    from caption_node.pipeline import CaptionPipeline

    say(f'caption: {reader.path} holds no descriptions yet: making them')
    topics = reader.image_topics()
    total = sum(t.count for t in topics)
    if options.every:
        total = min(total, len(topics) * (int(reader.duration_s / options.every) + 1))
    with (
        CaptionPipeline.open(options.model, options.backend, options.threads) as pipeline,
        Progress(total, options.quiet) as progress,
    ):
        batch = min(options.batch, pipeline.bundle.max_batch)
        names = [t.name for t in topics]
        for item in describe_bag(reader, pipeline, batch, names, options.every):
            progress.advance(item.description.status == 'error')
            yield RecordedDescription(item.source.log_time_ns, item.description)
