# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Opening a model without losing the node: in a thread of its own, with progress, and cancellable.

Loading takes a second, building an engine minutes. Meanwhile the transition waits here, tells
/diagnostics how far it is, and gives up at once when the node is interrupted. With a fallback the
transition is over soon, and the engine is built while the node describes.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

from caption_node.backends.engine_build import BuildProgress
from caption_node.backends.registry import open_backend
from caption_node.bundle import Bundle, find_bundle
from caption_node.pipeline import CaptionPipeline

_TICK_S = 0.1
_GIVE_UP_S = 0.5
_SAY_EVERY_PERCENT = 10.0


class OpeningCancelled(Exception):  # noqa: N818 - not an error: somebody wanted it
    """Raised when the node was interrupted while its model was being opened."""


class Opening:
    """
    One attempt to open a model; lives as long as the model, for an engine may come later.

    :param values: Parameters of the node by name.
    :param say: Takes lines for the log, from any thread.
    """

    def __init__(self, values: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self.reason = ''
        self.engine = ''
        self._said_percent = -_SAY_EVERY_PERCENT
        self._stage = ''
        self._say = say
        self._values = values
        self._done = Event()
        self._cancel = Event()
        self._pipeline: CaptionPipeline | None = None
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name='open-model', daemon=True)
        self._thread.start()

    def wait(self, alive: Callable[[], bool], tick: Callable[[], None]) -> CaptionPipeline:
        """
        Wait for the model.

        :param alive: Whether anybody still wants it; asked ten times a second.
        :param tick: Called ten times a second meanwhile.
        :raises CaptionError: If the model or its backend cannot be used.
        :raises OpeningCancelled: If nobody wants it any more.
        """
        while not self._done.wait(_TICK_S):
            if not alive():
                self._cancel.set()
                self._done.wait(_GIVE_UP_S)
                raise OpeningCancelled
            tick()
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._pipeline is None:
            raise OpeningCancelled
        return self._pipeline

    def cancel(self) -> None:
        """End a build that goes on behind the node."""
        self._cancel.set()

    def _run(self) -> None:
        values = self._values
        try:
            bundle = Bundle.load(find_bundle(values['model'] or None))
            backend = open_backend(
                values['backend'],
                bundle,
                values['threads'],
                precision='' if values['precision'] == 'auto' else values['precision'],
                device=values['device'],
                engines=Path(values['engines']) if values['engines'] else None,
                fallback=values['fallback'],
                on_progress=self._on_progress,
                on_remark=self._on_remark,
                cancel=self._cancel,
            )
            if self._cancel.is_set():
                backend.close()
            else:
                self._pipeline = CaptionPipeline(bundle, backend, values['sentences'])
        except BaseException as err:  # raised again in the thread that waits
            self._error = err
        finally:
            self._done.set()

    def _on_remark(self, text: str) -> None:
        self.reason = text
        self._say(text)

    def _on_progress(self, progress: BuildProgress) -> None:
        text = f'{progress.stage}, {progress.percent:.0f} %'
        self.engine = f'{text} after {progress.elapsed_s:.0f} s'
        is_news = progress.stage != self._stage
        if is_news or progress.percent >= self._said_percent + _SAY_EVERY_PERCENT:
            self._said_percent, self._stage = progress.percent, progress.stage
            self._say(f'engine: {self.engine}')
