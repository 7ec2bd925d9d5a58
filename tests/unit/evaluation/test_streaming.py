# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What is known at an instant, and how soon events are known, on plays made by hand."""

import json

import pytest

from caption_node.evaluation.event_delay import (
    HeldEvent,
    Report,
    measure_events,
    pair_reports,
    true_events,
)
from caption_node.evaluation.streaming import Arrival, Instant, evaluate_streaming, newest_by
from caption_node.evaluation.streaming_report import streaming_json, streaming_tables
from tests.unit.evaluation.examples import FIELDS, annotation, frame, prediction

PERIOD_S = 0.1
CAPTIONS = ('A red light ahead of us now.', 'We follow a car in the rain here.')


def instant(number, camera='/front', **fields):
    """Label the image that is published ``number`` periods into the play."""
    label = annotation(CAPTIONS[number % 2], **fields)
    time_s = number * PERIOD_S
    return Instant(frame(f'{camera} {number}', label), camera, time_s, 100 + time_s)


def arrival(number, latency_s, camera='/front', **fields):
    sent_s = 100 + number * PERIOD_S
    said = prediction(CAPTIONS[number % 2], **fields)
    return Arrival(camera, number * PERIOD_S, sent_s, sent_s + latency_s, said)


def test_only_what_has_arrived_by_then_counts():
    instants = [instant(i) for i in range(4)]
    arrivals = [arrival(0, 0.15), arrival(2, 0.05)]
    newest = newest_by(instants, arrivals)
    assert [a and round(a.time_s, 1) for a in newest] == [None, None, 0.0, 0.2]


def test_description_of_an_older_image_that_comes_late_replaces_nothing():
    newest = newest_by([instant(5)], [arrival(0, 0.45), arrival(3, 0.05)])
    assert newest[0].time_s == pytest.approx(0.3)


def test_cameras_know_nothing_of_each_other():
    newest = newest_by([instant(3), instant(3, '/rear')], [arrival(0, 0.1, '/rear')])
    assert newest[0] is None
    assert newest[1].camera == '/rear'


def test_a_system_that_is_right_but_late_loses_exactly_its_delay():
    # The light changes at every second instant; what is known is one image old.
    lights = ['red', 'red', 'green', 'green'] * 5
    instants = [instant(i, light=light) for i, light in enumerate(lights)]
    arrivals = [arrival(i, 0.09, light=light) for i, light in enumerate(lights)]
    offline = {i.frame.id: a.said for i, a in zip(instants, arrivals, strict=True)}
    result = evaluate_streaming(instants, arrivals, offline, [], sent=20)
    assert result.offline.field_f1 == 1.0
    assert result.streaming.missing == 1
    assert result.streaming.fields['light'] == pytest.approx(0.5, abs=0.03)
    assert result.offline.cider_d > result.streaming.cider_d
    assert result.ages_s == pytest.approx([PERIOD_S] * 19)
    assert result.latencies_s == pytest.approx([0.09] * 20)
    assert (result.coverage.count, result.described.count) == (19, 20)
    assert result.truth_changes_per_s == pytest.approx(9 / 1.9)
    assert result.streaming.claims['light'].hallucinated.frames == 0


def test_dropped_images_leave_what_is_known_old():
    instants = [instant(i) for i in range(30)]
    result = evaluate_streaming(instants, [arrival(0, 0.05)], {}, [], sent=30)
    assert result.described.share == pytest.approx(1 / 30)
    assert max(result.ages_s) == pytest.approx(2.9)
    # From 1.1 s on it is older than a second.
    assert result.coverage.count == 10
    assert result.offline.missing == 30
    assert result.offline.field_f1 == 0.0


def test_labels_may_hold_some_fields_and_no_sentence():
    from caption_node.evaluation.frames import Annotation

    bare = Annotation({'light': 'red'}, '')
    instants = [Instant(frame(f'/front {i}', bare), '/front', i * 1.0, i * 1.0) for i in range(3)]
    said = [
        Arrival('/front', i * 1.0, i * 1.0, i + 0.5, prediction(light='red')) for i in range(3)
    ]
    result = evaluate_streaming(instants, said, {}, [], sent=3)
    assert result.streaming.fields['light'] == pytest.approx(0.8)
    assert result.streaming.fields['road'] is None
    assert result.streaming.cider_d is None
    assert result.events == {}
    json.dumps(streaming_json(result), allow_nan=False)
    assert all(table.rows or table.title for table in streaming_tables(result))


def test_truth_holds_from_the_first_image_that_shows_it():
    lights = ['none'] * 5 + ['red'] * 10 + ['green'] * 5
    (red, green) = true_events([_labelled(i, light=x) for i, x in enumerate(lights)], 'light')
    assert (red.value, red.begin_s, red.end_s) == ('red', pytest.approx(0.5), pytest.approx(1.5))
    assert (green.value, green.at_s) == ('green', pytest.approx(101.5))


def test_flickers_of_the_truth_are_no_events():
    people = [True] * 6 + [False] + [True] * 6 + [False] * 10 + [True] + [False] * 4
    events = true_events(
        [_labelled(i, people=1, people_on_road=p) for i, p in enumerate(people)], 'person_on_road'
    )
    assert [(e.begin_s, round(e.end_s, 1)) for e in events] == [(0.0, 1.3)]


def test_delay_is_from_publication_to_arrival_in_recording_time():
    lights = ['none'] * 5 + ['red'] * 10 + ['none'] * 5
    instants = [_labelled(i, light=x) for i, x in enumerate(lights)]
    heard = [
        Report('/front', 'light', 'red', 'begin', 0.6, 100.8),
        Report('/front', 'light', 'red', 'end', 1.7, 102.0),
        Report('/front', 'night', '', 'begin', 0.1, 100.2),
    ]
    found = measure_events(instants, pair_reports(heard), rate=2.0)
    assert (found['light'].true, found['light'].found, found['light'].unfounded) == (1, 1, 0)
    assert found['light'].delays_s == pytest.approx((0.6,))
    assert (found['night'].true, found['night'].unfounded) == (0, 1)
    assert (found['works'].true, found['works'].delays_s) == (0, ())


@pytest.mark.parametrize(
    ('begin_s', 'end_s', 'value', 'counts'),
    [
        (0.2, 1.0, 'red', (1, 0)),  # reported before it was true, and it became true
        (0.0, 0.4, 'red', (0, 1)),  # over before it was true
        (1.6, 1.9, 'red', (0, 1)),  # only after it was over
        (0.6, 1.0, 'green', (0, 1)),
    ],
)
def test_a_report_counts_if_it_holds_while_the_truth_does(begin_s, end_s, value, counts):
    lights = ['none'] * 5 + ['red'] * 10 + ['none'] * 5
    instants = [_labelled(i, light=x) for i, x in enumerate(lights)]
    said = HeldEvent('/front', 'light', value, begin_s, end_s, 100 + begin_s)
    found = measure_events(instants, [said])['light']
    assert (found.found, found.unfounded) == counts
    assert all(delay >= 0 for delay in found.delays_s)


def test_sparse_labels_do_not_time_events():
    instants = [('/front', i * 2.0, i * 2.0, {**FIELDS, 'light': 'red'}) for i in range(5)]
    assert measure_events(instants, []) == {}


def _labelled(number, **fields):
    return '/front', number * PERIOD_S, 100 + number * PERIOD_S, {**FIELDS, **fields}
