# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What a backend is: one call from pixels to all outputs."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Outputs:
    """
    Everything the graph says about a batch of B images.

    :param tokens: (B, T) int64 word ids, PAD behind the end.
    :param token_logp: (B, T) float32 natural logarithms of the words' probabilities, 0 at PAD.
    :param boxes: (B, K, 4) float32 x_min, y_min, x_max, y_max in input pixels.
    :param box_class: (B, K) int64 numbers of the object classes.
    :param box_score: (B, K) float32 0..1, falling, 0 where there is no box.
    :param scene: (B, S) float32 logits of all scene fields.
    :param embedding: (B, D) float32 of unit length.
    """

    tokens: NDArray[np.int64]
    token_logp: NDArray[np.float32]
    boxes: NDArray[np.float32]
    box_class: NDArray[np.int64]
    box_score: NDArray[np.float32]
    scene: NDArray[np.float32]
    embedding: NDArray[np.float32]


class Backend(Protocol):
    """
    A runtime that holds one model.

    Calls come from one thread at a time.
    """

    @property
    def name(self) -> str:
        """Name as published, for example ``onnxruntime-cpu``."""
        ...

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """
        Describe a batch.

        :param images: (B, H, W, 3) RGB, letterboxed, B from 1 to the model's largest batch.
        :raises InferenceError: If the runtime fails or the shape is not the model's.
        """
        ...

    def close(self) -> None:
        """Free the runtime's memory; further calls to ``run`` raise InferenceError."""
        ...
