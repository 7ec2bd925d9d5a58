# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Overlays: legible on any size, and never taken for well when they are not."""

from dataclasses import replace
import itertools

import numpy as np
import pytest

from caption_node.description import FIELDS, FieldValue, SceneDescription, SceneObject
from caption_node.overlay import draw_overlay

CAPTION = (
    'Wet city street at night, a car is close ahead in our lane and two pedestrians wait on the '
    'right before the crossing, with vehicles parked along both sides.'
)


def description(**changes):
    """A description with everything in it."""
    scene = {
        n: FieldValue(f.values[-1], 0.9) for n, f in FIELDS.items() if f.kind == 'categorical'
    }
    scene |= {n: FieldValue(True, 0.8) for n, f in FIELDS.items() if f.kind == 'boolean'}
    scene |= {n: FieldValue(15, 0.7) for n, f in FIELDS.items() if f.kind == 'count'}
    objects = (
        SceneObject('car', 0.91, (100.0, 80.0, 200.0, 160.0), 'ahead', 'near', True),
        SceneObject('person', 0.66, (250.5, 70.2, 270.0, 150.9), 'right', 'mid', False),
    )
    full = SceneDescription(
        caption=CAPTION,
        confidence=0.87,
        scene=scene,
        hazard='car close ahead',
        objects=objects,
        latency_ms={'inference': 17.0},
    )
    return replace(full, **changes)


def grey(width, height):
    return np.full((height, width, 3), 120, np.uint8)


@pytest.mark.parametrize('size', [(640, 360), (1280, 720), (1920, 1080), (800, 471), (3840, 2160)])
def test_overlay_keeps_the_size_of_usual_pictures(size):
    width, height = size
    picture = grey(width, height)
    before = picture.copy()
    drawn = draw_overlay(picture, description())
    assert drawn.shape == picture.shape
    assert drawn.dtype == np.uint8
    assert np.array_equal(picture, before)
    # The upper half stays free but for boxes.
    free = (drawn[: height // 2] == 120).all(axis=-1).mean()
    assert free > 0.9


@pytest.mark.parametrize(
    'size', [(1, 1), (3, 2), (16, 16), (64, 48), (320, 20), (20, 320), (5000, 40), (40, 3000)]
)
@pytest.mark.parametrize('status', ['ok', 'abstain', 'error', 'stale'])
def test_overlay_draws_on_extreme_sizes(size, status):
    drawn = draw_overlay(grey(*size), description(status=status, error='it broke', reason='dark'))
    assert drawn.ndim == 3
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] >= size[1]
    assert drawn.shape[1] >= size[0]
    assert drawn.std() > 1


def test_overlay_is_legible_at_640_x_360():
    drawn = draw_overlay(grey(640, 360), description())
    rows = np.flatnonzero((drawn[:, :, :] > 240).all(axis=-1).any(axis=1))
    # White letters of at least nine pixels stand in the lower part.
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    assert max(len(run) for run in runs) >= 9
    assert rows.min() > 360 * 0.5


def test_overlay_accepts_views_that_are_read_only():
    picture = grey(640, 360)[:, :, ::-1]
    picture.flags.writeable = False
    assert draw_overlay(picture, description()).shape == (360, 640, 3)


def test_overlays_of_different_status_differ_at_a_glance():
    picture = grey(640, 360)
    drawn = {
        status: draw_overlay(picture, description(status=status, reason='dark', error='broken'))
        for status in ('ok', 'abstain', 'error', 'stale')
    }
    for one, two in itertools.combinations(drawn, 2):
        assert (drawn[one] != drawn[two]).mean() > 0.01, (one, two)
    # A frame around everything that is not well.
    corner = {status: tuple(int(v) for v in d[1, 1]) for status, d in drawn.items()}
    assert corner['ok'] == (120, 120, 120)
    assert corner['abstain'][0] > 200
    assert corner['error'][0] > 200
    assert corner['error'][1] < 100


def test_overlay_shows_boxes_where_they_are():
    bare = draw_overlay(grey(640, 360), description(objects=()))
    boxed = draw_overlay(grey(640, 360), description())
    changed = np.argwhere((bare != boxed).any(axis=-1))
    low, high = changed.min(axis=0), changed.max(axis=0)
    assert 40 <= low[0] <= 70
    assert 95 <= low[1] <= 100
    assert 150 <= high[0] <= 165


@pytest.mark.parametrize(
    'box',
    [
        (-500.0, -20.0, 9000.0, 4000.0),
        (float('nan'), 0.0, 10.0, 10.0),
        (float('inf'), float('-inf'), 3.0, 3.0),
        (50.0, 50.0, 50.0, 50.0),
        (90.0, 90.0, 10.0, 10.0),
    ],
)
def test_overlay_survives_odd_boxes(box):
    item = SceneObject('animal', 0.5, box, 'left', 'far', False)
    assert draw_overlay(grey(640, 360), description(objects=(item,))).shape == (360, 640, 3)


@pytest.mark.parametrize(
    'text', ['', 'word ' * 400, 'x' * 3000, 'Straße mit Äpfeln, 東京\n\tend', '%s {0} \\n']
)
def test_overlay_survives_odd_sentences(text):
    drawn = draw_overlay(grey(640, 360), description(caption=text))
    assert drawn.shape[1] == 640
    assert drawn.shape[0] <= 360 * 2


def test_overlay_of_an_empty_description_says_so():
    bare = draw_overlay(grey(640, 360), SceneDescription())
    assert (bare[250:] > 240).any()


def test_overlay_shows_the_age_if_it_is_known():
    one = draw_overlay(grey(640, 360), description())
    two = draw_overlay(grey(640, 360), description(), age_ms=143.0)
    assert (one != two).any()
    three = draw_overlay(grey(640, 360), description(), age_ms=float('nan'))
    assert np.array_equal(one, three)
