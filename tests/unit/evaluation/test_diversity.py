# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Measures of variety, by hand."""

import pytest

from caption_node.evaluation.diversity import (
    distinct_share,
    novel_share,
    oracle_cider,
    self_bleu,
    words_used,
)

SAME = 'a red car waits at the light'
OTHER = 'two people cross here now slowly'


def test_distinct_share_counts_different_runs_of_all_runs() -> None:
    assert distinct_share(['a b a', 'a b'], 1) == pytest.approx(2 / 5)
    assert distinct_share(['a b a', 'a b'], 2) == pytest.approx(2 / 3)
    assert distinct_share(['a'], 2) is None


def test_self_bleu_is_one_for_copies_and_nothing_for_strangers() -> None:
    assert self_bleu([[SAME, SAME], [OTHER, OTHER]]) == pytest.approx(1.0)
    assert self_bleu([[SAME, OTHER]]) == 0.0
    assert self_bleu([[SAME]]) is None


def test_words_and_novelty_are_counted_word_for_word() -> None:
    assert words_used(['A car.', 'a bus']) == 3
    assert novel_share(['A car!', 'a bus'], ['a car', 'a van']) == pytest.approx(0.5)
    assert novel_share([], ['a car']) is None


def test_oracle_takes_the_best_of_several() -> None:
    references = [[SAME], [OTHER]]
    best = oracle_cider([[SAME], [OTHER]], references)
    assert best is not None
    assert best > 0
    assert oracle_cider([[OTHER, SAME], [OTHER]], references) == pytest.approx(best)
    assert oracle_cider([[OTHER], [OTHER]], references) == pytest.approx(best / 2)
