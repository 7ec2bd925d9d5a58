# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""How varied sentences are: within a set, among several about one picture, and beside training."""

from collections.abc import Collection, Sequence

from caption_node.evaluation.cider import CiderD
from caption_node.evaluation.overlap import bleu_4
from caption_node.evaluation.sentences import mean
from caption_node.evaluation.words import count_grams, split_words


def distinct_share(sentences: Sequence[str], order: int) -> float | None:
    """
    Return the share of word runs that are different ones (distinct-n); None without a run.

    Paper: A Diversity-Promoting Objective Function, Li et al. 2016, arXiv 1510.03055.

    :param order: Words in a run.
    """
    counts = [count_grams(split_words(s), order) for s in sentences]
    runs = sum(c.total() for c in counts)
    return len(set().union(*counts)) / runs if runs else None


def self_bleu(groups: Sequence[Sequence[str]]) -> float | None:
    """
    Return how alike the sentences about one picture are, 0..1; None without two about any.

    BLEU-4 of each against the others about its picture (Texygen, arXiv 1802.01886; there over a
    whole set), one round for each place in the groups.

    :param groups: Sentences by picture.
    """
    several = [g for g in groups if len(g) > 1]
    if not several:
        return None
    rounds = range(min(len(g) for g in several))
    return mean(
        [bleu_4([g[k] for g in several], [[*g[:k], *g[k + 1 :]] for g in several]) for k in rounds]
    )


def words_used(sentences: Sequence[str]) -> int:
    """Return how many different words there are."""
    return len({word for s in sentences for word in split_words(s)})


def novel_share(sentences: Sequence[str], known: Collection[str]) -> float | None:
    """
    Return the share of sentences that are, word for word, none of those that trained.

    :param known: The training sentences.
    """
    seen = {tuple(split_words(s)) for s in known}
    return mean([float(tuple(split_words(s)) not in seen) for s in sentences])


def oracle_cider(
    groups: Sequence[Sequence[str]], references: Sequence[Sequence[str]]
) -> float | None:
    """
    Return the CIDEr-D of the best sentence about each picture, one reference at a time.

    :param groups: Sentences by picture, at least one each.
    :param references: The annotators' sentences by picture.
    """
    cider = CiderD(references)
    return mean(
        [
            max(cider.score(s, [r]) for s in group)
            for group, of in zip(groups, references, strict=True)
            for r in of
        ]
    )
