# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Self-critical sequence training: say more often what annotators reward, less often what they deny.

Sources: Self-critical Sequence Training, arXiv 1612.00563; each sentence is judged against the
mean of the others about its picture (A Better Variant of Self-Critical Sequence Training,
arXiv 2003.09971).
"""

from torch import Tensor

from caption_node.vocabulary import BOS, PAD


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
