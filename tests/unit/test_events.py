# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Events begin and end once each, at the image in which it was seen first."""

from dataclasses import replace

import pytest

from caption_node.description import SceneDescription
from caption_node.events import EVENT_KINDS, EventWatch, SceneEvent
from tests.unit.test_stream import said

NS_PER_S = 1_000_000_000


def watch(
    frames: list[SceneDescription], step_s: float = 0.1, still: bool = False
) -> list[SceneEvent]:
    """Return the events of a series of frames."""
    watched = EventWatch('front')
    events = []
    for number, frame in enumerate(frames):
        time_s = number * step_s
        stamped = replace(frame, stamp_ns=round(time_s * NS_PER_S))
        events += watched.update(stamped, time_s, still)
    return events


@pytest.mark.parametrize(
    ('kind', 'scene', 'value'),
    [
        ('person_on_road', {'people_on_road': True}, ''),
        ('light', {'light': 'red'}, 'red'),
        ('lead_near', {'lead': 'truck', 'lead_range': 'near'}, 'truck'),
        ('works', {'construction': True}, ''),
        ('night', {'time': 'night'}, ''),
    ],
)
def test_every_kind_begins_and_ends_once(kind: str, scene: dict[str, object], value: str) -> None:
    frames = [said()] * 5 + [said(**scene)] * 60 + [said()] * 100
    begin, end = watch(frames)
    assert (begin.kind, begin.phase, begin.value) == (kind, 'begin', value)
    assert (end.kind, end.phase, end.value) == (kind, 'end', value)
    # The image in which it was first seen, and the one in which it was first no longer seen.
    assert begin.stamp_ns == round(0.5 * NS_PER_S)
    assert end.stamp_ns == round(6.5 * NS_PER_S)
    assert end.duration_s == pytest.approx(6.0)
    assert begin.confidence == end.confidence == 0.9


def test_a_light_that_changes_ends_one_colour_and_begins_the_next() -> None:
    events = watch([said(light='red')] * 10 + [said(light='green')] * 10)
    assert [(e.phase, e.value, e.previous) for e in events] == [
        ('begin', 'red', ''),
        ('end', 'red', ''),
        ('begin', 'green', 'red'),
    ]


def test_a_queue_that_stands_still_is_stopped_traffic() -> None:
    queue = [said(lead='car', lead_range='near', vehicles=4)] * 40
    assert 'stopped_traffic' not in {e.kind for e in watch(queue, still=False)}
    (stopped,) = [e for e in watch(queue, still=True) if e.kind == 'stopped_traffic']
    assert stopped.phase == 'begin'


@pytest.mark.parametrize('kind', [k for k in EVENT_KINDS if k not in ('person_on_road',)])
def test_one_odd_frame_is_no_event_but_for_a_person(kind: str) -> None:
    odd = said(
        light='red', lead='car', lead_range='near', construction=True, time='night', vehicles=9
    )
    assert kind not in {e.kind for e in watch([said()] * 5 + [odd] + [said()] * 5, still=True)}


def test_a_person_is_believed_at_once_and_missed_slowly() -> None:
    person, nobody = said(people_on_road=True), said()
    events = watch([nobody, person, nobody, person] + [nobody] * 30)
    assert [e.phase for e in events] == ['begin', 'end']
    assert events[0].stamp_ns == round(0.1 * NS_PER_S)


def test_what_is_not_sure_begins_nothing() -> None:
    assert watch([said(people_on_road=True, confidence=0.4)] * 20) == []


def test_a_camera_that_stops_ends_everything_without_confidence() -> None:
    watched = EventWatch('front')
    watched.update(said(people_on_road=True), 1.0, False)
    (end,) = watched.close(5 * NS_PER_S, 'lens')
    assert (end.phase, end.confidence, end.frame_id) == ('end', 0.0, 'lens')
    assert watched.close(6 * NS_PER_S, 'lens') == []
