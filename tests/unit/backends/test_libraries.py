# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
r"""
What the runtime half uses, against every TensorRT that is installed; no driver is needed.

The lean runtime wheels have the runtime classes of TensorRT 10 and 11::

    pip install --no-deps --target /tmp/lean tensorrt-lean-cu13==11.4.0.106 \
        tensorrt-lean-cu13-bindings==11.4.0.106 tensorrt-lean-cu13-libs==11.4.0.106
    PYTHONPATH=/tmp/lean pytest tests/unit/backends/test_libraries.py
"""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from caption_node.backends import libraries, tensorrt
from caption_node.backends.libraries import Library, installed_libraries, load_library
from caption_node.errors import BackendUnavailableError

USED = {
    'Runtime': ['deserialize_cuda_engine'],
    'ICudaEngine': [
        'create_execution_context', 'device_memory_size_v2', 'get_tensor_dtype',
        'get_tensor_name', 'num_io_tensors',
    ],
    'IExecutionContext': [
        'execute_async_v3', 'get_tensor_shape', 'set_device_memory', 'set_input_shape',
        'set_tensor_address',
    ],
    'ExecutionContextAllocationStrategy': ['USER_MANAGED'],
}  # fmt: skip
USED_OF_RTX = {
    'Runtime': ['get_engine_validity'],
    'ICudaEngine': ['create_runtime_config'],
    'IExecutionContext': ['is_stream_capturable'],
    'IRuntimeConfig': [
        'create_runtime_cache', 'cuda_graph_strategy',
        'dynamic_shapes_kernel_specialization_strategy',
        'set_execution_context_allocation_strategy', 'set_runtime_cache',
    ],
    'IRuntimeCache': ['deserialize', 'serialize'],
    'CudaGraphStrategy': ['DISABLED'],
    'DynamicShapesKernelSpecializationStrategy': ['EAGER'],
}  # fmt: skip


@pytest.fixture(params=['tensorrt', 'tensorrt_lean', 'tensorrt_rtx'])
def module(request: pytest.FixtureRequest) -> ModuleType:
    """Each library that is installed; the lean runtime only stands in for its parent."""
    try:
        return importlib.import_module(request.param)
    except ImportError:
        pytest.skip(f'{request.param} is not installed')


def test_everything_that_is_used_exists(module: ModuleType) -> None:
    missing = [
        f'{kind}.{name}'
        for kind, names in USED.items()
        for name in names
        if not hasattr(getattr(module, kind), name)
    ]
    assert missing == []
    assert {'INTERNAL_ERROR', 'ERROR', 'WARNING'} <= set(module.ILogger.Severity.__members__)
    assert module.nptype(module.DataType.INT64) is not None


def test_what_only_rtx_has_exists_there_and_is_asked_for_elsewhere(module: ModuleType) -> None:
    if module.__name__ == 'tensorrt_rtx':
        for kind, names in USED_OF_RTX.items():
            assert [n for n in names if not hasattr(getattr(module, kind), n)] == []
    else:
        library = Library('tensorrt', module.__version__, '', module)
        assert not library.has_runtime_cache
        assert library.targets == ()
        assert not hasattr(module.Runtime, 'get_engine_validity')


def test_the_lists_above_are_what_the_code_uses() -> None:
    files = (libraries.__file__, tensorrt.__file__)
    source = ''.join(Path(str(f)).read_text(encoding='utf-8') for f in files)
    unused = [n for table in (USED, USED_OF_RTX) for names in table.values() for n in names]
    assert [n for n in unused if n not in source] == []


def test_messages_of_the_library_are_handed_on(module: ModuleType) -> None:
    heard: list[tuple[str, str]] = []
    library = Library('tensorrt', module.__version__, '', module)
    logger = library.logger(lambda severity, text: heard.append((severity, text)))
    severity = module.ILogger.Severity
    for level in (severity.INTERNAL_ERROR, severity.ERROR, severity.WARNING, severity.INFO):
        logger.log(level, level.name)
    assert [s for s, _ in heard] == ['error', 'error', 'warning', 'info']


@pytest.mark.parametrize('name', libraries.LIBRARY_NAMES)
def test_missing_library_is_named_with_what_to_install(name: str) -> None:
    if name in installed_libraries():
        assert load_library(name).version
        return
    with pytest.raises(BackendUnavailableError, match='is not installed') as caught:
        load_library(name)
    assert 'pip install' in caught.value.hint
