# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Attention and token-wise layers, in as few and as large operators as they go into.

A linear layer sees all tokens of a batch as rows of one matrix: a runtime then adds its bias in
the product itself.
"""

from torch import Tensor, nn
from torch.nn import functional as F


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """Apply a layer to every token of (B, N, D)."""
    # int() keeps every size but the batch a constant of the traced graph.
    n, width = int(x.shape[1]), int(x.shape[2])
    y: Tensor = layer(x.reshape(-1, width))
    return y.reshape(-1, n, layer.out_features)


class CrossAttention(nn.Module):
    """Multi-head attention of queries to a memory whose keys and values can be kept."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def _split(self, x: Tensor, heads: int) -> Tensor:
        """(B, N, heads * d) to (B, heads, N, d)."""
        n = int(x.shape[1])
        return x.reshape(-1, n, heads, self.width // self.heads).transpose(1, 2)

    def keys_values(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Project the memory once, for as many calls as follow."""
        # One transpose for both: heads of the keys first, then heads of the values.
        both = self._split(linear(self.key_value, memory), 2 * self.heads)
        keys, values = both.split(self.heads, 1)
        return keys, values

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        """
        Attend.

        :param x: (B, N, D).
        :param keys: (B, heads, M, D / heads).
        :param values: as ``keys``.
        :param bias: Added to the scores, broadcast to (B, heads, N, M).
        :returns: (B, N, D).
        """
        q = self._split(linear(self.query, x), self.heads)
        scores = q @ keys.transpose(2, 3) * (int(q.shape[3]) ** -0.5)  # (B, h, N, M)
        if bias is not None:
            scores = scores + bias
        y = scores.softmax(3) @ values
        return linear(self.out, y.transpose(1, 2).reshape(-1, int(x.shape[1]), self.width))

    def read(self, x: Tensor, memory: Tensor, bias: Tensor) -> Tensor:
        """
        Attend with few queries to a long memory; equals :meth:`forward`.

        The memory's projections move to the other side of both products, where there are fewer
        rows; they are then a product of two weights each, which an exported graph holds ready. A
        bias of the keys adds the same to all scores of a query, and so nothing.

        :param x: (B or 1, N, D).
        :param memory: (B, M, D).
        :param bias: (B, 1, 1, M).
        :returns: (B, N, D).
        """
        n, width, heads = int(x.shape[1]), self.width, self.heads
        head = width // heads
        key, value = self.key_value.weight.reshape(2, heads, head, width).unbind(0)
        _, value_bias = self.key_value.bias.split(width)
        turn = key.transpose(1, 2) * head**-0.5  # (h, D, d)
        ask = (turn @ self.query.weight.reshape(heads, head, width)).reshape(-1, width)
        ask_bias = (turn @ self.query.bias.reshape(heads, head, 1)).reshape(-1)
        asked = F.linear(x.reshape(-1, width), ask, ask_bias).reshape(-1, n * heads, width)
        scores = asked @ memory.transpose(1, 2) + bias[:, 0]  # (B, N * h, M)
        mixed = (scores.softmax(2) @ memory).reshape(-1, heads * width)
        out = self.out.weight.reshape(width, heads, head).transpose(0, 1)
        tell = (out @ value).transpose(0, 1).reshape(width, -1)
        tell_bias = self.out.weight @ value_bias + self.out.bias
        return F.linear(mixed, tell, tell_bias).reshape(-1, n, width)


class FeedForward(nn.Module):
    """Token-wise two-layer network."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.project = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to every token of (B, N, D)."""
        n, width = int(x.shape[1]), int(x.shape[2])
        hidden = self.dropout(F.relu(self.expand(x.reshape(-1, width))))
        return linear(self.project, hidden.reshape(-1, n, self.project.in_features))


class Layer(nn.Module):
    """
    Pre-norm: look at a memory, then think token by token.

    :param width: D, channels of a token.
    :param hidden: Channels of the token-wise layer.
    :param few: Whether there are few queries and a long memory.
    """

    def __init__(
        self, width: int, heads: int, hidden: int, dropout: float, few: bool = False
    ) -> None:
        super().__init__()
        self.few = few
        self.norm_1 = nn.LayerNorm(width)
        self.attention = CrossAttention(width, heads)
        self.norm_2 = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor, bias: Tensor | None = None) -> Tensor:
        """
        Look and think.

        :param x: (B or 1, N, D).
        :param memory: (B, M, D).
        :param bias: (B, 1, 1, M); may be missing where the queries are not few.
        """
        if self.few and bias is not None:
            seen = self.attention.read(self.norm_1(x), memory, bias)
        else:
            keys, values = self.attention.keys_values(memory)
            seen = self.attention(self.norm_1(x), keys, values, bias)
        x = x + self.dropout(seen)
        return x + self.dropout(self.feed_forward(self.norm_2(x)))
