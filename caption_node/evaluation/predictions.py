# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Descriptions as they are measured: from the pipeline, or from lines printed before."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from caption_node.description import FIELDS, MAX_COUNT, SceneDescription, Value, check_value
from caption_node.errors import ConfigError
from caption_node.evaluation.json_lines import JsonLineError, read_json_lines

VEHICLE_CLASSES = frozenset(['car', 'bus', 'truck', 'motorcycle', 'bicycle'])


@dataclass(frozen=True, slots=True)
class Prediction:
    """
    What was said of one frame.

    :param values: Field values; a field that was not given, or garbled, is not there.
    :param confidences: 0..1 by field, where one was given.
    :param confidence: Of the sentence, 0..1; None if none was given.
    :param classes: Object classes of the published boxes; None if no boxes were published.
    :param has_lead_box: Whether a published box of a vehicle is in our lane.
    """

    caption: str = ''
    status: str = 'ok'
    values: Mapping[str, Value] = field(default_factory=dict)
    confidences: Mapping[str, float] = field(default_factory=dict)
    confidence: float | None = None
    classes: frozenset[str] | None = None
    has_lead_box: bool = False

    @classmethod
    def from_description(cls, description: SceneDescription) -> 'Prediction':
        """Take what counts from a description."""
        return cls.from_json(description.to_json())

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> 'Prediction':
        """
        Read one JSON object as ``caption image`` prints it.

        Other systems may leave out what they do not know, and give a field's value bare.

        :raises ConfigError: If it is no description at all.
        """
        scene = data.get('scene') or {}
        objects = data.get('objects')
        try:
            said = {name: _value(name, scene[name]) for name in FIELDS if name in scene}
            sure = {name: _confidence(scene[name]) for name in FIELDS if name in scene}
            classes = None if objects is None else frozenset(str(o['class']) for o in objects)
            return cls(
                caption=str(data.get('caption') or ''),
                status=str(data.get('status', 'ok')),
                values={name: value for name, value in said.items() if value is not None},
                confidences={name: value for name, value in sure.items() if value is not None},
                confidence=_share(data.get('confidence')),
                classes=classes,
                has_lead_box=any(
                    bool(o.get('in_lane')) and o['class'] in VEHICLE_CLASSES for o in objects or ()
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise ConfigError(f'not a scene description: {err!r}') from err


def read_predictions(
    file: Path, ids: Collection[str]
) -> Iterator[tuple[str, Prediction | JsonLineError]]:
    """
    Read lines of descriptions, those of some frames only.

    :param file: JSON lines; ``-`` is standard input.
    :param ids: The frames that count; a line's ``file`` without folder and suffix is its frame.
    :returns: Pairs of a frame's id and what was said of it. A line that is no description comes
        with the id '' and what is wrong with it.
    :raises ConfigError: If the file cannot be read on.
    """
    for number, data in read_json_lines(file):
        if isinstance(data, JsonLineError):
            yield '', data
            continue
        name = data.get('file')
        frame = PurePosixPath(name.replace('\\', '/')).stem if isinstance(name, str) else ''
        if frame and frame not in ids:
            continue
        try:
            if not frame:
                raise ConfigError('it names no file')
            yield frame, Prediction.from_json(data)
        except ConfigError as err:
            yield '', JsonLineError(f'{file}, line {number}: {err}')


def _value(name: str, item: Any) -> Value | None:
    value: Any = item.get('value') if isinstance(item, Mapping) else item
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if FIELDS[name].kind == 'count' and is_number:
        return int(min(MAX_COUNT, value)) if value >= 0 else None
    try:
        return check_value(name, value)
    except ConfigError:
        return None


def _confidence(item: Any) -> float | None:
    return _share(item.get('confidence')) if isinstance(item, Mapping) else None


def _share(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    if not 0.0 <= number <= 1.0:
        raise ConfigError(f'confidence {number} is not within 0..1')
    return number
