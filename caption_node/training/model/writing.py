# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
How a sentence is written, whatever decoder finds the words: the loop and its rules.

Grounding is part of the graph: words of a group (people, cyclists, signals, weather) are shut out
where the picture gives no evidence for them, so the sentence cannot name what nothing else shows.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.vocabulary import BOS, EOS, PAD, UNK

SHUT = -1e4
ALONE = 65_535
"""
Values of one weight matrix in the loop over words. ONNX Runtime gives a larger product to several
threads, and to wake one takes longer than to multiply one row by so few.
"""
StateT = TypeVar('StateT')


class _OneHot(torch.autograd.Function):
    """One operator of ONNX for what PyTorch's exporter writes as four."""

    @staticmethod
    def forward(ctx: Any, index: Tensor, depth: int, value: float) -> Tensor:
        return F.one_hot(index, depth).to(torch.float32) * value

    @staticmethod
    def symbolic(g: Any, index: Any, depth: int, value: float) -> Any:
        depth = g.op('Constant', value_t=torch.tensor([depth]))
        return g.op('OneHot', index, depth, g.op('Constant', value_t=torch.tensor([0.0, value])))


def one_hot(index: Tensor, depth: int, value: float) -> Tensor:
    """Return (B, depth), zero but for ``value`` at each index of (B,) int64."""
    row: Tensor = _OneHot.apply(index, depth, value)
    return row


