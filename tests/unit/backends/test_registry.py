# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Choosing a backend, and serving with one while another is made ready."""

from collections.abc import Callable
import subprocess
import sys
from threading import Event
import time

import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.backends import registry
from caption_node.backends.device import find_device
from caption_node.backends.engine_build import EngineSpec, ensure_engine
from caption_node.backends.engine_cache import EngineCache
from caption_node.backends.onnx_runtime import OnnxRuntimeBackend
from caption_node.backends.protocol import Backend
from caption_node.backends.switching import SwitchingBackend
from caption_node.bundle import Bundle
from caption_node.errors import BackendUnavailableError, InferenceError
from tests.conftest import ROOT

DEADLINE_S = 120


@pytest.fixture(scope='module')
def has_driver() -> bool:
    try:
        find_device()
    except BackendUnavailableError:
        return False
    return True


@pytest.fixture
def image() -> NDArray[np.uint8]:
    return np.full((1, 384, 640, 3), 99, np.uint8)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        Event().wait(0.02)


def test_auto_without_a_driver_takes_the_cpu_and_says_why_in_one_line(
    small: Bundle, image: NDArray[np.uint8], has_driver: bool
) -> None:
    if has_driver:
        pytest.skip('there is a driver')
    remarks: list[str] = []
    backend = registry.open_backend('auto', small, 1, on_remark=remarks.append)
    assert backend.name == 'onnxruntime-cpu'
    assert backend.run(image).tokens.shape == (1, 32)
    backend.close()
    (line,) = remarks
    assert '\n' not in line
    assert line.startswith('backend onnxruntime (on the CPU); tensorrt: no NVIDIA driver')


@pytest.mark.parametrize('name', ['tensorrt', 'onnxruntime-cuda'])
def test_named_backend_without_a_driver_is_one_clear_error(
    small: Bundle, has_driver: bool, name: str
) -> None:
    if has_driver:
        pytest.skip('there is a driver')
    with pytest.raises(BackendUnavailableError, match='no NVIDIA driver') as caught:
        registry.open_backend(name, small)
    assert 'the CPU is used' in caught.value.hint


@pytest.mark.parametrize('name', ['tensorrt', 'auto'])
def test_fallback_without_a_driver_serves_from_the_cpu(
    small: Bundle, image: NDArray[np.uint8], has_driver: bool, name: str
) -> None:
    if has_driver:
        pytest.skip('there is a driver')
    remarks: list[str] = []
    backend = registry.open_backend(name, small, 1, fallback=True, on_remark=remarks.append)
    assert backend.name == 'onnxruntime-cpu'
    assert backend.run(image).scene.shape == (1, 91)
    backend.close()
    assert 'no NVIDIA driver' in remarks[0]


NO_CRASH = """
import sys
from pathlib import Path
from caption_node.backends import libraries
from caption_node.backends.cuda_memory import load_cuda
from caption_node.backends.device import Device
from caption_node.backends.tensorrt import TensorRtBackend
from caption_node.bundle import Bundle
from caption_node.errors import CaptionError
library = libraries.load_library('tensorrt_rtx')
device = Device(0, 'none', 'sm86', '0.0', False)
bundle = Bundle.load(Path(sys.argv[1]))
try:
    TensorRtBackend(bundle, library, Path(sys.argv[2]).read_bytes(), device, 'fp32')
except CaptionError as err:
    print(f'{type(err).__name__}: {err}')
"""


def test_real_engine_without_a_driver_is_an_error_and_no_crash(
    small: Bundle, engine: bytes, has_driver: bool, tmp_path: object
) -> None:
    if has_driver:
        pytest.skip('there is a driver')
    pytest.importorskip('cuda.bindings.runtime', reason='cuda-bindings is not installed')
    path = tmp_path / 'small.engine'  # type: ignore[operator]
    path.write_bytes(engine)
    done = subprocess.run(
        [sys.executable, '-c', NO_CRASH, str(small.path), str(path)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('InferenceError: cudaSetDevice failed: cudaError')


def test_changes_over_between_two_batches(small: Bundle, image: NDArray[np.uint8]) -> None:
    class Better(OnnxRuntimeBackend):
        name = 'better'

        def __init__(self) -> None:
            super().__init__(small, 1)
            self.name = 'better'

    ready, remarks = Event(), []

    def make() -> Backend:
        assert ready.wait(DEADLINE_S)
        return Better()

    backend = SwitchingBackend(OnnxRuntimeBackend(small, 1), make, Event(), remarks.append)
    before = backend.run(image)
    assert (backend.name, backend.is_preparing) == ('onnxruntime-cpu', True)
    ready.set()
    wait_for(lambda: not backend.is_preparing, 'the better backend is never ready')
    after = backend.run(image)
    assert backend.name == 'better'
    assert (before.tokens == after.tokens).all()
    assert remarks == ['better (fp32) takes over from onnxruntime-cpu']
    backend.close()
    with pytest.raises(InferenceError, match='closed'):
        backend.run(image)


def test_serves_during_a_real_build_and_closing_ends_it(
    cache: EngineCache, spec: EngineSpec, small: Bundle, image: NDArray[np.uint8]
) -> None:
    cancel, begun = Event(), Event()
    remarks: list[str] = []

    def make() -> Backend:
        ensure_engine(cache, small, spec, on_progress=lambda _: begun.set(), cancel=cancel)
        raise AssertionError('the build was to be cancelled')

    backend = SwitchingBackend(OnnxRuntimeBackend(small, 1), make, cancel, remarks.append)
    assert begun.wait(DEADLINE_S)
    assert backend.run(image).tokens.shape == (1, 32)
    backend.close()
    wait_for(lambda: not backend.is_preparing, 'the build goes on')
    assert [p.suffix for p in cache.folder.iterdir()] == ['.lock']
    (line,) = remarks
    assert line.startswith('onnxruntime-cpu goes on serving: the build was stopped')


def test_failure_to_get_better_is_said_and_serving_goes_on(
    small: Bundle, image: NDArray[np.uint8]
) -> None:
    remarks: list[str] = []

    def make() -> Backend:
        raise BackendUnavailableError('the GPU is gone', 'look for it')

    backend = SwitchingBackend(OnnxRuntimeBackend(small, 1), make, Event(), remarks.append)
    wait_for(lambda: bool(remarks), 'nothing is said')
    assert remarks == ['onnxruntime-cpu goes on serving: the GPU is gone (look for it)']
    assert backend.run(image).tokens.shape == (1, 32)
    backend.close()
