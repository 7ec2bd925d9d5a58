# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Adversarial learning: write so that the discriminator takes it for what was written of the scene.

Sources: Dai et al. 2017, arXiv 1703.06029 (policy gradient); Shetty et al. 2017, arXiv 1703.10476
(Gumbel-softmax, straight through).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from caption_node.training.config import TrainConfig
from caption_node.training.model.captioner import Captioner
from caption_node.training.objectives.discriminator import (
    OWN,
    Discriminator,
    behind_start,
    discriminator_loss,
    divergence,
    straight_through,
)
from caption_node.training.objectives.mle import Likelihood
from caption_node.training.objectives.protocol import Scenes, Spoken
from caption_node.training.objectives.self_critical import (
    GAIN,
    advantages,
    drawn_calmly,
    policy_loss,
    ruled_logits,
)

_POLICY_SAMPLES = 3


class Adversarial(Likelihood):
    """A generator that is warm from likelihood, and a discriminator."""

    def __init__(self, config: TrainConfig, model: Captioner) -> None:
        super().__init__(config, model)
        words = len(model.decoder.bias)
        self.discriminator = Discriminator(words, model.config.width)
        self.parts['discriminator'] = self.discriminator

    def loss(self, batch: Spoken, progress: float) -> tuple[Tensor, dict[str, float]]:
        config = self.config
        by_policy = config.adversarial_gradient == 'policy'
        count = _POLICY_SAMPLES if by_policy else 1
        drawn = drawn_calmly(self, batch, count)
        logits = ruled_logits(self, batch, drawn, count)
        if by_policy:
            apart, opinion = self._by_policy(batch.scenes, drawn, logits, count)
        else:
            apart, opinion = by_gumbel(
                self.discriminator, batch.scenes, drawn, logits, config.gumbel_temperature
            )
        words, figures = super().loss(batch, progress)
        judged = judged_loss(self.discriminator, batch, drawn[::count])
        total = config.adversarial_weight * apart + config.likelihood_keep * words + judged
        return total, {
            **figures,
            'discriminator': float(judged.detach()),
            'taken_for_own': opinion,
        }

    def _by_policy(
        self, scenes: Scenes, drawn: Tensor, logits: Tensor, count: int
    ) -> tuple[Tensor, float]:
        """Let the discriminator's opinion be the reward of every drawn sentence."""
        spread = repeated(scenes, count)
        with torch.no_grad():
            answers = self.discriminator(behind_start(drawn), spread.memory, spread.bias)
        rewards = answers.softmax(1)[:, OWN]
        gains = advantages(rewards.reshape(-1, count)) * GAIN
        return policy_loss(logits, drawn, gains), float(rewards.mean())


def by_gumbel(
    discriminator: Discriminator,
    scenes: Scenes,
    drawn: Tensor,
    logits: Tensor,
    temperature: float,
) -> tuple[Tensor, float]:
    """
    Return how far drawn sentences are from written ones, with a gradient for the words.

    :param drawn: (B, T + 1) from BOS on, one a scene.
    :param logits: (B, T, V) that they were drawn from.
    :returns: also the mean probability of being taken for the own sentence.
    """
    tokens = behind_start(drawn)
    soft = straight_through(logits, tokens, temperature)
    answers = discriminator.as_constant(tokens, scenes.memory, scenes.bias, soft)
    return divergence(answers), float(answers.detach().softmax(1)[:, OWN].mean())


def judged_loss(discriminator: Discriminator, batch: Spoken, made: Tensor) -> Tensor:
    """
    Return the discriminator's own loss.

    :param made: (B, T + 1) int64 from BOS on, the generator's sentences.
    """
    s = batch.scenes
    kinds = [behind_start(t) for t in (batch.tokens, batch.strange, made)]
    longest = max(int(t.shape[1]) for t in kinds)
    padded = [F.pad(t, (0, longest - int(t.shape[1]))) for t in kinds]
    return discriminator_loss(*(discriminator(t, s.memory, s.bias) for t in padded))


def repeated(scenes: Scenes, count: int) -> Scenes:
    """Return every scene so many times, one behind the other."""
    return Scenes(
        scenes.memory.repeat_interleave(count, 0),
        scenes.bias.repeat_interleave(count, 0),
        scenes.evidence.repeat_interleave(count, 0),
    )
