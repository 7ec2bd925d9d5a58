# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What a scene description says: the field tables, the description itself, to and from JSON.

Names and values are the same in training labels, model heads, messages and JSON lines.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import re
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from caption_node.errors import ConfigError

MAX_COUNT = 15
"""Counts are capped here: 15 means 15 or more."""

COUNT_BUCKETS = (0, 1, 2, 4, 8)
"""Where the buckets begin in which counts are judged: none, one, 2-3, 4-7, 8 or more."""

_NAME = re.compile(r'[a-z][a-z0-9_]{0,63}')

Kind = Literal['categorical', 'boolean', 'count']
Value = str | bool | int
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Field:
    """
    One fact of a scene.

    :param name: Name in labels, messages and JSON.
    :param kind: ``categorical`` (one of ``values``), ``boolean``, or ``count`` (0..15).
    :param values: The allowed words of a categorical field, in the order of the model's logits.
    """

    name: str
    kind: Kind
    values: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Logits that the model spends on this field."""
        return {'categorical': len(self.values), 'boolean': 1, 'count': MAX_COUNT + 1}[self.kind]


def make_field(name: str, kind: str, values: tuple[str, ...] = ()) -> Field:
    """
    Return a field of somebody's own.

    :raises ConfigError: If the name is none, or belongs to driving, or the values do not suit.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f'{name!r} cannot be the name of a field', 'lower-case letters, digits and _'
        )
    if name in FIELDS:
        raise ConfigError(
            f'the field {name!r} is one of driving, which means a road', 'name it otherwise'
        )
    if kind not in KINDS:
        raise ConfigError(f'field {name!r}: no kind {kind!r}', 'kinds: ' + ', '.join(KINDS))
    fits = len(values) >= 2 if kind == 'categorical' else not values
    if not fits or len(set(values)) != len(values) or not all(values):
        raise ConfigError(
            f'field {name!r} cannot have the values {", ".join(values) or "(none)"}',
            'a categorical field has two or more different ones, others have none',
        )
    return Field(name, kind, values)


FIELDS: Mapping[str, Field] = {
    f.name: f
    for f in (
        Field('time', 'categorical', ('day', 'dusk', 'night')),
        Field('weather', 'categorical', ('clear', 'cloudy', 'rain', 'fog', 'snow', 'unknown')),
        Field('surface', 'categorical', ('dry', 'wet', 'snow', 'unknown')),
        Field(
            'road',
            'categorical',
            (
                'highway',
                'city',
                'residential',
                'rural',
                'industrial',
                'parking',
                'private',
                'tunnel',
            ),
        ),
        Field('intersection', 'boolean'),
        Field('crosswalk', 'boolean'),
        Field('construction', 'boolean'),
        Field(
            'lead',
            'categorical',
            ('none', 'car', 'van', 'truck', 'bus', 'motorcycle', 'bicycle'),
        ),
        Field('lead_range', 'categorical', ('none', 'near', 'mid', 'far')),
        Field('vehicles', 'count'),
        Field('oncoming', 'boolean'),
        Field('parked', 'boolean'),
        Field('people', 'count'),
        Field('people_on_road', 'boolean'),
        Field('cyclists', 'count'),
        Field('light', 'categorical', ('none', 'red', 'yellow', 'green', 'unclear')),
    )
}

"""What the shipped models say of a drive; a model of somebody's own data brings its own table."""


def kind_of(value: Value) -> Kind:
    """Return the kind of field that has such a value."""
    if isinstance(value, bool):
        return 'boolean'
    return 'count' if isinstance(value, int) else 'categorical'


def is_of_driving(scene: Mapping[str, object]) -> bool:
    """Whether fields are those of a drive: then lead, hazard and events mean something."""
    return FIELDS.keys() <= scene.keys()


OBJECT_CLASSES = (
    'person',
    'bicycle',
    'car',
    'motorcycle',
    'bus',
    'truck',
    'traffic light',
    'stop sign',
    'animal',
)
POSITIONS = ('left', 'ahead', 'right')
RANGES = ('near', 'mid', 'far')
STATUSES = ('ok', 'abstain', 'error', 'stale')
STAGES = ('decode', 'preprocess', 'inference', 'postprocess')


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A field's value with the confidence in it, 0..1."""

    value: Value
    confidence: float


