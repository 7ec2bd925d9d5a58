# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What a backend is: one call from pixels to all outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from caption_node.bundle import Bundle
from caption_node.errors import InferenceError
from caption_node.preprocess import Letterbox


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


OUTPUT_NAMES = tuple(field.name for field in fields(Outputs))
"""The graph's outputs, in the order of :class:`Outputs`."""


def check_images(images: NDArray[np.uint8], bundle: Bundle) -> None:
    """
    Refuse what is no batch of the model's input.

    :raises InferenceError: If shape, type or number are not the model's.
    """
    shape = (bundle.height, bundle.width, 3)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape:
        raise InferenceError(
            f'the model takes (B, {shape[0]}, {shape[1]}, 3) uint8, '
            f'got {images.shape} {images.dtype}'
        )
    if not 1 <= images.shape[0] <= bundle.max_batch:
        raise InferenceError(f'batch of {images.shape[0]}, the model takes 1..{bundle.max_batch}')


class Backend(Protocol):
    """
    A runtime that holds one model.

    Calls come from one thread at a time.
    """

    @property
    def name(self) -> str:
        """Name as published, for example ``onnxruntime-cpu``."""
        ...

    @property
    def precision(self) -> str:
        """What the learned layers are computed in: ``fp32``, ``fp16`` or ``int8``."""
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


@runtime_checkable
class SourceBackend(Protocol):
    """A backend that also letterboxes, on its device, pictures larger than the input."""

    @property
    def takes_sources(self) -> bool:
        """Whether it does so now; else letterbox on the CPU and call ``run``."""
        ...

    def run_sources(
        self, sources: Sequence[NDArray[np.uint8]], images: NDArray[np.uint8]
    ) -> tuple[Outputs, list[Letterbox]]:
        """
        Describe pictures of any size.

        :param sources: B arrays (H, W, 3) RGB; views with turned-round channels are welcome.
        :param images: (B, H, W, 3); what the model saw is written there.
        :returns: outputs, and how each picture was fitted.
        :raises InferenceError: If the runtime fails.
        """
        ...


@runtime_checkable
class SamplingBackend(Protocol):
    """A backend that takes the graph's inputs for chance; see :mod:`caption_node.sampling`."""

    @property
    def chances(self) -> Mapping[str, tuple[int, ...]]:
        """Sizes of those inputs by name, without the axis of the sentences; empty without any."""
        ...

    def run_samples(
        self, image: NDArray[np.uint8], chance: Mapping[str, NDArray[np.float32]]
    ) -> Outputs:
        """
        Write S sentences about one picture.

        :param image: (1, H, W, 3) RGB, letterboxed.
        :param chance: (S, ...) by name, as :attr:`chances` names them.
        :returns: ``tokens`` and ``token_logp`` of S sentences, all else of one picture.
        :raises InferenceError: If the runtime fails or a shape is not the model's.
        """
        ...
