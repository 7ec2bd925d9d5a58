# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
CUDA memory, streams and graphs through ``cuda-python``, each freed by ``close``.

Nothing here is called once per frame but :meth:`Stream.copy_in`, :meth:`Stream.copy_out`,
:meth:`Graph.launch` and :meth:`Stream.wait`.
"""

from collections.abc import Callable
import ctypes
import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.closing import Closed
from caption_node.errors import BackendUnavailableError, InferenceError


def load_cuda() -> Any:
    """
    Return the module of the CUDA runtime.

    :raises BackendUnavailableError: If cuda-python is missing or does not fit.
    """
    try:
        return importlib.import_module('cuda.bindings.runtime')
    except Exception as err:  # not installed, or a shared library is missing or does not fit
        raise BackendUnavailableError(
            f'cuda-bindings cannot be loaded: {err}',
            'run `pip install cuda-bindings` (12.8 or newer, of the major version of your CUDA)',
        ) from err


def check(cuda: Any, result: tuple[Any, ...], what: str) -> Any:
    """
    Return what a call gave.

    :raises InferenceError: If the call failed.
    """
    status = result[0]
    if int(status) != 0:
        name = getattr(status, 'name', str(status))
        raise InferenceError(
            f'{what} failed: {name}', 'see the kernel log; another process may fill the GPU'
        )
    return result[1] if len(result) == 2 else None


def use_device(cuda: Any, index: int) -> None:
    """Let the calling thread work on a device; costs less than a microsecond when it does so."""
    check(cuda, cuda.cudaSetDevice(index), 'cudaSetDevice')


class DeviceBuffer(Closed):
    """
    Memory on the device.

    :param size: In bytes.
    :raises InferenceError: If the device has not so much.
    """

    def __init__(self, cuda: Any, size: int) -> None:
        self._cuda = cuda
        self.size = size
        self.address = int(check(cuda, cuda.cudaMalloc(max(size, 1)), f'cudaMalloc({size})'))

    def close(self) -> None:
        """Free it."""
        if self.address:
            self._cuda.cudaFree(self.address)
            self.address = 0


class PinnedBuffer(Closed):
    """
    Memory of the host that the device copies from and to without help of the CPU.

    :param size: In bytes.
    """

    def __init__(self, cuda: Any, size: int) -> None:
        self._cuda = cuda
        self.address = int(check(cuda, cuda.cudaMallocHost(max(size, 1)), 'cudaMallocHost'))
        block = (ctypes.c_uint8 * size).from_address(self.address)
        self.bytes: NDArray[np.uint8] = np.ctypeslib.as_array(block)

    def close(self) -> None:
        """Free it; views of it must not be touched any more."""
        if self.address:
            self.bytes = np.empty(0, dtype=np.uint8)
            self._cuda.cudaFreeHost(self.address)
            self.address = 0


class Stream(Closed):
    """A stream of its own, which does not wait for the default stream."""

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        flags = cuda.cudaStreamNonBlocking
        self.handle: Any = check(cuda, cuda.cudaStreamCreateWithFlags(flags), 'cudaStreamCreate')

    @property
    def address(self) -> int:
        """The stream as a number, as TensorRT wants it."""
        return int(self.handle)

    def copy_in(self, target: int, source: int, size: int) -> None:
        """Begin to copy from pinned memory to the device."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        check(
            self._cuda,
            self._cuda.cudaMemcpyAsync(target, source, size, kind, self.handle),
            'the copy to the GPU',
        )

    def copy_out(self, target: int, source: int, size: int) -> None:
        """Begin to copy from the device to pinned memory."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        check(
            self._cuda,
            self._cuda.cudaMemcpyAsync(target, source, size, kind, self.handle),
            'the copy from the GPU',
        )

    def wait(self) -> None:
        """
        Wait until all is done.

        :raises InferenceError: If any of it failed.
        """
        check(self._cuda, self._cuda.cudaStreamSynchronize(self.handle), 'the run on the GPU')

    def capture(self, work: Callable[[], None]) -> 'Graph':
        """
        Record what is begun on the stream, without running it.

        :param work: Begins it; it must neither wait nor take memory.
        :raises InferenceError: If it cannot be recorded.
        """
        # Other threads (a decoder, another model) may take memory meanwhile.
        mode = self._cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        check(self._cuda, self._cuda.cudaStreamBeginCapture(self.handle, mode), 'the capture')
        try:
            work()
        finally:
            # Ended even if the work failed, or the stream would stay unusable.
            ended = self._cuda.cudaStreamEndCapture(self.handle)
        return Graph(self._cuda, self, check(self._cuda, ended, 'the capture'))

    def close(self) -> None:
        """Free it."""
        if self.handle is not None:
            self._cuda.cudaStreamDestroy(self.handle)
            self.handle = None


class Graph(Closed):
    """
    Recorded work, started again with one call.

    :param recorded: What a capture gave; freed here.
    """

    def __init__(self, cuda: Any, stream: Stream, recorded: Any) -> None:
        self._cuda, self._stream = cuda, stream
        try:
            self._ready: Any = check(
                cuda, cuda.cudaGraphInstantiate(recorded, 0), 'the CUDA graph'
            )
        finally:
            cuda.cudaGraphDestroy(recorded)

    def launch(self) -> None:
        """Begin to run it on its stream."""
        check(
            self._cuda,
            self._cuda.cudaGraphLaunch(self._ready, self._stream.handle),
            'the launch of the CUDA graph',
        )

    def close(self) -> None:
        """Free it."""
        if self._ready is not None:
            self._cuda.cudaGraphExecDestroy(self._ready)
            self._ready = None
