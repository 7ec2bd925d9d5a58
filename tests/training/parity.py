# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A bundle beside the network that it was written from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch

from caption_node.backends.onnx_runtime import OnnxRuntimeBackend
from caption_node.backends.protocol import Outputs
from caption_node.bundle import Bundle


def assert_graph_equals(
    model: Any, bundle: Bundle, images: NDArray[np.uint8], tolerance: float = 2e-4
) -> Outputs:
    """Run both on the same pictures; returns what the graph says."""
    with torch.no_grad():
        tokens, logp, boxes, _, score, scene, embedding = model(torch.from_numpy(images))
    backend = OnnxRuntimeBackend(bundle, 1)
    found = backend.run(images)
    backend.close()
    assert found.tokens.tolist() == tokens.tolist()
    for ours, theirs in (
        (found.token_logp, logp), (found.scene, scene), (found.embedding, embedding),
        (found.boxes, boxes), (found.box_score, score),
    ):  # fmt: skip
        np.testing.assert_allclose(ours, theirs.numpy(), atol=tolerance)
    return found
