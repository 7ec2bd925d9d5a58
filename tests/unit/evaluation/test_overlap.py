# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""ROUGE-L and BLEU-4 on sentences whose score is known by hand."""

import math

import pytest

from caption_node.evaluation.overlap import bleu_4, rouge_l


def test_rouge_of_the_same_words_is_one_whatever_the_signs() -> None:
    assert rouge_l('A car, ahead.', 'a car ahead') == pytest.approx(1.0)


@pytest.mark.parametrize(('said', 'wanted'), [('', 'a car'), ('a car', ''), ('snow', 'a car')])
def test_rouge_of_nothing_in_common_is_zero(said: str, wanted: str) -> None:
    assert rouge_l(said, wanted) == 0.0


def test_rouge_follows_the_formula() -> None:
    # The longest common subsequence is `a c d`: 3 of 4 words said, 3 of 5 wanted.
    precision, recall, weight = 3 / 4, 3 / 5, 1.2**2
    expected = (1 + weight) * precision * recall / (recall + weight * precision)
    assert rouge_l('a x c d', 'a b c e d') == pytest.approx(expected)


@pytest.mark.parametrize(
    ('said', 'wanted', 'common'),
    [
        ('a b c b d a b', 'b d c a b a', 4),
        ('x a x a x', 'a a a', 2),
        (' '.join('ab' * 40), ' '.join('ba' * 40), 79),
    ],
)
def test_rouge_finds_the_longest_common_subsequence(said: str, wanted: str, common: int) -> None:
    precision, recall = common / len(said.split()), common / len(wanted.split())
    expected = (1 + 1.44) * precision * recall / (recall + 1.44 * precision)
    assert rouge_l(said, wanted) == pytest.approx(expected)


def test_bleu_of_the_references_themselves_is_one() -> None:
    said = ['a car is ahead', 'two people cross the road']
    assert bleu_4(said, [[s, 'something else'] for s in said]) == pytest.approx(1.0)


def test_bleu_is_zero_without_a_common_run_of_four() -> None:
    assert bleu_4(['a car is there'], [['a car is ahead of us']]) == 0.0
    assert bleu_4([''], [['a car is ahead of us']]) == 0.0
    assert bleu_4([], []) == 0.0


def test_bleu_counts_hits_over_the_set_and_punishes_brevity() -> None:
    # 5 of 5 words, 4 of 4 pairs, 3 of 3, 2 of 2; five words said where seven were wanted.
    said, wanted = 'a car is ahead now', 'a car is ahead now and here'
    assert bleu_4([said], [[wanted]]) == pytest.approx(math.exp(1 - 7 / 5))


def test_bleu_clips_repeated_words_by_one_reference_at_a_time() -> None:
    said = ['the the the the a b c d']
    # `the` stands once in each reference: one of four counts, not two.
    hits = (5 / 8) * (4 / 7) * (3 / 6) * (2 / 5)
    wanted = [['the a b c d x y z', 'the q q q q q q q']]
    assert bleu_4(said, wanted) == pytest.approx(hits**0.25)


def test_bleu_takes_the_reference_that_is_nearest_in_length() -> None:
    said = ['a b c d e']
    assert bleu_4(said, [['a b c d e', 'a b c d e f g h']]) == pytest.approx(1.0)
