# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences against the annotators' sentences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from caption_node.evaluation.cider import CiderD
from caption_node.evaluation.frames import LabelledFrame
from caption_node.evaluation.overlap import bleu_4, rouge_l
from caption_node.evaluation.words import split_words


@dataclass(frozen=True, slots=True)
class Score:
    """
    A figure, and the same figure of the annotators against each other.

    :param annotators: None where there are not two of them.
    """

    system: float | None
    annotators: float | None = None

    @property
    def share(self) -> float | None:
        """How much of what annotators reach the system reaches."""
        if self.system is None or not self.annotators:
            return None
        return self.system / self.annotators


def mean(values: Iterable[float | None]) -> float | None:
    """Average what there is; None if there is nothing."""
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def score_sentences(
    frames: Sequence[LabelledFrame], captions: Sequence[str], annotators: int
) -> dict[str, Score]:
    """
    Score one sentence a frame, by every measure.

    Measures that end in ``_one_reference`` take one annotator at a time, as two annotators can be
    held against each other only so; the plain ones take all references of a frame at once.

    :param captions: '' where there is no sentence.
    """
    references = [f.captions for f in frames]
    cider = CiderD(references)
    pairs = [(c, r) for c, of in zip(captions, references, strict=True) for r in of]
    swapped = [(r[i], r[1 - i]) for r in references for i in range(2)] if annotators > 1 else []
    theirs = [[r[i] for r in references] for i in range(annotators)]
    return {
        'cider_d_one_reference': Score(
            mean([cider.score(c, [r]) for c, r in pairs]),
            mean([cider.score(c, [r]) for c, r in swapped]),
        ),
        'rouge_l_one_reference': Score(
            mean([rouge_l(c, r) for c, r in pairs]), mean([rouge_l(c, r) for c, r in swapped])
        ),
        'bleu_4_one_reference': Score(
            mean([bleu_4(captions, [[r] for r in of]) for of in theirs]),
            mean([bleu_4(theirs[i], [[r] for r in theirs[1 - i]]) for i in range(2)])
            if annotators > 1
            else None,
        ),
        'rouge_l': Score(
            mean(
                [
                    max(rouge_l(c, r) for r in of)
                    for c, of in zip(captions, references, strict=True)
                ]
            )
        ),
        'bleu_4': Score(bleu_4(captions, references)),
        'distinct': Score(_distinct(captions), mean([_distinct(t) for t in theirs])),
        'words': Score(
            mean([float(len(split_words(c))) for c in captions if c]),
            mean([float(len(split_words(r))) for of in references for r in of]),
        ),
    }


def _distinct(captions: Sequence[str]) -> float | None:
    """Return the share of sentences that differ from all others."""
    return len(set(captions)) / len(captions) if captions else None
