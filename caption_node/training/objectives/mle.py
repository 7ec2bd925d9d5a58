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

from caption_node.training.config import TrainConfig
from caption_node.training.objectives.protocol import Describer, Draw, Scenes, Spoken
from caption_node.vocabulary import BOS, PAD, UNK

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


class Likelihood:
    """Teacher-forced likelihood, at will with a share of the model's own words to read on from."""

    def __init__(self, config: TrainConfig, model: Describer) -> None:
        self.config = config
        self.decoder = model.decoder
        self.parts = nn.ModuleDict({'decoder': model.decoder})

    def prepare(self, draw: Draw) -> None:
        """Need nothing: the decoder is warm."""

    def loss(self, batch: Spoken, progress: float) -> tuple[Tensor, dict[str, float]]:
        s, inputs = batch.scenes, batch.tokens[:, :-1]
        share = self.config.scheduled_share * progress
        if share > 0:
            with torch.no_grad():
                guessed = self.decoder(inputs, s.memory, s.bias)
            inputs = scheduled(inputs, guessed, share)
        logits = self.decoder(inputs, s.memory, s.bias)
        words = word_loss(logits, batch.tokens[:, 1:], self.config.label_smoothing)
        return words, {'words': float(words.detach())}

    def sample(self, scenes: Scenes, sentences: int, temperature: float) -> Tensor:
        s = scenes
        return self.decoder.sample(s.memory, s.bias, s.evidence, sentences, temperature)

    def greedy(self, scenes: Scenes) -> Tensor:
        return self.decoder.greedy(scenes.memory, scenes.bias, scenes.evidence)[0]


def scheduled(inputs: Tensor, guessed: Tensor, share: float) -> Tensor:
    """
    Put the model's own words in the place of some of the annotators'.

    Sources: Scheduled Sampling, arXiv 1506.03099; in two passes, since all words are read at once,
    Scheduled Sampling for Transformers, arXiv 1906.07651.

    :param inputs: (B, N) int64 from BOS on.
    :param guessed: (B, N, V) logits of the words that follow each of them.
    :param share: 0..1, how many words are replaced.
    """
    drawn = torch.distributions.Categorical(logits=guessed[:, :-1]).sample()
    own = torch.cat([inputs[:, :1], drawn], 1)
    swap = (torch.rand(inputs.shape, device=inputs.device) < share) & (inputs != PAD)
    return torch.where(swap & (inputs != BOS), own, inputs)
