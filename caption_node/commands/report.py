# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption report``: a recording in, one page out that any browser opens without a network."""

import argparse
from contextlib import suppress
import os
from pathlib import Path

from caption_node.commands.described import open_described, stem
from caption_node.commands.lines import print_text, say
from caption_node.errors import ConfigError
from caption_node.web.page import write_page
from caption_node.web.recording import recording_content


def run(options: argparse.Namespace) -> int:
    """
    Write the page of a recording.

    :returns: The exit status.
    """
    bag = Path(options.bag)
    page = Path(options.output) if options.output else Path(f'{stem(bag)}.report.html')
    if page.suffix.lower() not in ('.html', '.htm'):
        raise ConfigError(f'{page} is not the name of a page', 'give a name that ends in .html')
    recording = open_described(bag, options)
    described, damage = recording.described, recording.damage
    images = Path(options.images) if options.images else bag if recording.has_images else None
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
