# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A labelled frame, and every rule that its label must keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from caption_node.description import (
    FIELDS,
    OBJECT_CLASSES,
    SceneDescription,
    Value,
    check_value,
)
from caption_node.errors import ConfigError

FEWEST_WORDS, MOST_WORDS = 8, 28
_TRUE, _FALSE = ('true', 'yes', '1'), ('false', 'no', '0')


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """
    One frame with its label, as the label file of training has it.

    :param file: Picture, relative to the folder of the label file.
    :param width: Pixels.
    :param height: Pixels.
    :param label: Every scene field, ``hazard`` and ``caption``.
    :param confidences: Of the model that wrote the pre-label, by the same names; 0..1.
    :param boxes: Objects: ``cls``, ``score`` and ``box`` in pixels of the picture.
    :param facts: Whatever else a line carries, for example ``source``, ``licence``, ``stamp_ns``.
    """

    id: str
    file: str
    width: int
    height: int
    label: Mapping[str, Any]
    confidences: Mapping[str, float] = field(default_factory=dict)
    boxes: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the object of one line of a label file."""
        return {
            'id': self.id,
            'split': 'train',
            'source': 'unstated',
            'licence': 'unstated',
            **self.facts,
            'file': self.file,
            'width': self.width,
            'height': self.height,
            'labels': [dict(self.label)],
            **({'confidences': dict(self.confidences)} if self.confidences else {}),
            'boxes': [dict(b) for b in self.boxes],
            'light_scores': None,
        }


def prelabelled(
    description: SceneDescription, id: str, file: str, size: tuple[int, int]
) -> LabelledFrame:
    """
    Return what the model says of a frame as its first label.

    :param file: Picture, relative to the folder of the label file.
    :param size: Width and height in pixels.
    """
    said = description
    return LabelledFrame(
        id=id,
        file=file,
        width=size[0],
        height=size[1],
        label={
            **{name: v.value for name, v in said.scene.items()},
            'hazard': said.hazard,
            'caption': said.caption,
        },
        confidences={
            'caption': round(said.confidence, 4),
            **{name: round(v.confidence, 4) for name, v in said.scene.items()},
        },
        boxes=[
            {
                'cls': o.class_name,
                'score': round(o.score, 3),
                'box': [round(float(v), 1) for v in o.box],
            }
            for o in said.objects
        ],
        facts={
            'camera': said.camera,
            'stamp_ns': said.stamp_ns,
            'status': said.status,
            'model': said.model.sha256,
        },
    )


def read_value(name: str, text: str) -> Value:
    """
    Read a field from text, as spreadsheets write it.

    :raises ConfigError: If it is none of the field's values.
    """
    kind, plain = FIELDS[name].kind, text.strip()
    if kind == 'boolean' and plain.lower() in (*_TRUE, *_FALSE):
        return plain.lower() in _TRUE
    if kind == 'count' and plain.isascii() and plain.isdecimal():
        return check_value(name, int(plain[:9]))
    return check_value(name, plain.lower() if kind == 'categorical' else plain)


def label_faults(label: Mapping[str, Any]) -> list[str]:
    """Return everything that is wrong with a label; none if it may train."""
    faults = []
    for name in FIELDS:
        if name not in label:
            faults.append(f'{name} is missing')
            continue
        try:
            check_value(name, label[name])
        except ConfigError as err:
            faults.append(f'{err}, {err.hint}')
    unknown = sorted(set(label) - set(FIELDS) - {'hazard', 'caption'})
    faults += [f'there is no field {name!r}' for name in unknown]
    for name in ('hazard', 'caption'):
        if not isinstance(label.get(name), str) or not str(label[name]).strip():
            faults.append(f'{name} must be a text that is not empty')
    if not faults:
        faults += _contradictions(label)
    return faults


def frame_faults(row: Mapping[str, Any]) -> list[str]:
    """Return everything that is wrong with a line of a label file, beside its picture."""
    faults = [
        f'{name} must be a text that is not empty'
        for name in ('id', 'file')
        if not isinstance(row.get(name), str) or not row[name]
    ]
    labels = row.get('labels')
    if not isinstance(labels, list) or not labels:
        faults.append('labels must be a list with at least one label')
    else:
        for label in labels:
            if isinstance(label, dict):
                faults += label_faults(label)
            else:
                faults.append(f'{label!r} is not a label')
    boxes = row.get('boxes', [])
    for box in boxes if isinstance(boxes, list) else [boxes]:
        faults += _box_faults(box)
    return faults


def _contradictions(label: Mapping[str, Any]) -> list[str]:
    faults = []
    if (label['lead'] == 'none') != (label['lead_range'] == 'none'):
        faults.append(
            f'lead {label["lead"]!r} contradicts lead_range {label["lead_range"]!r}: '
            'both are none, or neither is'
        )
    if label['people_on_road'] and not label['people']:
        faults.append('people_on_road is true, but people is 0')
    words = len(label['caption'].split())
    if not FEWEST_WORDS <= words <= MOST_WORDS:
        faults.append(f'caption has {words} words, not {FEWEST_WORDS} to {MOST_WORDS}')
    if '\n' in label['caption'].strip():
        faults.append('caption has several lines, not one sentence')
    return faults


def _box_faults(box: Any) -> list[str]:
    try:
        x_min, y_min, x_max, y_max = (float(v) for v in box['box'])
        score = float(box['score'])
        name = box['cls']
    except (TypeError, KeyError, ValueError):
        return [f'{box!r} is not a box with cls, score and box']
    if name not in OBJECT_CLASSES:
        return [f'box class {name!r} is none of {", ".join(OBJECT_CLASSES)}']
    if not (x_min < x_max and y_min < y_max and 0 <= score <= 1):
        return [f'box {box["box"]!r} with score {score:g} has no area or no score in 0..1']
    return []
