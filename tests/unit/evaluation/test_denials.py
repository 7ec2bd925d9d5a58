# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Which claims an annotator denies."""

import pytest

from caption_node.description import FieldValue, Value
from caption_node.evaluation.denials import denied_claims, support
from caption_node.evaluation.lead_words import says_lead, says_no_lead
from tests.unit.evaluation.examples import annotation, frame


def denied(caption: str, theirs: str = '', **fields: Value) -> list[str]:
    seen = annotation(theirs, **fields)
    return denied_claims(caption, frame('a', seen), seen)


@pytest.mark.parametrize(
    ('caption', 'name'),
    [
        ('A pedestrian waits on a street.', 'people'),
        ('A cyclist rides on.', 'cyclists'),
        ('An oncoming car passes.', 'oncoming'),
        ('Parked cars line the road.', 'parked'),
        ('A crosswalk lies before us.', 'crosswalk'),
        ('Cones narrow the road.', 'works'),
        ('A street at night.', 'night'),
        ('A city street in the rain.', 'rain'),
        ('A foggy street.', 'fog'),
        ('Snow lies on the street.', 'snow'),
        ('A wet street.', 'wet'),
        ('A busy motorway.', 'motorway'),
        ('A country road.', 'country'),
        ('We wait at a red light.', 'light'),
        ('The signal is still green.', 'light'),
        ('Following a van along a street.', 'lead'),
    ],
)
def test_claim_that_the_fields_contradict_is_denied(caption: str, name: str) -> None:
    assert denied(caption) == [name]


@pytest.mark.parametrize(
    ('caption', 'fields'),
    [
        ('A pedestrian waits, a red light ahead.', {'people': 1, 'light': 'red'}),
        ('A red light ahead.', {'light': 'unclear'}),
        ('Amber light.', {'light': 'yellow'}),
        ('We wait at a red and amber light.', {'light': 'red'}),
        ('No pedestrians and no oncoming traffic.', {}),
        ('A pedestrian crossing sign.', {}),
        ('A roadworks sign.', {}),
        ('A wet street.', {'surface': 'wet'}),
        ('A wet street.', {'surface': 'unknown'}),
        ('A town street in fog.', {'weather': 'unknown'}),
        ('Our lane is free.', {'lead': 'car', 'lead_range': 'far'}),
        ('A quiet street under a grey sky with tall trees.', {}),
    ],
)
def test_claim_that_nothing_contradicts_stands(caption: str, fields: dict[str, Value]) -> None:
    assert denied(caption, **fields) == []


def test_denying_what_is_there_is_denied() -> None:
    assert denied('Nobody is on the street.', people=2) == ['nobody']
    assert denied('Our lane is free.', lead='car', lead_range='near') == ['free lane']
    assert denied('A dry street.', surface='wet') == ['dry']


def test_side_is_denied_only_by_the_other_side() -> None:
    caption = 'A car stands on the left.'
    assert denied(caption, 'A car on the right.') == ['vehicle on the left']
    assert denied(caption, 'A car on the left.') == []
    assert denied(caption, 'A car.') == []
    assert denied(caption, 'A person on the right.') == []
    assert denied(caption, 'Cars on both sides, a truck on the right.') == []


def test_side_that_a_labelled_box_shows_is_not_denied() -> None:
    seen = annotation('A car on the right.')
    boxed = frame('a', seen, box_sides=frozenset([('car', 'left')]))
    assert denied_claims('A car stands on the left.', boxed, seen) == []


@pytest.mark.parametrize(
    'caption',
    [
        'We follow a small silver car.',
        'A truck is far ahead in our lane.',
        'Close behind a braking bus at a junction.',
        'Sunny road, a white van drives well ahead of us.',
        'A car leads us round the bend.',
        'Two cars brake in front of us.',
    ],
)
def test_lead_is_heard(caption: str) -> None:
    assert says_lead(caption)
    assert not says_no_lead(caption)


@pytest.mark.parametrize(
    'caption',
    [
        'A parked van ahead on the street.',
        'An oncoming car ahead.',
        'A car crosses the junction in front of us.',
        'A bus stop ahead.',
        'A truck ahead in the left lane.',
        'No car ahead.',
        'A car on the left, a junction ahead.',
    ],
)
def test_vehicle_that_does_not_lead_is_no_lead(caption: str) -> None:
    assert not says_lead(caption)


@pytest.mark.parametrize(
    'caption', ['Our lane is free.', 'Our own lane ahead is clear.', 'There is no traffic ahead.']
)
def test_free_lane_is_heard(caption: str) -> None:
    assert says_no_lead(caption)
    assert not says_lead(caption)


def test_support_is_what_the_fields_leave_to_every_claim() -> None:
    published = {
        'light': FieldValue('red', 0.9),
        'oncoming': FieldValue(False, 0.8),
        'lead': FieldValue('car', 0.7),
    }
    assert support('A quiet street.', published) == 1.0
    assert support('A red light.', published) == pytest.approx(0.9)
    assert support('A green light.', published) == pytest.approx(0.1)
    assert support('An oncoming car passes.', published) == pytest.approx(0.2)
    assert support('Following a van to a red light.', published) == pytest.approx(0.7 * 0.9)
    assert support('A country road.', published) == 1.0  # nothing is known of the road
