# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What counts as a claim, and how often claims are made up, left out, or without a box."""

import pytest

from caption_node.evaluation.claims import TOPICS, Rate, claim_rates
from caption_node.evaluation.predictions import Prediction
from tests.unit.evaluation.examples import annotation, frame

TOPIC = {topic.name: topic for topic in TOPICS}


@pytest.mark.parametrize(
    ('topic', 'caption'),
    [
        ('people', 'A Pedestrian crosses.'),
        ('people', 'Workers stand there.'),
        ('people', 'A woman waits.'),
        ('cyclists', 'A motorcyclist overtakes.'),
        ('cyclists', 'A rider comes.'),
        ('light', 'A red traffic light.'),
        ('light', 'The signal is green.'),
        ('light', 'Amber lights ahead.'),
        ('night', 'A dark street.'),
        ('lead', 'We follow a van.'),
        ('lead', 'A car is ahead in our lane.'),
    ],
)
def test_claim_is_found(topic: str, caption: str) -> None:
    assert TOPIC[topic].claimed_by(caption)


@pytest.mark.parametrize(
    ('topic', 'caption'),
    [
        ('people', 'No pedestrians are in sight.'),
        ('people', 'A personal view.'),
        ('cyclists', 'A car waits, no cyclists.'),
        ('light', 'A red car at the light.'),
        ('light', 'Signals stand at the junction.'),
        ('night', 'The nightingale road.'),
        ('lead', 'Our lane is free.'),
        ('lead', 'No traffic ahead.'),
        ('lead', 'A car is ahead on the right.'),
        ('lead', 'An oncoming car ahead.'),
    ],
)
def test_no_claim_is_found(topic: str, caption: str) -> None:
    assert not TOPIC[topic].claimed_by(caption)


def test_rates_count_only_frames_on_which_all_annotators_agree() -> None:
    frames = [
        frame('a', annotation(), annotation()),
        frame('b', annotation(people=1), annotation()),
        frame('c', annotation(people=1), annotation(people=2)),
        frame('d', annotation(people=1), annotation(people=2)),
    ]
    said = ['A person.', 'A person.', 'A person.', 'A car.']
    rates = claim_rates(TOPIC['people'], frames, said)
    assert rates.hallucinated == Rate(1, 1)
    assert rates.omitted == Rate(1, 2)
    assert rates.boxless is None


def test_unclear_light_is_no_light_colour() -> None:
    frames = [frame('a', annotation(light='unclear'))]
    rates = claim_rates(TOPIC['light'], frames, ['A red light.'])
    assert rates.hallucinated.share == 1.0
    assert rates.omitted.share is None


def test_claims_without_a_box_are_counted_where_boxes_are_known() -> None:
    frames = [frame(n, annotation(people=1)) for n in 'abcd']
    said = ['A person.', 'A person.', 'A person.', 'A car.']
    predictions = [
        Prediction(said[0], classes=frozenset(['person', 'car'])),
        Prediction(said[1], classes=frozenset(['car'])),
        Prediction(said[2], classes=None),
        None,
    ]
    rates = claim_rates(TOPIC['people'], frames, said, predictions)
    assert rates.boxless == Rate(1, 2)


def test_lead_needs_a_box_in_our_lane() -> None:
    frames = [frame(n, annotation(lead='car', lead_range='near')) for n in 'ab']
    said = ['We follow a car.'] * 2
    predictions = [
        Prediction(said[0], classes=frozenset(['car'])),
        Prediction(said[1], classes=frozenset(['car']), has_lead_box=True),
    ]
    assert claim_rates(TOPIC['lead'], frames, said, predictions).boxless == Rate(1, 2)
