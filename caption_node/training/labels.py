# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Labelled frames as training reads them, and how a label changes when its picture does."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
import json
from pathlib import Path
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.description import FIELDS, OBJECT_CLASSES, Value, check_value
from caption_node.errors import ConfigError

_SIDES = re.compile(r'\b(left|right|leftmost|rightmost|leftward|rightward)\b')
_TURNED = {
    'left': 'right',
    'right': 'left',
    'leftmost': 'rightmost',
    'rightmost': 'leftmost',
    'leftward': 'rightward',
    'rightward': 'leftward',
}


CAMERA_M = 1.4
"""Height of the camera over the road, as good as any guess."""
_CAR_M = 1.5
# Object classes behind each count that a crop can change.
_COUNTED = {
    'vehicles': [OBJECT_CLASSES.index(c) for c in ('car', 'bus', 'truck')],
    'people': [OBJECT_CLASSES.index('person')],
}


@dataclass(frozen=True)
class Label:
    """
    What one annotator said of one frame.

    :param fields: Every scene field by name.
    :param caption: The sentence, or None where it no longer fits the picture.
    :param boxes: (N, 6) x_min, y_min, x_max, y_max in pixels, class number, score 0..1.
    """

    fields: Mapping[str, Value]
    caption: str | None
    boxes: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, 6), np.float32), compare=False
    )

    def flipped(self, width: int) -> 'Label':
        """
        Return the label of the mirrored picture: left and right change places.

        :param width: Of the picture, pixels.
        """
        boxes = self.boxes.copy()
        boxes[:, [0, 2]] = width - self.boxes[:, [2, 0]]
        return replace(self, caption=self.caption and swap_sides(self.caption), boxes=boxes)

    def cropped(self, left: int, top: int, width: int, height: int) -> 'Label':
        """
        Return the label of a part of the picture.

        Boxes are moved and cut; those of which under a fifth remains are no longer counted.
        """
        boxes = self.boxes - np.array([left, top, left, top, 0, 0], dtype=np.float32)
        cut = boxes.copy()
        cut[:, [0, 2]] = cut[:, [0, 2]].clip(0, width)
        cut[:, [1, 3]] = cut[:, [1, 3]].clip(0, height)
        seen = _area(cut) / np.maximum(_area(boxes), 1e-6)
        fields = dict(self.fields)
        for name, classes in _COUNTED.items():
            lost = (seen < 0.2) & np.isin(boxes[:, 4], classes) & (boxes[:, 5] >= 0.4)
            floor = int(((seen >= 0.2) & np.isin(boxes[:, 4], classes)).sum() > 0)
            count = int(fields[name])
            fields[name] = min(count, max(count - int(lost.sum()), floor))
        return replace(self, fields=fields, boxes=cut[seen >= 0.2])

    def scaled(self, factor: float, left: float = 0.0, top: float = 0.0) -> 'Label':
        """Return the label of the resized picture, moved by so many pixels."""
        boxes = self.boxes.copy()
        boxes[:, :4] = boxes[:, :4] * factor + np.array([left, top, left, top], dtype=np.float32)
        return replace(self, boxes=boxes)

    def horizon(self) -> float | None:
        """
        Return its row in pixels, or None without cars to tell it.

        On a flat road the horizon cuts every car as high up as the camera is.
        """
        tall = self.boxes[:, 3] - self.boxes[:, 1]
        cars = (self.boxes[:, 4] == OBJECT_CLASSES.index('car')) & (self.boxes[:, 5] >= 0.4)
        feet = (self.boxes[:, 3] - tall * CAMERA_M / _CAR_M)[cars & (tall >= 10)]
        return float(np.median(feet)) if len(feet) else None

    def targets(self) -> list[int]:
        """Return one class number a field, in the order of the table."""
        numbers = []
        for name, spec in FIELDS.items():
            value = self.fields[name]
            if spec.kind == 'categorical':
                numbers.append(spec.values.index(str(value)))
            else:
                numbers.append(int(value))
        return numbers


@dataclass(frozen=True)
class Record:
    """One labelled frame on disk."""

    id: str
    split: str
    source: str
    path: Path
    labels: tuple[Label, ...]


def swap_sides(sentence: str) -> str:
    """
    Exchange left and right in a sentence.

    ``right in front`` and ``right before`` mean `just`, not a side, and stay.
    """
    kept = re.sub(r'\bright (in front|before|ahead|behind|at|next)\b', r'RIGHT \1', sentence)
    return _SIDES.sub(lambda m: _TURNED[m.group(1)], kept).replace('RIGHT ', 'right ')


def read_labels(file: Path, frames: Path, splits: Iterable[str]) -> list[Record]:
    """
    Read a label file.

    :param file: JSON lines, one frame a line.
    :param frames: Folder that the lines' ``file`` is relative to.
    :param splits: Which splits to keep.
    :raises ConfigError: If the file cannot be read, or a line or value is not of the schema.
    """
    wanted = set(splits)
    try:
        lines = file.read_text(encoding='utf-8').splitlines()
    except OSError as err:
        raise ConfigError(f'label file {file}: {err.strerror or err}') from err
    records = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            if data['split'] not in wanted:
                continue
            boxes = _boxes(data.get('boxes', ()))
            labels = tuple(_label(item, boxes) for item in data['labels'])
            path = frames / data['file']
            records.append(Record(data['id'], data['split'], data['source'], path, labels))
        except (KeyError, TypeError, ValueError, ConfigError) as err:
            raise ConfigError(f'{file}, line {number}: not a labelled frame ({err})') from err
    return records


def _label(data: Mapping[str, Any], boxes: NDArray[np.float32]) -> Label:
    fields = {name: check_value(name, data[name]) for name in FIELDS}
    return Label(fields, str(data['caption']), boxes)


def _boxes(items: Sequence[Mapping[str, Any]]) -> NDArray[np.float32]:
    """Take boxes of the schema's classes; detectors know others too."""
    rows = [
        [*map(float, b['box']), OBJECT_CLASSES.index(b['cls']), float(b['score'])]
        for b in items
        if b['cls'] in OBJECT_CLASSES
    ]
    return np.array(rows, dtype=np.float32).reshape(-1, 6)


def _area(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
