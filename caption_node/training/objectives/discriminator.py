# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The discriminator: is a sentence what was written about this scene, about another, or made up?

Three answers instead of two make it look at the scene: a sentence that is well written but belongs
elsewhere is as wrong as one that nobody would write.
Sources: Towards Diverse and Natural Image Descriptions via a Conditional GAN, Dai et al. 2017,
arXiv 1703.06029; Speaking the Same Language, Shetty et al. 2017, arXiv 1703.10476; every other
sentence of a batch as a strange one, arXiv 1807.03748.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from caption_node.training.model.latent import pooled
from caption_node.vocabulary import BOS, PAD

OWN, STRANGE, MADE = range(3)
_CALM = 0.4
"""Keeps first matches within what a logit tells."""
_SURE = 1e4
_RARE = -30.0
"""No word is rarer in the perturbed logits: what the rules shut out has no finite logarithm."""


class Discriminator(nn.Module):
    """
    What is said becomes one point and what is seen another; they match as far as they agree.

    So B scenes and B sentences are B x B pairs to learn from, at the price of B readings. Whether
    a sentence is made up it tells by the sentence alone.

    :param words: V, size of the vocabulary.
    :param width: D, channels of the memory.
    :param facts: F, tokens that the memory ends in: one of every field, and one of all.
    :param size: Its own channels.
    :param dropout: High, since there are few written sentences and they are soon known by heart.
    """

    def __init__(
        self, words: int, width: int, facts: int, size: int = 96, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.count = facts
        self.words = nn.Linear(words, size, bias=False)
        nn.init.normal_(self.words.weight, std=0.3)
        self.runs = nn.ModuleList(nn.Conv1d(size, size, 3, padding=1) for _ in range(2))
        self.facts = nn.Sequential(
            nn.LayerNorm(width),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(facts * width, size),
        )
        self.things = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(size, size),
        )
        self.style = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Dropout(dropout))
        self.made = nn.Linear(size, 1)
        self.often = nn.Parameter(torch.zeros(()))
        self.dropout = nn.Dropout(dropout)

    def read(self, tokens: Tensor, soft: Tensor | None = None) -> Tensor:
        """
        Return what sentences say, (B, size).

        :param tokens: (B, N) int64 behind BOS, PAD behind the end.
        :param soft: (B, N, V), the same words as something that carries a gradient.
        """
        said = (tokens != PAD).float()[:, :, None]
        x = F.embedding(tokens, self.words.weight.T) if soft is None else self.words(soft)
        x = self.dropout(x) * said
        for run in self.runs:
            x = (x + F.relu(run(x.transpose(1, 2)).transpose(1, 2))) * said
        mean = x.sum(1) / said.sum(1).clamp(min=1).sqrt()
        read: Tensor = self.dropout(mean * _CALM)
        return read

    def see(self, memory: Tensor, scene_bias: Tensor) -> Tensor:
        """
        Return what scenes show, (B, size).

        :param memory: (B, M, D); it ends in the F tokens of fields and of all.
        :param scene_bias: (B, 1, 1, M), hides absent tokens.
        """
        facts: Tensor = self.facts(memory[:, -self.count :])
        return (facts + self.things(pooled(memory, scene_bias))) * _CALM

    def matches(self, read: Tensor, seen: Tensor) -> Tensor:
        """Return the logits of every sentence being about every scene, (sentences, scenes)."""
        return read @ seen.T + self.often

    def answers(self, read: Tensor, seen: Tensor) -> Tensor:
        """Return the logits of OWN, STRANGE and MADE of sentences about their scenes, (B, 3)."""
        match = (read * seen).sum(1, keepdim=True) + self.often
        return torch.cat([match, torch.zeros_like(match), self.made(self.style(read))], 1)

    def forward(
        self, tokens: Tensor, memory: Tensor, scene_bias: Tensor, soft: Tensor | None = None
    ) -> Tensor:
        """Read, see and answer; arguments as there."""
        return self.answers(self.read(tokens, soft), self.see(memory, scene_bias))

    def as_constant(
        self, tokens: Tensor, memory: Tensor, scene_bias: Tensor, soft: Tensor
    ) -> Tensor:
        """
        Answer as :meth:`forward` does, the gradient reaching the words and no weight of it.

        Nothing is dropped: the writer is to please the whole discriminator.
        """
        weights = {name: value.detach() for name, value in self.named_parameters()}
        learning = self.training
        self.eval()
        answers: Tensor = functional_call(self, weights, (tokens, memory, scene_bias, soft))
        self.train(learning)
        return answers


