# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Confidences: what is read of counts, and temperatures that make them honest."""

import numpy as np
import pytest
import torch

from caption_node.description import FIELDS
from caption_node.pipeline import read_field
from caption_node.training.calibrate import (
    SENTENCE_SHARE,
    fit_logistic,
    fit_support,
    fit_temperatures,
)
from caption_node.training.model.scene import field_starts


def bell(centre: float, width: float) -> np.ndarray:
    return (-(((np.arange(16) - centre) / width) ** 2) / 2).astype(np.float32)


@pytest.mark.parametrize(('centre', 'count'), [(0.1, 0), (1.0, 1), (2.6, 3), (5.2, 5), (9.0, 9)])
def test_count_is_the_likeliest_of_the_likeliest_bucket(centre: float, count: int) -> None:
    found = read_field(FIELDS['people'], bell(centre, 0.4), 1.0)
    assert found.value == count
    assert 0.8 < found.confidence <= 1.0


def test_temperature_changes_how_sure_a_count_is_but_not_the_count() -> None:
    sharp, soft = (read_field(FIELDS['people'], bell(3.0, 0.6), t) for t in (1.0, 4.0))
    assert sharp.value == soft.value == 3
    assert soft.confidence < sharp.confidence


def test_counts_that_are_often_wrong_get_a_high_temperature() -> None:
    rng = np.random.default_rng(0)
    width = sum(f.width for f in FIELDS.values())
    logits, targets = np.zeros((400, width), np.float32), np.zeros((400, len(FIELDS)), np.int64)
    start = 0
    for i, (name, spec) in enumerate(FIELDS.items()):
        if name == 'vehicles':
            for k in range(400):
                true = int(rng.integers(0, 12))
                targets[k, i] = true
                said = true if rng.random() < 0.6 else int(rng.integers(0, 12))
                logits[k, start : start + spec.width] = bell(said, 0.3)
        start += spec.width
    found = fit_temperatures(torch.from_numpy(logits), torch.from_numpy(targets))
    assert found['vehicles'] > 2.0


def test_logistic_finds_what_made_the_labels() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4000, 2))
    likely = 1 / (1 + np.exp(-(1.5 * x[:, 0] + 0.5)))
    weights, bias = fit_logistic(x, (rng.random(4000) < likely).astype(float))
    assert weights == pytest.approx([1.5, 0.0], abs=0.15)
    assert bias == pytest.approx(0.5, abs=0.1)
    assert fit_logistic(x[:5], np.ones(5)) == ([0.0, 0.0], 0.0)


def test_sentences_that_are_truer_than_their_fields_say_are_trusted_more() -> None:
    logits = torch.full((200, sum(f.width for f in FIELDS.values())), -9.0)
    logits[:, field_starts()['oncoming']] = 0.5  # sigmoid: 0.62
    fields = {n: f.values[0] if f.kind == 'categorical' else 0 for n, f in FIELDS.items()}
    rows = [
        {
            'id': f'{k}',
            'source': 'toy',
            'caption': '',
            'fields': {**fields, 'oncoming': k % 10 > 0},
        }
        for k in range(200)
    ]
    said = ['An oncoming car is there.'] * 200
    found = fit_support(said, logits, {}, rows)
    odds = found['support'] * 0.5 + found['bias']
    wanted = (1 - SENTENCE_SHARE) * 0.5 + SENTENCE_SHARE * np.log(9)
    assert odds == pytest.approx(wanted, abs=0.02), 'half way to nine in ten'
    untouched = {'weight': 0.0, 'support': 1.0, 'bias': 0.0}
    assert fit_support(said[:20], logits[:20], {}, rows[:20]) == untouched, 'too few'
    assert fit_support(said[:9] * 20, logits[:180], {}, rows[1:2] * 180) == untouched, 'all alike'
