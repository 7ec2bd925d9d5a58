# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Shrinking, turning BGR into RGB and letterboxing on the GPU, as :mod:`caption_node.preprocess`.

The kernel averages over areas, like the CPU path; both differ by one grey level at most, from
rounding. NVRTC compiles it for the card when the backend is opened.
"""

from collections.abc import Sequence
import ctypes
import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.backends.cuda_memory import DeviceBuffer, PinnedBuffer, Stream, check
from caption_node.backends.device import Device
from caption_node.closing import Closed
from caption_node.errors import BackendUnavailableError
from caption_node.preprocess import BORDER, Letterbox

KERNEL = r"""
// One thread a pixel of the input, grey bars included.
extern "C" __global__ void shrink(
    const unsigned char* source, unsigned char* target, int source_height, int source_width,
    int target_height, int target_width, int top, int left, int inner_height, int inner_width,
    int turn_round, int border)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= target_width || y >= target_height) return;
    unsigned char* out = target + 3 * ((size_t)y * target_width + x);
    const int inner_x = x - left, inner_y = y - top;
    if (inner_x < 0 || inner_x >= inner_width || inner_y < 0 || inner_y >= inner_height) {
        out[0] = out[1] = out[2] = (unsigned char)border;
        return;
    }
    const float step_x = (float)source_width / inner_width;
    const float step_y = (float)source_height / inner_height;
    const float x_begin = inner_x * step_x, y_begin = inner_y * step_y;
    const float x_end = fminf(x_begin + step_x, (float)source_width);
    const float y_end = fminf(y_begin + step_y, (float)source_height);
    const int last_x = min((int)ceilf(x_end), source_width);
    const int last_y = min((int)ceilf(y_end), source_height);
    float sums[3] = {0.0f, 0.0f, 0.0f}, area = 0.0f;
    for (int v = (int)y_begin; v < last_y; ++v) {
        const float high = fminf(y_end, v + 1.0f) - fmaxf(y_begin, (float)v);
        const unsigned char* row = source + 3 * (size_t)v * source_width;
        for (int u = (int)x_begin; u < last_x; ++u) {
            const float share = high * (fminf(x_end, u + 1.0f) - fmaxf(x_begin, (float)u));
            area += share;
            for (int c = 0; c < 3; ++c) sums[c] += share * row[3 * u + c];
        }
    }
    for (int c = 0; c < 3; ++c)
        out[turn_round ? 2 - c : c] = (unsigned char)fminf(sums[c] / area + 0.5f, 255.0f);
}
"""
_BLOCK = (32, 8)


class GpuLetterbox(Closed):
    """
    Shrinks pictures straight into the input of the model.

    :param stream: All work goes there, in order.
    :param height: Input height in pixels.
    :param width: Input width in pixels.
    :raises BackendUnavailableError: If NVRTC is missing or does not know the card.
    """

    def __init__(self, cuda: Any, device: Device, stream: Stream, height: int, width: int) -> None:
        self._cuda, self._stream = cuda, stream
        self._height, self._width = height, width
        self._pinned: PinnedBuffer | None = None
        self._memory: DeviceBuffer | None = None
        self._used = 0
        code = compile_kernel(device.target)
        self._driver = importlib.import_module('cuda.bindings.driver')
        self._module = check(self._driver, self._driver.cuModuleLoadData(code), 'the kernel')
        self._function = check(
            self._driver, self._driver.cuModuleGetFunction(self._module, b'shrink'), 'the kernel'
        )

    def begin(self, sources: Sequence[NDArray[np.uint8]]) -> None:
        """Make room for a batch; memory is taken only if it is larger than all before."""
        size = sum(s.shape[0] * s.shape[1] * 3 for s in sources)
        self._used = 0
        if self._memory is None or self._memory.size < size:
            self._free_memory()
            self._pinned = PinnedBuffer(self._cuda, size)
            self._memory = DeviceBuffer(self._cuda, size)

    def shrink(self, source: NDArray[np.uint8], target: int) -> Letterbox:
        """
        Begin to letterbox a picture.

        :param source: (H, W, 3) RGB; a view with turned-round channels is turned on the GPU.
        :param target: Device address of the (height, width, 3) image.
        """
        assert self._pinned is not None
        assert self._memory is not None
        height, width = source.shape[:2]
        is_turned = source.strides[2] < 0
        plain = source[:, :, ::-1] if is_turned else source
        size, start = height * width * 3, self._used
        self._used += size
        np.copyto(self._pinned.bytes[start : start + size].reshape(plain.shape), plain)
        address = self._memory.address + start
        self._stream.copy_in(address, self._pinned.address + start, size)
        fit = Letterbox.fit(height, width, self._height, self._width)
        inner_height, inner_width = fit.inner_size(self._height, self._width)
        pointers = (ctypes.c_void_p,) * 2
        values = (
            address, target, height, width, self._height, self._width,
            fit.top, fit.left, inner_height, inner_width, int(is_turned), BORDER,
        )  # fmt: skip
        grid = (-(-self._width // _BLOCK[0]), -(-self._height // _BLOCK[1]), 1)
        arguments = (values, pointers + (ctypes.c_int,) * (len(values) - 2))
        check(
            self._driver,
            self._driver.cuLaunchKernel(
                self._function, *grid, *_BLOCK, 1, 0, self._stream.address, arguments, 0
            ),
            'scaling on the GPU',
        )
        return fit

    def close(self) -> None:
        """Free the kernel and its memory."""
        self._free_memory()
        if self._module is not None:
            self._driver.cuModuleUnload(self._module)
            self._module = None

    def _free_memory(self) -> None:
        for buffer in (self._pinned, self._memory):
            if buffer is not None:
                buffer.close()
        self._pinned = self._memory = None


def compile_kernel(target: str) -> bytes:
    """
    Compile the kernel; needs no GPU.

    :param target: Compute capability, as ``sm86``.
    :returns: machine code.
    :raises BackendUnavailableError: If NVRTC is missing or does not know the target.
    """
    try:
        nvrtc = importlib.import_module('cuda.bindings.nvrtc')
        program = check(
            nvrtc, nvrtc.nvrtcCreateProgram(KERNEL.encode(), b'shrink.cu', 0, [], []), 'NVRTC'
        )
        try:
            options = [f'--gpu-architecture=sm_{target[2:]}'.encode()]
            check(nvrtc, nvrtc.nvrtcCompileProgram(program, len(options), options), 'NVRTC')
            size = check(nvrtc, nvrtc.nvrtcGetCUBINSize(program), 'NVRTC')
            code = bytes(size)
            check(nvrtc, nvrtc.nvrtcGetCUBIN(program, code), 'NVRTC')
        finally:
            nvrtc.nvrtcDestroyProgram(program)
    except Exception as err:  # not installed, or it refuses: the bindings' errors have no base
        raise BackendUnavailableError(
            f'NVRTC does not compile for {target}: {err}', 'run `pip install nvidia-cuda-nvrtc`'
        ) from err
    return code
