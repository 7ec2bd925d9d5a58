# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""How many words, in which order, a sentence shares with an annotator's."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
import math

from caption_node.evaluation.words import ORDERS, Gram, count_grams, split_words

ROUGE_BETA = 1.2
"""Recall counts so many times as much as precision."""


def rouge_l(hypothesis: str, reference: str) -> float:
    """
    Return the F-measure of the longest common subsequence of words, 0..1.

    Paper: ROUGE: A Package for Automatic Evaluation of Summaries, ACL 2004 (W04-1013).
    """
    said, wanted = split_words(hypothesis), split_words(reference)
    common = _longest_common(said, wanted)
    if not common:
        return 0.0
    precision, recall = common / len(said), common / len(wanted)
    weight = ROUGE_BETA**2
    return (1 + weight) * precision * recall / (recall + weight * precision)


def bleu_4(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """
    Return the BLEU of a whole set of sentences with runs of up to four words, 0..1.

    Paper: BLEU: a Method for Automatic Evaluation of Machine Translation, ACL 2002 (P02-1040).

    :param references: At least one for each sentence.
    """
    hits, runs = [0] * len(ORDERS), [0] * len(ORDERS)
    said_length = wanted_length = 0
    for hypothesis, wanted in zip(hypotheses, references, strict=True):
        mine, others = _grams(hypothesis), [_grams(r) for r in wanted]
        words = mine[0].total()
        said_length += words
        # Of references that are equally near in length the shorter one counts.
        lengths = [o[0].total() for o in others]
        wanted_length += min((abs(n - words), n) for n in lengths)[1]
        for i in range(len(ORDERS)):
            runs[i] += mine[i].total()
            hits[i] += _common(mine[i], [o[i] for o in others])
    if not all(hits):
        return 0.0
    mean = sum(math.log(h / n) for h, n in zip(hits, runs, strict=True)) / len(ORDERS)
    return min(1.0, math.exp(1 - wanted_length / said_length)) * math.exp(mean)


@lru_cache(maxsize=2048)
def _grams(sentence: str) -> tuple[Counter[Gram], ...]:
    """Count the word runs of a sentence, by order; single words first."""
    words = split_words(sentence)
    return tuple(count_grams(words, order) for order in ORDERS)


def _common(mine: Counter[Gram], others: Sequence[Counter[Gram]]) -> int:
    """Count the runs that some reference has too, each as often as one reference has it."""
    best: dict[Gram, int] = {}
    for other in others:
        for gram in mine.keys() & other.keys():
            best[gram] = max(best.get(gram, 0), other[gram])
    return sum(min(mine[gram], n) for gram, n in best.items())


def _longest_common(one: Sequence[str], two: Sequence[str]) -> int:
    """
    Return the length of the longest common subsequence.

    Paper: A Bit-String Longest-Common-Subsequence Algorithm, Allison and Dix 1986.
    """
    places: dict[str, int] = {}
    for j, word in enumerate(two):
        places[word] = places.get(word, 0) | 1 << j
    full = (1 << len(two)) - 1
    # A bit is 0 where the subsequence grows by the word of that place.
    row = full
    for word in one:
        matches = row & places.get(word, 0)
        row = (row + matches | row - matches) & full
    return len(two) - row.bit_count()
