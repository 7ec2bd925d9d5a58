# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Nodes that compute the same thing are computed once.

An exported loop repeats, for each of its rounds, the same constants and the same turning of the
same weights. A builder folds each repetition by itself, so the engine would hold the weights once
a round.
"""

from typing import Any

_RANDOM = {'Bernoulli', 'Dropout', 'Multinomial', 'RandomNormal', 'RandomNormalLike',
           'RandomUniform', 'RandomUniformLike'}  # fmt: skip


def share_equal_nodes(graph: Any) -> int:
    """
    Merge nodes of an ONNX graph with equal operator, inputs and attributes; in place.

    :returns: How many nodes were left out.
    """
    outputs = {o.name for o in graph.output}
    renamed: dict[str, str] = {}
    first: dict[tuple[object, ...], Any] = {}
    kept = []
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
        if node.op_type == 'Identity' and node.output[0] not in outputs:
            renamed[node.output[0]] = node.input[0]
            continue
        if node.op_type in _RANDOM or any(name in outputs for name in node.output):
            kept.append(node)
            continue
        attributes = sorted(a.SerializeToString(deterministic=True) for a in node.attribute)
        key = (node.domain, node.op_type, *node.input, len(node.output), *attributes)
        twin = first.setdefault(key, node)
        if twin is node:
            kept.append(node)
        else:
            renamed.update(zip(node.output, twin.output, strict=True))
    left_out = len(graph.node) - len(kept)
    del graph.node[:]
    graph.node.extend(kept)
    return left_out
