# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: on the CPU the default everywhere, and on NVIDIA GPUs with onnxruntime-gpu."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.backends.protocol import OUTPUT_NAMES, Outputs, check_images
from caption_node.bundle import Bundle
from caption_node.errors import BackendUnavailableError, BundleError, InferenceError

_CUDA, _CPU = 'CUDAExecutionProvider', 'CPUExecutionProvider'


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


def check_cuda_provider() -> None:
    """
    Make sure that the installed ONNX Runtime was built for CUDA.

    :raises BackendUnavailableError: If it was not, or is missing.
    """
    version, providers = available_providers()
    if _CUDA not in providers:
        raise BackendUnavailableError(
            f'ONNX Runtime {version} was built without CUDA',
            'run `pip uninstall onnxruntime` and `pip install onnxruntime-gpu`',
        )


class OnnxRuntimeBackend:
    """
    The model in one ONNX Runtime session.

    :param bundle: The model to load.
    :param threads: CPU threads of one run; 0 lets the runtime choose.
    :param cuda_device: Number of the GPU to run on; None is the CPU.
    :raises BackendUnavailableError: If onnxruntime is not installed, or cannot use the GPU.
    :raises BundleError: If the file is not an ONNX graph with the contract's inputs and outputs.
    """

    def __init__(self, bundle: Bundle, threads: int = 0, cuda_device: int | None = None) -> None:
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
        self.name = 'onnxruntime-cpu' if cuda_device is None else 'onnxruntime-cuda'
        self.precision = bundle.precision
        providers: list[Any] = [_CPU]
        if cuda_device is not None:
            check_cuda_provider()
            providers = [(_CUDA, {'device_id': str(cuda_device), 'use_tf32': '0'}), _CPU]
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(bundle.model_path), options, providers=providers
            )
        except Exception as err:  # the runtime's errors share no public base class
            raise BundleError(
                f'{bundle.model_path} is not a graph that ONNX Runtime can load: {err}'
            ) from err
        if cuda_device is not None and self._session.get_providers()[0] != _CUDA:
            # It turns to the CPU without a word if a library of CUDA is missing.
            raise BackendUnavailableError(
                'ONNX Runtime cannot use the GPU',
                'install CUDA and cuDNN of the versions that onnxruntime-gpu wants',
            )
        missing = set(OUTPUT_NAMES) - {o.name for o in self._session.get_outputs()}
        if missing:
            raise BundleError(
                f'{bundle.model_path} lacks the outputs {", ".join(sorted(missing))}'
            )
        self._bundle = bundle

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Describe a batch; see :class:`~caption_node.backends.protocol.Backend`."""
        if self._session is None:
            raise InferenceError('the backend is closed')
        return self._run(images, {})

    @property
    def chances(self) -> Mapping[str, tuple[int, ...]]:
        """See :class:`~caption_node.backends.protocol.SamplingBackend`."""
        if self._session is None:
            raise InferenceError('the backend is closed')
        found = self._session.get_overridable_initializers()
        return {node.name: tuple(node.shape[1:]) for node in found}

    def run_samples(
        self, image: NDArray[np.uint8], chance: Mapping[str, NDArray[np.float32]]
    ) -> Outputs:
        """See :class:`~caption_node.backends.protocol.SamplingBackend`."""
        sizes = self.chances
        if len(image) != 1 or any(a.shape[1:] != sizes.get(n) for n, a in chance.items()):
            shapes = {name: array.shape for name, array in chance.items()}
            raise InferenceError(f'one picture and {dict(sizes)} is wanted, got {shapes}')
        # Rows for each sentence in every input: the graph takes their number for one and the same.
        rows = max((len(array) for array in chance.values()), default=1)
        none = {n: np.zeros((rows, *size), np.float32) for n, size in sizes.items()}
        return self._run(image, {**none, **chance})

    def _run(
        self, images: NDArray[np.uint8], chance: Mapping[str, NDArray[np.float32]]
    ) -> Outputs:
        check_images(images, self._bundle)
        try:
            values = self._session.run(list(OUTPUT_NAMES), {'image': images, **chance})
        except Exception as err:  # the runtime's errors share no public base class
            raise InferenceError(f'ONNX Runtime failed: {err}') from err
        return Outputs(*values)

    def close(self) -> None:
        """Drop the session and its memory."""
        self._session = None
