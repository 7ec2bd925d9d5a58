# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The discriminator: is a sentence what was written about this scene, about another, or made up?

Three answers instead of two make it look at the scene: a sentence that is well written but belongs
elsewhere is as wrong as one that nobody would write.
Sources: Towards Diverse and Natural Image Descriptions via a Conditional GAN, Dai et al. 2017,
arXiv 1703.06029; Speaking the Same Language, Shetty et al. 2017, arXiv 1703.10476.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from caption_node.training.model.attention import CrossAttention
from caption_node.vocabulary import BOS, PAD

OWN, STRANGE, MADE = range(3)
_RARE = -30.0
"""No word is rarer in the perturbed logits: what the rules shut out has no finite logarithm."""


class Discriminator(nn.Module):
    """
    Runs of words look at the scene, and vote.

    :param words: V, size of the vocabulary.
    :param width: D, channels of the memory.
    :param size: Its own channels.
    """

    def __init__(
        self, words: int, width: int, size: int = 96, heads: int = 4, dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.words = nn.Linear(words, size, bias=False)
        nn.init.normal_(self.words.weight, std=0.3)
        self.runs = nn.ModuleList(nn.Conv1d(size, size, 3, padding=1) for _ in range(2))
        self.scene = nn.Linear(width, size)
        self.norm = nn.LayerNorm(size)
        self.attention = CrossAttention(size, heads)
        self.vote = nn.Sequential(nn.Linear(3 * size, size), nn.ReLU(), nn.Dropout(dropout))
        self.answer = nn.Linear(size, 3)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, tokens: Tensor, memory: Tensor, scene_bias: Tensor, soft: Tensor | None = None
    ) -> Tensor:
        """
        Return the logits of OWN, STRANGE and MADE, (B, 3).

        :param tokens: (B, N) int64 behind BOS, PAD behind the end.
        :param memory: (B, M, D).
        :param scene_bias: (B, 1, 1, M), hides absent tokens.
        :param soft: (B, N, V), the same words as something that carries a gradient.
        """
        said = (tokens != PAD).float()[:, :, None]
        if soft is None:
            x = F.embedding(tokens, self.words.weight.T)
        else:
            x = self.words(soft)
        x = self.dropout(x) * said
        for run in self.runs:
            x = (x + F.relu(run(x.transpose(1, 2)).transpose(1, 2))) * said
        keys, values = self.attention.keys_values(self.scene(memory))
        seen = self.attention(self.norm(x), keys, values, scene_bias)
        both = torch.cat([x, seen, x * seen], 2)
        votes = self.vote(both) * said
        return self.answer(votes.sum(1) / said.sum(1).clamp(min=1))

    def as_constant(
        self, tokens: Tensor, memory: Tensor, scene_bias: Tensor, soft: Tensor
    ) -> Tensor:
        """Answer as :meth:`forward` does, the gradient reaching the words and no weight of it."""
        weights = {name: value.detach() for name, value in self.named_parameters()}
        answers: Tensor = functional_call(self, weights, (tokens, memory, scene_bias, soft))
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
