# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Events are stretches: short losses are bridged, single flickers are not events."""

from caption_node.description import SceneDescription
from caption_node.web.events import find_events
from tests.described import PERIOD_NS, START_NS, describe


def events_of(frames: list[SceneDescription]) -> list[tuple[str, int, int, int]]:
    found = find_events(frames, [f.stamp_ns for f in frames])
    return [
        (e.kind, (e.start_ns - START_NS) // PERIOD_NS, (e.end_ns - START_NS) // PERIOD_NS, e.index)
        for e in found
    ]


def test_an_event_lasts_from_its_first_frame_to_its_last() -> None:
    frames = [describe(i, people_on_road=20 <= i < 40) for i in range(60)]
    assert events_of(frames) == [('people on the road', 20, 39, 20)]


def test_a_short_loss_is_bridged_and_a_long_one_is_not() -> None:
    lost = {25, 26, 27}
    frames = [describe(i, light='red' if i not in lost else 'none') for i in range(50)]
    assert events_of(frames) == [('red light', 0, 49, 0)]
    lost = set(range(20, 35))
    frames = [describe(i, light='red' if i not in lost else 'none') for i in range(50)]
    assert events_of(frames) == [('red light', 0, 19, 0), ('red light', 35, 49, 35)]


def test_a_flicker_of_one_frame_is_no_event() -> None:
    frames = [describe(i, construction=i == 10) for i in range(30)]
    assert events_of(frames) == []


def test_frames_that_are_rare_count_for_as_long_as_they_stand() -> None:
    frames = [describe(i * 10, weather='rain' if i in (3, 4) else 'clear') for i in range(10)]
    assert events_of(frames) == [('rain', 30, 40, 3)]


def test_cameras_have_events_of_their_own() -> None:
    frames = [
        describe(i, camera=camera, lead='car', lead_range='near' if camera == '/b' else 'far')
        for i in range(20)
        for camera in ('/a', '/b')
    ]
    (event,) = find_events(frames, [f.stamp_ns for f in frames])
    assert (event.kind, event.camera, event.index) == ('lead vehicle near', '/b', 1)
    assert abs(event.confidence - 0.8) < 1e-9


def test_no_frames_no_events() -> None:
    assert find_events([], []) == []
