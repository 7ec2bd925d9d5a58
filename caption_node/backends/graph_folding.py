# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Work out beforehand what does not depend on a graph's inputs; a session then opens sooner."""

from pathlib import Path
from typing import Any


def fold_constants(graph: Path) -> None:
    """
    Fold constants and drop needless operators of a graph, in place.

    What is written has operators of the ONNX standard only, so every runtime reads it.

    :param graph: An ONNX file.
    """
    import onnx
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    # Higher levels write operators that only ONNX Runtime knows.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    folded = graph.with_suffix('.folded')
    options.optimized_model_filepath = str(folded)
    onnxruntime.InferenceSession(str(graph), options, providers=['CPUExecutionProvider'])
    model: Any = onnx.load(str(folded))
    folded.unlink()
    standard = [o for o in model.opset_import if not o.domain]
    del model.opset_import[:]
    model.opset_import.extend(standard)
    model.doc_string = ''
    for node in model.graph.node:
        node.doc_string = ''
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(graph))