@dataclass(frozen=True, slots=True)
class SceneObject:
    """
    One road user or sign.

    :param class_name: One of :data:`OBJECT_CLASSES`.
    :param score: Detection score, 0..1.
    :param box: (x_min, y_min, x_max, y_max) in pixels of the source image.
    :param position: left, ahead or right, as seen from our vehicle.
    :param range: near (under about 15 m), mid (15 to 40 m) or far.
    :param in_lane: Whether it stands or moves in our own lane.
    """

    class_name: str
    score: float
    box: tuple[float, float, float, float]
    position: str
    range: str
    in_lane: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """One of several sentences about a frame, with the confidence in it, 0..1."""

    caption: str
    confidence: float


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model spoke: bundle name, hash of its graph, backend and numeric precision."""

    name: str = ''
    sha256: str = ''
    backend: str = ''
    precision: str = ''


@dataclass(frozen=True, slots=True)
class SceneDescription:
    """
    One sentence plus typed facts about one camera frame.

    :param stamp_ns: Stamp of the image, copied untouched, nanoseconds.
    :param confidence: Confidence in the sentence, 0..1.
    :param status: ``ok``; ``abstain``: do not act on the sentence; ``error``: none could be made;
        ``stale``: the camera has stopped.
    :param reason: Why the status is not ``ok``; empty otherwise.
    :param scene: One :class:`FieldValue` for every name in :data:`FIELDS`, or in the table of a
        model of one's own data; empty on error.
    :param latency_ms: Milliseconds by stage: decode, preprocess, inference, postprocess.
    :param error: What went wrong, only with status ``error``.
    :param samples: Other sentences about the frame, the likeliest first; None if nobody asked.
    :param embedding: (D,) float32 of unit length for similarity search; not part of the JSON.
    """

    stamp_ns: int = 0
    frame_id: str = ''
    camera: str = ''
    file: str = ''
    caption: str = ''
    confidence: float = 0.0
    status: str = 'ok'
    reason: str = ''
    scene: Mapping[str, FieldValue] = field(default_factory=dict)
    hazard: str = 'none'
    objects: tuple[SceneObject, ...] = ()
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    model: ModelInfo = ModelInfo()
    error: str = ''
    samples: tuple[Sample, ...] | None = None
    embedding: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of one line, keys in the order of the schema."""
        head: dict[str, Any] = {
            'file': self.file,
            'stamp_ns': self.stamp_ns,
            'camera': self.camera,
        }
        model = {
            'name': self.model.name,
            'sha256': self.model.sha256,
            'backend': self.model.backend,
            'precision': self.model.precision,
        }
        if self.status == 'error':
            return {**head, 'status': 'error', 'error': self.error, 'model': model}
        body: dict[str, Any] = {
            'caption': self.caption,
            'confidence': round(self.confidence, 4),
            'status': self.status,
        }
        if self.reason:
            body['reason'] = self.reason
        if self.samples is not None:
            body['samples'] = [
                {'caption': s.caption, 'confidence': round(s.confidence, 4)} for s in self.samples
            ]
        return {
            **head,
            **body,
            'scene': {
                name: {'value': v.value, 'confidence': round(v.confidence, 4)}
                for name, v in self.scene.items()
            },
            'hazard': self.hazard,
            'objects': [_object_to_json(o) for o in self.objects],
            'latency_ms': {k: round(v, 3) for k, v in self.latency_ms.items()},
            'model': model,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> 'SceneDescription':
        """
        Read one JSON object as :meth:`to_json` writes it.

        :raises ConfigError: If a key is missing or a value is not one the schema allows.
        """
        try:
            scene = {
                name: FieldValue(check_value(name, v['value']), float(v['confidence']))
                for name, v in data.get('scene', {}).items()
            }
            return cls(
                stamp_ns=int(data.get('stamp_ns', 0)),
                camera=str(data.get('camera', '')),
                file=str(data.get('file', '')),
                caption=str(data.get('caption', '')),
                confidence=float(data.get('confidence', 0.0)),
                status=str(data['status']),
                reason=str(data.get('reason', '')),
                scene=scene,
                hazard=str(data.get('hazard', 'none')),
                objects=tuple(_object_from_json(o) for o in data.get('objects', ())),
                latency_ms={k: float(v) for k, v in data.get('latency_ms', {}).items()},
                model=ModelInfo(**data.get('model', {})),
                error=str(data.get('error', '')),
                samples=_samples_from_json(data.get('samples')),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise ConfigError(f'not a scene description: {err!r}') from err


def check_value(name: str, value: object, table: Mapping[str, Field] | None = None) -> Value:
    """
    Return the value if the schema allows it for this field.

    :param table: The fields that there are; None is those of driving.
    :raises ConfigError: If there is no such field, or it cannot have that value.
    """
    table = FIELDS if table is None else table
    spec = table.get(name)
    if spec is None:
        raise ConfigError(f'there is no scene field {name!r}', 'fields: ' + ', '.join(table))
    if spec.kind == 'boolean' and isinstance(value, bool):
        return value
    if spec.kind == 'count' and type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    if spec.kind == 'categorical' and isinstance(value, str) and value in spec.values:
        return value
    allowed = {
        'boolean': 'true, false',
        'count': f'0..{MAX_COUNT}',
        'categorical': ', '.join(spec.values),
    }[spec.kind]
    raise ConfigError(f'scene field {name!r} cannot be {value!r}', f'allowed: {allowed}')


def _object_to_json(item: SceneObject) -> dict[str, Any]:
    return {
        'class': item.class_name,
        'score': round(item.score, 3),
        'box': [round(float(v), 1) for v in item.box],
        'position': item.position,
        'range': item.range,
        'in_lane': item.in_lane,
    }


def _samples_from_json(data: Sequence[Mapping[str, Any]] | None) -> tuple[Sample, ...] | None:
    if data is None:
        return None
    return tuple(Sample(str(s['caption']), float(s['confidence'])) for s in data)


def _object_from_json(data: Mapping[str, Any]) -> SceneObject:
    x_min, y_min, x_max, y_max = (float(v) for v in data['box'])
    return SceneObject(
        class_name=str(data['class']),
        score=float(data['score']),
        box=(x_min, y_min, x_max, y_max),
        position=str(data['position']),
        range=str(data['range']),
        in_lane=bool(data['in_lane']),
    )
