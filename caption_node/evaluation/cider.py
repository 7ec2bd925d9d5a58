# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
CIDEr-D: how much of what is telling in a sentence the annotators' sentences say too.

Paper: CIDEr: Consensus-based Image Description Evaluation, arXiv 1411.5726.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
import math

from caption_node.evaluation.words import ORDERS, Gram, count_grams, split_words

SCALE = 10.0
LENGTH_SIGMA = 6.0
"""Words by which lengths may differ before it costs much."""
_CACHED_REFERENCES = 8192


@dataclass(frozen=True, slots=True)
class _Vector:
    """A sentence as weights of its word runs, by order; ``norms`` are their Euclidean lengths."""

    weights: tuple[dict[Gram, float], ...]
    norms: tuple[float, ...]
    length: int


class CiderD:
    """
    Scores sentences; rare word runs weigh more, common ones next to nothing.

    Vectors of references are kept, so thousands of sentences a second can be scored against
    references that come again and again.

    :param reference_sets: The references of every picture of the set; they say what is rare.
    """

    def __init__(self, reference_sets: Iterable[Sequence[str]]) -> None:
        pictures, seen_in = 0, Counter[Gram]()
        for references in reference_sets:
            pictures += 1
            found: set[Gram] = set()
            for sentence in references:
                words = split_words(sentence)
                for order in ORDERS:
                    found.update(count_grams(words, order))
            seen_in.update(found)
        self._unseen = math.log(max(2, pictures))
        self._rarity = {gram: self._unseen - math.log(n) for gram, n in seen_in.items()}
        self._reference = lru_cache(maxsize=_CACHED_REFERENCES)(self._vector)

    def score(self, hypothesis: str, references: Sequence[str]) -> float:
        """
        Score one sentence.

        :param references: At least one; the mean over them counts.
        :returns: 0..10.
        """
        said = self._vector(hypothesis)
        total = sum(_likeness(said, self._reference(sentence)) for sentence in references)
        return SCALE * total / len(references)

    def score_all(
        self, hypotheses: Iterable[str], references: Iterable[Sequence[str]]
    ) -> list[float]:
        """Score many sentences, each against its own references."""
        return [self.score(h, r) for h, r in zip(hypotheses, references, strict=True)]

    def _vector(self, sentence: str) -> _Vector:
        words = split_words(sentence)
        weights = tuple(
            {
                gram: n * self._rarity.get(gram, self._unseen)
                for gram, n in count_grams(words, order).items()
            }
            for order in ORDERS
        )
        norms = tuple(math.sqrt(sum(w * w for w in part.values())) for part in weights)
        return _Vector(weights, norms, len(words))


def _likeness(said: _Vector, wanted: _Vector) -> float:
    """Return the mean clipped cosine over the orders, less for a differing length; 0..1."""
    total = 0.0
    for mine, theirs, norm, other in zip(
        said.weights, wanted.weights, said.norms, wanted.norms, strict=True
    ):
        if norm and other:
            # What is said more often than the reference says it brings nothing.
            dot = sum(min(w, theirs[g]) * theirs[g] for g, w in mine.items() if g in theirs)
            total += dot / (norm * other)
    apart = said.length - wanted.length
    return total / len(ORDERS) * math.exp(-(apart**2) / (2 * LENGTH_SIGMA**2))
