# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
A strongly typed FP16 graph made from the FP32 one: matrix products in FP16, the rest in FP32.

FP16 are matrix products with weights (decoder, attention, heads) and what only moves their results
about. FP32 stay, by construction and not by name: box decoding and suppression, softmax, logsumexp
and argmax, and the products whose results an argmax compares (two words may differ by less than
FP16 can tell); layer norms and the residual stream between them, thresholds and tables; and the
convolutions, whose rounding is the same over a whole flat area, adds up instead of averaging out,
and carries boxes over a threshold (benchmarks/precision.py compares). So a retrained or redesigned
graph needs no new list. The graph's inputs and outputs keep their types.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from caption_node.errors import BackendUnavailableError, EngineError

CONVERSION = 'half-8'
"""Changes when the conversion does, and with it the key of every FP16 engine."""

_LARGEST = 65504.0
EXACT_DEPTH = 1000
"""So many convolutions in a row, from the pixels, stay FP32: all of them. Of the noise that FP16
brings into the scores of boxes, the first one alone makes most, each later one less."""
_CONVOLUTIONS = {'Conv', 'ConvTranspose'}
_LEARNED = {'Conv', 'ConvTranspose', 'Gemm', 'MatMul'}
_PASSING = {
    'AveragePool', 'Concat', 'Expand', 'Flatten', 'Gather', 'Identity', 'LeakyRelu', 'MaxPool',
    'Pad', 'Relu', 'Reshape', 'Resize', 'Slice', 'Split', 'Squeeze', 'Transpose', 'Unsqueeze',
}  # fmt: skip
_MOVING = _PASSING - {'AveragePool', 'LeakyRelu', 'Resize'}
_JOINING = {'Add'}
_FLOAT_INPUTS = {
    'Conv': (0, 1, 2), 'ConvTranspose': (0, 1, 2), 'Gemm': (0, 1, 2), 'MatMul': (0, 1),
    'Add': (0, 1), 'Concat': None, 'Pad': (0, 2),
}  # fmt: skip
"""Which inputs share the node's precision; the first where nothing else is said, None for all."""


def to_half(model: bytes, emulate: bool = False, exact_depth: int = EXACT_DEPTH) -> bytes:
    """
    Convert a graph.

    :param model: A serialized FP32 ONNX model.
    :param emulate: Keep all tensors FP32, but round to FP16 where the FP16 graph would: what it
        computes on tensor cores (FP16 factors, FP32 sums) can then be seen on a CPU.
    :param exact_depth: Convolutions in a row, from the pixels, that stay FP32.
    :returns: A serialized ONNX model.
    :raises BackendUnavailableError: If the package onnx is missing.
    :raises EngineError: If the graph cannot be read.
    """
    onnx, graph_model = read_graph(model)
    _Conversion(graph_model, onnx, emulate, exact_depth).run()
    return bytes(graph_model.SerializeToString())


def read_graph(model: bytes) -> tuple[Any, Any]:
    """
    Read a serialized graph.

    :returns: the module onnx, and the model.
    :raises BackendUnavailableError: If the package onnx is missing.
    :raises EngineError: If the graph cannot be read.
    """
    try:
        import onnx
    except ImportError as err:
        raise BackendUnavailableError(
            'making an FP16 graph takes the package onnx', 'run `pip install onnx`'
        ) from err
    try:
        return onnx, onnx.load_from_string(model)
    except Exception as err:  # protobuf's errors share no public base class
        raise EngineError(f'the graph cannot be read: {err}') from err


