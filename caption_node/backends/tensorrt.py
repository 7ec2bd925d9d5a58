# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
TensorRT, any of the three libraries: one engine, one stream, one CUDA graph for each batch size.

The way of a batch: pixels into pinned memory, one copy in, one launch of a recorded graph
(encoder, decoder with all its words, one copy of all outputs back), one wait. All memory is taken
when the engine is loaded; a batch size is recorded when it comes for the first time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.backends.cuda_memory import (
    DeviceBuffer,
    Graph,
    PinnedBuffer,
    Stream,
    load_cuda,
    use_device,
)
from caption_node.backends.device import Device
from caption_node.backends.gpu_letterbox import GpuLetterbox
from caption_node.backends.libraries import Contexts, Library
from caption_node.backends.protocol import OUTPUT_NAMES, Outputs, check_images
from caption_node.bundle import Bundle
from caption_node.closing import Closed
from caption_node.errors import (
    BackendError,
    BackendUnavailableError,
    EngineError,
    InferenceError,
)
from caption_node.preprocess import Letterbox, letterbox

_INPUT = 'image'
_ALIGNMENT = 256
_WARM_UPS = 2


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an output lies in the block that is copied back."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def end(self) -> int:
        return self.start + int(np.prod(self.shape)) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class _Lane:
    """What one batch size needs: a context with its addresses set, and the recorded run."""

    context: Any
    places: tuple[_Place, ...]
    size: int
    graph: Graph | None


