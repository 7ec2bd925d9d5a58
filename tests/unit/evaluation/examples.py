# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Labelled frames and predictions that the tests of this folder share."""

from typing import Any

from caption_node.description import Value
from caption_node.evaluation.frames import Annotation, LabelledFrame
from caption_node.evaluation.predictions import Prediction

FIELDS: dict[str, Value] = {
    'time': 'day',
    'weather': 'cloudy',
    'surface': 'dry',
    'road': 'city',
    'intersection': False,
    'crosswalk': False,
    'construction': False,
    'lead': 'none',
    'lead_range': 'none',
    'vehicles': 2,
    'oncoming': False,
    'parked': False,
    'people': 0,
    'people_on_road': False,
    'cyclists': 0,
    'light': 'none',
}


def annotation(caption: str = 'A quiet street.', **fields: Value) -> Annotation:
    """Annotate a quiet day in town, but for the fields that are given."""
    assert set(fields) <= set(FIELDS)
    return Annotation({**FIELDS, **fields}, caption)


def frame(name: str, *annotations: Annotation, **more: Any) -> LabelledFrame:
    """Label a frame of the split ``val``."""
    given = {'split': 'val', 'source': 'here', 'file': f'{name}.jpg', **more}
    return LabelledFrame(id=name, annotations=annotations, **given)


def prediction(caption: str = 'A quiet street.', sure: float = 0.9, **fields: Value) -> Prediction:
    """Say what the plain annotation says, but for the fields that are given."""
    values = {**FIELDS, **fields}
    return Prediction(
        caption, 'ok', values, dict.fromkeys(values, sure), sure, classes=frozenset()
    )


def label_line(name: str, *annotations: Annotation, **more: Any) -> dict[str, Any]:
    """Return the JSON object of a labelled frame, as a label file holds it."""
    return {
        'id': name,
        'split': 'val',
        'source': 'here',
        'file': f'frames/val/{name}.jpg',
        'labels': [{**a.fields, 'hazard': 'none', 'caption': a.caption} for a in annotations],
        **more,
    }
