# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The schema of JSON lines as a check: written from its page, not from the code under test."""

from typing import Any

WORDS = {
    'time': {'day', 'dusk', 'night'},
    'weather': {'clear', 'cloudy', 'rain', 'fog', 'snow', 'unknown'},
    'surface': {'dry', 'wet', 'snow', 'unknown'},
    'road': {
        'highway',
        'city',
        'residential',
        'rural',
        'industrial',
        'parking',
        'private',
        'tunnel',
    },
    'lead': {'none', 'car', 'van', 'truck', 'bus', 'motorcycle', 'bicycle'},
    'lead_range': {'none', 'near', 'mid', 'far'},
    'light': {'none', 'red', 'yellow', 'green', 'unclear'},
}
PLAIN_WORDS = {
    'time': 'day',
    'weather': 'cloudy',
    'surface': 'dry',
    'road': 'city',
    'lead': 'none',
    'lead_range': 'none',
    'light': 'none',
}
"""A scene in which nothing is the matter."""
BOOLEANS = {'intersection', 'crosswalk', 'construction', 'oncoming', 'parked', 'people_on_road'}
COUNTS = {'vehicles', 'people', 'cyclists'}
CLASSES = {
    'person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck',
    'traffic light', 'stop sign', 'animal',
}  # fmt: skip
HEAD = {'file', 'stamp_ns', 'camera', 'status'}
BODY = {'caption', 'confidence', 'scene', 'hazard', 'objects', 'latency_ms'}
STAGES = {'decode', 'preprocess', 'inference', 'postprocess'}


def check_line(line: dict[str, Any]) -> None:
    """Fail unless one object of JSON lines is as the schema says."""
    assert set(line) >= HEAD
    assert isinstance(line['file'], str)
    assert isinstance(line['camera'], str)
    assert type(line['stamp_ns']) is int
    _check_model(line['model'])
    if line['status'] == 'error':
        assert set(line) == HEAD | {'error', 'model'}
        assert line['error']
        return
    assert line['status'] in ('ok', 'abstain')
    assert set(line) - {'reason'} == HEAD | BODY | {'model'}
    assert ('reason' in line) == (line['status'] == 'abstain')
    assert isinstance(line['caption'], str)
    assert line['caption']
    _check_share(line['confidence'])
    _check_scene(line['scene'])
    assert isinstance(line['hazard'], str)
    assert line['hazard']
    for item in line['objects']:
        _check_object(item)
    assert set(line['latency_ms']) == STAGES
    assert all(isinstance(v, float) and v >= 0 for v in line['latency_ms'].values())


def _check_share(value: Any) -> None:
    assert type(value) is float
    assert 0 <= value <= 1


def _check_scene(scene: dict[str, Any]) -> None:
    assert set(scene) == set(WORDS) | BOOLEANS | COUNTS
    for name, item in scene.items():
        assert set(item) == {'value', 'confidence'}
        _check_share(item['confidence'])
        if name in WORDS:
            assert item['value'] in WORDS[name]
        elif name in BOOLEANS:
            assert type(item['value']) is bool
        else:
            assert type(item['value']) is int
            assert 0 <= item['value'] <= 15


def _check_object(item: dict[str, Any]) -> None:
    assert set(item) == {'class', 'score', 'box', 'position', 'range', 'in_lane'}
    assert item['class'] in CLASSES
    _check_share(item['score'])
    x_min, y_min, x_max, y_max = item['box']
    assert 0 <= x_min < x_max
    assert 0 <= y_min < y_max
    assert item['position'] in {'left', 'ahead', 'right'}
    assert item['range'] in {'near', 'mid', 'far'}
    assert type(item['in_lane']) is bool


def _check_model(model: dict[str, Any]) -> None:
    assert set(model) == {'name', 'sha256', 'backend', 'precision'}
    assert all(isinstance(v, str) for v in model.values())
    assert model['sha256'] == '' or len(bytes.fromhex(model['sha256'])) == 32
