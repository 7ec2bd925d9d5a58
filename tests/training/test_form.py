# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0

import pytest

from caption_node.training.form import faults_of_form
from caption_node.training.rewards import Judge
from tests.training.test_self_critical import ROWS

GOOD = (
    'Red light at a wide city junction, a car is ahead on the left and our lane is free.',
    'Wet city road under a grey sky, a large car brakes in the lane to our left.',
    'At night, an oncoming car passes on the left and no one is crossing.',
    'A wide, dry road with parked cars on the right and one car far ahead.',
)
BAD = {
    'A car is ahead and a truck is on the.': 'unfinished',
    'Red light at a red light at a city junction.': 'twice',
    'A wide road with a free, a car on the right.': 'no noun',
    'A car passes on the right on the left.': 'side of a side',
    'A oncoming car is on the left.': 'a before a vowel',
    'Dry street with an car on the left.': 'an before a consonant',
    'Town road, with a truck is in the distance.': 'broken',
    'Narrow the lane beside a long row of cars.': 'broken',
    'A car is parked cars stand on the left.': 'broken',
}


@pytest.mark.parametrize('sentence', GOOD)
def test_nothing_is_found_in_what_people_write(sentence: str) -> None:
    assert faults_of_form(sentence) == []


@pytest.mark.parametrize(('sentence', 'kind'), BAD.items())
def test_names_the_fault(sentence: str, kind: str) -> None:
    assert kind in [fault.split(':')[0] for fault in faults_of_form(sentence)]


def test_an_empty_sentence_has_no_form_to_be_faulty() -> None:
    assert faults_of_form('') == []
    assert faults_of_form('the') == ['unfinished: the']


def test_the_judge_takes_faults_off_the_reward() -> None:
    faulty = 'A car is ahead and a truck is on the.'
    strict, mild = (Judge(ROWS, neighbours=0, form_penalty=p) for p in (0.5, 0.0))
    row = ROWS[0]
    assert strict.reward(faulty, row) == pytest.approx(mild.reward(faulty, row) - 0.5)
    assert strict.reward(row['caption'], row) == mild.reward(row['caption'], row)
