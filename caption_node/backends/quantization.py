# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
An INT8 model folder made from an FP32 one: explicit Q/DQ, ranges measured on pictures.

Only convolutions are quantized, symmetrically, weights by channel: they are nearly all of the
arithmetic, and what TensorRT and ONNX Runtime both fuse. Whether it pays is a matter of the
machine: measure it with ``benchmarks/precision.py`` before it is used.
"""

from collections.abc import Callable, Sequence
import json
import logging
from pathlib import Path
import shutil
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.bundle import Bundle, sha256_of
from caption_node.errors import BackendUnavailableError, ConfigError, FrameError
from caption_node.image_codec import read_image
from caption_node.preprocess import letterbox

_QUANTIZED = ['Conv']


def quantize_bundle(
    bundle: Bundle,
    pictures: Sequence[Path],
    limit: int,
    output: Path,
    on_remark: Callable[[str], None],
) -> int:
    """
    Write an INT8 model folder.

    :param pictures: Frames like those that the model will see, never those it is measured on.
    :param limit: So many of them are used, evenly spread.
    :param output: The new folder; it must not exist.
    :returns: How many pictures were used.
    :raises ConfigError: If the folder cannot be written, or no picture can be read.
    :raises BackendUnavailableError: If the package onnx is missing.
    """
    if output.exists():
        raise ConfigError(f'{output} is there already', 'name a new folder, or remove it')
    chosen = pictures[:: max(1, len(pictures) // limit)][:limit]
    images = []
    for picture in chosen:
        try:
            pixels = read_image(picture)
        except FrameError as err:
            on_remark(f'left out: {err}')
            continue
        images.append(letterbox(pixels, bundle.height, bundle.width)[0])
    if not images:
        raise ConfigError('none of the pictures can be read')
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
            folder = Path(scratch) / 'model'
            shutil.copytree(bundle.path, folder)
            quantize_graph(bundle.model_path, folder / 'model.onnx', images)
            _rewrite_manifest(folder, bundle)
            folder.rename(output)
    except OSError as err:
        raise ConfigError(f'{output} cannot be written: {err.strerror or err}') from err
    return len(images)


def quantize_graph(source: Path, target: Path, images: Sequence[NDArray[np.uint8]]) -> None:
    """
    Write a Q/DQ graph.

    :param images: (H, W, 3) uint8, letterboxed.
    :raises BackendUnavailableError: If the package onnx is missing.
    """
    try:
        from onnxruntime import quantization
    except ImportError as err:
        raise BackendUnavailableError(
            'quantization takes the package onnx', 'run `pip install onnx`'
        ) from err

    class _Images(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(images)

        def get_next(self) -> dict[str, Any] | None:
            image = next(self._left, None)
            return None if image is None else {'image': image[None]}

    # It advises its own preparation, which would fold batch sizes in; nothing is wrong.
    logging.disable(logging.WARNING)
    try:
        _quantize(quantization, source, target, _Images())
    finally:
        logging.disable(logging.NOTSET)


def _quantize(quantization: Any, source: Path, target: Path, images: Any) -> None:
    quantization.quantize_static(
        str(source),
        str(target),
        images,
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=_QUANTIZED,
        per_channel=True,
        activation_type=quantization.QuantType.QInt8,
        weight_type=quantization.QuantType.QInt8,
        extra_options={
            # TensorRT takes zero points of 0 only, and biases as they are.
            'ActivationSymmetric': True,
            'WeightSymmetric': True,
            'QuantizeBias': False,
        },
    )


def _rewrite_manifest(folder: Path, bundle: Bundle) -> None:
    file = folder / 'manifest.json'
    manifest = json.loads(file.read_text(encoding='utf-8'))
    manifest['name'] = f'{bundle.name}-int8'
    manifest['precision'] = 'int8'
    for name in manifest['sha256']:
        manifest['sha256'][name] = sha256_of(folder / name)
    file.write_text(json.dumps(manifest, indent=2) + '\n', encoding='utf-8')
