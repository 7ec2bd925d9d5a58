# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A real graph of the contract, small enough to be built into an engine within seconds."""

from pathlib import Path
import shutil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.bundle import Bundle
from tests.conftest import MODEL, rewrite_manifest

WORDS, BOXES, CLASSES, SCENE, EMBEDDING, WIDTH = 32, 32, 9, 91, 128, 16


def small_bundle(folder: Path, seed: int = 0) -> Bundle:
    """Write a model folder with the small graph and read it; other seeds give other weights."""
    shutil.copytree(MODEL, folder)
    (folder / 'model.onnx').write_bytes(small_graph(seed))
    rewrite_manifest(folder, name='small')
    return Bundle.load(folder)


def small_graph(seed: int = 0) -> bytes:
    """
    Build the graph: two convolutions, a pool, a linear layer for each output.

    :returns: a serialized ONNX model with the inputs and outputs of the contract.
    """
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    weights, nodes = [], []

    def weight(name: str, *shape: int) -> str:
        values = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
        weights.append(numpy_helper.from_array(values, name))
        return name

    def constant(name: str, values: NDArray[np.generic]) -> str:
        weights.append(numpy_helper.from_array(values, name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    x = node('Cast', ['image'], 'float', to=TensorProto.FLOAT)
    x = node('Mul', [x, constant('scale', np.array(1 / 255, np.float32))], 'scaled')
    x = node('Transpose', [x], 'nchw', perm=[0, 3, 1, 2])
    x = node('Conv', [x, weight('w1', WIDTH, 3, 8, 8)], 'c1', strides=[16, 16])
    x = node('Relu', [x], 'r1')
    x = node('Conv', [x, weight('w2', WIDTH, WIDTH, 3, 3)], 'c2', strides=[2, 2])
    x = node('GlobalAveragePool', [x], 'pooled')
    x = node('Flatten', [x], 'features')

    def linear(name: str, size: int, *shape: int) -> str:
        out = node('Gemm', [x, weight(f'w_{name}', size, WIDTH)], f'{name}_flat', transB=1)
        if not shape:
            return out
        target = constant(f'{name}_shape', np.array([-1, *shape], np.int64))
        return node('Reshape', [out, target], f'{name}_shaped')

    words = linear('words', WORDS * 50, WORDS, 50)
    node('ArgMax', [words], 'tokens', axis=2, keepdims=0)
    logp = node('LogSoftmax', [words], 'logp', axis=2)
    node('ReduceMax', [logp], 'token_logp', axes=[2], keepdims=0)
    node('Relu', [linear('corners', BOXES * 4, BOXES, 4)], 'boxes')
    node('ArgMax', [linear('classes', BOXES * CLASSES, BOXES, CLASSES)], 'box_class',
         axis=2, keepdims=0)  # fmt: skip
    node('Sigmoid', [linear('scores', BOXES)], 'box_score')
    node('Identity', [linear('fields', SCENE)], 'scene')
    long = linear('long', EMBEDDING)
    node('Div', [long, node('ReduceL2', [long], 'length', axes=[1], keepdims=1)], 'embedding')
    graph = helper.make_graph(
        nodes,
        'small',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, ['batch', 384, 640, 3])],
        [helper.make_tensor_value_info(n, t, ['batch', *shape]) for n, t, *shape in outputs()],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    return bytes(model.SerializeToString())


def outputs() -> list[tuple[Any, ...]]:
    """Return name, type and sizes behind the batch of every output."""
    from onnx import TensorProto

    floats, ints = TensorProto.FLOAT, TensorProto.INT64
    return [
        ('tokens', ints, WORDS), ('token_logp', floats, WORDS), ('boxes', floats, BOXES, 4),
        ('box_class', ints, BOXES), ('box_score', floats, BOXES), ('scene', floats, SCENE),
        ('embedding', floats, EMBEDDING),
    ]  # fmt: skip
