# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption report``: a recording in, one page out that any browser opens without a network."""

import argparse
from collections.abc import Iterator
from contextlib import suppress
import os
from pathlib import Path

from caption_node.bag.captioning import describe_bag
from caption_node.bag.descriptions import (
    RecordedDescription,
    description_topics,
    read_descriptions,
)
from caption_node.bag.images import IMAGE_TYPES
from caption_node.bag.reader import BagReader
from caption_node.commands.lines import print_text, say
from caption_node.commands.progress import Progress
from caption_node.errors import BagError, ConfigError
from caption_node.web.page import write_page
from caption_node.web.recording import recording_content


def run(options: argparse.Namespace) -> int:
    """
    Write the page of a recording.

    :returns: The exit status.
    """
    bag = Path(options.bag)
    page = Path(options.output) if options.output else Path(f'{_stem(bag)}.report.html')
    if page.suffix.lower() not in ('.html', '.htm'):
        raise ConfigError(f'{page} is not the name of a page', 'give a name that ends in .html')
    with BagReader(bag) as reader:
        has_images = any(t.type in IMAGE_TYPES and t.count for t in reader.topics)
        if description_topics(reader):
            described = list(read_descriptions(reader))
        elif has_images:
            described = list(_describe(options, reader))
        else:
            reader.image_topics()  # says what the recording holds instead
            raise BagError(f'{bag} holds neither descriptions nor images')
        damage = reader.damage
    images = Path(options.images) if options.images else bag if has_images else None
    if images is None:
        say('caption: no pictures: the recording holds none; name theirs with --images BAG')
    content = recording_content(bag, described, images, options.thumbnails, damage)
    _write(page, write_page(content))
    for error in damage:
        say(f'error: {error}')
    size_mb = page.stat().st_size / 1e6
    pictures = len(content.thumbnails)
    print_text(f'{page}: {len(described)} frames, {pictures} pictures, {size_mb:.1f} MB')
    return 1 if damage else 0


def _describe(options: argparse.Namespace, reader: BagReader) -> Iterator[RecordedDescription]:
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


def _stem(bag: Path) -> str:
    return bag.stem if bag.is_file() else bag.resolve().name


def _write(page: Path, text: str) -> None:
    """Write it beside its name first: a page is whole, or it is not there."""
    scratch = page.with_name(f'.{page.name}.{os.getpid()}.tmp')
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text, encoding='utf-8')
        os.replace(scratch, page)
    except OSError as err:
        raise ConfigError(f'{page} cannot be written: {err.strerror or err}') from err
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
