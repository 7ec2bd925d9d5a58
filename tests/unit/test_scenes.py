# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered scenes: the same for the same seed, true in every field, every kind of road."""

from collections import Counter

import numpy as np
import pytest

from caption_node.description import FIELDS, OBJECT_CLASSES, POSITIONS, RANGES, check_value
from caption_node.errors import ConfigError
from caption_node.scenes import render_drive, render_scene
from caption_node.scenes.bodies import dimensions, shapes_of
from caption_node.scenes.camera import Camera
from caption_node.scenes.sampling import sample_scene
from caption_node.scenes.truth import MIN_HEIGHT, range_of

SIZE = (320, 180)
MOTORS = ('car', 'van', 'truck', 'bus', 'motorcycle')


def check_truth(truth, width, height):
    """Hold a truth against the definitions of the schema."""
    fields, objects = truth.fields, truth.objects
    assert list(fields) == list(FIELDS)
    for name, value in fields.items():
        assert check_value(name, value) == value
    kinds = Counter(o.kind for o in objects)
    assert fields['vehicles'] == min(15, sum(kinds[k] for k in MOTORS))
    assert fields['people'] == min(15, kinds['person'])
    riding = [o for o in objects if o.kind in ('bicycle', 'motorcycle') and o.role != 'parked']
    assert fields['cyclists'] == min(15, len(riding))
    for item in objects:
        x0, y0, x1, y1 = item.box
        assert item.class_name in OBJECT_CLASSES
        assert item.position in POSITIONS
        assert item.range in RANGES
        assert item.range == range_of(item.distance_m)
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert y1 - y0 >= MIN_HEIGHT * height - 1e-6
        assert not item.in_lane or item.position == 'ahead'
    leads = [o for o in objects if o.in_lane and o.role == 'same' and o.kind != 'rider']
    if leads:
        nearest = min(leads, key=lambda o: o.distance_m)
        assert (fields['lead'], fields['lead_range']) == (nearest.kind, nearest.range)
    else:
        assert (fields['lead'], fields['lead_range']) == ('none', 'none')
    assert fields['oncoming'] == any(o.role == 'oncoming' for o in objects)
    assert fields['parked'] == any(o.role == 'parked' for o in objects)
    assert not fields['people_on_road'] or fields['people'] > 0
    lights = [o for o in objects if o.kind == 'traffic light' and o.role]
    assert (fields['light'] == 'none') == (not lights)
    if fields['light'] not in ('none', 'unclear'):
        assert fields['light'] in {o.role for o in lights}
    assert truth.hazard


@pytest.mark.parametrize('seed', range(100, 160))
def test_truth_keeps_to_the_schema(seed):
    pixels, truth = render_scene(seed, *SIZE)
    assert pixels.shape == (180, 320, 3)
    assert pixels.dtype == np.uint8
    check_truth(truth, *SIZE)


def test_same_seed_gives_the_same_picture_and_truth():
    one, truth_one = render_scene(41, *SIZE)
    render_scene(42, *SIZE)
    two, truth_two = render_scene(41, *SIZE)
    assert np.array_equal(one, two)
    assert truth_one == truth_two


def test_other_seeds_give_other_pictures():
    pictures = {render_scene(seed, *SIZE)[0].tobytes() for seed in range(6)}
    assert len(pictures) == 6


@pytest.mark.parametrize('road', FIELDS['road'].values)
@pytest.mark.parametrize('time', FIELDS['time'].values)
@pytest.mark.parametrize('weather', ['clear', 'cloudy', 'rain', 'fog', 'snow'])
def test_every_road_time_and_weather_renders(road, time, weather):
    pixels, truth = render_scene(3, 256, 144, road=road, time=time, weather=weather)
    assert truth.fields['road'] == road
    assert truth.fields['time'] == time
    assert truth.fields['weather'] == ('unknown' if road == 'tunnel' else weather)
    # Neither black nor blown out: there is something to see.
    assert 2 < pixels.mean() < 240
    assert pixels.std() > 3


def test_night_is_darker_than_day_where_no_lamps_stand():
    options = {'road': 'rural', 'weather': 'cloudy'}
    day = np.mean([render_scene(s, *SIZE, time='day', **options)[0].mean() for s in range(8)])
    night = np.mean([render_scene(s, *SIZE, time='night', **options)[0].mean() for s in range(8)])
    assert night < 0.6 * day


def test_what_the_dark_hides_is_not_counted():
    furthest = {}
    for time in ('day', 'night'):
        for seed in range(40):
            options = {'time': time, 'road': 'residential', 'weather': 'clear'}
            environment = sample_scene(np.random.default_rng(seed), *SIZE, **options).environment
            _, truth = render_scene(seed, *SIZE, **options)
            unlit = [o for o in truth.objects if o.role == 'parked' or o.kind == 'person']
            reach = max((o.distance_m for o in unlit), default=0.0) / environment.exposure**0.5
            furthest[time] = max(furthest.get(time, 0.0), reach)
    assert furthest['night'] <= 55
    assert furthest['day'] > 65