class _Conversion:
    """One graph on its way from FP32 to FP16; see :func:`to_half`."""

    def __init__(self, model: Any, onnx: Any, emulate: bool, exact_depth: int) -> None:
        self._graph, self._onnx, self._emulate = model.graph, onnx, emulate
        self._exact_depth = exact_depth
        _split_sums(self._graph, onnx)
        self._weights = {
            i.name: i for i in self._graph.initializer if i.data_type == onnx.TensorProto.FLOAT
        }
        self._constants = set(self._weights)
        for node in self._graph.node:
            if node.op_type == 'Constant' and self._is_float_constant(node):
                self._constants.add(node.output[0])
        self._compared = self._tensors_behind_argmax()
        self._depth: dict[str, int] = {}  # tensor -> convolutions in a row behind it
        self._half: set[str] = set()  # tensors that half-precision nodes give
        self._made: dict[str, str] = {}  # tensor -> its name in the other precision
        self._inner: dict[str, str] = {}  # graph output -> what computes it, in half precision
        self._nodes: list[Any] = []

    def run(self) -> None:
        """Rewrite the graph in place."""
        chosen = [self._is_half(node) for node in self._graph.node]
        outputs = {o.name for o in self._graph.output}
        for node, is_half in zip(self._graph.node, chosen, strict=True):
            if not is_half:
                self._take_single(node)
                self._nodes.append(node)
                continue
            self._take_half(node)
            self._nodes.append(node)
            rounds = self._emulate and node.op_type not in _MOVING
            for place, name in enumerate(node.output):
                # A graph output keeps its name and type: what computes it gets another name.
                if rounds or name in outputs:
                    node.output[place] = self._inner[name] = f'{name}.inner'
                    self._round_or_cast(f'{name}.inner', name)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        del self._graph.value_info[:]
        self._drop_unused_weights()

    def _is_half(self, node: Any) -> bool:
        """Decide about a node, all nodes before it being decided; the order is topological."""
        names = [node.input[i] for i in _float_inputs(node) if node.input[i]]
        if node.op_type in _PASSING and names and all(n in self._constants for n in names):
            self._constants.update(node.output)  # a weight, moved about
        depth = max((self._depth.get(n, 0) for n in node.input), default=0)
        depth += node.op_type in _CONVOLUTIONS
        self._depth.update(dict.fromkeys(node.output, depth))
        if node.op_type in _CONVOLUTIONS and depth <= self._exact_depth:
            chosen = False
        elif node.op_type in _LEARNED and self._compared.isdisjoint(node.output):
            chosen = any(n in self._constants for n in names[1:]) or names[0] in self._constants
        elif node.op_type in _PASSING:
            moved = [n for n in names if n not in self._constants]
            chosen = bool(moved) and all(n in self._half for n in moved)
        elif node.op_type in _JOINING:
            # A sum of two results, or a result and its bias; never a coordinate and an offset.
            chosen = all(n in self._half or self._is_bias(n) for n in names) and any(
                n in self._half for n in names
            )
        else:
            chosen = False
        if chosen:
            self._half.update(node.output)
        return chosen

    def _tensors_behind_argmax(self) -> set[str]:
        """Return what an argmax takes, and what goes into that by moving and adding alone."""
        found: set[str] = set()
        for node in reversed(self._graph.node):
            if node.op_type == 'ArgMax' or (
                node.op_type in _MOVING | _JOINING and not found.isdisjoint(node.output)
            ):
                found.update(node.input)
        return found

    def _is_bias(self, name: str) -> bool:
        weight = self._weights.get(name)
        return weight is not None and len(weight.dims) == 1 and weight.dims[0] > 1

    def _is_float_constant(self, node: Any) -> bool:
        return any(
            a.name == 'value' and a.t.data_type == self._onnx.TensorProto.FLOAT
            for a in node.attribute
        )

    def _take_half(self, node: Any) -> None:
        for place in _float_inputs(node):
            name = node.input[place]
            if name in self._half:
                if not self._emulate:  # else it was rounded where it was made
                    node.input[place] = self._inner.get(name, name)
            elif name:
                node.input[place] = self._half_of(name)

    def _half_of(self, name: str) -> str:
        if name in self._made:
            return self._made[name]
        other = f'{name}.half'
        self._made[name] = other
        if name in self._weights:
            values = self._onnx.numpy_helper.to_array(self._weights[name])
            rounded = np.clip(values, -_LARGEST, _LARGEST).astype(np.float16)
            kept = rounded.astype(np.float32) if self._emulate else rounded
            self._graph.initializer.append(self._onnx.numpy_helper.from_array(kept, other))
        else:
            self._round_or_cast(name, other, to_half=True)
        return other

    def _take_single(self, node: Any) -> None:
        if self._emulate:
            return
        for place, name in enumerate(node.input):
            if name not in self._half or name in self._inner:
                continue
            if name not in self._made:
                self._made[name] = f'{name}.single'
                self._cast(name, self._made[name], self._onnx.TensorProto.FLOAT)
            node.input[place] = self._made[name]

    def _round_or_cast(self, source: str, target: str, to_half: bool = False) -> None:
        types = self._onnx.TensorProto
        if self._emulate:
            self._cast(source, f'{target}.rounded', types.FLOAT16)
            self._cast(f'{target}.rounded', target, types.FLOAT)
        else:
            self._cast(source, target, types.FLOAT16 if to_half else types.FLOAT)

    def _cast(self, source: str, target: str, kind: int) -> None:
        self._nodes.append(self._onnx.helper.make_node('Cast', [source], [target], to=kind))

    def _drop_unused_weights(self) -> None:
        used = {name for node in self._graph.node for name in node.input}
        used |= {o.name for o in self._graph.output}
        kept = [i for i in self._graph.initializer if i.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)


def _split_sums(graph: Any, onnx: Any) -> None:
    """Make a product with a sum of what is no weight (a residual stream) into two nodes."""
    weights = {i.name for i in graph.initializer}
    weights |= {n.output[0] for n in graph.node if n.op_type == 'Constant'}
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if node.op_type != 'Gemm' or len(node.input) < 3 or node.input[2] in {'', *weights}:
            continue
        if any(a.name == 'beta' and a.f != 1.0 for a in node.attribute):
            continue
        term, total = node.input.pop(), node.output[0]
        node.output[0] = f'{total}.product'
        nodes.append(onnx.helper.make_node('Add', [f'{total}.product', term], [total]))
    del graph.node[:]
    graph.node.extend(nodes)


def _float_inputs(node: Any) -> Iterable[int]:
    places = _FLOAT_INPUTS.get(node.op_type, (0,))
    if places is None:
        return range(len(node.input))
    return [p for p in places if p < len(node.input)]
