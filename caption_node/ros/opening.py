# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Opening a model without losing the node: in a thread of its own, with progress, and cancellable.

Loading takes a second, building an engine minutes. Meanwhile the transition waits here, tells
/diagnostics how far it is, and gives up at once when the node is interrupted.
"""

from collections.abc import Callable
from threading import Event, Thread

from caption_node.backends.registry import open_backend
from caption_node.bundle import Bundle, find_bundle
from caption_node.pipeline import CaptionPipeline

_TICK_S = 0.1
_GIVE_UP_S = 1.0


class OpeningCancelled(Exception):  # noqa: N818 - not an error: somebody wanted it
    """Raised when the node was interrupted while its model was being opened."""


class Opening:
    """
    One attempt to open a model.

    :param model: Folder or name; empty is the default model.
    :param backend: ``auto`` or a name in the registry.
    :param threads: CPU threads of one run; 0 lets the runtime choose.
    :param say: Called in the opening's thread with every step of progress.
    """

    def __init__(self, model: str, backend: str, threads: int, say: Callable[[str], None]) -> None:
        self.progress = 'loading the model'
        self._say = say
        self._done = Event()
        self._cancel = Event()
        self._pipeline: CaptionPipeline | None = None
        self._error: BaseException | None = None
        self._arguments = (model or None, backend, threads)
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
                if not self._done.wait(_GIVE_UP_S):
                    raise OpeningCancelled
                break
            tick()
        self._thread.join()
        if self._pipeline is None or self._cancel.is_set():
            if self._pipeline is not None:
                self._pipeline.close()
            raise self._error if self._error and not self._cancel.is_set() else OpeningCancelled
        return self._pipeline

    def _run(self) -> None:
        try:
            model, backend, threads = self._arguments
            bundle = Bundle.load(find_bundle(model))
            self._pipeline = CaptionPipeline(bundle, open_backend(backend, bundle, threads))
        except BaseException as err:  # raised again in the thread that waits
            self._error = err
        finally:
            self._done.set()

    def _on_progress(self, text: str) -> None:
        if text != self.progress:
            self.progress = text
            self._say(text)
