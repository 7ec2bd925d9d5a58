# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The fields of ``caption_msgs/SceneDescription`` from a description, and back.

Codes are read from the constants of the message class itself (``TIME_DAY``, ``OK`` and so on), so
there is no second table of numbers. Any Python class made from the .msg files will do: rclpy's, or
those that rosbags makes from the definitions in a recording.
"""

from collections.abc import Mapping
import math
from typing import Any

from caption_node.description import (
    FIELDS,
    KINDS,
    MAX_COUNT,
    OBJECT_CLASSES,
    POSITIONS,
    RANGES,
    STAGES,
    STATUSES,
    Field,
    FieldValue,
    ModelInfo,
    SceneDescription,
    SceneObject,
    Value,
    kind_of,
)


def constant_name(prefix: str, word: str) -> str:
    """Return the constant's name for a word of the schema: ``CLASS_TRAFFIC_LIGHT``."""
    return f'{prefix}_{word}'.upper().replace(' ', '_')


def description_values(description: SceneDescription, message: type[Any]) -> dict[str, Any]:
    """
    Return the plain fields of the message by name.

    Left out are those that need other message classes or a clock: ``header``, ``objects``,
    ``facts``, ``completed``, ``age_ms`` and ``latency_queue_ms``.

    :param message: The message class, read for its constants only.
    """
    values: dict[str, Any] = {
        'camera': description.camera,
        'status': int(getattr(message, description.status.upper())),
        'reason': description.reason,
        'error': description.error,
        'caption': description.caption,
        'confidence': float(description.confidence),
        'hazard': description.hazard,
        'model_name': description.model.name,
        'model_sha256': description.model.sha256,
        'model_backend': description.model.backend,
        'model_precision': description.model.precision,
        # Only a node on live images knows these.
        'age_received_ms': math.nan,
        'age_taken_ms': math.nan,
        'age_inferred_ms': math.nan,
        'caption_age_ms': 0.0,
        'reused': False,
    }
    for stage in STAGES:
        values[f'latency_{stage}_ms'] = float(description.latency_ms.get(stage, 0.0))
    for name, field in FIELDS.items():
        known = description.scene.get(name)
        values[name] = _encode(field, None if known is None else known.value, message)
        values[f'{name}_confidence'] = 0.0 if known is None else float(known.confidence)
    return values


def object_values(item: SceneObject, message: type[Any]) -> dict[str, Any]:
    """
    Return all fields of ``caption_msgs/SceneObject`` by name.

    :param message: The message class, read for its constants only.
    """
    x_min, y_min, x_max, y_max = (float(v) for v in item.box)
    return {
        'class_id': int(getattr(message, constant_name('class', item.class_name))),
        'score': float(item.score),
        'x_min': x_min,
        'y_min': y_min,
        'x_max': x_max,
        'y_max': y_max,
        'position': int(getattr(message, constant_name('position', item.position))),
        'range': int(getattr(message, constant_name('range', item.range))),
        'in_lane': bool(item.in_lane),
    }


def own_facts(scene: Mapping[str, FieldValue], message: type[Any]) -> list[dict[str, Any]]:
    """
    Return all fields of ``caption_msgs/SceneFact`` by name, for every field beyond driving.

    :param message: The message class, read for its constants only.
    """
    facts = []
    for name, found in scene.items():
        if name in FIELDS:
            continue
        kind = kind_of(found.value)
        text = str(found.value).lower() if kind == 'boolean' else str(found.value)
        code = int(getattr(message, constant_name('kind', kind)))
        facts.append(
            {'name': name, 'kind': code, 'value': text, 'confidence': float(found.confidence)}
        )
    return facts


def description_from(message: Any) -> SceneDescription:
    """
    Read a message back; confidences come back rounded to float32.

    A scene field that is unknown in the message is left out of ``scene``: a word that is none, or
    a confidence of 0. So it is for status ERROR and STALE, and for models of other fields.

    :param message: An instance of the message, rclpy's or rosbags'.
    """
    statuses = {int(getattr(message, s.upper())): s for s in STATUSES}
    status = statuses.get(int(message.status), 'error')
    scene: dict[str, FieldValue] = {}
    if status in ('ok', 'abstain'):
        for name, field in FIELDS.items():
            value = _decode(field, getattr(message, name), message)
            confidence = float(getattr(message, f'{name}_confidence'))
            if value is not None and confidence > 0:
                scene[name] = FieldValue(value, confidence)
        # Recordings may hold the message as it was before it had facts.
        for fact in getattr(message, 'facts', ()):
            value = _fact_value(fact)
            if value is not None:
                scene[str(fact.name)] = FieldValue(value, float(fact.confidence))
    stamp = message.header.stamp
    return SceneDescription(
        stamp_ns=int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec),
        frame_id=message.header.frame_id,
        camera=message.camera,
        caption=message.caption,
        confidence=float(message.confidence),
        status=status,
        reason=message.reason,
        scene=scene,
        hazard=message.hazard,
        objects=tuple(object_from(item) for item in message.objects),
        latency_ms={stage: float(getattr(message, f'latency_{stage}_ms')) for stage in STAGES},
        model=ModelInfo(
            message.model_name,
            message.model_sha256,
            message.model_backend,
            message.model_precision,
        ),
        error=message.error,
    )


def object_from(message: Any) -> SceneObject:
    """Read one ``caption_msgs/SceneObject`` back; codes outside the schema become ``unknown``."""
    return SceneObject(
        class_name=_word(message, 'class', OBJECT_CLASSES, int(message.class_id)),
        score=float(message.score),
        box=(message.x_min, message.y_min, message.x_max, message.y_max),
        position=_word(message, 'position', POSITIONS, int(message.position)),
        range=_word(message, 'range', RANGES, int(message.range)),
        in_lane=bool(message.in_lane),
    )


def _encode(field: Field, value: Value | None, message: type[Any]) -> int | bool:
    if field.kind == 'boolean':
        return bool(value)
    if field.kind == 'count':
        return int(value or 0)
    word = 'unknown' if value is None else str(value)
    return int(getattr(message, constant_name(field.name, word)))


def _decode(field: Field, code: Any, message: Any) -> Value | None:
    if field.kind == 'boolean':
        return bool(code)
    if field.kind == 'count':
        return int(code)
    word = _word(message, field.name, field.values, int(code))
    return word if word in field.values else None


def _fact_value(fact: Any) -> Value | None:
    """Return None for what is no fact: another program may have written the message."""
    text = str(fact.value)
    kind = _word(fact, 'kind', KINDS, int(fact.kind))
    if kind == 'boolean':
        return {'true': True, 'false': False}.get(text)
    if kind == 'count':
        is_number = text.isascii() and text.isdecimal() and len(text) < 4
        return int(text) if is_number and int(text) <= MAX_COUNT else None
    return text if kind == 'categorical' and text else None


def _word(message: Any, prefix: str, words: tuple[str, ...], code: int) -> str:
    codes: Mapping[int, str] = {int(getattr(message, constant_name(prefix, w))): w for w in words}
    return codes.get(code, 'unknown')
