# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The schema as code: fields, values, JSON and back."""

from dataclasses import replace
import json
from typing import Any

import pytest

from caption_node.description import (
    FIELDS,
    MAX_COUNT,
    FieldValue,
    ModelInfo,
    SceneDescription,
    SceneObject,
    check_value,
)
from caption_node.errors import ConfigError
from tests.schema import check_line

FULL = SceneDescription(
    stamp_ns=1_700_000_000_123_456_789,
    camera='front',
    file='a.jpg',
    caption='A car stands ahead at a red light.',
    confidence=0.91,
    status='ok',
    scene={
        name: FieldValue(f.values[0] if f.values else f.kind == 'boolean' or 3, 0.5)
        for name, f in FIELDS.items()
    },
    hazard='none',
    objects=(
        SceneObject('traffic light', 0.83, (10.0, 20.5, 80.0, 64.0), 'ahead', 'mid', False),
        SceneObject('car', 0.5, (0.0, 0.0, 5.0, 5.0), 'left', 'near', True),
    ),
    latency_ms={'decode': 1.25, 'preprocess': 0.5, 'inference': 17.0, 'postprocess': 0.375},
    model=ModelInfo('drive-small', 'ab' * 32, 'onnxruntime-cpu', 'fp32'),
)


def test_json_follows_the_schema() -> None:
    check_line(FULL.to_json())


def test_json_and_back_is_the_same() -> None:
    line = json.dumps(FULL.to_json(), allow_nan=False)
    assert SceneDescription.from_json(json.loads(line)) == FULL


def test_abstaining_description_says_why() -> None:
    said = replace(FULL, status='abstain', reason='the picture is too dark')
    line = said.to_json()
    check_line(line)
    assert line['reason'] == 'the picture is too dark'
    assert SceneDescription.from_json(line) == said


def test_error_has_no_caption() -> None:
    said = SceneDescription(file='b.jpg', status='error', error='b.jpg: damaged')
    line = said.to_json()
    check_line(line)
    assert 'caption' not in line
    assert 'scene' not in line
    assert SceneDescription.from_json(line) == said


@pytest.mark.parametrize(
    'change',
    [
        {'scene': {'time': {'value': 'noon', 'confidence': 0.5}}},
        {'scene': {'colour': {'value': 'red', 'confidence': 0.5}}},
        {'scene': {'people': {'value': MAX_COUNT + 1, 'confidence': 0.5}}},
        {'scene': {'people': {'value': True, 'confidence': 0.5}}},
        {'scene': {'oncoming': {'value': 1, 'confidence': 0.5}}},
        {'scene': {'time': {'value': 'day'}}},
        {'scene': ['time']},
        {'objects': [{'class': 'car'}]},
        {'objects': [{**FULL.to_json()['objects'][0], 'box': [1, 2, 3]}]},
        {'model': {'colour': 'red'}},
        {'stamp_ns': 'now'},
        {'latency_ms': {'decode': None}},
    ],
)
def test_values_outside_of_the_schema_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        SceneDescription.from_json({**FULL.to_json(), **change})


def test_status_is_needed() -> None:
    with pytest.raises(ConfigError, match='status'):
        SceneDescription.from_json({'caption': 'A road.'})


@pytest.mark.parametrize(
    ('name', 'value'), [('time', 'dusk'), ('people', 0), ('people', 15), ('parked', False)]
)
def test_allowed_values_pass(name: str, value: str | int | bool) -> None:
    assert check_value(name, value) == value


def test_refusal_lists_what_is_allowed() -> None:
    with pytest.raises(ConfigError) as caught:
        check_value('light', 'blue')
    assert caught.value.hint == 'allowed: none, red, yellow, green, unclear'
    with pytest.raises(ConfigError) as caught:
        check_value('speed', 3)
    assert 'lead_range' in caught.value.hint


def test_widths_are_the_logits_of_the_model() -> None:
    assert FIELDS['time'].width == 3
    assert FIELDS['oncoming'].width == 1
    assert FIELDS['people'].width == 16
