# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What sentences claim that no annotator saw, what they leave out, what no published box bears out.

A frame counts as free of a topic only where every annotator says so, and as showing it likewise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import re

from caption_node.description import Value
from caption_node.evaluation.frames import LabelledFrame
from caption_node.evaluation.lead_words import says_lead
from caption_node.evaluation.predictions import Prediction

_ABSENT = (0, 'none', 'unclear')
_COLOUR = '(?:red|green|yellow|amber)'
# As the words are counted: a sentence that says "no pedestrians" is held to claim nothing.
_NOBODY = re.compile(r'\bno (?:pedestrians?|people|person|cyclists?)\b')
_PEOPLE = re.compile(r'\b(?:pedestrians?|people|person|(?:wo)?man|children|workers?)\b')
_CYCLISTS = re.compile(r'\b(?:cyclists?|bicycles?|bikes?|motorcycl\w+|scooters?|rider)\b')
_NIGHT = re.compile(r'\b(?:night|dark)\b')
_LIGHT = re.compile(
    rf'\b{_COLOUR} (?:traffic )?(?:light|signal)s?\b'
    rf'|\b(?:light|signal)s? (?:is|are|shows?|showing|turned?) {_COLOUR}\b'
)


@dataclass(frozen=True, slots=True)
class Topic:
    """
    Something that a sentence may claim.

    :param says: Whether a sentence, in lower case, claims it.
    :param shows: Whether an annotator's fields say that it is there.
    :param has_box: Whether the published boxes bear it out; None if no box could.
    """

    name: str
    says: Callable[[str], bool]
    shows: Callable[[Mapping[str, Value]], bool]
    has_box: Callable[[Prediction], bool] | None = None

    def claimed_by(self, caption: str) -> bool:
        """Whether a sentence claims it."""
        text = caption.lower()
        return self.says(text) and not _NOBODY.search(text)


def _named(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: bool(pattern.search(text))


def _given(field: str) -> Callable[[Mapping[str, Value]], bool]:
    return lambda fields: fields[field] not in _ABSENT


def _boxed(*classes: str) -> Callable[[Prediction], bool]:
    return lambda prediction: bool((prediction.classes or frozenset()) & set(classes))


TOPICS = (
    Topic('people', _named(_PEOPLE), _given('people'), _boxed('person')),
    Topic('cyclists', _named(_CYCLISTS), _given('cyclists'), _boxed('bicycle', 'motorcycle')),
    Topic('light', _named(_LIGHT), _given('light'), _boxed('traffic light')),
    Topic('lead', says_lead, _given('lead'), lambda p: p.has_lead_box),
    Topic('night', _named(_NIGHT), lambda fields: fields['time'] == 'night'),
)


@dataclass(frozen=True, slots=True)
class Rate:
    """``count`` of ``frames``."""

    count: int
    frames: int

    @property
    def share(self) -> float | None:
        """0..1; None where no frame counts."""
        return self.count / self.frames if self.frames else None


@dataclass(frozen=True, slots=True)
class ClaimRates:
    """
    How truly one topic is told.

    :param hallucinated: Claimed, of the frames where every annotator denies it.
    :param omitted: Left out, of the frames where every annotator sees it.
    :param boxless: Claimed without a published box, of the claims; None if no boxes are known.
    """

    hallucinated: Rate
    omitted: Rate
    boxless: Rate | None = None


def claim_rates(
    topic: Topic,
    frames: Sequence[LabelledFrame],
    captions: Sequence[str],
    predictions: Sequence[Prediction | None] = (),
) -> ClaimRates:
    """
    Count the claims of one topic.

    :param captions: One sentence a frame; '' where there is none.
    :param predictions: Where given, the claims are also held against the boxes of these.
    """
    says = [topic.claimed_by(caption) for caption in captions]
    shown = [{topic.shows(a.fields) for a in frame.annotations} for frame in frames]
    free = [s for s, truth in zip(says, shown, strict=True) if truth == {False}]
    seen = [s for s, truth in zip(says, shown, strict=True) if truth == {True}]
    boxless = None
    if topic.has_box is not None:
        claims = [
            p
            for p, said in zip(predictions, says, strict=False)
            if said and p is not None and p.classes is not None
        ]
        if any(p is not None and p.classes is not None for p in predictions):
            boxless = Rate(sum(not topic.has_box(p) for p in claims), len(claims))
    return ClaimRates(Rate(sum(free), len(free)), Rate(len(seen) - sum(seen), len(seen)), boxless)