def discriminator_loss(own: Tensor, strange: Tensor, made: Tensor) -> Tensor:
    """
    Return the mean cross-entropy over three kinds of sentences.

    :param own: (B, 3) answers to sentences about these scenes; ``strange`` and ``made`` alike.
    """
    answers = torch.cat([own, strange, made])
    kinds = torch.cat(
        [
            torch.full_like(part[:, 0], kind, dtype=torch.int64)
            for kind, part in ((OWN, own), (STRANGE, strange), (MADE, made))
        ]
    )
    return F.cross_entropy(answers, kinds)


def matching_loss(matches: Tensor, ids: Sequence[str]) -> Tensor:
    """
    Return how far own pairs are from standing out among all pairs of a batch.

    The sum of two: which of the batch is the own one, asked of sentences and of scenes, and
    whether a pair is an own one, own and strange ones weighing alike, so that 1 / 2 means a doubt.

    :param matches: (B, B) logits, own pairs on the diagonal.
    :param ids: Frame of each scene; its variants are neither own nor strange.
    """
    count = len(ids)
    own = torch.eye(count, dtype=torch.bool)
    strange = torch.tensor([[a != b for b in ids] for a in ids])
    own, strange = own.to(matches.device), strange.to(matches.device)
    known = matches.masked_fill(~(own | strange), -_SURE)
    places = torch.arange(count, device=matches.device)
    which = (F.cross_entropy(known, places) + F.cross_entropy(known.T, places)) / 2
    losses = F.binary_cross_entropy_with_logits(matches, own.to(matches), reduction='none')
    apart = (losses * strange).sum() / strange.sum().clamp(min=1)
    return which + (losses.diagonal().mean() + apart) / 2


def divergence(answers: Tensor) -> Tensor:
    """
    Return how far made sentences are from what is written of these scenes, as it seems.

    The non-saturating form: 0 where the discriminator is sure that they are the own ones.

    :param answers: (B, 3) to made sentences.
    """
    return -answers.log_softmax(1)[:, OWN].mean()


def straight_through(logits: Tensor, tokens: Tensor, temperature: float) -> Tensor:
    """
    Return drawn words as one-hot rows whose gradient is that of a Gumbel-softmax.

    The noise is drawn given the words, so sentences may be drawn first, without a gradient, and
    read once more with one.
    Sources: arXiv 1611.01144; noise given the outcome, Maddison et al. 2014, arXiv 1411.0030.

    :param logits: (B, N, V) that the words were drawn from, with the rules.
    :param tokens: (B, N) int64, the words.
    :param temperature: Above 0; small ones are nearer to the choice and noisier.
    """
    logp = logits.log_softmax(2).clamp(min=_RARE)
    waits = torch.empty_like(logp).exponential_().clamp(min=1e-20)
    first = waits.gather(2, tokens[:, :, None])
    chosen = F.one_hot(tokens, logits.shape[2]).to(logp)
    # The chosen word comes first; all others come later than it.
    perturbed = -torch.log(waits * torch.exp(-logp) * (1 - chosen) + first)
    soft = (perturbed / temperature).softmax(2)
    return chosen + soft - soft.detach()


def behind_start(tokens: Tensor) -> Tensor:
    """Return sentences (B, T) without the BOS that they begin with."""
    return tokens[:, 1:]


def as_written(tokens: Tensor) -> Tensor:
    """Return sentences (B, T) of the greedy loop with BOS before them, (B, T + 1)."""
    return F.pad(tokens, (1, 0), value=BOS)
