# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The kernel that scales on the GPU against the CPU path: within one grey level.

Without a GPU the very same source is compiled as C++ and run pixel by pixel on the CPU.
"""

from collections.abc import Callable
import ctypes
import shutil
import subprocess

import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.backends.gpu_letterbox import KERNEL, compile_kernel
from caption_node.errors import BackendUnavailableError
from caption_node.preprocess import BORDER, Letterbox, letterbox
from tests.drawn import draw_street

HEIGHT, WIDTH = 384, 640
HEAD = """
#include <cmath>
#include <cstddef>
#include <algorithm>
using std::min;
struct Place { int x, y; };
static Place blockIdx, threadIdx, blockDim = {1, 1};
#define __global__
"""
TAIL = """
extern "C" void shrink_all(
    const unsigned char* source, unsigned char* target, int sh, int sw, int th, int tw, int top,
    int left, int ih, int iw, int turn, int border)
{
    for (blockIdx.y = 0; blockIdx.y < th; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < tw; ++blockIdx.x)
            shrink(source, target, sh, sw, th, tw, top, left, ih, iw, turn, border);
}
"""
SIZES = [
    (1280, 720), (1920, 1080), (1280, 768), (1242, 375), (800, 1333), (641, 385), (2048, 1),
    (1, 2048), (3840, 2160), (640, 480), (961, 577),
]  # fmt: skip
Shrink = Callable[[NDArray[np.uint8], bool], NDArray[np.uint8]]


@pytest.fixture(scope='module')
def shrink(tmp_path_factory: pytest.TempPathFactory) -> Shrink:
    compiler = shutil.which('g++') or shutil.which('c++') or shutil.which('clang++')
    if compiler is None:
        pytest.skip('there is no C++ compiler')
    folder = tmp_path_factory.mktemp('kernel')
    (folder / 'shrink.cpp').write_text(HEAD + KERNEL + TAIL)
    command = [compiler, '-O2', '-shared', '-fPIC', '-o', 'shrink.so', 'shrink.cpp']
    subprocess.run(command, cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / 'shrink.so'))

    def call(plain: NDArray[np.uint8], is_turned: bool) -> NDArray[np.uint8]:
        fit = Letterbox.fit(plain.shape[0], plain.shape[1], HEIGHT, WIDTH)
        out = np.full((HEIGHT, WIDTH, 3), 1, np.uint8)
        library.shrink_all(
            ctypes.c_void_p(plain.ctypes.data), ctypes.c_void_p(out.ctypes.data),
            *plain.shape[:2], HEIGHT, WIDTH, fit.top, fit.left, *fit.inner_size(HEIGHT, WIDTH),
            int(is_turned), BORDER,
        )  # fmt: skip
        return out

    return call


@pytest.mark.parametrize(('width', 'height'), SIZES)
def test_same_as_on_the_cpu_within_one_grey_level(shrink: Shrink, width: int, height: int) -> None:
    drawn = draw_street(1, 1280, 720)
    rows, columns = np.arange(height) * 720 // height, np.arange(width) * 1280 // width
    noise = np.random.default_rng(7).integers(0, 40, (height, width, 3))
    rgb = np.ascontiguousarray((drawn[rows][:, columns] * 0.8 + noise).astype(np.uint8))
    expected, _ = letterbox(rgb, HEIGHT, WIDTH)
    difference = np.abs(shrink(rgb, False).astype(int) - expected.astype(int))
    assert difference.max() <= 1
    turned = shrink(np.ascontiguousarray(rgb[:, :, ::-1]), True)
    assert (turned == shrink(rgb, False)).all()


@pytest.mark.parametrize('target', ['sm75', 'sm80', 'sm86', 'sm87', 'sm89', 'sm90', 'sm120'])
def test_kernel_compiles_for_every_card_without_one(target: str) -> None:
    pytest.importorskip('cuda.bindings.nvrtc', reason='cuda-bindings is not installed')
    try:
        code = compile_kernel('sm80')
    except BackendUnavailableError as err:
        pytest.skip(str(err))
    code = compile_kernel(target)
    assert code[:4] == b'\x7fELF'


def test_unknown_card_is_named() -> None:
    with pytest.raises(BackendUnavailableError, match='sm1') as caught:
        compile_kernel('sm1')
    assert 'nvrtc' in caught.value.hint
