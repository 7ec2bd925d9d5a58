# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Adversarial learning: write so that the discriminator takes it for what was written of the scene.

Sources: Dai et al. 2017, arXiv 1703.06029 (policy gradient); Shetty et al. 2017, arXiv 1703.10476
(Gumbel-softmax, straight through).
"""

import torch
from torch import Tensor, nn

from caption_node.training.config import TrainConfig
from caption_node.training.objectives.discriminator import (
    OWN,
    Discriminator,
    behind_start,
    discriminator_loss,
    divergence,
    matching_loss,
    straight_through,
)
from caption_node.training.objectives.mle import Likelihood
from caption_node.training.objectives.protocol import Describer, Draw, Scenes, Spoken, Writer
from caption_node.training.objectives.self_critical import (
    GAIN,
    advantages,
    drawn_calmly,
    policy_loss,
    ruled_logits,
)

_POLICY_SAMPLES = 3
_WRITTEN = 4
"""Batches of the generator's sentences that the discriminator is schooled with."""


class Adversarial(Likelihood):
    """A generator that is warm from likelihood, and a discriminator."""

    def __init__(self, config: TrainConfig, model: Describer) -> None:
        super().__init__(config, model)
        words = len(model.decoder.bias)
        self.discriminator = Discriminator(words, model.config.width, model.facts)
        self.parts['discriminator'] = self.discriminator

    def prepare(self, draw: Draw) -> None:
        self.decoder.eval()
        schooled(self.discriminator, self.decoder, draw, self.config)

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


def judged_loss(
    discriminator: Discriminator, batch: Spoken, made: Tensor, about: Scenes | None = None
) -> Tensor:
    """
    Return the discriminator's own loss: its three answers, and all pairs of the batch.

    :param made: (B, T + 1) int64 from BOS on, the generator's sentences.
    :param about: What those are about, where that is not the batch.
    """
    seen = discriminator.see(batch.scenes.memory, batch.scenes.bias)
    shown = seen if about is None else discriminator.see(about.memory, about.bias)
    own, strange, drawn = (
        discriminator.read(behind_start(t)) for t in (batch.tokens, batch.strange, made)
    )
    three = discriminator_loss(
        discriminator.answers(own, seen),
        discriminator.answers(strange, seen),
        discriminator.answers(drawn, shown),
    )
    ids = [str(row['id']) for row in batch.rows]
    return three + matching_loss(discriminator.matches(own, seen), ids)


def schooled(
    discriminator: Discriminator,
    decoder: Writer,
    draw: Draw,
    config: TrainConfig,
) -> None:
    """
    Train a discriminator before anybody has to please it; over memories that costs little.

    :param decoder: The generator as it begins; what it writes about the first batches is used
        again and again.
    :param draw: Gives the batch of a step.
    """
    steps, rate = config.school_steps, config.school_rate
    optimiser = torch.optim.AdamW(
        discriminator.parameters(), lr=rate, weight_decay=config.weight_decay
    )
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=max(2, steps))
    written: list[tuple[Scenes, Tensor]] = []
    discriminator.train()
    for step in range(steps):
        batch = draw(step)
        if len(written) < _WRITTEN:
            s = batch.scenes
            written.append((s, decoder.sample(s.memory, s.bias, s.evidence, 1)))
        about, made = written[step % len(written)]
        loss = judged_loss(discriminator, batch, made, about)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(discriminator.parameters(), 1.0)
        optimiser.step()
        plan.step()


def repeated(scenes: Scenes, count: int) -> Scenes:
    """Return every scene so many times, one behind the other."""
    return Scenes(
        scenes.memory.repeat_interleave(count, 0),
        scenes.bias.repeat_interleave(count, 0),
        scenes.evidence.repeat_interleave(count, 0),
    )
