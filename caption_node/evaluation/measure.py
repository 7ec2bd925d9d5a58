# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Everything that is measured of descriptions, beside the same of two annotators.

:func:`evaluate` takes what is in memory, so that training can call it as well as the command.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from caption_node.evaluation.claims import TOPICS, ClaimRates, Rate, claim_rates
from caption_node.evaluation.confidence import Confidences, measure_confidences
from caption_node.evaluation.denials import denied_claims
from caption_node.evaluation.fields import score_fields
from caption_node.evaluation.frames import LabelledFrame, evenly_annotated
from caption_node.evaluation.predictions import Prediction
from caption_node.evaluation.sentences import Score, mean, score_sentences

GROUPINGS = ('source', 'time', 'surface', 'weather')
DISPUTED = '(disputed)'
"""Frames of which the annotators say different things form a group of their own."""


@dataclass(frozen=True, slots=True)
class Truth:
    """
    How many sentences hold no claim that an annotator denies.

    :param right: Share of the pairs of sentence and annotator; the annotators' own sentences are
        held against the other annotator.
    :param denied: How often each kind of claim was denied.
    """

    right: Score
    denied: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """
    What was measured over a set of frames.

    :param annotators: How many of them there are for every frame, at most two.
    :param left_out: Frames that have fewer, and so were not used.
    :param missing: Ids of the frames without a sentence; each counts as wrong everywhere.
    :param fields: Macro-F1 by field.
    :param field_f1: Mean of those.
    :param sentences: CIDEr-D, ROUGE-L, BLEU-4, length and variety.
    :param claims: What is claimed and not there, and the other way round, by topic.
    :param annotator_claims: The same of the annotators' own sentences.
    :param groups: The same once more for parts of the set, by grouping and value.
    """

    frames: int
    annotators: int
    left_out: int
    missing: tuple[str, ...]
    abstained: Rate
    fields: Mapping[str, Score]
    field_f1: Score
    sentences: Mapping[str, Score]
    claims: Mapping[str, ClaimRates]
    annotator_claims: Mapping[str, ClaimRates]
    truth: Truth
    confidences: Confidences
    groups: Mapping[str, Mapping[str, 'Evaluation']] = field(default_factory=dict)


def evaluate(
    frames: Sequence[LabelledFrame],
    predictions: Mapping[str, Prediction],
    groupings: Sequence[str] = GROUPINGS,
) -> Evaluation:
    """
    Measure what was said of some frames.

    :param frames: Labelled frames, any number but none.
    :param predictions: What was said, by the frame's id; a frame that is not there counts as
        missing.
    :param groupings: Which of :data:`GROUPINGS` to measure apart as well.
    """
    used = evenly_annotated(frames)
    said = [predictions.get(f.id) for f in used]
    captions = [p.caption if p is not None else '' for p in said]
    annotators = min((len(f.annotations) for f in used), default=0)
    fields = _score_all_fields(used, said, annotators)
    truth, denied = _measure_truth(used, captions, annotators)
    return Evaluation(
        frames=len(used),
        annotators=annotators,
        left_out=len(frames) - len(used),
        missing=tuple(f.id for f, c in zip(used, captions, strict=True) if not c),
        abstained=Rate(sum(p is not None and p.status == 'abstain' for p in said), len(used)),
        fields=fields,
        field_f1=Score(
            mean([s.system for s in fields.values()]),
            mean([s.annotators for s in fields.values()]),
        ),
        sentences=score_sentences(used, captions, annotators),
        claims={t.name: claim_rates(t, used, captions, said) for t in TOPICS},
        annotator_claims=_annotator_claims(used, annotators),
        truth=truth,
        confidences=measure_confidences(used, said, denied),
        groups={g: _measure_groups(used, predictions, g) for g in groupings},
    )


def _score_all_fields(
    frames: Sequence[LabelledFrame], said: Sequence[Prediction | None], annotators: int
) -> dict[str, Score]:
    values = [p.values if p is not None else {} for p in said]
    truths = [[f.annotations[i].fields for f in frames] for i in range(annotators)]
    system = [score_fields(values, truth) for truth in truths]
    each_other = []
    if len(truths) > 1:
        each_other = [score_fields(truths[0], truths[1]), score_fields(truths[1], truths[0])]
    names = system[0] if system else {}
    return {
        name: Score(mean([s[name] for s in system]), mean([s[name] for s in each_other]))
        for name in names
    }


def _annotator_claims(frames: Sequence[LabelledFrame], annotators: int) -> dict[str, ClaimRates]:
    """Hold the annotators' sentences against the fields of both, as the system's are."""
    if annotators < 2:
        return {}
    rates = {}
    for topic in TOPICS:
        parts = [
            claim_rates(topic, frames, [f.captions[i] for f in frames]) for i in range(annotators)
        ]
        rates[topic.name] = ClaimRates(
            _sum([p.hallucinated for p in parts]), _sum([p.omitted for p in parts])
        )
    return rates


def _sum(rates: Sequence[Rate]) -> Rate:
    return Rate(sum(r.count for r in rates), sum(r.frames for r in rates))


def _measure_truth(
    frames: Sequence[LabelledFrame], captions: Sequence[str], annotators: int
) -> tuple[Truth, list[list[list[str]]]]:
    """Return also the denied claims by frame and annotator."""
    denied = [
        [denied_claims(caption, f, a) for a in f.annotations]
        for f, caption in zip(frames, captions, strict=True)
    ]
    pairs = [
        not claims
        for caption, of in zip(captions, denied, strict=True)
        for claims in of
        if caption
    ]
    others = []
    if annotators > 1:
        for f in frames:
            one, two = f.annotations
            others.append(not denied_claims(one.caption, f, two))
            others.append(not denied_claims(two.caption, f, one))
    counts = Counter(name for of in denied for claims in of for name in claims)
    right = Score(mean([float(p) for p in pairs]), mean([float(o) for o in others]))
    return Truth(right, dict(counts.most_common())), denied


def _measure_groups(
    frames: Sequence[LabelledFrame], predictions: Mapping[str, Prediction], grouping: str
) -> dict[str, Evaluation]:
    parts: dict[str, list[LabelledFrame]] = {}
    for frame in frames:
        parts.setdefault(_group_of(frame, grouping), []).append(frame)
    return {name: evaluate(part, predictions, ()) for name, part in sorted(parts.items())}


def _group_of(frame: LabelledFrame, grouping: str) -> str:
    if grouping == 'source':
        return frame.source
    values = {str(a.fields[grouping]) for a in frame.annotations}
    return values.pop() if len(values) == 1 else DISPUTED
