# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Real engines, built without a GPU, for the tests of the backends."""

from pathlib import Path

import pytest

from caption_node.backends.engine_build import EngineSpec, ensure_engine, make_spec
from caption_node.backends.engine_cache import EngineCache
from caption_node.backends.libraries import Library, installed_libraries, load_library
from caption_node.bundle import Bundle
from tests.small_model import small_bundle


@pytest.fixture(scope='session')
def rtx() -> Library:
    """TensorRT for RTX; skips where it is not installed."""
    if 'tensorrt_rtx' not in installed_libraries():
        pytest.skip('tensorrt-rtx is not installed (requirements/tensorrt.txt)')
    return load_library('tensorrt_rtx')


@pytest.fixture(scope='session')
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model folder whose graph is built within seconds."""
    pytest.importorskip('onnx')
    return small_bundle(tmp_path_factory.mktemp('models') / 'small')


@pytest.fixture(scope='session')
def spec(rtx: Library, small: Bundle) -> EngineSpec:
    """What to build: the small graph for an sm86 that is not there."""
    return make_spec(rtx, small, 'sm86', 'fp32', None)


@pytest.fixture(scope='session')
def engine(spec: EngineSpec, small: Bundle, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real engine of the small graph."""
    return ensure_engine(EngineCache(tmp_path_factory.mktemp('engines')), small, spec)


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    """An empty cache."""
    return EngineCache(tmp_path / 'engines')
