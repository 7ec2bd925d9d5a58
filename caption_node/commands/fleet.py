# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption fleet``: many recordings into one index, on this machine or on a Ray cluster."""

import argparse
from collections.abc import Callable
from contextlib import closing
from time import monotonic

from caption_node.bag.index import open_index
from caption_node.bag.workers import Work
from caption_node.commands.index import THUMBNAIL_WIDTH
from caption_node.commands.lines import print_text, say
from caption_node.commands.progress import LINE_PERIOD_S
from caption_node.fleet.engines import EngineOptions, open_engine
from caption_node.fleet.places import find_recordings
from caption_node.fleet.run import Choice, FleetRun, Tally


def run(options: argparse.Namespace) -> int:
    """
    Describe recordings into an index.

    :returns: The exit status.
    """
    places = find_recordings(options.patterns)
    engine_options = EngineOptions(
        options.engine, options.jobs, options.retries, options.address, options.gpus
    )
    width = 0 if options.no_thumbnails else THUMBNAIL_WIDTH
    # One thread a worker, on every engine: results must not depend on where they were made.
    work = Work(
        options.model,
        options.backend,
        options.threads or 1,
        options.batch,
        width,
        options.sentences,
    )
    # Whole batches: so the same frames go through the model together as in `caption index`.
    segment = -(-options.segment // options.batch) * options.batch
    choice = Choice(tuple(options.topics), options.every, segment)
    begun_s = monotonic()
    with (
        open_index(options.index, write=True) as index,
        closing(open_engine(engine_options)) as engine,
    ):
        fleet = FleetRun(engine, index, work, choice, say, _shower(options.quiet))
        try:
            tally = fleet.run(places)
        except KeyboardInterrupt:
            say('caption: interrupted; run the same command again to go on')
            raise
        path = index.path
    seconds = monotonic() - begun_s
    print_text(f'{path}: {_summary(tally)}, {seconds:.1f} s')
    return 1 if tally.failed or tally.unreadable else 0


def _summary(tally: Tally) -> str:
    parts = [f'{tally.done} of {tally.recordings} recordings']
    if tally.known:
        parts.append(f'{tally.known} of them indexed already')
    parts.append(f'{tally.images} images by {len(tally.workers)} workers')
    if tally.failed:
        parts.append(f'{tally.failed} failed')
    if tally.unreadable:
        parts.append(f'{tally.unreadable} unreadable')
    return ', '.join(parts)


def _shower(is_quiet: bool) -> Callable[[Tally], None]:
    begun_s = shown_s = monotonic()

    def show(tally: Tally) -> None:
        nonlocal shown_s
        now_s = monotonic()
        if not is_quiet and now_s - shown_s >= LINE_PERIOD_S:
            shown_s = now_s
            rate = tally.images / (now_s - begun_s)
            say(f'caption: {_summary(tally)}, {rate:.1f} images/s')

    return show
