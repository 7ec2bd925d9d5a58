# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU: the default everywhere."""

import numpy as np
from numpy.typing import NDArray

from caption_node.backends.protocol import Outputs
from caption_node.bundle import Bundle
from caption_node.errors import BackendUnavailableError, BundleError, InferenceError

_OUTPUTS = ('tokens', 'token_logp', 'boxes', 'box_class', 'box_score', 'scene', 'embedding')


def available_providers() -> tuple[str, list[str]]:
    """
    Say which ONNX Runtime is installed and where it can run.

    :returns: version, and the names of the execution providers.
    :raises BackendUnavailableError: If it cannot be loaded.
    """
    try:
        import onnxruntime

        return str(onnxruntime.__version__), list(onnxruntime.get_available_providers())
    except Exception as err:  # not installed, or a shared library is missing or does not fit
        raise BackendUnavailableError(
            f'ONNX Runtime cannot be loaded: {err}',
            'run `pip install --force-reinstall onnxruntime`',
        ) from err


class OnnxRuntimeBackend:
    """
    The model in one ONNX Runtime session on the CPU.

    :param bundle: The model to load.
    :param threads: Threads of one run; 0 lets the runtime choose.
    :raises BackendUnavailableError: If onnxruntime is not installed.
    :raises BundleError: If the file is not an ONNX graph with the contract's inputs and outputs.
    """

    name = 'onnxruntime-cpu'

    def __init__(self, bundle: Bundle, threads: int = 0) -> None:
        try:
            import onnxruntime
        except ImportError as err:
            raise BackendUnavailableError(
                'onnxruntime is not installed', 'run `pip install onnxruntime`'
            ) from err
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning threads would take the cores from decoding and from the rest of the vehicle.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        try:
            self._session = onnxruntime.InferenceSession(
                str(bundle.model_path), options, providers=['CPUExecutionProvider']
            )
        except Exception as err:  # the runtime's errors share no public base class
            raise BundleError(
                f'{bundle.model_path} is not a graph that ONNX Runtime can load: {err}'
            ) from err
        names = {o.name for o in self._session.get_outputs()}
        if not set(_OUTPUTS) <= names:
            missing = ', '.join(sorted(set(_OUTPUTS) - names))
            raise BundleError(f'{bundle.model_path} lacks the outputs {missing}')
        self._shape = (bundle.height, bundle.width, 3)
        self._max_batch = bundle.max_batch
        self._closed = False

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Describe a batch; see :class:`~caption_node.backends.protocol.Backend`."""
        if self._closed:
            raise InferenceError('the backend is closed')
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != self._shape:
            raise InferenceError(
                f'the model takes (B, {self._shape[0]}, {self._shape[1]}, 3) uint8, '
                f'got {images.shape} {images.dtype}'
            )
        if not 1 <= images.shape[0] <= self._max_batch:
            raise InferenceError(
                f'batch of {images.shape[0]}, the model takes 1..{self._max_batch}'
            )
        try:
            values = self._session.run(list(_OUTPUTS), {'image': images})
        except Exception as err:  # the runtime's errors share no public base class
            raise InferenceError(f'ONNX Runtime failed: {err}') from err
        return Outputs(*values)

    def close(self) -> None:
        """Drop the session and its memory."""
        self._closed = True
        self._session = None
