# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""TensorRT on a real GPU: equality with the CPU, CUDA graphs, memory, scaling, engine cache."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.backends.cuda_memory import check, load_cuda
from caption_node.backends.engine_build import BuildProgress
from caption_node.backends.onnx_runtime import OnnxRuntimeBackend
from caption_node.backends.protocol import SourceBackend
from caption_node.backends.registry import open_backend
from caption_node.backends.tensorrt import TensorRtBackend
from caption_node.bundle import Bundle
from caption_node.errors import BackendUnavailableError
from caption_node.preprocess import letterbox
from caption_node.scenes import render_scene
from tests.conftest import MODEL

pytestmark = pytest.mark.gpu

LEAK_FRAMES = 100_000
RENDERS = 200


@pytest.fixture(scope='module')
def bundle() -> Bundle:
    return Bundle.load(MODEL)


@pytest.fixture(scope='module')
def engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('engines')


@pytest.fixture(scope='module', params=['fp32', 'fp16'])
def backend(
    request: pytest.FixtureRequest, bundle: Bundle, engines: Path
) -> Iterator[TensorRtBackend]:
    remarks: list[str] = []
    try:
        opened = open_backend(
            'tensorrt', bundle, precision=request.param, engines=engines, on_remark=remarks.append
        )
    except BackendUnavailableError as err:
        pytest.skip(str(err))
    assert isinstance(opened, TensorRtBackend)
    assert not [r for r in remarks if 'without a CUDA graph' in r]
    yield opened
    opened.close()


@pytest.fixture(scope='module')
def renders(bundle: Bundle) -> NDArray[np.uint8]:
    images = np.empty((RENDERS, bundle.height, bundle.width, 3), np.uint8)
    for i, image in enumerate(images):
        letterbox(render_scene(70_000 + i, 640, 360)[0], bundle.height, bundle.width, image)
    return images


def test_same_words_as_on_the_cpu(
    backend: TensorRtBackend, bundle: Bundle, renders: NDArray[np.uint8]
) -> None:
    cpu = OnnxRuntimeBackend(bundle, 4)
    equal = 0
    for start in range(0, RENDERS, bundle.max_batch):
        batch = renders[start : start + bundle.max_batch]
        equal += int((backend.run(batch).tokens == cpu.run(batch).tokens).all(axis=1).sum())
    cpu.close()
    # What FP16 costs is a figure of benchmarks/precision.py; FP32 may differ at near ties only.
    assert equal >= (0.99 if backend.precision == 'fp32' else 0.75) * RENDERS


def test_second_start_loads_the_engine_and_its_kernels(
    backend: TensorRtBackend, bundle: Bundle, engines: Path
) -> None:
    seen: list[BuildProgress] = []
    again = open_backend(
        'tensorrt', bundle, precision=backend.precision, engines=engines, on_progress=seen.append
    )
    assert seen == []
    again.close()
    if backend.name == 'tensorrt-rtx':
        assert list(engines.glob(f'*{backend.precision}*.kernels'))


def test_large_pictures_are_scaled_as_on_the_cpu(backend: TensorRtBackend, bundle: Bundle) -> None:
    assert isinstance(backend, SourceBackend)
    if not backend.takes_sources:
        pytest.skip('NVRTC is not installed')
    large = render_scene(70_500, 1920, 1080)[0]
    turned = np.ascontiguousarray(large[:, :, ::-1])[:, :, ::-1]
    small = render_scene(70_501, 640, 360)[0]
    seen = np.empty((3, bundle.height, bundle.width, 3), np.uint8)
    outputs, fits = backend.run_sources([large, turned, small], seen)
    for source, image, fit in zip((large, large, small), seen, fits, strict=True):
        expected, expected_fit = letterbox(source, bundle.height, bundle.width)
        assert fit == expected_fit
        assert np.abs(image.astype(int) - expected.astype(int)).max() <= 1
    assert (seen[0] == seen[1]).all()
    again = backend.run(seen)
    assert (again.tokens == outputs.tokens).all()


def test_100_000_frames_take_no_more_memory_than_a_thousand(
    backend: TensorRtBackend, renders: NDArray[np.uint8]
) -> None:
    cuda = load_cuda()
    batch = renders[:8]
    first = backend.run(batch)

    def run(frames: int) -> tuple[int, int]:
        for _ in range(frames // len(batch)):
            last = backend.run(batch)
        assert (last.tokens == first.tokens).all()
        free = cuda.cudaMemGetInfo()
        assert int(free[0]) == 0
        return int(free[1]), _resident_kb()

    free_before, host_before = run(1000)
    free_after, host_after = run(LEAK_FRAMES)
    assert free_before - free_after < 4 << 20
    assert host_after - host_before < 32 << 10


def test_device_is_empty_again_after_closing(bundle: Bundle, engines: Path) -> None:
    try:
        open_backend('tensorrt', bundle, precision='fp16', engines=engines).close()
    except BackendUnavailableError as err:
        pytest.skip(str(err))
    cuda = load_cuda()
    check(cuda, cuda.cudaSetDevice(0), 'cudaSetDevice')
    before = int(cuda.cudaMemGetInfo()[1])
    for _ in range(3):
        open_backend('tensorrt', bundle, precision='fp16', engines=engines).close()
    assert before - int(cuda.cudaMemGetInfo()[1]) < 16 << 20


def _resident_kb() -> int:
    text = Path('/proc/self/status').read_text(encoding='ascii')
    return next(int(r.split()[1]) for r in text.splitlines() if r.startswith('VmRSS'))
