# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The confidences of fields and sentences, held against the annotators.

A field is right for an annotator who says the same (of a count: the same bucket), a sentence for
an annotator who denies none of its claims (:mod:`caption_node.evaluation.denials`). Where
annotators differ, it is right by half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from caption_node.description import FIELDS
from caption_node.evaluation.calibration import Calibration, Sample, calibrate
from caption_node.evaluation.fields import comparable
from caption_node.evaluation.frames import LabelledFrame
from caption_node.evaluation.predictions import Prediction
from caption_node.evaluation.sentences import mean


@dataclass(frozen=True, slots=True)
class Confidences:
    """
    Calibration of everything that comes with a confidence.

    :param fields: By field; those without a confidence are not there.
    :param pooled: Of all fields together.
    :param mean_ece: Mean of the fields' expected calibration errors.
    :param mean_by_chance: Mean of what honest confidences would show by chance.
    :param caption: Of the sentence.
    :param caption_used: Of the sentences that may be used, those that did not abstain.
    """

    fields: Mapping[str, Calibration]
    pooled: Calibration | None
    mean_ece: float | None
    mean_by_chance: float | None
    caption: Calibration | None
    caption_used: Calibration | None


def measure_confidences(
    frames: Sequence[LabelledFrame],
    said: Sequence[Prediction | None],
    denied: Sequence[Sequence[Sequence[str]]],
) -> Confidences:
    """
    Measure all confidences.

    :param said: What was said of each frame; None if nothing.
    :param denied: Denied claims by frame and annotator.
    """
    samples = {name: _field_samples(name, frames, said) for name in FIELDS}
    fields = {n: c for n, s in samples.items() if (c := calibrate(s)) is not None}
    captions = [
        (p, Sample(p.confidence, sum(not claims for claims in of) / len(of)))
        for p, of in zip(said, denied, strict=True)
        if p is not None and p.caption and p.confidence is not None
    ]
    return Confidences(
        fields=fields,
        pooled=calibrate([s for part in samples.values() for s in part]),
        mean_ece=mean([c.ece for c in fields.values()]),
        mean_by_chance=mean([c.ece_by_chance for c in fields.values()]),
        caption=calibrate([s for _, s in captions]),
        caption_used=calibrate([s for p, s in captions if p.status == 'ok']),
    )


def _field_samples(
    name: str, frames: Sequence[LabelledFrame], said: Sequence[Prediction | None]
) -> list[Sample]:
    samples = []
    for frame, prediction in zip(frames, said, strict=True):
        if prediction is None or name not in prediction.confidences:
            continue
        value = comparable(name, prediction.values.get(name))
        hits = [value == comparable(name, a.fields[name]) for a in frame.annotations]
        samples.append(Sample(prediction.confidences[name], sum(hits) / len(hits)))
    return samples
