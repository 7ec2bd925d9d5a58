# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What an objective is, what it may ask of a decoder, and how a latent reaches the words.

Every objective takes a captioner that was warmed up on likelihood and goes on from there, over
cached memories of scenes. All share data, decoder, evaluation and export. A latent never touches
the decoder: it moves the memory (:mod:`caption_node.training.model.latent`), so every decoder that
reads a memory takes one, and noise of zero gives the greedy graph.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from caption_node.training.model.captioner import Captioner
from caption_node.training.own.model import OwnCaptioner

Describer = Captioner | OwnCaptioner
"""What an objective may train: the network for driving, or one for anybody's own data."""


class Writer(Protocol):
    """
    What objectives ask of a decoder.

    ``length`` is T, words and marks of one sentence at most.
    """

    length: int

    def __call__(
        self, tokens: Tensor, memory: Tensor, scene_bias: Tensor, ours: Tensor | None = None
    ) -> Tensor:
        """
        Return the logits of every next word, without the rules.

        :param tokens: (B * S, N) int64, beginning with BOS; S sentences in a row for each scene.
        :param memory: (B, M, D).
        :param scene_bias: (B, 1, 1, M), hides absent tokens.
        :param ours: (B * S) of 0 and 1: sentences of our grammar.
        :returns: (B * S, N, V).
        """

    def sample(
        self,
        memory: Tensor,
        scene_bias: Tensor,
        evidence: Tensor,
        sentences: int,
        temperature: float = 1.0,
    ) -> Tensor:
        """Draw S sentences a scene by the rules; (B * S, T + 1) int64 from BOS on."""

    def greedy(
        self, memory: Tensor, scene_bias: Tensor, evidence: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return tokens (B, T) int64, PAD behind the end, and their log-probabilities."""

    def shut(self, tokens: Tensor, evidence: Tensor) -> Tensor:
        """Return what the rules add to the logits, (B, N, V)."""


@dataclass(frozen=True)
class Scenes:
    """
    What the decoder is told of B scenes.

    :param memory: (B, M, D).
    :param bias: (B, 1, 1, M), hides absent tokens.
    :param evidence: (B, G) of 0 and 1: whether each group's words may be said.
    """

    memory: Tensor
    bias: Tensor
    evidence: Tensor


@dataclass(frozen=True)
class Spoken:
    """
    B scenes with what annotators say of them.

    :param tokens: (B, T + 1) int64 from BOS on, PAD behind the end.
    :param strange: (B, T + 1) int64: sentences about other scenes.
    :param rows: Fields and sentence of every scene, as the cache keeps them.
    """

    scenes: Scenes
    tokens: Tensor
    strange: Tensor
    rows: Sequence[Mapping[str, Any]]


Draw = Callable[[int], Spoken]
"""Gives the batch of a step of the preparations."""


class Objective(Protocol):
    """
    One way to learn to write.

    ``parts`` is all that learns, by name, the decoder as ``decoder``. What is named
    ``discriminator`` learns at a rate of its own: its loss is part of :meth:`loss`, from sentences
    that carry no gradient, while the writer's part sees its weights as constants. So both sides
    take their steps at once, and one backward pass serves both.
    """

    parts: nn.ModuleDict

    def prepare(self, draw: Draw) -> None:
        """Bring parts that are new to where the first step can use them."""

    def loss(self, batch: Spoken, progress: float) -> tuple[Tensor, dict[str, float]]:
        """
        Return what is to be made small, and figures for the log.

        :param progress: How far the run is, 0..1; schedules go by it.
        """

    def sample(self, scenes: Scenes, sentences: int, temperature: float) -> Tensor:
        """Draw S different sentences for each scene; (B * S, T + 1) int64 from BOS on."""

    def greedy(self, scenes: Scenes) -> Tensor:
        """Return the one sentence that the exported graph writes, (B, T) int64."""
