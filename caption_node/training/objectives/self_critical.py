# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Self-critical sequence training: say more often what annotators reward, less often what they deny.

Sources: Self-critical Sequence Training, arXiv 1612.00563; each sentence is judged against the
mean of the others about its picture (A Better Variant of Self-Critical Sequence Training,
arXiv 2003.09971).
"""

import torch
from torch import Tensor

from caption_node.training.config import TrainConfig
from caption_node.training.model.captioner import Captioner
from caption_node.training.objectives.mle import Likelihood
from caption_node.training.objectives.protocol import Spoken
from caption_node.training.rewards import Judge
from caption_node.vocabulary import BOS, PAD, Vocabulary

GAIN = 3.0
"""Brings rewards, which differ by tenths, to the size of the likelihood."""


def advantages(rewards: Tensor) -> Tensor:
    """
    Hold every sentence against the others about its picture.

    :param rewards: (B, S) for S sentences about each of B pictures, S at least 2.
    :returns: (B, S), summing to 0 over each picture.
    """
    others = (rewards.sum(1, keepdim=True) - rewards) / (int(rewards.shape[1]) - 1)
    return rewards - others


def policy_loss(logits: Tensor, tokens: Tensor, gains: Tensor) -> Tensor:
    """
    Make sentences likelier that gained more than others about the same picture.

    :param logits: (B * S, T, V) of every next word, with the rules that held when it was drawn.
    :param tokens: (B * S, T + 1) int64 from BOS on.
    :param gains: (B, S), as :func:`advantages` gives them.
    """
    following = tokens[:, 1:]
    said = ((following != PAD) & (following != BOS)).float()
    logp = logits.log_softmax(2).gather(2, following[:, :, None])[:, :, 0]
    # By the word and not by the sentence: long sentences weigh as much as they have words.
    return -(gains.reshape(-1, 1).detach() * logp * said).sum() / said.sum().clamp(min=1)


class SelfCritical(Likelihood):
    """
    Rewards of sentences that the model draws, beside a share of likelihood.

    :param judge: Knows what sentences about the training frames are worth.
    """

    def __init__(
        self, config: TrainConfig, model: Captioner, vocabulary: Vocabulary, judge: Judge
    ) -> None:
        super().__init__(config, model)
        self.vocabulary = vocabulary
        self.judge = judge

    def loss(self, batch: Spoken, progress: float) -> tuple[Tensor, dict[str, float]]:
        config, s, count = self.config, batch.scenes, self.config.reward_samples
        drawn = drawn_calmly(self, batch, count)
        texts = [self.vocabulary.decode(t) for t in drawn[:, 1:].tolist()]
        rewards = torch.tensor(
            [self.judge.reward(text, batch.rows[k // count]) for k, text in enumerate(texts)]
        )
        gains = advantages(rewards.reshape(-1, count)).to(s.memory) * GAIN
        policy = policy_loss(ruled_logits(self, batch, drawn, count), drawn, gains)
        words, figures = super().loss(batch, progress)
        total = policy + config.reward_keep * words
        return total, {'reward': float(rewards.mean()), **figures}


def drawn_calmly(objective: Likelihood, batch: Spoken, count: int) -> Tensor:
    """Draw sentences as the finished model would, without dropout; (B * S, T + 1)."""
    decoder = objective.decoder
    decoder.eval()
    drawn = objective.sample(batch.scenes, count, 1.0)
    decoder.train()
    return drawn


def ruled_logits(objective: Likelihood, batch: Spoken, drawn: Tensor, count: int) -> Tensor:
    """Read drawn sentences once more; logits with the rules that held, (B * S, T, V)."""
    decoder, s = objective.decoder, batch.scenes
    logits: Tensor = decoder(drawn[:, :-1], s.memory, s.bias)
    return logits + decoder.shut(drawn[:, :-1], s.evidence.repeat_interleave(count, 0))
