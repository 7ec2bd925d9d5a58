# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What a sentence about a training frame is worth: likeness to annotators' words, less false claims.

An annotator's sentence is one of many that would do. Frames whose fields are alike bring further
ones: a sentence that is like several of them says what most would say.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.description import FIELDS
from caption_node.evaluation.cider import CiderD
from caption_node.evaluation.denials import denied_claims
from caption_node.evaluation.frames import Annotation, LabelledFrame
from caption_node.training.form import faults_of_form
from caption_node.training.labels import swap_sides

Row = Mapping[str, Any]

# How alike two frames are that agree in a field; what sentences speak of first counts most.
_ALIKE = {
    'time': 3.0,
    'weather': 1.0,
    'surface': 1.5,
    'road': 1.5,
    'intersection': 1.0,
    'crosswalk': 1.0,
    'construction': 1.5,
    'lead': 3.0,
    'lead_range': 1.5,
    'vehicles': 1.0,
    'oncoming': 1.0,
    'parked': 1.0,
    'people': 2.0,
    'people_on_road': 1.0,
    'cyclists': 2.0,
    'light': 3.0,
}
_BUCKETS = (1, 2, 4, 8)
_CANDIDATES = 40


class Judge:
    """
    Rewards sentences about the frames of a cache.

    :param rows: Frames with ``id``, ``source``, ``fields`` and ``caption``; one row a frame.
    :param neighbours: Sentences about like frames that a frame is also judged by.
    :param own: Share of the reward that the frame's own sentence decides, 0..1.
    :param penalty: Taken off for every claim that the frame's labels deny.
    :param form_penalty: Taken off for every fault of form.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        neighbours: int = 8,
        own: float = 0.5,
        penalty: float = 0.3,
        form_penalty: float = 0.3,
    ) -> None:
        self.neighbours = neighbours
        self.own = own
        self.penalty = penalty
        self.form_penalty = form_penalty
        self._rows = [r for r in rows if r['caption']]
        self._cider = CiderD([[r['caption']] for r in self._rows])
        self._first = {r['id']: r['caption'] for r in self._rows}
        self._fields = np.array([_coarse(r['fields']) for r in self._rows])
        self._found: dict[tuple[str, str], list[str]] = {}

    def reward(self, sentence: str, row: Row) -> float:
        """
        Judge one sentence about one frame.

        :param row: As in ``rows``; a variant, perhaps mirrored, of one of them.
        :returns: CIDEr-D (0..10) less penalties.
        """
        value = self._cider.score(sentence, [row['caption']])
        others = self.like(row)
        if others:
            value = self.own * value + (1 - self.own) * self._cider.score(sentence, others)
        value -= self.penalty * len(false_claims(sentence, row))
        return value - self.form_penalty * len(faults_of_form(sentence))

    def like(self, row: Row) -> list[str]:
        """Return sentences about like frames, none of which says what this frame's labels deny."""
        key = (row['id'], row['caption'])
        if key not in self._found:
            self._found[key] = self._search(row) if self.neighbours else []
        return self._found[key]

    def consensus(self, row: Row, warmth: float) -> tuple[list[str], NDArray[np.float64]]:
        """
        Return sentences that would do for a frame, and how often each should be its target.

        Each is worth what it shares with the others, the frame's own sentence among them.
        Source: Reward Augmented Maximum Likelihood, arXiv 1609.00150.

        :param warmth: Worth over which the share falls to 1 / e.
        """
        sentences = [row['caption'], *self.like(row)]
        if len(sentences) < 3:
            return sentences[:1], np.ones(1)
        worth = np.array(
            [
                self._cider.score(s, [*sentences[:k], *sentences[k + 1 :]])
                for k, s in enumerate(sentences)
            ]
        )
        share = np.exp((worth - worth.max()) / warmth)
        return sentences, share / share.sum()

    def _search(self, row: Row) -> list[str]:
        weights = np.array([_ALIKE[name] for name in FIELDS])
        score = (self._fields == np.array(_coarse(row['fields']))) @ weights
        plain = str(self._first.get(row['id'], row['caption']))
        mirrored = row['caption'] != plain and row['caption'] == swap_sides(plain)
        found: list[str] = []
        for k in np.argsort(-score, kind='stable')[:_CANDIDATES]:
            other = self._rows[k]
            if other['id'] == row['id']:
                continue
            text = other['caption']
            # A frame and its mirror image lie equally near; take the one whose sides fit.
            fits = [t for t in (text, swap_sides(text)) if not false_claims(t, row)]
            if fits:
                found.append(fits[-1] if mirrored else fits[0])
            if len(found) == self.neighbours:
                break
        return found


def false_claims(sentence: str, row: Row) -> list[str]:
    """Name the claims of a sentence that the labels of a frame deny."""
    annotation = Annotation(row['fields'], row['caption'])
    frame = LabelledFrame(row['id'], 'train', row['source'], '', (annotation,))
    return denied_claims(sentence, frame, annotation)


def _coarse(fields: Mapping[str, Any]) -> list[str]:
    """Return every field as text, counts in steps that sentences tell apart."""
    return [
        str(sum(fields[name] >= limit for limit in _BUCKETS))
        if spec.kind == 'count'
        else str(fields[name])
        for name, spec in FIELDS.items()
    ]