def split_evenly(size: int, other: int) -> list[int]:
    """Return the sizes of parts of one side of a matrix, none of which holds more than ALONE."""
    count = -(-size * other // ALONE)
    return [size * (i + 1) // count - size * i // count for i in range(count)]


def for_each(
    noise: Tensor | None, memory: Tensor, scene_bias: Tensor, evidence: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """
    Give every sentence about one picture its own row of what the decoder is told.

    :param noise: (S, T, V), or (1 or B, T, V) for a sentence about each of B pictures.
    """
    if noise is None:
        return memory, scene_bias, evidence
    nothing = noise[:, :1, :1] * 0  # to add it broadcasts, by an operator known everywhere
    return memory + nothing, scene_bias + nothing[:, None], evidence + nothing[:, 0]


@dataclass(frozen=True)
class Phrases:
    """
    What may not be said while a phrase is open, whatever the picture shows; P kinds of phrases.

    :param opens: (V, P) 1 where a word opens a phrase.
    :param stays: (V, P) 1 where it stays open behind a word.
    :param shuts: (P, V) 1 where a word may not be said while it is open.
    :param dangling: (V,) 1 for words that wait for another, so cannot be number T.
    """

    opens: Tensor
    stays: Tensor
    shuts: Tensor
    dangling: Tensor

    @classmethod
    def none(cls, words: int) -> 'Phrases':
        """Return no rules, for other languages than ours."""
        empty = torch.zeros(words, 0)
        return cls(empty, empty, empty.T, torch.zeros(words))


class SentenceWriter(nn.Module, Generic[StateT]):
    """
    A decoder with the rules of writing; a kind of decoder gives :meth:`begin` and :meth:`step`.

    :param length: T, words and marks of one sentence at most.
    :param groups: (G, V) of 0 and 1: the words that need evidence, one row a group.
    :param triggers: (V, G) of 0 and 1: behind which word each group needs it.
    :param weary: (V,) what a word loses each time that it is said.
    :param phrases: Rules of grammar; None for none.
    """

    embedding: nn.Embedding
    bias: nn.Parameter
    groups: Tensor
    triggers: Tensor
    special: Tensor
    ids: Tensor
    until: Tensor
    weary: Tensor
    opens: Tensor
    stays: Tensor
    shuts: Tensor
    dangling: Tensor

    def __init__(
        self,
        length: int,
        groups: Tensor,
        triggers: Tensor,
        weary: Tensor,
        phrases: Phrases | None = None,
    ) -> None:
        super().__init__()
        self.length = length
        words = len(weary)
        self.register_buffer('groups', groups.float(), persistent=False)
        self.register_buffer('triggers', triggers.float(), persistent=False)
        self.register_buffer('weary', weary.float(), persistent=False)
        special = torch.zeros(words)
        special[[PAD, BOS, UNK]] = SHUT
        self.register_buffer('special', special, persistent=False)
        for name, rule in vars(phrases or Phrases.none(words)).items():
            self.register_buffer(name, rule.float(), persistent=False)
        self.register_buffer('ids', torch.arange(words), persistent=False)
        until = torch.ones(length, length).triu(1)
        self.register_buffer('until', until, persistent=False)

    @abstractmethod
    def begin(self, memory: Tensor, scene_bias: Tensor) -> StateT:
        """
        Return what the first word is written from.

        :param memory: (B, M, D).
        :param scene_bias: (B, 1, 1, M), hides absent tokens.
        """

    @abstractmethod
    def step(self, x: Tensor, t: int, state: StateT) -> tuple[Tensor, StateT]:
        """
        Read one word more.

        :param x: (B, D) the embedding of the word before, number ``t``.
        :returns: (B, D) what is held against the embeddings of all words, and the state.
        """

    def begin_each(self, memory: Tensor, scene_bias: Tensor, sentences: int) -> StateT:
        """Return the state of several sentences in a row about each scene."""
        return self.begin(
            memory.repeat_interleave(sentences, 0), scene_bias.repeat_interleave(sentences, 0)
        )

    @torch.no_grad()
    def sample(
        self,
        memory: Tensor,
        scene_bias: Tensor,
        evidence: Tensor,
        sentences: int,
        temperature: float = 1.0,
    ) -> Tensor:
        """
        Draw sentences at random, by the rules of the greedy loop.

        :param sentences: S, how many for each scene.
        :param temperature: 1 draws from the decoder's own distribution, less is more careful.
        :returns: (B * S, T + 1) int64 from BOS on, PAD behind the end.
        """
        state = self.begin_each(memory, scene_bias, sentences)
        missing = (1 - evidence.repeat_interleave(sentences, 0)) * SHUT
        token = torch.full_like(missing[:, 0], BOS, dtype=torch.int64)
        tokens, alive = [token], torch.ones_like(token)
        worn = torch.zeros_like(self.special)
        phrase = self.stays[token] * 0
        for t in range(self.length):
            x, state = self.step(self.embedding(token), t, state)
            same = (token[:, None] == self.ids).to(missing)
            worn = worn + same * self.weary
            phrase = phrase * self.stays[token] + self.opens[token]
            shut = (self.triggers[token] * missing) @ self.groups + same * SHUT - worn
            shut = shut + (phrase @ self.shuts) * SHUT
            if t == self.length - 1:
                shut = shut + self.dangling * SHUT
            logits = F.linear(x, self.embedding.weight, self.bias) + self.special + shut
            token = torch.multinomial((logits / temperature).softmax(1), 1)[:, 0]
            tokens.append(token * alive)
            alive = alive * (token != EOS).to(torch.int64)
        return torch.stack(tokens, 1)

    def shut(self, tokens: Tensor, evidence: Tensor) -> Tensor:
        """
        Return what the rules add to the logits of the words that follow.

        :param tokens: (B, N) int64, the words before.
        :param evidence: (B, G) of 0 and 1: whether each group's words may be said.
        :returns: (B, N, V) of 0 and large negative numbers.
        """
        missing = (1 - evidence)[:, None] * SHUT
        same = (tokens[:, :, None] == self.ids).to(missing)
        worn = same.cumsum(1) * self.weary
        shut = (self.triggers[tokens] * missing) @ self.groups + self.special
        shut = shut + (self._open_phrases(tokens) @ self.shuts) * SHUT
        if int(tokens.shape[1]) == self.length:
            shut[:, -1] += self.dangling * SHUT
        return shut + same * SHUT - worn

    def _open_phrases(self, tokens: Tensor) -> Tensor:
        """Return (B, N, P), 1 where a phrase is open behind each of (B, N) words."""
        phrase, found = self.stays[tokens[:, 0]] * 0, []
        for token in tokens.unbind(1):
            phrase = phrase * self.stays[token] + self.opens[token]
            found.append(phrase)
        return torch.stack(found, 1)

    def greedy(
        self,
        memory: Tensor,
        scene_bias: Tensor,
        evidence: Tensor,
        noise: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """
        Write the likeliest word again and again; fixed length, no branch, no host.

        :param evidence: (B, G) of 0 and 1: whether each group's words may be said.
        :param noise: (B or 1, T, V), added to the words' scores before each choice.
        :returns: tokens (B, T) int64, PAD behind the end; their log-probabilities (B, T), those
            without noise, 0 behind the end.
        """
        state = self.begin(memory, scene_bias)
        missing = (1 - evidence) * SHUT  # (B, G)
        # What needs evidence behind any word is the same at every step; the rest goes with the
        # word before: its row holds its embedding, for each such group whether it triggers, and
        # what it does to open phrases.
        always = (self.triggers.min(0).values > 0).tolist()
        fixed = [g for g, a in enumerate(always) if a]
        behind = [g for g, a in enumerate(always) if not a]
        common = missing[:, fixed] @ self.groups[fixed] + (self.special + self.bias)  # (B, V)
        missing = missing[:, behind]
        rows = [self.embedding.weight, self.triggers[:, behind], self.stays, self.opens]
        table, widths = torch.cat(rows, 1), [int(r.shape[1]) for r in rows]
        output = torch.cat([self.embedding.weight.T, self.groups[behind], self.shuts * SHUT], 0)
        words, phrase = len(self.bias), missing[:, :1] * 0
        outputs = output.split(split_evenly(words, len(output)), 1)
        strays = () if noise is None else noise.flatten(1).split(words, 1)
        token = torch.full_like(evidence[:, 0], BOS, dtype=torch.int64)
        tokens, logits = [], []
        for t in range(self.length):
            x, triggered, stays, opens = table[token].split(widths, 1)
            x, state = self.step(x, t, state)
            phrase = phrase * stays + opens
            x = torch.cat([x, triggered * missing, phrase], 1)
            # Small models stutter: no word twice running, and words wear out.
            same = one_hot(token, words, SHUT)
            if t == self.length - 1:
                common = common + self.dangling * SHUT
            score = torch.cat([x @ part for part in outputs], 1) + common + same
            common = common + same * (self.weary / -SHUT)
            token = (score + strays[t] if strays else score).argmax(1)
            tokens.append(token)
            logits.append(score)
        # One reshape instead of one for every word.
        said = torch.cat(tokens).reshape(self.length, -1).T  # (B, T)
        scores = torch.cat(logits, 1).reshape(-1, self.length, words)
        likelihood = scores.log_softmax(2).gather(2, said[:, :, None])[:, :, 0]
        # Alive until the first end mark; counting by a matrix keeps to operators known everywhere.
        alive = ((said == EOS).float() @ self.until < 0.5).to(torch.float32)
        return said * alive.to(torch.int64), likelihood * alive
