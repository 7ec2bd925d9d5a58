# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Descriptions that the tests write themselves, so that no model decides what is in them."""

from pathlib import Path

from caption_node.bag.writer import BagWriter
from caption_node.description import (
    FIELDS,
    FieldValue,
    ModelInfo,
    SceneDescription,
    SceneObject,
    Value,
)
from tests.drawn import draw_street, jpeg

START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
TOPIC = '/camera/front/compressed'
PLAIN: dict[str, Value] = {
    'time': 'day', 'weather': 'clear', 'surface': 'dry', 'road': 'city', 'intersection': False,
    'crosswalk': False, 'construction': False, 'lead': 'none', 'lead_range': 'none',
    'vehicles': 0, 'oncoming': False, 'parked': False, 'people': 0, 'people_on_road': False,
    'cyclists': 0, 'light': 'none',
}  # fmt: skip
CAR = SceneObject('car', 0.9, (20.0, 40.0, 120.0, 110.0), 'ahead', 'near', True)


def describe(i: int, caption: str = '', camera: str = TOPIC, **changed: Value) -> SceneDescription:
    """Return the description of the i-th image; ``changed`` are scene fields."""
    fields = {**PLAIN, **changed}
    assert set(fields) == set(FIELDS)
    return SceneDescription(
        stamp_ns=START_NS + i * PERIOD_NS,
        frame_id='front_optical',
        camera=camera,
        caption=caption or f'An empty city street by day, number {i}.',
        confidence=0.75,
        scene={name: FieldValue(value, 0.8) for name, value in fields.items()},
        objects=(CAR,) if fields['lead'] != 'none' else (),
        model=ModelInfo('test-model', 'ab' * 32, 'test', 'fp32'),
    )


def describe_own(i: int, shape: str, shadows: int, device: bool) -> SceneDescription:
    """Return what a model of somebody's own fields says of the i-th image."""
    scene: dict[str, Value] = {'shape': shape, 'shadows': shadows, 'device': device}
    return SceneDescription(
        stamp_ns=START_NS + i * PERIOD_NS,
        camera=TOPIC,
        caption=f'{shadows} {shape} shadows in the left lung.',
        confidence=0.75,
        scene={name: FieldValue(value, 0.8) for name, value in scene.items()},
        model=ModelInfo('own-model', 'cd' * 32, 'test', 'fp32'),
    )


def write_described(
    path: Path, descriptions: list[SceneDescription], has_images: bool = True
) -> Path:
    """Write a recording with these descriptions, and a drawn image for each."""
    with BagWriter(path) as writer:
        for i, item in enumerate(descriptions):
            if has_images:
                picture = jpeg(draw_street(i))
                writer.write_compressed_image(TOPIC, item.stamp_ns, 'front_optical', picture)
            writer.write_description(item)
    return path
