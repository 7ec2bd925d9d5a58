# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Which backends there are, and how one is opened by name."""

from collections.abc import Callable, Mapping

from caption_node.backends.onnx_runtime import OnnxRuntimeBackend
from caption_node.backends.protocol import Backend
from caption_node.bundle import Bundle
from caption_node.errors import ConfigError

BACKENDS: Mapping[str, Callable[[Bundle, int], Backend]] = {
    'onnxruntime': OnnxRuntimeBackend,
}
BACKEND_NAMES = ('auto', *BACKENDS)


def open_backend(name: str, bundle: Bundle, threads: int = 0) -> Backend:
    """
    Start a backend on a model.

    :param name: ``auto`` takes the best that works on this machine.
    :raises ConfigError: If there is no backend of that name.
    :raises BackendUnavailableError: If its library or device is missing.
    """
    if name == 'auto':
        return OnnxRuntimeBackend(bundle, threads)
    if name not in BACKENDS:
        raise ConfigError(f'no backend {name!r}', 'backends: ' + ', '.join(BACKEND_NAMES))
    return BACKENDS[name](bundle, threads)
