# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
A latent that says in which of many true ways a scene is told.

The scene gives a Gaussian p(z | scene); z moves every token of the memory by the same step, so
that any decoder that reads a memory can use it. Noise of zero is the likeliest way.
Source: conditional VAE of sentences, Wang et al. 2017, arXiv 1711.07068.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.training.model.scene import SceneConfig


class Latent(nn.Module):
    """
    The prior over the latent, and its way into the memory.

    :param config: Its ``latent`` is Z, at least 1.
    """

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        self.size = config.latent
        self.hidden = nn.Linear(config.width, config.width)
        self.prior = nn.Linear(config.width, 2 * config.latent)
        self.shift = nn.Linear(config.latent, config.width, bias=False)
        nn.init.zeros_(self.prior.weight)
        nn.init.zeros_(self.prior.bias)

    def forward(self, memory: Tensor, scene_bias: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return mean and log-variance of p(z | scene), (B, Z) each.

        :param memory: (B, M, D).
        :param scene_bias: (B, 1, 1, M), hides absent tokens.
        """
        x = F.relu(self.hidden(pooled(memory, scene_bias)))
        mean, spread = self.prior(x).split([self.size, self.size], 1)
        return mean, spread.clamp(-6.0, 2.0)

    def moved(self, memory: Tensor, z: Tensor) -> Tensor:
        """Return the memory (B, M, D), moved by the latent (B, Z)."""
        return memory + self.shift(z)[:, None]

    def told(self, memory: Tensor, scene_bias: Tensor, noise: Tensor | None = None) -> Tensor:
        """
        Return the memory as the decoder is to read it.

        :param noise: (B, Z) standard normal; zeros, or none, take the prior's mean.
        """
        mean, spread = self(memory, scene_bias)
        if noise is None:
            return self.moved(memory, mean)
        return self.moved(memory, mean + torch.exp(spread / 2) * noise)


def pooled(memory: Tensor, scene_bias: Tensor) -> Tensor:
    """Average the tokens that are not hidden, (B, D)."""
    share = scene_bias[:, 0, 0].softmax(1)  # hidden ones get nothing
    return (memory * share[:, :, None]).sum(1)
