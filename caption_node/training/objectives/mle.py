# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Maximum likelihood: words given the picture, fields given the picture, pictures beside sentences.

The contrastive part (InfoNCE, arXiv 1807.03748) gives the embedding its meaning: pictures lie near
each other when what is said of them is alike.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.description import FIELDS, MAX_COUNT
from caption_node.vocabulary import PAD, UNK

CONTRAST_TEMPERATURE = 0.1


def field_weights(targets: Tensor) -> dict[str, Tensor]:
    """
    Weigh rare values up, by the square root of how rare they are.

    :param targets: (N, fields) int64 class numbers of the training samples.
    :returns: (width,) by field; for booleans (2,), false first.
    """
    weights = {}
    for i, (name, spec) in enumerate(FIELDS.items()):
        classes = 2 if spec.kind == 'boolean' else spec.width
        counts = torch.bincount(targets[:, i], minlength=classes).float()
        even = targets.shape[0] / max(1, int((counts > 0).sum()))
        weights[name] = (even / counts.clamp(min=1)).sqrt().clamp(0.5, 3.0)
    return weights


def field_loss(logits: Tensor, targets: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    """
    Cross-entropy over all fields; counts against a bell around the true count.

    :param logits: (B, S).
    :param targets: (B, fields) int64.
    """
    total = logits.new_zeros(())
    start = 0
    for i, (name, spec) in enumerate(FIELDS.items()):
        part = logits[:, start : start + spec.width]
        start += spec.width
        target = targets[:, i]
        weight = weights[name][target]
        if spec.kind == 'boolean':
            soft = target.float() * 0.94 + 0.03
            loss = F.binary_cross_entropy_with_logits(part[:, 0], soft, reduction='none')
        elif spec.kind == 'count':
            loss = -(count_targets(target) * part.log_softmax(1)).sum(1)
        else:
            loss = F.cross_entropy(part, target, reduction='none', label_smoothing=0.05)
        total = total + (loss * weight).mean()
    return total / len(FIELDS)


def count_targets(count: Tensor) -> Tensor:
    """Return (B, 16): a bell around each count, wider for larger counts, sharp at zero."""
    steps = torch.arange(MAX_COUNT + 1, device=count.device).float()
    spread = 0.3 + 0.12 * count.float()
    bell = torch.exp(-(((steps - count[:, None]) / spread[:, None]) ** 2) / 2)
    return bell / bell.sum(1, keepdim=True)


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
