# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Text decoder: an LSTM that looks at the scene memory before every word.

Source: Show, Attend and Tell, arXiv 1502.03044, with soft attention: additive scores, a gate on
what was seen, and words read off the state, what was seen and the word before. The grid cells of
the paper are here all tokens of the memory: coarse grid, objects, fields.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from caption_node.training.model.latent import pooled
from caption_node.training.model.scene import SceneConfig
from caption_node.training.model.writing import Phrases, SentenceWriter


@dataclass
class LstmState:
    """
    What the decoder holds between two words.

    :param memory: (B, M, D); ``keys`` (B, M, D) are its projection.
    :param hides: (B, M), large negative for absent tokens.
    :param output: (B, D), the state that is seen; ``cell`` (B, D) is the one that is kept.
    """

    memory: Tensor
    keys: Tensor
    hides: Tensor
    output: Tensor
    cell: Tensor


class LstmDecoder(SentenceWriter[LstmState]):
    """
    Words from a scene memory, one state from word to word.

    :param words: Size of the vocabulary V.
    :param groups: As :class:`SentenceWriter` takes them, and so what follows.
    """

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
        width = config.width
        self.embedding = nn.Embedding(words, width)
        nn.init.normal_(self.embedding.weight, std=0.05)
        self.tone = nn.Parameter(torch.zeros(width))
        self.first = nn.Linear(width, 2 * width)
        self.key = nn.Linear(width, width)
        # Query and gate come from the same state: one product for both.
        self.ask = nn.Linear(width, 2 * width)
        self.score = nn.Linear(width, 1, bias=False)
        self.gates = nn.Linear(3 * width, 4 * width)
        self.out = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(words))
        self.dropout = nn.Dropout(config.dropout)
        with torch.no_grad():  # what is held is kept at first (Jozefowicz et al. 2015)
            self.gates.bias[width : 2 * width] = 1.0

    def begin(self, memory: Tensor, scene_bias: Tensor) -> LstmState:
        """See :class:`SentenceWriter`."""
        output, cell = self.first(pooled(memory, scene_bias)).tanh().chunk(2, 1)
        return LstmState(memory, self.key(memory), scene_bias[:, 0, 0], output, cell)

    def step(self, x: Tensor, t: int, state: LstmState) -> tuple[Tensor, LstmState]:
        """See :class:`SentenceWriter`."""
        query, gate = self.ask(state.output).chunk(2, 1)
        likeness = self.score((state.keys + query[:, None]).tanh())[:, :, 0]  # (B, M)
        share = (likeness + state.hides).softmax(1)
        seen = (share[:, None] @ state.memory)[:, 0] * gate.sigmoid()  # (B, D)
        gates = self.gates(torch.cat([x, seen, state.output], 1))
        write, keep, show, new = gates.chunk(4, 1)
        cell = keep.sigmoid() * state.cell + write.sigmoid() * new.tanh()
        output = show.sigmoid() * cell.tanh()
        y = self.norm(x + self.out(self.dropout(torch.cat([output, seen], 1))))
        return y, LstmState(state.memory, state.keys, state.hides, output, cell)

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
        x = self.embedding(tokens)
        if ours is not None:
            x = x + ours[:, None, None] * self.tone
        state = self.begin_each(memory, scene_bias, len(tokens) // len(memory))
        read = []
        for t, word in enumerate(self.dropout(x).unbind(1)):
            y, state = self.step(word, t, state)
            read.append(y)
        return torch.stack(read, 1) @ self.embedding.weight.T + self.bias
