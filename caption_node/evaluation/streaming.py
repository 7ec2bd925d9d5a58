# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Streaming accuracy: what a subscriber knows at each labelled instant, not what a file would say.

At the instant of a label the newest description that has arrived by then is scored, whichever
image it describes; so latency and dropped images count. Beside it stands the offline score: the
label's own image, described at leisure.

Paper: Li, Wang and Ramanan, Towards Streaming Perception, https://arxiv.org/abs/2005.10420.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from caption_node.description import FIELDS, Value
from caption_node.evaluation.claims import TOPICS, ClaimRates, Rate, claim_rates
from caption_node.evaluation.event_delay import EventDelays, HeldEvent, measure_events
from caption_node.evaluation.fields import comparable, macro_f1
from caption_node.evaluation.frames import LabelledFrame
from caption_node.evaluation.predictions import Prediction
from caption_node.evaluation.sentences import mean, score_sentences

FRESH_S = 1.0
"""A description whose image is older than this does not cover an instant."""


@dataclass(frozen=True, slots=True)
class Instant:
    """
    A moment at which it is known what is true.

    :param frame: The label; it may hold some of the fields only, and no sentence.
    :param time_s: When its image was recorded, seconds.
    :param at_s: When its image was published in the play, seconds on the clock of the play.
    """

    frame: LabelledFrame
    camera: str
    time_s: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """
    A description that has arrived.

    :param time_s: When the image that it describes was recorded, seconds.
    :param sent_s: When that image was published in the play, on the clock of the play.
    :param at_s: When the description arrived, on the same clock.
    """

    camera: str
    time_s: float
    sent_s: float
    at_s: float
    said: Prediction


@dataclass(frozen=True, slots=True)
class Figures:
    """
    How good one description an instant is.

    :param fields: Macro-F1 by field; None where no label has the field.
    :param field_f1: Mean of those.
    :param cider_d: CIDEr-D against each reference; None where no label has a sentence.
    :param claims: Over the instants whose label has all fields, by topic.
    :param missing: Instants without a description; they count as wrong.
    :param field_changes_per_s: How often the value of a field changes from one instant to the
        next, all fields together, counts by bucket.
    :param sentence_changes_per_s: The same of the sentence.
    """

    fields: Mapping[str, float | None]
    field_f1: float | None
    cider_d: float | None
    claims: Mapping[str, ClaimRates]
    missing: int
    field_changes_per_s: float | None
    sentence_changes_per_s: float | None


@dataclass(frozen=True, slots=True)
class StreamingEvaluation:
    """
    A play beside the same instants at leisure.

    :param truth_changes_per_s: How often the labels' fields change: neither side needs to change
        more often.
    :param coverage: Instants whose newest description is of an image not older than
        :data:`FRESH_S`.
    :param described: Published images that were described at all.
    :param ages_s: How much older than the instant the described image is, by the recording's
        clock.
    :param latencies_s: From an image's publication to its description's arrival, by the wall
        clock.
    """

    instants: int
    cameras: int
    streaming: Figures
    offline: Figures
    truth_changes_per_s: float | None
    coverage: Rate
    described: Rate
    ages_s: Sequence[float]
    latencies_s: Sequence[float]
    events: Mapping[str, EventDelays]


def evaluate_streaming(
    instants: Sequence[Instant],
    arrivals: Sequence[Arrival],
    offline: Mapping[str, Prediction],
    events: Sequence[HeldEvent],
    sent: int,
    rate: float = 1.0,
) -> StreamingEvaluation:
    """
    Measure a play.

    :param instants: In any order, at least one.
    :param offline: What is said of the labels' own images, by the frame's id.
    :param events: Events that were heard.
    :param sent: Images that were published.
    :param rate: How many times as fast as recorded the play was.
    """
    ordered = sorted(instants, key=lambda i: (i.camera, i.time_s))
    newest = newest_by(ordered, arrivals)
    ages = [i.time_s - a.time_s for i, a in zip(ordered, newest, strict=True) if a is not None]
    received = [None if a is None else a.said for a in newest]
    described = len({(a.camera, a.time_s) for a in arrivals})
    return StreamingEvaluation(
        instants=len(ordered),
        cameras=len({i.camera for i in ordered}),
        streaming=score(ordered, received),
        offline=score(ordered, [offline.get(i.frame.id) for i in ordered]),
        truth_changes_per_s=_field_changes(ordered, [_truth(i.frame) for i in ordered]),
        coverage=Rate(sum(age <= FRESH_S for age in ages), len(ordered)),
        described=Rate(described, sent),
        ages_s=ages,
        latencies_s=[a.at_s - a.sent_s for a in arrivals],
        events=measure_events(
            [(i.camera, i.time_s, i.at_s, _truth(i.frame)) for i in ordered], events, rate
        ),
    )


