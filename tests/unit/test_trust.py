# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What makes a sentence unusable."""

import math

import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.bundle import CaptionConfidence
from caption_node.description import FieldValue, SceneObject
from caption_node.frame import Frame
from caption_node.trust import Trust, disagreement, word_confidence
from tests.conftest import street


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
        ('The light is red at the junction.', ['traffic light'], 'red', True),
        ('The light is red at the junction.', [], 'red', False),
        ('The light is red at the junction.', ['traffic light'], 'green', False),
        ('A red light stops us.', ['traffic light'], 'none', False),
        ('A red car and the signal is green.', ['traffic light'], 'green', True),
        ('The light has turned amber.', ['traffic light'], 'yellow', True),
        ('The light has turned amber.', [], 'yellow', False),
        ('Green for us at the junction.', [], 'green', False),
        ('A red car stands on the left with its brake lights on.', ['car'], 'none', True),
        ('We wait at a red-lit junction.', [], 'red', False),
        ('We wait at a red-lit junction.', ['traffic light'], 'red', True),
        ('A pedestrian crossing lies ahead.', [], 'none', True),
        ('A bike lane runs along the right.', [], 'none', True),
        ('Following a white van on a wet road.', [], 'none', False),
        ('Following a white van on a wet road.', ['truck'], 'none', True),
        ('A car is far off on the left.', [], 'none', True),
        ('A car is close ahead.', [], 'none', False),
        ('There is no traffic on the road.', ['car'], 'none', False),
        ('There is no traffic on the road.', [], 'none', True),
    ],
)
def test_sentence_must_be_borne_out(
    caption: str, objects: list[str], state: str, agrees: bool
) -> None:
    assert (disagreement(caption, light(state), [thing(o) for o in objects]) == '') is agrees


def test_word_confidence_is_a_logistic_of_the_mean_over_said_words() -> None:
    tokens = np.array([5, 6, 2, 0, 0])
    logp = np.array([-0.1, -0.4, -0.1, 0, 0], dtype=np.float32)
    assert word_confidence(logp, tokens, CaptionConfidence(2.0, 0.5)) == pytest.approx(
        1 / (1 + math.exp(-(2.0 * -0.2 + 0.5))), abs=1e-6
    )
    assert word_confidence(logp, np.zeros(5, dtype=np.int64), CaptionConfidence(2.0, 0.5)) == 0.0


def test_sentence_that_the_fields_contradict_is_trusted_less() -> None:
    tokens, logp = np.array([5, 2]), np.array([-0.1, -0.1], dtype=np.float32)
    rule = CaptionConfidence(0.0, 1.0, 2.0)
    assert word_confidence(logp, tokens, rule, 0.5) == pytest.approx(1 / (1 + math.exp(-1.0)))
    assert word_confidence(logp, tokens, rule, 0.2) == pytest.approx(
        1 / (1 + math.exp(-(1.0 + 2.0 * math.log(0.25))))
    )
    alone = CaptionConfidence(0.0, 0.0, 1.0)
    assert word_confidence(logp, tokens, alone, 0.7) == pytest.approx(0.7)
    assert word_confidence(logp, tokens, alone, 1.0) < 1
    assert 0 < word_confidence(logp, tokens, rule, 0.0) < word_confidence(logp, tokens, rule, 0.1)


LIMITS = {'dark': 24.0, 'contrast': 10.0, 'noise': 0.75}


def doubt(trust: Trust, picture: NDArray[np.uint8], stamp_ns: int = 0) -> str:
    frame = Frame(picture, stamp_ns=stamp_ns, camera='front')
    return trust.doubt(frame, picture, np.zeros(4, dtype=np.float32))


def test_frozen_camera_is_named_with_its_time() -> None:
    trust = Trust({**LIMITS, 'frozen_s': 0.3, 'frozen_repeats': 2.0}, None)
    said = [doubt(trust, street(), 1 + i * 100_000_000) for i in range(5)]
    assert said[:3] == ['', '', '']
    assert said[3] == 'the camera has given the same picture for 0.3 s: it is frozen'
    assert doubt(trust, street(shift=9), 10**9) == ''


def test_what_a_picture_lacks_comes_before_how_long_it_lacks_it() -> None:
    trust = Trust(LIMITS, None)
    black = np.zeros((360, 640, 3), dtype=np.uint8)
    assert {doubt(trust, black, 1 + i * 10**9) for i in range(6)} == {'the picture is too dark'}


def test_pictures_without_stamps_are_never_frozen() -> None:
    trust = Trust(LIMITS, None)
    assert {doubt(trust, street()) for _ in range(20)} == {''}
