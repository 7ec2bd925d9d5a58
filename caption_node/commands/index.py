# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption index``: recordings into an index; a second start goes on where the first one was."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from caption_node.bag.fingerprint import fingerprint
from caption_node.bag.index import Index, IndexedBag, IndexedFrame, open_index
from caption_node.bag.reader import BagReader
from caption_node.bag.workers import Work, Workers, open_workers
from caption_node.commands.bag import expected_frames
from caption_node.commands.lines import print_text, say
from caption_node.commands.progress import Progress
from caption_node.errors import BagError, ConfigError

THUMBNAIL_WIDTH = 160


def run(options: argparse.Namespace) -> int:
    """
    Index, list or remove recordings.

    :returns: The exit status.
    """
    if not options.bags and not options.list:
        raise ConfigError('no recording is named', 'caption index BAG..., or --list')
    changes = bool(options.bags)
    with ExitStack() as stack:
        index = stack.enter_context(open_index(options.index, write=changes))
        if options.remove:
            return _remove(index, options.bags)
        is_failed = False
        run_state = _Run(options, index, stack)
        for bag in options.bags:
            try:
                is_failed |= run_state.index(Path(bag))
            except BagError as err:
                say(f'error: {err}')
                if err.hint:
                    say(f'hint: {err.hint}')
                is_failed = True
            except KeyboardInterrupt:
                say('caption: interrupted; run the same command again to go on')
                raise
        if options.list:
            _list(index)
        return 1 if is_failed else 0


class _Run:
    def __init__(self, options: argparse.Namespace, index: Index, stack: ExitStack) -> None:
        self._options = options
        self._index = index
        self._stack = stack
        self._workers: Workers | None = None

    def index(self, path: Path) -> bool:
        """
        Index one recording.

        :returns: Whether anything went wrong.
        """
        options = self._options
        with BagReader(path) as reader:
            topics = reader.image_topics(options.topics)
            names = [t.name for t in topics]
            total = expected_frames(reader, topics, options.every)
            workers = self._open_workers(total)
            settings = workers.work.settings(names, options.every)
            bag = IndexedBag(
                str(path.resolve()),
                fingerprint(path),
                settings,
                reader.start_ns,
                reader.end_ns,
                workers.model,
            )
            if self._is_there(bag):
                return False
            done = self._index.begin(bag)
            frame_s = reader.duration_s / max(total, 1)
            with Progress(total, options.quiet, frame_s, f'{path.name}: ') as progress:
                progress.take_over(done, 0)
                for segment in workers.describe(reader, names, options.every, done):
                    frames = [
                        IndexedFrame(i.description, i.log_time_ns, i.thumbnail) for i in segment
                    ]
                    self._index.add(bag.path, frames)
                    for image in segment:
                        progress.advance(image.description.status == 'error')
            self._index.finish(bag.path)
            for error in reader.damage:
                say(f'error: {error}')
            return bool(progress.failed or reader.damage)

    def _is_there(self, bag: IndexedBag) -> bool:
        """Say whether a recording is indexed as it is; one that was moved gets its new path."""
        for known in self._index.bags():
            is_same = (
                known.fingerprint == bag.fingerprint
                and known.settings == bag.settings
                and known.model.sha256 == bag.model.sha256
            )
            if not is_same:
                continue
            if known.path != bag.path and not Path(known.path).exists():
                self._index.rename(known.path, bag.path)
                say(f'caption: {bag.path} was indexed as {known.path}, which is gone: moved')
            elif known.path != bag.path and known.is_complete:
                say(f'caption: {bag.path} is a copy of {known.path}, which is indexed: left out')
                return True
            if known.is_complete:
                say(f'caption: {bag.path} is indexed already')
                return True
        return False

    def _open_workers(self, frames: int) -> Workers:
        if self._workers is None:
            options = self._options
            width = 0 if options.no_thumbnails else THUMBNAIL_WIDTH
            work = Work(
                options.model,
                options.backend,
                options.threads,
                options.batch,
                width,
                options.sentences,
            )
            self._workers = self._stack.enter_context(open_workers(work, options.jobs, frames))
        return self._workers


def _remove(index: Index, bags: Sequence[str]) -> int:
    is_failed = False
    for bag in bags:
        if not index.drop(str(Path(bag).resolve())) and not index.drop(bag):
            say(f'error: {bag} is not in the index {index.path}')
            is_failed = True
    return 1 if is_failed else 0


def _list(index: Index) -> None:
    for bag in index.bags():
        length_s = (bag.end_ns - bag.start_ns) / 1e9
        state = '' if bag.is_complete else ', not complete: index it again to go on'
        failed = f', {bag.failed} of them unreadable' if bag.failed else ''
        print_text(
            f'{bag.path}: {bag.images_done} frames{failed}, {length_s:.1f} s, '
            f'model {bag.model.name} {bag.model.sha256[:12]}{state}'
        )
