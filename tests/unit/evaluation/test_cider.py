# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""CIDEr-D on sentences whose score is known by hand."""

import math

import pytest

from caption_node.evaluation.cider import CiderD

SETS = [
    ['a red car waits here', 'a red car stands here'],
    ['a wet road at night', 'a dark wet road'],
    ['two people cross the street', 'people cross the street'],
]


def test_identical_sentence_scores_ten() -> None:
    assert CiderD(SETS).score(SETS[0][0], [SETS[0][0]]) == pytest.approx(10.0)


def test_sentence_without_a_common_word_scores_nothing() -> None:
    assert CiderD(SETS).score('snow', SETS[0]) == 0.0


@pytest.mark.parametrize('hypothesis', ['', ' .,;! ', '日本'])
def test_sentence_without_words_scores_nothing(hypothesis: str) -> None:
    assert CiderD(SETS).score(hypothesis, SETS[0]) == 0.0


def test_word_of_every_set_weighs_nothing() -> None:
    everywhere = CiderD([['the car'], ['the bus'], ['the van']])
    assert everywhere.score('the', ['the car']) == 0.0


def test_score_follows_the_formula() -> None:
    # Three sets; `b` is in two of them, `c` in one; the pair `b c` in one.
    cider = CiderD([['b c'], ['b d'], ['e f']])
    b, rare = math.log(3 / 2), math.log(3)
    cosine = b * b / (b * math.hypot(b, rare))  # one word of two; no pair, nothing longer
    penalty = math.exp(-((1 - 2) ** 2) / 72)
    assert cider.score('b', ['b c']) == pytest.approx(10 * cosine * penalty / 4)


def test_score_is_the_mean_over_the_references() -> None:
    cider = CiderD(SETS)
    first, second = (cider.score('a red car waits', [r]) for r in SETS[0])
    assert first != second
    assert cider.score('a red car waits', SETS[0]) == pytest.approx((first + second) / 2)


def test_repeating_a_telling_word_brings_nothing() -> None:
    cider = CiderD(SETS)
    plain = cider.score('night road wet', SETS[1])
    assert cider.score('night night night road wet', SETS[1]) < plain


def test_score_all_agrees_with_score() -> None:
    cider = CiderD(SETS)
    said = ['a red car', 'a dark road', 'people here']
    expected = [cider.score(h, r) for h, r in zip(said, SETS, strict=True)]
    assert cider.score_all(said, SETS) == expected
