# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Text decoder: a small pre-norm transformer (arXiv 1706.03762) with its greedy loop unrolled.

Grounding is part of the graph: words of a group (people, cyclists, signals, weather) are shut out
where the picture gives no evidence for them, so the sentence cannot name what nothing else shows.
"""

import torch
from torch import Tensor, nn

from caption_node.training.model.scene import CrossAttention, FeedForward, SceneConfig
from caption_node.vocabulary import BOS, EOS, PAD, UNK

_SHUT = -1e4


class DecoderLayer(nn.Module):
    """Self-attention over the words so far, cross-attention to the scene, token-wise layer."""

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(config.width)
        self.words = CrossAttention(config.width, config.heads)
        self.norm_2 = nn.LayerNorm(config.width)
        self.scene = CrossAttention(config.width, config.heads)
        self.norm_3 = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.feed_forward, config.dropout)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        past: tuple[Tensor, Tensor] | None,
        scene: tuple[Tensor, Tensor],
        causal: Tensor | None,
        scene_bias: Tensor,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """
        Decode N words at once (training) or one (the unrolled loop).

        :param x: (B, N, D).
        :param past: Keys and values of earlier words, (B, heads, t, D / heads) each.
        :param scene: Keys and values of the memory.
        :param causal: (N, N) bias in training, None in the loop.
        :returns: (B, N, D) and the words' keys and values so far.
        """
        y = self.norm_1(x)
        keys, values = self.words.keys_values(y)
        if past is not None:
            keys, values = torch.cat([past[0], keys], 2), torch.cat([past[1], values], 2)
        x = x + self.dropout(self.words(y, keys, values, causal))
        x = x + self.dropout(self.scene(self.norm_2(x), *scene, scene_bias))
        return x + self.dropout(self.feed_forward(self.norm_3(x))), (keys, values)


class TextDecoder(nn.Module):
    """
    Words from a scene memory.

    :param words: Size of the vocabulary V.
    :param groups: (G, V) of 0 and 1: the words that need evidence, one row a group.
    :param triggers: (V, G) of 0 and 1: behind which word each group needs it.
    """

    groups: Tensor
    triggers: Tensor
    special: Tensor
    ids: Tensor
    causal: Tensor

    def __init__(self, config: SceneConfig, words: int, groups: Tensor, triggers: Tensor) -> None:
        super().__init__()
        self.length = config.tokens
        self.embedding = nn.Embedding(words, config.width)
        nn.init.normal_(self.embedding.weight, std=0.05)
        self.place = nn.Parameter(torch.randn(1, config.tokens, config.width) * 0.02)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(config.width)
        self.bias = nn.Parameter(torch.zeros(words))
        self.dropout = nn.Dropout(config.dropout)
        self.register_buffer('groups', groups.float(), persistent=False)
        self.register_buffer('triggers', triggers.float(), persistent=False)
        special = torch.zeros(words)
        special[[PAD, BOS, UNK]] = _SHUT
        self.register_buffer('special', special, persistent=False)
        self.register_buffer('ids', torch.arange(words), persistent=False)
        causal = torch.full((config.tokens, config.tokens), _SHUT).triu(1)
        self.register_buffer('causal', causal, persistent=False)

    def _layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]

    def forward(self, tokens: Tensor, memory: Tensor, scene_bias: Tensor) -> Tensor:
        """
        Teacher forcing: logits of every next word.

        :param tokens: (B, N) int64, beginning with BOS.
        :returns: (B, N, V).
        """
        n = int(tokens.shape[1])
        x = self.dropout(self.embedding(tokens) + self.place[:, :n])
        causal = self.causal[:n, :n]
        for layer in self._layers():
            scene = layer.scene.keys_values(memory)
            x, _ = layer(x, None, scene, causal, scene_bias)
        return self.norm(x) @ self.embedding.weight.T + self.bias

    def greedy(
        self, memory: Tensor, scene_bias: Tensor, evidence: Tensor
    ) -> tuple[Tensor, Tensor]:
        """
        Write the likeliest word again and again; fixed length, no branch, no host.

        :param evidence: (B, G) of 0 and 1: whether each group's words may be said.
        :returns: tokens (B, T) int64, PAD behind the end; their log-probabilities (B, T), 0 there.
        """
        layers = self._layers()
        scenes = [layer.scene.keys_values(memory) for layer in layers]
        missing = (1 - evidence) * _SHUT  # (B, G)
        common = self.special + self.bias  # (V)
        past: list[tuple[Tensor, Tensor] | None] = [None] * len(layers)
        token = torch.full_like(evidence[:, 0], BOS, dtype=torch.int64)
        alive = torch.ones_like(token)
        tokens, scores = [], []
        for t in range(self.length):
            x = self.embedding(token)[:, None] + self.place[:, t : t + 1]
            for i, layer in enumerate(layers):
                x, past[i] = layer(x, past[i], scenes[i], None, scene_bias)
            shut = (self.triggers[token] * missing) @ self.groups + common  # (B, V)
            # No word twice running: small models stutter.
            shut = shut + (self.ids == token[:, None]) * _SHUT
            logits = self.norm(x)[:, 0] @ self.embedding.weight.T + shut
            best, token = logits.max(1)
            score = best - logits.logsumexp(1)
            token = token * alive  # PAD is 0
            tokens.append(token)
            scores.append(score * alive)
            alive = alive * (token != EOS).to(torch.int64)
        return torch.stack(tokens, 1), torch.stack(scores, 1)
