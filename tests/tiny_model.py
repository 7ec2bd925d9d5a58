# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
A real model folder that opens in milliseconds and sees colours only, for tests of what is around.

Its graph has the contract's inputs and outputs. A grey picture is a plain day; red ones show a
person on the road, green ones a green light, blue ones night. Chance lets it say other words of
:data:`OTHERS`, one of which no box bears out.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import onnx
from onnx import TensorProto, helper, numpy_helper

from caption_node.bundle import Bundle, sha256_of
from caption_node.description import FIELDS
from caption_node.vocabulary import Vocabulary
from tests.conftest import MODEL
from tests.schema import PLAIN_WORDS

HEIGHT, WIDTH = 96, 160
SENTENCE = 'driving along a road'
OTHERS = {'a': ('the',), 'road': ('street', 'pedestrian')}
_GRID = (4, 4)
_TOKENS, _BOXES, _EMBEDDING = 32, 32, 128
_SURE = 4.0
_SLOPE = 24.0


def colour(name: str, width: int = 320, height: int = 192) -> NDArray[np.uint8]:
    """Draw a picture of one colour with some structure: grey, red, green or blue."""
    tint = {'grey': (1, 1, 1), 'red': (2, 0.5, 0.5), 'green': (0.5, 2, 0.5), 'blue': (0.5, 0.5, 2)}
    rows = np.linspace(60, 120, height)[:, None, None]
    columns = 1 + 0.2 * np.sin(np.linspace(0, 9, width))[None, :, None]
    return np.clip(rows * columns * np.array(tint[name]), 0, 255).astype(np.uint8)


