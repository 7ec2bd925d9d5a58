# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Text decoder: a small pre-norm transformer (arXiv 1706.03762) with its greedy loop unrolled.

Attention and token-wise layer run side by side from one normed input (PaLM, arXiv 2204.02311), and
one softmax spans the scene memory and the words so far, the memory being a prefix of keys and
values. At batch 1 a word takes operators so small that their number counts, and that a second
thread costs more than it helps: see :data:`~caption_node.training.model.writing.ALONE`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.training.model.scene import SceneConfig
from caption_node.training.model.writing import SHUT, Phrases, SentenceWriter, split_evenly

KeysValues = tuple[Tensor, Tensor]
Weights = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class StepWeights:
    """
    Weights of one layer as the loop over words takes them; an exported graph holds them ready.

    Every query ends in a one and every key in a zero, so that the keys of a memory can end in the
    bias that hides absent tokens. Keys and values need no bias: one bias of all keys changes no
    share, and one of all values is part of the sum of biases, which stands in ``back``.

    :param query: (D + 1, D) and bias.
    :param key: (D, D + 1).
    :param value: (D, D).
    :param out: From the values, (D, D).
    :param expand: Parts of the token-wise layer, each with its bias.
    :param back: From each part of ``expand`` to (.., D).
    """

    query: Weights
    key: Tensor
    value: Tensor
    out: Tensor
    expand: list[Weights]
    back: list[Tensor]


