# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Self-supervised pre-training: put spoilt pictures right again, without any label.

Squares of a picture are hidden and noise is added; an encoder has to keep what the rest tells of
them. Any encoder will do that gives one code a picture, or a grid of features. What it learnt
stays in the encoder; the part that draws is thrown away.
Sources: Extracting and Composing Robust Features with Denoising Autoencoders, Vincent et al. 2008;
Masked Autoencoders, He et al. 2022, arXiv 2111.06377.
"""

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.training.config import DENSE_SIDE

_SQUARE = 8


class DenseEncoder(nn.Module):
    """
    A small picture to one code through dense layers alone.

    :param code: Channels of the code.
    """

    def __init__(self, code: int = 128, hidden: int = 256) -> None:
        super().__init__()
        self.hidden = nn.Linear(3 * DENSE_SIDE * DENSE_SIDE, hidden)
        self.code = nn.Linear(hidden, code)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, 64, 64) of 0..1 to (B, C)."""
        return self.code(F.relu(self.hidden(pictures.flatten(1) - 0.5)))


class DensePainter(nn.Module):
    """One code back to a small picture."""

    def __init__(self, code: int = 128, hidden: int = 256) -> None:
        super().__init__()
        self.hidden = nn.Linear(code, hidden)
        self.pixels = nn.Linear(hidden, 3 * DENSE_SIDE * DENSE_SIDE)

    def forward(self, code: Tensor) -> Tensor:
        """(B, C) to (B, 3, 64, 64)."""
        pixels: Tensor = self.pixels(F.relu(self.hidden(F.relu(code))))
        return pixels.reshape(-1, 3, DENSE_SIDE, DENSE_SIDE) + 0.5


class GridPainter(nn.Module):
    """
    Features on a grid back to pixels, each cell drawing its own square.

    :param channels: Of the features.
    :param stride: Pixels of a cell's side.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.cells = nn.Conv2d(channels, 3 * stride * stride, 1)
        self.spread = nn.PixelShuffle(stride)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H / stride, W / stride) to (B, 3, H, W)."""
        pixels: Tensor = self.spread(self.cells(features))
        return pixels + 0.5


class Autoencoder:
    """
    Encoder and painter over spoilt pictures.

    :param encoder: Stays; takes (B, 3, H, W) of 0..1.
    :param painter: Is thrown away.
    :param hidden: Share of the squares that are hidden, 0..1.
    :param noise: Standard deviation of the noise.
    """

    def __init__(
        self, encoder: nn.Module, painter: nn.Module, hidden: float = 0.5, noise: float = 0.05
    ) -> None:
        self.hidden, self.noise = hidden, noise
        self.parts = nn.ModuleDict({'encoder': encoder, 'painter': painter})

    def loss(self, pictures: Tensor) -> tuple[Tensor, dict[str, float]]:
        """
        Return the loss of a batch and its parts.

        :param pictures: (B, 3, H, W) of 0..1; sides are multiples of 8.
        """
        covered = squares(pictures, self.hidden)
        seen = spoilt(pictures, covered, self.noise)
        drawn = self.parts['painter'](self.parts['encoder'](seen))
        behind, beside = reconstruction(drawn, pictures, covered)
        figures = {'hidden': float(behind.detach()), 'seen': float(beside.detach())}
        return behind + beside, figures


def squares(pictures: Tensor, share: float) -> Tensor:
    """Draw which squares of each picture are hidden, (B, 1, H, W) of 0 and 1."""
    b, _, h, w = pictures.shape
    drawn = torch.rand(b, 1, h // _SQUARE, w // _SQUARE, device=pictures.device) < share
    return drawn.float().repeat_interleave(_SQUARE, 2).repeat_interleave(_SQUARE, 3)


def spoilt(pictures: Tensor, covered: Tensor, noise: float) -> Tensor:
    """Return pictures with grey squares and noise on what is left."""
    noisy = pictures + torch.randn_like(pictures) * noise
    return torch.where(covered > 0, torch.full_like(pictures, 0.5), noisy)


def reconstruction(drawn: Tensor, pictures: Tensor, covered: Tensor) -> tuple[Tensor, Tensor]:
    """
    Return the mean squared error of a pixel behind the squares, and beside them.

    :param covered: (B, 1, H, W) of 0 and 1.
    """
    wrong = ((drawn - pictures) ** 2).mean(1, keepdim=True)
    behind = (wrong * covered).sum() / covered.sum().clamp(min=1)
    beside = (wrong * (1 - covered)).sum() / (1 - covered).sum().clamp(min=1)
    return behind, beside


def pretrain(
    objective: Autoencoder,
    pictures: NDArray[np.uint8],
    steps: int,
    batch: int = 64,
    rate: float = 1e-3,
    seed: int = 1,
) -> list[float]:
    """
    Train on unlabelled pictures.

    :param pictures: (N, H, W, 3) RGB.
    :returns: the loss of every step.
    """
    optimiser = torch.optim.AdamW(objective.parts.parameters(), lr=rate, weight_decay=0.01)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    losses = []
    objective.parts.train()
    for step in range(steps):
        rng = np.random.default_rng([seed, 31, step])
        torch.manual_seed(seed * 1_000_003 + step)
        chosen = torch.from_numpy(pictures[rng.choice(len(pictures), batch)])
        loss, _ = objective.loss(chosen.permute(0, 3, 1, 2).float() / 255)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(objective.parts.parameters(), 1.0)
        optimiser.step()
        plan.step()
        losses.append(float(loss.detach()))
    return losses
