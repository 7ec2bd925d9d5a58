# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption clip``: a stretch of a recording as a small one of its own."""

import argparse
from contextlib import ExitStack

from caption_node.bag.clip import write_clip
from caption_node.bag.reader import BagReader
from caption_node.bag.writer import BagWriter
from caption_node.commands.lines import say


def run(options: argparse.Namespace) -> int:
    """
    Cut a stretch out of a recording.

    :returns: The exit status.
    """
    with ExitStack() as stack:
        reader = stack.enter_context(BagReader(options.bag))
        writer = stack.enter_context(BagWriter(options.output))
        count = write_clip(
            reader, writer, options.start_offset, options.playback_duration, options.topics
        )
        for error in reader.damage:
            say(f'error: {error}')
    say(f'caption: {count} messages in {options.output}')
    return 1 if reader.damage else 0
