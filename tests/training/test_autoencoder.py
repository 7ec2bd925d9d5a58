# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Pre-training: what is hidden, what is wrong by hand, and that errors fall."""

import numpy as np
import pytest
import torch

from caption_node.training.config import DENSE_SIDE
from caption_node.training.objectives.autoencoder import (
    Autoencoder,
    DenseEncoder,
    DensePainter,
    GridPainter,
    pretrain,
    reconstruction,
    spoilt,
    squares,
)


def test_whole_squares_are_hidden() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(4, 3, 64, 64)
    covered = squares(pictures, 0.5)
    assert covered.shape == (4, 1, 64, 64)
    cells = covered.reshape(4, 8, 8, 8, 8).float()
    assert (cells.amax((2, 4)) == cells.amin((2, 4))).all()
    assert 0.3 < float(covered.mean()) < 0.7
    assert float(squares(pictures, 0.0).sum()) == 0.0
    seen = spoilt(pictures, covered, 0.0)
    assert (seen[covered.expand_as(seen) > 0] == 0.5).all()
    assert torch.equal(seen[covered.expand_as(seen) == 0], pictures[covered.expand_as(seen) == 0])


def test_error_is_told_apart_behind_and_beside_the_squares() -> None:
    pictures, drawn = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    drawn[:, :, 0, 0] = 2.0
    drawn[:, 0, 1, 1] = 3.0
    covered = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    behind, beside = reconstruction(drawn, pictures, covered)
    assert float(behind) == pytest.approx(4.0 / 2)
    assert float(beside) == pytest.approx(9.0 / 3 / 2)


def test_painter_on_a_grid_draws_each_cell_by_itself() -> None:
    torch.manual_seed(0)
    painter = GridPainter(5, 8)
    features = torch.randn(1, 5, 2, 3)
    changed = features.clone()
    changed[:, :, 1, 2] += 1.0
    with torch.no_grad():
        apart = (painter(features) - painter(changed)).abs().sum(1)[0]
    assert apart.shape == (16, 24)
    assert float(apart[8:, 16:].sum()) > 0
    assert float(apart.sum() - apart[8:, 16:].sum()) == 0.0


def test_pictures_are_put_right_better_and_the_same_again() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 255, (10, 2, 2, 3), dtype=np.uint8)
    pictures = colours.repeat(DENSE_SIDE // 2, 1).repeat(DENSE_SIDE // 2, 2)

    def learn() -> tuple[list[float], torch.Tensor]:
        torch.manual_seed(1)
        objective = Autoencoder(DenseEncoder(16, 32), DensePainter(16, 32), 0.4)
        losses = pretrain(objective, pictures, steps=60, batch=10, rate=3e-3)
        return losses, objective.parts['encoder'].code.weight.detach()

    losses, weight = learn()
    assert losses[-1] < 0.8 * losses[0]
    assert torch.equal(learn()[1], weight)
