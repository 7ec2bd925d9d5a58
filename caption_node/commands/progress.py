# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Progress on standard error: a bar on a terminal, a short line now and then elsewhere."""

import sys
from time import monotonic
from typing import Any

from caption_node.closing import Closed
from caption_node.commands.lines import say

LINE_PERIOD_S = 5.0


class Progress(Closed):
    """
    Counts frames and shows how it goes.

    :param total: Expected frames; 0 if unknown.
    :param is_quiet: Show nothing.
    :param frame_s: Recording time of one frame, seconds; 0 if unknown.
    :param label: Stands before what is shown.
    """

    def __init__(
        self, total: int, is_quiet: bool = False, frame_s: float = 0.0, label: str = ''
    ) -> None:
        self.total = total
        self._frame_s = frame_s
        self._label = label
        self._taken_over = 0
        self.done = 0
        self.failed = 0
        self._is_quiet = is_quiet
        self._begun_s = self._shown_s = monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> 'Progress':
        if not self._is_quiet and sys.stderr is not None and sys.stderr.isatty():
            self._start_bar()
        return self

    def close(self) -> None:
        """Take the bar away and say how it went."""
        if self._bar is not None:
            self._bar.stop()
        if not self._is_quiet and self.done:
            say(self._state())
        self._is_quiet = True

    def advance(self, is_error: bool) -> None:
        """Count one frame."""
        self.done += 1
        self.failed += is_error
        if self._bar is not None:
            self._bar.update(self._task, advance=1, rate=f'{self._speed()} ')
        elif not self._is_quiet and monotonic() - self._shown_s >= LINE_PERIOD_S:
            self._shown_s = monotonic()
            say(self._state())

    def take_over(self, done: int, failed: int) -> None:
        """Count frames of an earlier run: they are done, but say nothing of the speed."""
        self.done += done
        self.failed += failed
        self._taken_over += done
        self._begun_s = monotonic()
        if self._bar is not None:
            self._bar.update(self._task, advance=done)

    def _rate(self) -> float:
        return (self.done - self._taken_over) / max(monotonic() - self._begun_s, 1e-6)

    def _speed(self) -> str:
        times = f', {self._rate() * self._frame_s:.1f}x real time' if self._frame_s else ''
        return f'{self._rate():.1f} frames/s{times}'

    def _state(self) -> str:
        of = f' of {self.total}' if self.total > self.done else ''
        failed = f', {self.failed} failed' if self.failed else ''
        left = ''
        if of and self._rate() > 0:
            minutes, seconds = divmod(round((self.total - self.done) / self._rate()), 60)
            left = f', {minutes}:{seconds:02d} left'
        return f'caption: {self._label}{self.done}{of} frames{failed}, {self._speed()}{left}'

    def _start_bar(self) -> None:
        try:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as Bar
        except ImportError:
            return
        self._bar = Bar(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn('{task.fields[rate]}'),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task('', total=self.total or None, rate='')
        self._bar.start()