@pytest.mark.parametrize('state', ['red', 'yellow', 'green'])
def test_light_that_was_asked_for_is_shown_in_its_colour(state):
    shown = 0
    for seed in range(12):
        pixels, truth = render_scene(
            seed, 640, 360, road='city', time='day', weather='clear', light=state
        )
        assert truth.fields['light'] in (state, 'unclear', 'none')
        for item in truth.objects:
            tall = item.box[3] - item.box[1]
            if (
                item.kind != 'traffic light'
                or item.role != state
                or tall < 18
                or item.visible < 0.95
            ):
                continue
            x0, y0, x1, y1 = (int(v) for v in item.box)
            part = pixels[y0 : y1 + 1, x0 : x1 + 1].astype(int)
            colourful = (part.max(axis=-1) - part.min(axis=-1)) * (part.max(axis=-1) > 150)
            thirds = [third.mean() for third in np.array_split(colourful, 3)]
            # The lamps stand in this order from top to bottom.
            assert ('red', 'yellow', 'green')[int(np.argmax(thirds))] == state
            shown += 1
    assert shown >= 3


@pytest.mark.parametrize('size', [(64, 64), (97, 55), (200, 400), (1280, 720)])
def test_any_size_renders(size):
    width, height = size
    pixels, truth = render_scene(5, width, height)
    assert pixels.shape == (height, width, 3)
    check_truth(truth, width, height)


def test_unknown_options_are_refused_with_a_hint():
    with pytest.raises(ConfigError, match='no scene option') as caught:
        render_scene(1, *SIZE, moon='full')
    assert 'weather' in caught.value.hint
    with pytest.raises(ConfigError, match="cannot be 'hail'") as caught:
        render_scene(1, *SIZE, weather='hail')
    assert 'rain' in caught.value.hint


def test_camera_projects_the_ground_where_its_rows_say():
    camera = Camera(1280, 720, 1100.0, 1.4, 0.03, 7.0)
    ahead = np.array([5.0, 20.0, 80.0])
    points = np.stack([np.zeros(3), np.zeros(3), ahead], -1)
    rows = camera.project(points)[:, 1]
    assert np.allclose(camera.ground_distance(rows), ahead, rtol=1e-9)
    assert camera.ground_distance(np.array([camera.horizon_px - 5]))[0] == np.inf


@pytest.mark.parametrize('kind', ['car', 'van', 'truck', 'bus'])
def test_every_body_fits_its_dimensions(kind):
    from caption_node.scenes.vehicles import vehicle_mesh

    for shape in range(shapes_of(kind)):
        mesh = vehicle_mesh(kind, shape, True, False, 0)
        width, height, length = dimensions(kind, shape)
        spans = mesh.points.max(axis=0) - mesh.points.min(axis=0)
        assert abs(spans[1] - height) < 0.15
        assert abs(spans[2] - length) < 0.3
        # Mirrors stand out on both sides.
        assert width - 0.1 <= spans[0] <= width + 0.5
        assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1.0)


def test_drive_has_chapters_and_true_frames():
    frames = list(render_drive(4, 30.0, 1.0, *SIZE))
    assert len(frames) == 30
    assert [ns for _, _, ns in frames] == [i * 10**9 for i in range(30)]
    seen = Counter()
    for pixels, truth, _ in frames:
        assert pixels.shape == (180, 320, 3)
        check_truth(truth, *SIZE)
        seen.update((name, truth.fields[name]) for name in ('time', 'weather', 'road', 'light'))
    for expected in (
        ('time', 'day'), ('time', 'dusk'), ('time', 'night'), ('weather', 'rain'),
        ('weather', 'fog'), ('road', 'highway'), ('road', 'city'), ('road', 'tunnel'),
        ('light', 'red'), ('light', 'green'),
    ):  # fmt: skip
        assert seen[expected] > 0, expected
    assert any(truth.fields['people_on_road'] for _, truth, _ in frames)


def test_drive_is_smooth_within_a_chapter():
    boxes = []
    for _, truth, _ in render_drive(4, 1.9, 20.0, 640, 360):
        leads = [o for o in truth.objects if o.in_lane and o.role == 'same']
        assert leads, truth.fields
        boxes.append(leads[0].box)
    steps = np.abs(np.diff(np.array(boxes), axis=0))
    assert steps.max() < 12


def test_drive_is_the_same_for_the_same_seed():
    one = [(p.tobytes(), t) for p, t, _ in render_drive(8, 1.0, 3.0, *SIZE)]
    two = [(p.tobytes(), t) for p, t, _ in render_drive(8, 1.0, 3.0, *SIZE)]
    assert one == two


@pytest.mark.parametrize(
    ('duration_s', 'rate_hz', 'width'),
    [
        (0.0, 10.0, 640),
        (-1.0, 10.0, 640),
        (5.0, 0.0, 640),
        (5.0, 10.0, 8),
        (float('nan'), 1.0, 640),
    ],
)
def test_drive_refuses_what_cannot_be_rendered(duration_s, rate_hz, width):
    with pytest.raises(ConfigError, match='cannot render'):
        render_drive(1, duration_s, rate_hz, width, 360)
