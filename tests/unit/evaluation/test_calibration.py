# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Calibration errors on samples whose error is known by hand."""

import random

import pytest

from caption_node.evaluation.calibration import Sample, calibrate


def test_no_sample_has_no_calibration() -> None:
    assert calibrate([]) is None


def test_error_is_the_gap_weighed_by_samples() -> None:
    samples = [Sample(0.95, 1.0)] * 6 + [Sample(0.55, 0.0)] * 2
    found = calibrate(samples)
    assert found is not None
    assert found.ece == pytest.approx((6 * 0.05 + 2 * 0.55) / 8)
    assert found.brier == pytest.approx((6 * 0.05**2 + 2 * 0.55**2) / 8)
    assert found.accuracy == pytest.approx(6 / 8)
    assert found.confidence == pytest.approx((6 * 0.95 + 2 * 0.55) / 8)


def test_gaps_of_one_bin_cancel_and_those_of_two_do_not() -> None:
    one = calibrate([Sample(0.5, 1.0), Sample(0.5, 0.0)])
    two = calibrate([Sample(0.5, 1.0), Sample(0.7, 0.2)])
    assert one is not None
    assert two is not None
    assert one.ece == pytest.approx(0.0)
    assert two.ece == pytest.approx(0.5)


@pytest.mark.parametrize(('confidence', 'place'), [(0.0, 0), (0.1, 0), (0.1001, 1), (1.0, 9)])
def test_bins_hold_their_upper_edge(confidence: float, place: int) -> None:
    found = calibrate([Sample(confidence, 1.0)])
    assert found is not None
    assert [b.samples for b in found.bins].index(1) == place
    assert found.bins[place].accuracy == 1.0
    assert sum(b.accuracy is None for b in found.bins) == 9


def test_error_by_chance_is_what_an_honest_system_shows() -> None:
    chance = random.Random(5)
    said = [chance.random() for _ in range(200)]
    errors = []
    for _ in range(200):
        found = calibrate([Sample(c, float(chance.random() < c)) for c in said])
        assert found is not None
        errors.append(found.ece)
    assert found.ece_by_chance == pytest.approx(sum(errors) / len(errors), rel=0.1)


def test_sure_and_right_leaves_nothing_to_chance() -> None:
    found = calibrate([Sample(1.0, 1.0)] * 5)
    assert found is not None
    assert (found.ece, found.ece_by_chance, found.brier) == (0.0, 0.0, 0.0)
