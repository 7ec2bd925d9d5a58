# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Macro-F1 of the fields, and the buckets of counts."""

import pytest

from caption_node.evaluation.fields import BUCKET_NAMES, bucket, macro_f1, score_fields
from tests.unit.evaluation.examples import FIELDS


@pytest.mark.parametrize(
    ('count', 'name'),
    [(0, '0'), (1, '1'), (2, '2-3'), (3, '2-3'), (4, '4-7'), (7, '4-7'), (8, '8+'), (15, '8+')],
)
def test_counts_fall_into_the_buckets_of_the_schema(count: int, name: str) -> None:
    assert BUCKET_NAMES[bucket(count)] == name


def test_macro_f1_averages_over_the_true_values() -> None:
    said = ['day', 'day', 'night', 'dusk']
    truth = ['day', 'night', 'night', 'day']
    # day: 1 hit, 2 said, 2 true; night: 1 hit, 1 said, 2 true; dusk is never true.
    assert macro_f1(said, truth) == pytest.approx((2 / 4 + 2 / 3) / 2)


def test_macro_f1_counts_what_was_not_said_as_wrong() -> None:
    assert macro_f1([None, 'day'], ['day', 'day']) == pytest.approx(2 / 3)
    assert macro_f1([None], ['day']) == 0.0


def test_macro_f1_of_no_frame_is_unknown() -> None:
    assert macro_f1([], []) is None


def test_counts_of_the_same_bucket_are_equally_right() -> None:
    scores = score_fields([{**FIELDS, 'vehicles': 5, 'people': 2}], [{**FIELDS, 'vehicles': 7}])
    assert scores['vehicles'] == 1.0
    assert scores['people'] == 0.0


def test_a_frame_without_fields_is_wrong_in_all() -> None:
    assert set(score_fields([{}], [FIELDS]).values()) == {0.0}