def write_tiny_model(folder: Path) -> Path:
    """Write the model folder, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    shipped = Bundle.load(MODEL, verify=False)
    onnx.save(_graph(shipped.vocabulary), str(folder / 'model.onnx'))
    (folder / 'vocabulary.json').write_bytes((MODEL / 'vocabulary.json').read_bytes())
    manifest = json.loads((MODEL / 'manifest.json').read_text(encoding='utf-8'))
    start = 0
    for name, spec in FIELDS.items():
        manifest['fields'][name] = {'start': start, 'width': spec.width, 'temperature': 1.0}
        start += spec.width
    manifest['name'] = 'tiny'
    manifest['input'] |= {'height': HEIGHT, 'width': WIDTH}
    manifest['abstain'] = {'dark': 0.0, 'contrast': 0.0, 'noise': 1e9, 'confidence': 0.0}
    names = ('model.onnx', 'vocabulary.json')
    manifest['sha256'] = {name: sha256_of(folder / name) for name in names}
    (folder / 'manifest.json').write_text(json.dumps(manifest), encoding='utf-8')
    return folder


def _scene_weights() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    width = sum(spec.width for spec in FIELDS.values())
    weights = np.zeros((3, width), np.float32)
    bias = np.zeros(width, np.float32)
    start = 0
    for name, spec in FIELDS.items():
        if spec.kind == 'boolean':
            bias[start] = -_SURE
        else:
            plain = spec.values.index(PLAIN_WORDS[name]) if spec.kind == 'categorical' else 1
            bias[start + plain] = _SURE
        if name == 'people_on_road':
            weights[:, start] = (_SLOPE, -_SLOPE / 2, -_SLOPE / 2)
        elif name == 'light':
            weights[:, start + spec.values.index('green')] = (-_SLOPE / 2, _SLOPE, -_SLOPE / 2)
        elif name == 'time':
            weights[:, start + spec.values.index('night')] = (-_SLOPE / 2, -_SLOPE / 2, _SLOPE)
        start += spec.width
    return weights, bias


def _graph(vocabulary: Vocabulary) -> onnx.ModelProto:
    weights, bias = _scene_weights()
    cells = 3 * _GRID[0] * _GRID[1]
    said = vocabulary.encode(SENTENCE)
    tokens = np.zeros((1, _TOKENS), np.int64)
    tokens[0, : len(said)] = said
    constants = {
        'scale': np.array(1 / 255, np.float32),
        'weights': weights,
        'bias': bias,
        'half': np.array(0.5, np.float32),
        'cells': np.array([0, cells], np.int64),
        'widen': np.eye(cells, _EMBEDDING, dtype=np.float32),
        'said': tokens,
        'scores': _scores(vocabulary, tokens),
        'noise': np.zeros((1, _TOKENS, len(vocabulary)), np.float32),
        'strays': np.array(-0.5, np.float32),
        'sure': np.where(tokens, -0.1, 0.0).astype(np.float32),
        'no_boxes': np.zeros((1, _BOXES, 4), np.float32),
        'no_class': np.zeros((1, _BOXES), np.int64),
        'no_score': np.zeros((1, _BOXES), np.float32),
        'zero': np.array([0], np.int64),
        'one': np.array([1], np.int64),
        'ones': np.array([1, 1], np.int64),
    }
    node = helper.make_node
    kernel = [HEIGHT // _GRID[0], WIDTH // _GRID[1]]
    nodes = [
        node('Cast', ['image'], ['float'], to=TensorProto.FLOAT),
        node('Mul', ['float', 'scale'], ['unit']),
        node('Transpose', ['unit'], ['planes'], perm=[0, 3, 1, 2]),
        node('AveragePool', ['planes'], ['grid'], kernel_shape=kernel, strides=kernel),
        node('ReduceMean', ['grid'], ['mean'], axes=[2, 3], keepdims=0),
        node('MatMul', ['mean', 'weights'], ['logits']),
        node('Add', ['logits', 'bias'], ['scene']),
        node('Reshape', ['grid', 'cells'], ['flat']),
        node('Sub', ['flat', 'half'], ['centred']),
        node('MatMul', ['centred', 'widen'], ['wide']),
        node('LpNormalization', ['wide'], ['embedding'], axis=1, p=2),
        node('Shape', ['mean'], ['shape']),
        node('Slice', ['shape', 'zero', 'one'], ['batch']),
        node('Concat', ['batch', 'one'], ['rows'], axis=0),
        node('Concat', ['batch', 'ones'], ['planes_of'], axis=0),
        *_writing(),
        node('Expand', ['no_boxes', 'planes_of'], ['boxes']),
        node('Expand', ['no_class', 'rows'], ['box_class']),
        node('Expand', ['no_score', 'rows'], ['box_score']),
    ]
    image = helper.make_tensor_value_info('image', TensorProto.UINT8, ['B', HEIGHT, WIDTH, 3])
    shape = ['S', _TOKENS, len(vocabulary)]
    noise = helper.make_tensor_value_info('noise', TensorProto.FLOAT, shape)
    initial = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, 'tiny', [image, noise], _outputs(len(bias)), initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def _writing() -> list[onnx.NodeProto]:
    node = helper.make_node
    return [
        node('Add', ['scores', 'noise'], ['drawn']),
        node('ArgMax', ['drawn'], ['chosen'], axis=2, keepdims=0),
        node('Expand', ['chosen', 'rows'], ['tokens']),
        node('Equal', ['chosen', 'said'], ['usual']),
        node('Not', ['usual'], ['unusual']),
        node('Cast', ['unusual'], ['stray'], to=TensorProto.FLOAT),
        node('Mul', ['stray', 'strays'], ['loss']),
        node('Add', ['sure', 'loss'], ['logp']),
        node('Expand', ['logp', 'rows'], ['token_logp']),
    ]


def _scores(vocabulary: Vocabulary, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
    scores = np.full((1, _TOKENS, len(vocabulary)), -50.0, np.float32)
    scores[0, np.arange(_TOKENS), tokens[0]] = 4.0
    for place, word in enumerate(SENTENCE.split()):
        for other in OTHERS.get(word, ()):
            scores[0, place, vocabulary.encode(other)] = 3.5
    return scores


def _outputs(fields: int) -> list[onnx.ValueInfoProto]:
    floats, ints = TensorProto.FLOAT, TensorProto.INT64
    return [
        helper.make_tensor_value_info('tokens', ints, ['S', _TOKENS]),
        helper.make_tensor_value_info('token_logp', floats, ['S', _TOKENS]),
        helper.make_tensor_value_info('boxes', floats, ['B', _BOXES, 4]),
        helper.make_tensor_value_info('box_class', ints, ['B', _BOXES]),
        helper.make_tensor_value_info('box_score', floats, ['B', _BOXES]),
        helper.make_tensor_value_info('scene', floats, ['B', fields]),
        helper.make_tensor_value_info('embedding', floats, ['B', _EMBEDDING]),
    ]
