# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What a training run tells while it goes on: lines or a bar, and TensorBoard."""

from collections.abc import Mapping
from pathlib import Path
import sys
from time import monotonic
from typing import Any

from caption_node.closing import Closed

LINE_EVERY = 20


def log(text: str) -> None:
    """Write one line of progress."""
    print(text, file=sys.stderr, flush=True)


class Journal(Closed):
    """
    Follows the steps of one stage.

    :param folder: For TensorBoard's event files, one folder a stage below it.
    :param stage: Name of the stage.
    :param total: Steps of the whole stage.
    :param first: Step that the run begins at.
    """

    def __init__(self, folder: Path, stage: str, total: int, first: int = 0) -> None:
        self.stage = stage
        self.total = total
        self._first = first
        self._begun_s = monotonic()
        self._sums: dict[str, float] = {}
        self._count = 0
        self._bar, self._task = _bar(stage, total, first)
        self._events = _events(folder / stage)

    def step(self, step: int, values: Mapping[str, float]) -> None:
        """
        Note the losses of a step that has been taken.

        :param step: Steps taken so far.
        """
        self._count += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        if self._bar is not None:
            self._bar.update(self._task, completed=step)
        if step % LINE_EVERY == 0 or step == self.total:
            means = {name: total / self._count for name, total in self._sums.items()}
            self._sums, self._count = {}, 0
            self._tell(step, means)

    def note(self, step: int, values: Mapping[str, float], prefix: str) -> None:
        """Write figures that are measured now and then, such as held-out losses."""
        self._line(f'{self.stage} {prefix}: ' + _text(values))
        self._write(step, {f'{prefix}/{name}': value for name, value in values.items()})

    def _tell(self, step: int, means: Mapping[str, float]) -> None:
        rate = (step - self._first) / max(1e-6, monotonic() - self._begun_s)
        left_min = (self.total - step) / max(rate, 1e-6) / 60
        self._line(
            f'{self.stage} {step}/{self.total} {_text(means)} '
            f'{rate:.2f} steps/s, {left_min:.0f} min left'
        )
        self._write(step, means)

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False)
        else:
            log(text)

    def _write(self, step: int, values: Mapping[str, float]) -> None:
        if self._events is not None:
            for name, value in values.items():
                self._events.add_scalar(name, value, step)

    def close(self) -> None:
        """Stop the bar and put the events on disk."""
        if self._bar is not None:
            self._bar.stop()
        if self._events is not None:
            self._events.close()


def _text(values: Mapping[str, float]) -> str:
    return ' '.join(f'{name} {value:.3f}' for name, value in values.items())


def _bar(stage: str, total: int, first: int) -> tuple[Any, Any]:
    if not sys.stderr.isatty():
        return None, None
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(*Progress.get_default_columns(), console=Console(stderr=True), transient=True)
    task = bar.add_task(stage, total=total, completed=first)
    bar.start()
    return bar, task


def _events(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # TensorBoard is a comfort, not a need
        return None
    return SummaryWriter(str(folder))