def newest_by(instants: Sequence[Instant], arrivals: Sequence[Arrival]) -> list[Arrival | None]:
    """
    Return for each instant the description of the newest image that had arrived by then.

    One that overtakes another does not make way for it: what is newest goes by its image.
    """
    by_camera: dict[str, list[Arrival]] = {}
    for arrival in sorted(arrivals, key=lambda a: a.at_s):
        known = by_camera.setdefault(arrival.camera, [])
        best = known[-1] if known and known[-1].time_s > arrival.time_s else arrival
        known.append(Arrival(best.camera, best.time_s, best.sent_s, arrival.at_s, best.said))
    found: list[Arrival | None] = []
    for instant in instants:
        known = by_camera.get(instant.camera, [])
        count = bisect_right(known, instant.at_s, key=lambda a: a.at_s)
        found.append(known[count - 1] if count else None)
    return found


def score(instants: Sequence[Instant], said: Sequence[Prediction | None]) -> Figures:
    """
    Score one description an instant.

    :param said: None where there is none, which is wrong whatever the truth.
    """
    values: list[Mapping[str, Value]] = [{} if p is None else p.values for p in said]
    captions = ['' if p is None else p.caption for p in said]
    fields = {name: _score_field(name, instants, values) for name in FIELDS}
    worded = [k for k, i in enumerate(instants) if all(i.frame.captions)]
    whole = [k for k, i in enumerate(instants) if _is_whole(i.frame)]
    return Figures(
        fields=fields,
        field_f1=mean(fields.values()),
        cider_d=_score_wording([instants[k].frame for k in worded], [captions[k] for k in worded]),
        claims={
            topic.name: claim_rates(
                topic,
                [instants[k].frame for k in whole],
                [captions[k] for k in whole],
                [said[k] for k in whole],
            )
            for topic in TOPICS
        },
        missing=sum(p is None for p in said),
        field_changes_per_s=_field_changes(instants, values),
        sentence_changes_per_s=_changes(instants, [{'': c} for c in captions]),
    )


def _score_field(
    name: str, instants: Sequence[Instant], values: Sequence[Mapping[str, Value]]
) -> float | None:
    """Average over the annotators, where there are several."""
    scores = []
    for number in range(max((len(i.frame.annotations) for i in instants), default=0)):
        known = [
            (
                comparable(name, v.get(name)),
                comparable(name, i.frame.annotations[number].fields[name]),
            )
            for i, v in zip(instants, values, strict=True)
            if len(i.frame.annotations) > number and name in i.frame.annotations[number].fields
        ]
        scores.append(macro_f1([s for s, _ in known], [t for _, t in known if t is not None]))
    return mean(scores)


def _score_wording(frames: Sequence[LabelledFrame], captions: Sequence[str]) -> float | None:
    if not frames:
        return None
    return score_sentences(frames, captions, 1)['cider_d_one_reference'].system


def _is_whole(frame: LabelledFrame) -> bool:
    return all(len(a.fields) == len(FIELDS) for a in frame.annotations)


def _truth(frame: LabelledFrame) -> Mapping[str, Value]:
    return frame.annotations[0].fields


def _field_changes(
    instants: Sequence[Instant], values: Sequence[Mapping[str, Value]]
) -> float | None:
    compared = [{n: comparable(n, v) for n, v in known.items()} for known in values]
    return _changes(instants, compared)


def _changes(
    instants: Sequence[Instant], values: Sequence[Mapping[str, Value | None]]
) -> float | None:
    """Count values that differ from one instant of a camera to the next, a second."""
    changes, time_s = 0, 0.0
    pairs = list(zip(instants, values, strict=True))
    for (before, was), (after, now) in pairwise(pairs):
        if before.camera == after.camera:
            time_s += after.time_s - before.time_s
            changes += sum(now[n] != was[n] for n in now.keys() & was.keys())
    return changes / time_s if time_s > 0 else None
