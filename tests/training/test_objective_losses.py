# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Losses of objectives by hand, on cases small enough for pencil and paper."""

import math

import pytest
import torch

from caption_node.training.objectives.discriminator import (
    discriminator_loss,
    divergence,
    matching_loss,
)
from caption_node.training.objectives.mle import (
    CONTRAST_TEMPERATURE,
    contrast_loss,
    scheduled,
    word_loss,
)
from caption_node.training.objectives.vae import (
    active_units,
    free_nats,
    hidden_words,
    kl_normal,
    ramp,
)
from caption_node.vocabulary import BOS, PAD, UNK


def test_discriminator_is_asked_three_questions() -> None:
    unsure = torch.zeros(2, 3)
    assert float(discriminator_loss(unsure, unsure, unsure)) == pytest.approx(math.log(3))
    kinds = torch.eye(3) * 30
    sure = [kinds[[k, k]] for k in range(3)]
    assert float(discriminator_loss(*sure)) == pytest.approx(0.0, abs=1e-6)
    assert float(discriminator_loss(sure[1], sure[1], sure[2])) == pytest.approx(10.0)


def test_divergence_is_what_the_discriminator_sees() -> None:
    answers = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.125, 0.5, 0.375]]))
    assert float(divergence(answers)) == pytest.approx((math.log(2) + math.log(8)) / 2)


def test_divergence_of_known_gaussians() -> None:
    zero, one = torch.zeros(1, 1), torch.ones(1, 1)
    assert float(kl_normal(zero, zero, zero, zero)) == 0.0
    assert float(kl_normal(one, zero, zero, zero)) == pytest.approx(0.5)
    wide = one * math.log(4.0)
    assert float(kl_normal(zero, wide, zero, zero)) == pytest.approx((4 - 1 - math.log(4)) / 2)
    assert float(kl_normal(zero, zero, one * 2, wide)) == pytest.approx(
        (math.log(4) + 1 / 4 + 4 / 4 - 1) / 2
    )
    q, p = torch.distributions.Normal(0.3, 0.7), torch.distributions.Normal(-0.4, 1.9)
    mine = kl_normal(
        *(torch.tensor([[v]]) for v in (0.3, 2 * math.log(0.7), -0.4, 2 * math.log(1.9)))
    )
    assert float(mine) == pytest.approx(float(torch.distributions.kl_divergence(q, p)), rel=1e-5)


def test_likelihood_is_smoothed_by_hand() -> None:
    logits = torch.log(torch.tensor([[[0.5, 0.25, 0.125, 0.0625, 0.0625]]]))
    said = torch.tensor([[4]])
    nats = torch.tensor([1.0, 2.0, 3.0, 4.0, 4.0]) * math.log(2)
    assert float(word_loss(logits, said, 0.0)) == pytest.approx(float(nats[4]))
    smoothed = 0.9 * nats[4] + 0.1 * nats.mean()
    assert float(word_loss(logits, said, 0.1)) == pytest.approx(float(smoothed))
    unheard = torch.tensor([[PAD]])
    assert float(word_loss(logits, unheard, 0.1)) == 0.0


def test_pictures_and_sentences_are_held_against_each_other_by_hand() -> None:
    points, said = torch.eye(2), torch.ones(2, dtype=torch.bool)
    near = math.log(1 + math.exp(-1 / CONTRAST_TEMPERATURE))
    assert float(contrast_loss(points, points, said, ['a', 'b'])) == pytest.approx(near, rel=1e-2)
    far = math.log(1 + math.exp(1 / CONTRAST_TEMPERATURE))
    assert float(contrast_loss(points, points.flip(0), said, ['a', 'b'])) == pytest.approx(far)
    assert float(contrast_loss(points, points.flip(0), said, ['a', 'a'])) == pytest.approx(0.0)


def test_free_nats_cost_nothing_and_give_no_gradient() -> None:
    nats = torch.tensor([[0.0, 3.0], [0.1, 1.0]], requires_grad=True)
    counted = free_nats(nats, 0.5)
    assert float(counted.detach()) == pytest.approx(0.5 + 2.0)
    counted.backward()
    assert nats.grad is not None
    assert nats.grad.tolist() == [[0.0, 0.5], [0.0, 0.5]]


def test_ramp_rises_over_its_share() -> None:
    assert [ramp(p, 0.4) for p in (0.0, 0.1, 0.4, 1.0)] == [0.0, 0.25, 1.0, 1.0]
    assert ramp(0.0, 0.0) == 1.0
    assert ramp(-0.1, 0.4) == ramp(-0.1, 0.0) == 0.0


def test_active_units_are_those_that_tell_more_than_the_scene() -> None:
    told = torch.tensor([[0.0, 1.0, 5.0], [0.0, -1.0, 7.0]])
    scene = torch.tensor([[0.0, 0.0, 5.0], [0.0, 0.0, 7.0]])
    assert active_units(told, scene) == 1


def test_scheduled_sampling_keeps_the_start_and_the_padding() -> None:
    inputs = torch.tensor([[BOS, 5, 6, PAD]])
    guessed = torch.full((1, 4, 9), -50.0)
    guessed[:, :, 8] = 50.0
    assert scheduled(inputs, guessed, 0.0).tolist() == inputs.tolist()
    assert scheduled(inputs, guessed, 1.0).tolist() == [[BOS, 8, 8, PAD]]


def test_hidden_words_are_unknown_ones() -> None:
    inputs = torch.tensor([[BOS, 5, 6, PAD]])
    assert hidden_words(inputs, 1.0).tolist() == [[BOS, UNK, UNK, PAD]]
    assert hidden_words(inputs, 0.0).tolist() == inputs.tolist()


def test_matching_counts_variants_of_a_frame_as_neither_own_nor_strange() -> None:
    even = torch.zeros(2, 2)
    assert float(matching_loss(even, ['a', 'b'])) == pytest.approx(2 * math.log(2))
    sure = torch.tensor([[20.0, -20.0], [-20.0, 20.0]])
    assert float(matching_loss(sure, ['a', 'b'])) == pytest.approx(0.0, abs=1e-6)
    assert float(matching_loss(-sure, ['a', 'b'])) == pytest.approx(40.0 + 20.0)
    twins = torch.tensor([[20.0, 20.0], [20.0, 20.0]])
    assert float(matching_loss(twins, ['a', 'a'])) == pytest.approx(0.0, abs=1e-6)
