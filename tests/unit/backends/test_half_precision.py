# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The FP16 graph: strongly typed, same face, close to FP32, and the emulation likewise."""

import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.backends.half_precision import to_half
from caption_node.errors import EngineError
from tests.conftest import MODEL
from tests.small_model import small_graph

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')


def run(model: bytes, images: NDArray[np.uint8]) -> dict[str, NDArray[np.generic]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider'])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, {'image': images}), strict=True))


@pytest.fixture(scope='module')
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (2, 384, 640, 3), dtype=np.uint8)


@pytest.mark.parametrize('emulate', [False, True])
@pytest.mark.parametrize('exact_depth', [0, 1, 36])
def test_close_to_fp32_with_the_same_face(
    images: NDArray[np.uint8], emulate: bool, exact_depth: int
) -> None:
    source = small_graph()
    exact = run(source, images)
    half = run(to_half(source, emulate, exact_depth), images)
    assert list(half) == list(exact)
    for name, values in exact.items():
        assert (half[name].dtype, half[name].shape) == (values.dtype, values.shape)
    difference = np.abs(half['scene'] - exact['scene'])
    assert 0 < difference.max() < 0.02, 'rounded, but not by much'


@pytest.mark.parametrize('graph', ['small', 'shipped'])
def test_every_operator_gets_one_type(graph: str) -> None:
    source = small_graph() if graph == 'small' else (MODEL / 'model.onnx').read_bytes()
    before, model = onnx.load_from_string(source), onnx.load_from_string(to_half(source))
    onnx.checker.check_model(model)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    assert list(model.graph.output) == list(before.graph.output)
    assert list(model.graph.input) == list(before.graph.input)
    halves = {i.name for i in model.graph.initializer if i.data_type == onnx.TensorProto.FLOAT16}
    layers = [n.input[1] for n in model.graph.node if n.op_type in ('Conv', 'Gemm', 'MatMul')]
    assert any(name in halves for name in layers)
    assert layers[0] not in halves, 'the layer at the pixels stays exact'


@pytest.mark.parametrize(('exact_depth', 'expected'), [(0, [10, 10]), (1, [1, 10]), (9, [1, 1])])
def test_convolutions_near_the_pixels_stay_fp32(exact_depth: int, expected: list[int]) -> None:
    model = onnx.load_from_string(to_half(small_graph(), exact_depth=exact_depth))
    types = {i.name: i.data_type for i in model.graph.initializer}
    assert [types[n.input[1]] for n in model.graph.node if n.op_type == 'Conv'] == expected


def test_output_that_is_also_used_inside_stays_fp32_outside() -> None:
    model = onnx.load_from_string(small_graph())
    # The scene's layer gives the output itself, and another layer goes on from it.
    scene = next(n for n in model.graph.node if n.output[0] == 'scene')
    layer = next(n for n in model.graph.node if n.output[0] == scene.input[0])
    layer.output[0] = 'scene'
    model.graph.node.remove(scene)
    model.graph.node.append(onnx.helper.make_node('MatMul', ['scene', 'more'], ['again']))
    model.graph.initializer.append(
        onnx.numpy_helper.from_array(np.ones((91, 4), np.float32), 'more')
    )
    model.graph.output.append(
        onnx.helper.make_tensor_value_info('again', onnx.TensorProto.FLOAT, ['batch', 4])
    )
    image = np.full((1, 384, 640, 3), 77, np.uint8)
    exact = run(model.SerializeToString(), image)
    for emulate in (False, True):
        half = run(to_half(model.SerializeToString(), emulate), image)
        assert half['scene'].dtype == np.float32
        assert np.abs(half['again'] - exact['again']).max() < 0.1


@pytest.mark.parametrize('emulate', [False, True])
def test_sum_inside_a_product_stays_fp32_if_it_is_no_bias(emulate: bool) -> None:
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = np.zeros((4, 4), np.float32)
    graph = helper.make_graph(
        [helper.make_node('Gemm', ['x', 'w', 'x'], ['y'])],
        'residual',
        [helper.make_tensor_value_info('x', kind, [1, 4])],
        [helper.make_tensor_value_info('y', kind, [1, 4])],
        [onnx.numpy_helper.from_array(weights, 'w')],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=9)
    half = onnx.load_from_string(to_half(model.SerializeToString(), emulate))
    onnx.checker.check_model(half, full_check=True)
    stream = np.array([[1.0001, 2.0003, 7000.7, -3.00007]], np.float32)  # not so in FP16
    session = onnxruntime.InferenceSession(
        half.SerializeToString(), providers=['CPUExecutionProvider']
    )
    (result,) = session.run(None, {'x': stream})
    np.testing.assert_array_equal(result, stream)


def test_weights_beyond_fp16_are_cut_and_not_infinite() -> None:
    model = onnx.load_from_string(small_graph())
    weight = next(i for i in model.graph.initializer if i.name == 'w2')
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[0] = 1e9
    weight.CopyFrom(onnx.numpy_helper.from_array(values, 'w2'))
    half = onnx.load_from_string(to_half(model.SerializeToString(), exact_depth=0))
    found = next(i for i in half.graph.initializer if i.name == 'w2.half')
    assert float(onnx.numpy_helper.to_array(found).max()) == 65504


def test_garbage_is_refused() -> None:
    with pytest.raises(EngineError, match='cannot be read'):
        to_half(b'not a graph')