class TensorRtBackend(Closed):
    """
    A model on an NVIDIA GPU.

    :param bundle: The model that the engine was built from.
    :param library: The library that built the engine.
    :param engine: The engine, its hash checked.
    :param device: Where it runs.
    :param precision: What the engine was built with.
    :param kernels: Compiled kernels of an earlier process (TensorRT for RTX); may be empty.
    :param on_kernels: Takes compiled kernels that are worth keeping.
    :param on_remark: Takes lines for people.
    :raises BackendUnavailableError: If cuda-python is missing.
    :raises EngineError: If the engine does not run here.
    """

    def __init__(
        self,
        bundle: Bundle,
        library: Library,
        engine: bytes,
        device: Device,
        precision: str,
        kernels: bytes = b'',
        on_kernels: Callable[[bytes], None] | None = None,
        on_remark: Callable[[str], None] | None = None,
    ) -> None:
        self.name = library.name.replace('_', '-')
        self.precision = precision
        self._bundle, self._library, self._device = bundle, library, device
        self._on_kernels, self._on_remark = on_kernels, on_remark or (lambda _: None)
        self._errors: list[str] = []
        self._lanes: dict[int, _Lane] = {}
        self._letterbox: GpuLetterbox | None = None
        self._held: list[Closed] = []
        self._cuda = load_cuda()
        use_device(self._cuda, device.index)
        try:
            self._engine, self._runtime = self._load(engine)
            self._contexts: Any = Contexts(library, self._engine, kernels)
            self._take_memory()
            self._lane(1)
        except BaseException:
            self.close()
            raise

    @property
    def takes_sources(self) -> bool:
        """Whether it can scale pictures on the GPU."""
        return self._letterbox is not None

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Describe a batch; see :class:`~caption_node.backends.protocol.Backend`."""
        self._check_open()
        check_images(images, self._bundle)
        use_device(self._cuda, self._device.index)
        batch = len(images)
        lane = self._lane(batch)
        np.copyto(self._pixels[:batch], images)
        size = self._slot * batch
        self._stream.copy_in(self._input.address, self._staging.address, size)
        return self._finish(lane)

    def run_sources(
        self, sources: Sequence[NDArray[np.uint8]], images: NDArray[np.uint8]
    ) -> tuple[Outputs, list[Letterbox]]:
        """See :class:`~caption_node.backends.protocol.SourceBackend`."""
        self._check_open()
        check_images(images, self._bundle)
        use_device(self._cuda, self._device.index)
        lane = self._lane(len(images))
        fits, shrunk = [], []
        height, width = self._bundle.height, self._bundle.width
        if self._letterbox is not None:
            self._letterbox.begin(sources)
        for i, source in enumerate(sources):
            slot = i * self._slot
            if self._letterbox is not None and _is_larger(source, height, width):
                fits.append(self._letterbox.shrink(source, self._input.address + slot))
                shrunk.append(i)
                continue
            fits.append(letterbox(source, height, width, self._pixels[i])[1])
            self._stream.copy_in(
                self._input.address + slot, self._staging.address + slot, self._slot
            )
        for i in shrunk:  # for those who look at the pixels: trust, overlays
            slot = i * self._slot
            self._stream.copy_out(
                self._staging.address + slot, self._input.address + slot, self._slot
            )
        outputs = self._finish(lane)
        np.copyto(images, self._pixels[: len(images)])
        return outputs, fits

    def close(self) -> None:
        """Free all memory; further calls to ``run`` raise InferenceError."""
        for lane in self._lanes.values():
            if lane.graph is not None:
                lane.graph.close()
        # Contexts before the memory that they work in, the engine before its runtime.
        self._lanes = {}
        self._contexts = self._engine = self._runtime = None
        while self._held:
            self._held.pop().close()

    def _check_open(self) -> None:
        if self._engine is None:
            raise InferenceError('the backend is closed')

    def _load(self, engine: bytes) -> tuple[Any, Any]:
        trt = self._library.module
        runtime = trt.Runtime(self._library.logger(self._note))
        refusal = self._library.refusal(runtime, engine)
        loaded = None if refusal else runtime.deserialize_cuda_engine(engine)
        if loaded is None:
            raise EngineError(
                f'{self._library.name} {self._library.version} does not load the engine on '
                f'{self._device.name}: ' + (refusal or self._last_error()),
                'build it anew on this machine: `caption engine clean` and `caption engine build`',
            )
        names = {loaded.get_tensor_name(i) for i in range(loaded.num_io_tensors)}
        missing = {_INPUT, *OUTPUT_NAMES} - names
        if missing:
            raise EngineError('the engine lacks ' + ', '.join(sorted(missing)))
        return loaded, runtime

    def _take_memory(self) -> None:
        bundle = self._bundle
        shape = (bundle.max_batch, bundle.height, bundle.width, 3)
        self._slot = bundle.height * bundle.width * 3
        self._stream = self._hold(Stream(self._cuda))
        self._input = self._hold(DeviceBuffer(self._cuda, int(np.prod(shape))))
        self._staging = self._hold(PinnedBuffer(self._cuda, int(np.prod(shape))))
        self._pixels = self._staging.bytes.reshape(shape)
        self._scratch = self._hold(
            DeviceBuffer(self._cuda, self._library.memory_bytes(self._engine))
        )
        _, most = self._lay_out(self._contexts.create(), bundle.max_batch)
        self._output = self._hold(DeviceBuffer(self._cuda, most))
        self._result = self._hold(PinnedBuffer(self._cuda, most))
        try:
            self._letterbox = self._hold(
                GpuLetterbox(self._cuda, self._device, self._stream, bundle.height, bundle.width)
            )
        except BackendUnavailableError as err:
            self._on_remark(f'pictures are scaled on the CPU: {err}')

    def _hold(self, item: Any) -> Any:
        self._held.append(item)
        return item

    def _lay_out(self, context: Any, batch: int) -> tuple[tuple[_Place, ...], int]:
        """Set the batch size and place all outputs behind each other; returns places and size."""
        bundle = self._bundle
        if not context.set_input_shape(_INPUT, (batch, bundle.height, bundle.width, 3)):
            raise EngineError(f'the engine takes no batch of {batch}: ' + self._last_error())
        places, start = [], 0
        for name in OUTPUT_NAMES:
            shape = tuple(context.get_tensor_shape(name))
            if min(shape) < 1 or shape[0] != batch:
                raise EngineError(f'the output {name} has the shape {shape} in the engine')
            kind = self._library.module.nptype(self._engine.get_tensor_dtype(name))
            place = _Place(start, shape, np.dtype(kind))
            places.append(place)
            start = -(-place.end // _ALIGNMENT) * _ALIGNMENT
        return tuple(places), start

    def _lane(self, batch: int) -> _Lane:
        if batch not in self._lanes:
            self._lanes[batch] = self._make_lane(batch)
            kernels = self._contexts.kernels()
            if kernels and self._on_kernels is not None:
                self._on_kernels(kernels)
        return self._lanes[batch]

    def _make_lane(self, batch: int) -> _Lane:
        context = self._contexts.create()
        places, size = self._lay_out(context, batch)
        self._library.give_memory(context, self._scratch.address, self._scratch.size)
        context.set_tensor_address(_INPUT, self._input.address)
        for name, place in zip(OUTPUT_NAMES, places, strict=True):
            context.set_tensor_address(name, self._output.address + place.start)
        # The first runs at a shape compile kernels and settle what must not happen in a capture.
        for _ in range(_WARM_UPS):
            self._begin(context, size)
            self._stream.wait()
        graph = None
        if self._library.can_capture(context, self._stream.address):
            try:
                graph = self._stream.capture(lambda: self._begin(context, size))
            except BackendError as err:
                self._cuda.cudaGetLastError()  # clear it, or the next call would report it
                self._on_remark(f'batches of {batch} run without a CUDA graph: {err}')
        else:
            self._on_remark(f'batches of {batch} run without a CUDA graph: not capturable')
        return _Lane(context, places, size, graph)

    def _begin(self, context: Any, size: int) -> None:
        if not context.execute_async_v3(self._stream.address):
            raise InferenceError(f'{self.name} refuses to run: ' + self._last_error())
        self._stream.copy_out(self._result.address, self._output.address, size)

    def _finish(self, lane: _Lane) -> Outputs:
        if lane.graph is not None:
            lane.graph.launch()
        else:
            self._begin(lane.context, lane.size)
        self._stream.wait()
        # The next batch overwrites pinned memory; the outputs belong to the caller.
        block = self._result.bytes[: lane.size].copy()
        arrays = [block[p.start : p.end].view(p.dtype).reshape(p.shape) for p in lane.places]
        return Outputs(*arrays)

    def _note(self, severity: str, text: str) -> None:
        if severity == 'error':
            self._errors = [*self._errors[-4:], text]

    def _last_error(self) -> str:
        return '; '.join(self._errors[-2:]) or 'it gives no reason'


def _is_larger(source: NDArray[np.uint8], height: int, width: int) -> bool:
    return bool(source.shape[0] > height or source.shape[1] > width)
