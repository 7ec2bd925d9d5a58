# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Maximum likelihood: words given the picture, and pictures beside sentences.

The contrastive part (InfoNCE, arXiv 1807.03748) gives the embedding its meaning: pictures lie near
each other when what is said of them is alike.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.vocabulary import PAD, UNK

CONTRAST_TEMPERATURE = 0.1


def word_loss(logits: Tensor, tokens: Tensor, smoothing: float) -> Tensor:
    """
    Teacher-forced likelihood of the sentences; padding and unknown words do not count.

    :param logits: (B, N, V) for the words that follow.
    :param tokens: (B, N) int64, the words that follow.
    """
    known = (tokens != PAD) & (tokens != UNK)
    loss = F.cross_entropy(
        logits.transpose(1, 2), tokens, reduction='none', label_smoothing=smoothing
    )
    return (loss * known).sum() / known.sum().clamp(min=1)


class SentenceEncoder(nn.Module):
    """Bag of words to a point beside the pictures' embeddings; used in training only."""

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width, padding_idx=PAD)
        self.project = nn.Sequential(nn.ReLU(), nn.Linear(width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N) int64 to (B, E) of unit length."""
        present = (tokens > UNK).float()[:, :, None]
        mean = (self.words(tokens) * present).sum(1) / present.sum(1).clamp(min=1)
        return F.normalize(self.project(mean), dim=1)


def contrast_loss(pictures: Tensor, sentences: Tensor, said: Tensor, ids: Sequence[str]) -> Tensor:
    """
    Pull each picture to its own sentence and away from the others of the batch.

    :param pictures: (B, E) of unit length.
    :param sentences: (B, E) of unit length.
    :param said: (B,) bool: whether the picture has a sentence.
    :param ids: Frame of each picture; variants of one frame do not repel each other.
    """
    keep = said.nonzero()[:, 0]
    if keep.numel() < 2:
        return pictures.new_zeros(())
    score = pictures[keep] @ sentences[keep].T / CONTRAST_TEMPERATURE
    names = [ids[int(i)] for i in keep]
    twin = torch.tensor(
        [[a == b and i != j for j, b in enumerate(names)] for i, a in enumerate(names)]
    )
    score = score.masked_fill(twin.to(score.device), -1e4)
    own = torch.arange(len(names), device=score.device)
    return (F.cross_entropy(score, own) + F.cross_entropy(score.T, own)) / 2
