# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Folding: what is constant is worked out, what is computed stays, operators stay standard."""

from pathlib import Path

import numpy as np
import pytest

from caption_node.backends.graph_folding import fold_constants

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')


def test_constants_are_folded_and_the_outputs_stay(tmp_path: Path) -> None:
    helper, types = onnx.helper, onnx.TensorProto
    weight = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    nodes = [
        helper.make_node('Constant', [], ['two'], value_float=2.0),
        helper.make_node('Mul', ['weight', 'two'], ['twice']),
        helper.make_node('Transpose', ['twice'], ['turned'], perm=[1, 0]),
        helper.make_node('MatMul', ['x', 'turned'], ['y'], doc_string='a line of the source'),
        helper.make_node('Relu', ['y'], ['z']),
    ]
    graph = helper.make_graph(
        nodes,
        'g',
        [helper.make_tensor_value_info('x', types.FLOAT, ['batch', 3])],
        [helper.make_tensor_value_info('z', types.FLOAT, ['batch', 4])],
        [onnx.numpy_helper.from_array(weight, 'weight')],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    path = tmp_path / 'model.onnx'
    onnx.save(model, str(path))
    fold_constants(path)
    folded = onnx.load(str(path))
    assert [n.op_type for n in folded.graph.node] == ['MatMul', 'Relu']
    assert [(o.domain, o.version) for o in folded.opset_import] == [('', 17)]
    assert not any(n.domain or n.doc_string for n in folded.graph.node)
    assert [p.name for p in tmp_path.iterdir()] == ['model.onnx']
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    x = np.ones((2, 3), np.float32)
    assert session.run(None, {'x': x})[0] == pytest.approx(np.maximum(x @ (2 * weight).T, 0))
