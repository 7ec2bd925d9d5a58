# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What makes a sentence unusable."""

import math

import numpy as np
import pytest

from caption_node.description import FieldValue, SceneObject
from caption_node.trust import disagreement, word_confidence


def thing(name: str) -> SceneObject:
    return SceneObject(name, 0.9, (0, 0, 10, 10), 'ahead', 'near', True)


def light(value: str) -> dict[str, FieldValue]:
    return {'light': FieldValue(value, 0.9)}


@pytest.mark.parametrize(
    ('caption', 'objects', 'state', 'agrees'),
    [
        ('A pedestrian crosses in front of us.', [], 'none', False),
        ('A pedestrian crosses in front of us.', ['person'], 'none', True),
        ('The crosswalk is empty and no pedestrians are near.', [], 'none', True),
        ('A people carrier drives ahead.', [], 'none', True),
        ('A cyclist rides on the right.', ['person'], 'none', False),
        ('A cyclist rides on the right.', ['bicycle'], 'none', True),
        ('The light is red at the junction.', [], 'red', True),
        ('The light is red at the junction.', [], 'green', False),
        ('A red light stops us.', [], 'none', False),
        ('A red car is ahead and the signal is green.', [], 'green', True),
        ('The light turned amber.', [], 'yellow', True),
        ('We wait at a red-lit junction behind a car.', [], 'none', True),
    ],
)
def test_sentence_must_be_borne_out(
    caption: str, objects: list[str], state: str, agrees: bool
) -> None:
    assert (disagreement(caption, light(state), [thing(o) for o in objects]) == '') is agrees


def test_word_confidence_is_a_logistic_of_the_mean_over_said_words() -> None:
    tokens = np.array([5, 6, 2, 0, 0])
    logp = np.array([-0.1, -0.4, -0.1, 0, 0], dtype=np.float32)
    assert word_confidence(logp, tokens, 2.0, 0.5) == pytest.approx(
        1 / (1 + math.exp(-(2.0 * -0.2 + 0.5))), abs=1e-6
    )
    assert word_confidence(logp, np.zeros(5, dtype=np.int64), 2.0, 0.5) == 0.0
