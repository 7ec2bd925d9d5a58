# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Captions from the start: one backend serves while a better one is being made ready."""

from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread

import numpy as np
from numpy.typing import NDArray

from caption_node.backends.protocol import Backend, Outputs, SourceBackend
from caption_node.errors import BuildCancelledError, CaptionError, InferenceError
from caption_node.preprocess import Letterbox

_END_TIMEOUT_S = 15.0


class SwitchingBackend:
    """
    Serves with one backend until another is ready; between two batches it changes over.

    :param now: Serves meanwhile; closed after the change.
    :param make: Makes the better one, in a thread of its own; it must heed ``cancel``.
    :param cancel: Set by :meth:`close`, and by whoever wants to stay with ``now``.
    :param on_remark: Takes a line for people when it has changed over, or why it has not.
    """

    def __init__(
        self,
        now: Backend,
        make: Callable[[], Backend],
        cancel: Event,
        on_remark: Callable[[str], None],
    ) -> None:
        self._now: Backend | None = now
        self._next: Backend | None = None
        self._make, self._cancel, self._on_remark = make, cancel, on_remark
        self._name, self._precision = now.name, now.precision
        self._lock = Lock()
        self._thread = Thread(target=self._prepare, name='engine build', daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """Name of the backend that serves."""
        return self._name

    @property
    def precision(self) -> str:
        """Precision of the backend that serves."""
        return self._precision

    @property
    def is_preparing(self) -> bool:
        """Whether the better backend is still being made."""
        return self._thread.is_alive()

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Describe a batch; see :class:`~caption_node.backends.protocol.Backend`."""
        return self._serving().run(images)

    @property
    def takes_sources(self) -> bool:
        """Whether the backend that serves can scale pictures on its device."""
        serving = self._serving()
        return isinstance(serving, SourceBackend) and serving.takes_sources

    def run_sources(
        self, sources: Sequence[NDArray[np.uint8]], images: NDArray[np.uint8]
    ) -> tuple[Outputs, list[Letterbox]]:
        """See :class:`~caption_node.backends.protocol.SourceBackend`."""
        serving = self._serving()
        if not isinstance(serving, SourceBackend):
            raise InferenceError(f'{self._name} does not scale pictures')
        return serving.run_sources(sources, images)

    def close(self) -> None:
        """Stop the build and free both backends."""
        self._cancel.set()
        self._thread.join(_END_TIMEOUT_S)
        with self._lock:
            backends, self._now, self._next = (self._now, self._next), None, None
        for backend in backends:
            if backend is not None:
                backend.close()

    def _serving(self) -> Backend:
        """Change over if the better backend is ready; only the thread that runs batches calls."""
        with self._lock:
            better, self._next = self._next, None
        if better is not None:
            old, self._now = self._now, better
            self._name, self._precision = better.name, better.precision
            if old is not None:
                old.close()
        if self._now is None:
            raise InferenceError('the backend is closed')
        return self._now

    def _prepare(self) -> None:
        try:
            better = self._make()
        except BuildCancelledError as err:
            self._on_remark(f'{self._name} goes on serving: {err}')
            return
        except Exception as err:  # a thread's end: what is not said here is said nowhere
            hint = f' ({err.hint})' if isinstance(err, CaptionError) and err.hint else ''
            self._on_remark(f'{self._name} goes on serving: {err}{hint}')
            return
        with self._lock:
            if not self._cancel.is_set():
                self._next = better
                self._on_remark(f'{better.name} ({better.precision}) takes over from {self._name}')
                return
        better.close()