class DecoderLayer(nn.Module):
    """Attention over scene and words beside a token-wise layer, from one projection."""

    asks: Tensor
    tells: Tensor

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        self.width, self.heads, self.hidden = config.width, config.heads, config.feed_forward
        self.norm = nn.LayerNorm(config.width)
        self.project = nn.Linear(config.width, 3 * config.width + config.feed_forward)
        self.scene = nn.Linear(config.width, 2 * config.width)
        self.out = nn.Linear(config.width + config.feed_forward, config.width)
        self.dropout = nn.Dropout(config.dropout)
        own = torch.eye(config.heads).repeat_interleave(config.width // config.heads, 1)
        self.register_buffer('tells', own, persistent=False)  # (heads, D)
        self.register_buffer('asks', F.pad(own, (0, 1), value=1.0), persistent=False)
        with torch.no_grad():  # the scale of the scores lives in the weights of the queries
            self.project.weight[: config.width] *= (config.width // config.heads) ** -0.5

    def scene_keys_values(self, memory: Tensor) -> KeysValues:
        """Project the memory (B, M, D) to keys and values (B, heads, M, D / heads)."""
        m = int(memory.shape[1])
        # One transpose for both: heads of the keys first, then heads of the values.
        both = self.scene(memory).reshape(-1, m, 2 * self.heads, self.width // self.heads)
        keys, values = both.transpose(1, 2).split(self.heads, 1)
        return keys, values

    def forward(self, x: Tensor, scene: KeysValues, bias: Tensor) -> Tensor:
        """
        Read N words at once, as in training, for several sentences about each scene.

        :param x: (B * S, N, D): S sentences in a row for each of B scenes.
        :param scene: Keys and values of the memory, (B, heads, M, D / heads) each.
        :param bias: (B, 1, N, M + N): hides absent tokens and later words.
        :returns: (B * S, N, D).
        """
        words, hidden = self.project(self.norm(x)).split([3 * self.width, self.hidden], 2)
        head = self.width // self.heads
        words = words.reshape(-1, int(x.shape[1]), 3 * self.heads, head).transpose(1, 2)
        q, k, v = words.split(self.heads, 1)
        y = self._attend(q, (k, v), scene, bias).transpose(1, 2).reshape(x.shape)
        y = torch.cat([y, self.dropout(F.relu(hidden))], 2)
        return x + self.dropout(self.out(y))

    def _attend(self, q: Tensor, words: KeysValues, scene: KeysValues, bias: Tensor) -> Tensor:
        """Attend to scene and words under one softmax; (B * S, heads, N, D / heads)."""
        scenes, heads, m, head = scene[0].shape
        n = q.shape[2]
        # The sentences about one scene ask it side by side, so that its keys need no copies.
        asked = q.reshape(scenes, -1, heads, n, head).transpose(1, 2)  # (B, heads, S, N, d)
        of_scene = asked.reshape(scenes, heads, -1, head) @ scene[0].transpose(2, 3)
        of_scene = of_scene.reshape(scenes, heads, -1, n, m) + bias[:, :, None, :, :m]
        of_scene = of_scene.transpose(1, 2).reshape(-1, heads, n, m)
        of_words = q @ words[0].transpose(2, 3) + bias[:1, :, :, m:]
        share = torch.cat([of_scene, of_words], 3).softmax(3)
        seen = share[..., :m].reshape(scenes, -1, heads, n, m).transpose(1, 2)
        seen = seen.reshape(scenes, heads, -1, m) @ scene[1]
        seen = seen.reshape(scenes, heads, -1, n, head).transpose(1, 2)
        return seen.reshape(-1, heads, n, head) + share[..., m:] @ words[1]

    def step_weights(self) -> StepWeights:
        """Cut the weights into what :meth:`step` takes."""
        width, parts = self.width, split_evenly(self.hidden, self.width)
        query, key, value, *expand = self.project.weight.split([width, width, width, *parts])
        of_query, _, of_value, *of_expand = self.project.bias.split([width] * 3 + parts)
        out, *back = self.out.weight.split([width, *parts], 1)
        # One more unit, which is always one, brings the bias of all that is added.
        expand[0], of_expand[0] = (
            F.pad(expand[0], (0, 0, 0, 1)),
            F.pad(of_expand[0], (0, 1), value=1.0),
        )
        back[0] = torch.cat([back[0], (self.out.bias + out @ of_value)[:, None]], 1)
        return StepWeights(
            (F.pad(query, (0, 0, 0, 1)), F.pad(of_query, (0, 1), value=1.0)),
            F.pad(key, (0, 0, 0, 1)).T,
            value.T,
            out.T,
            list(zip(expand, of_expand, strict=True)),
            [b.T for b in back],
        )

    def step(self, x: Tensor, past: KeysValues, weights: StepWeights) -> tuple[Tensor, KeysValues]:
        """
        Read one word more; equals :meth:`forward`.

        All heads go through one product with a row a head, which is zero outside of that head's
        channels: four times the work of a product a head, but so little that one thread does it.

        :param x: (B, D).
        :param past: Keys (B, P, D + 1) and values (B, P, D) of the memory and the words so far,
            less the bias that those of words would have.
        :returns: (B, D), and ``past`` with this word.
        """
        normed = self.norm(x)
        word = normed[:, None]
        q = F.linear(normed, *weights.query).reshape(-1, 1, self.width + 1)
        keys = torch.cat([past[0], word @ weights.key], 1)
        values = torch.cat([past[1], word @ weights.value], 1)
        share = ((q * self.asks) @ keys.transpose(1, 2)).softmax(2)  # (B, heads, P + 1)
        x = torch.addmm(x, ((share @ values) * self.tells).sum(1), weights.out)
        for expand, back in zip(weights.expand, weights.back, strict=True):
            x = torch.addmm(x, F.relu(F.linear(normed, *expand)), back)
        return x, (keys, values)


TextState = tuple[list[KeysValues], list[StepWeights]]
"""Keys and values of the memory and the words so far, and the weights, one a layer."""


class TextDecoder(SentenceWriter[TextState]):
    """
    Words from a scene memory.

    :param words: Size of the vocabulary V.
    :param groups: As :class:`SentenceWriter` takes them, and so what follows.
    """

    causal: Tensor

    def __init__(
        self,
        config: SceneConfig,
        words: int,
        groups: Tensor,
        triggers: Tensor,
        weary: Tensor,
        phrases: Phrases | None = None,
    ) -> None:
        super().__init__(config.tokens, groups, triggers, weary, phrases)
        self.embedding = nn.Embedding(words, config.width)
        nn.init.normal_(self.embedding.weight, std=0.05)
        self.place = nn.Parameter(torch.randn(1, config.tokens, config.width) * 0.02)
        self.tone = nn.Parameter(torch.zeros(config.width))
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(config.width)
        self.bias = nn.Parameter(torch.zeros(words))
        self.dropout = nn.Dropout(config.dropout)
        later = torch.full((config.tokens, config.tokens), SHUT).triu(1)
        self.register_buffer('causal', later, persistent=False)

    def _layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]

    def forward(
        self, tokens: Tensor, memory: Tensor, scene_bias: Tensor, ours: Tensor | None = None
    ) -> Tensor:
        """
        Teacher forcing: logits of every next word.

        :param tokens: (B * S, N) int64, beginning with BOS; S sentences in a row for each scene.
        :param memory: (B, M, D).
        :param scene_bias: (B, 1, 1, M), hides absent tokens.
        :param ours: (B * S) of 0 and 1: sentences of our grammar, whose tone is kept apart.
        :returns: (B * S, N, V).
        """
        n, m = int(tokens.shape[1]), int(memory.shape[1])
        x = self.embedding(tokens) + self.place[:, :n]
        if ours is not None:
            x = x + ours[:, None, None] * self.tone
        x = self.dropout(x)
        later = self.causal[:n, :n].expand(memory.shape[0], 1, n, n)
        bias = torch.cat([scene_bias.expand(-1, 1, n, m), later], 3)
        for layer in self._layers():
            x = layer(x, layer.scene_keys_values(memory), bias)
        return self.norm(x) @ self.embedding.weight.T + self.bias

    def _remember(self, memory: Tensor, scene_bias: Tensor) -> list[KeysValues]:
        """Project the memory for all layers at once; see :meth:`DecoderLayer.step`."""
        m, width = int(memory.shape[1]), int(memory.shape[2])
        layers = self._layers()
        weight = torch.cat([layer.scene.weight for layer in layers])
        # Less the bias of words' keys and values: see StepWeights.
        bias = torch.cat([la.scene.bias - la.project.bias[width : 3 * width] for la in layers])
        both = F.linear(memory.reshape(-1, width), weight, bias)
        parts = both.reshape(-1, m, 2 * width * len(layers)).split(width, 2)
        hides = scene_bias.reshape(-1, m, 1)
        keys = [torch.cat([k, hides], 2) for k in parts[::2]]
        return list(zip(keys, parts[1::2], strict=True))

    def begin(self, memory: Tensor, scene_bias: Tensor) -> TextState:
        """See :class:`SentenceWriter`."""
        weights = [layer.step_weights() for layer in self._layers()]
        return self._remember(memory, scene_bias), weights

    def step(self, x: Tensor, t: int, state: TextState) -> tuple[Tensor, TextState]:
        """See :class:`SentenceWriter`."""
        x = x + self.place[:, t]
        past = []
        for layer, before, weights in zip(self._layers(), *state, strict=True):
            x, after = layer.step(x, before, weights)
            past.append(after)
        return self.norm(x), (past, state[1])
