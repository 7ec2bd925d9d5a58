# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Steady fields, stable sentences, the motion gate, and when something has changed."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.description import FIELDS, FieldValue, SceneDescription, SceneObject
from caption_node.frame import Frame
from caption_node.stream import SceneStream, StreamSettings
from tests.drawn import draw_street
from tests.schema import PLAIN_WORDS

STEP_S = 0.1


def scene(confidence: float = 0.9, **values: object) -> dict[str, FieldValue]:
    """Return a plain scene with some fields changed."""
    empty = {'boolean': False, 'count': 0}
    found = {name: PLAIN_WORDS.get(name, empty.get(spec.kind)) for name, spec in FIELDS.items()}
    return {name: FieldValue(v, confidence) for name, v in {**found, **values}.items()}


def direction(angle: float) -> NDArray[np.float32]:
    """Return an embedding; the cosine of two is that of the difference of their angles."""
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def said(
    caption: str = 'A quiet street.', angle: float = 0.0, confidence: float = 0.9, **values: object
) -> SceneDescription:
    """Return a description of one frame."""
    return SceneDescription(
        stamp_ns=1,
        frame_id='lens',
        camera='front',
        caption=caption,
        confidence=0.8,
        scene=scene(confidence, **values),
        embedding=direction(angle),
    )


class Drive:
    """A stream with its clock."""

    def __init__(self, **settings: float) -> None:
        self.stream = SceneStream('front', StreamSettings(**settings))
        self.time_s = 100.0

    def show(self, description: SceneDescription, step_s: float = STEP_S) -> SceneDescription:
        """Let time pass, and show the next description."""
        self.time_s += step_s
        self.moment = self.stream.update(
            replace(description, stamp_ns=int(self.time_s * 1e9)), self.time_s
        )
        return self.moment.description


def test_one_odd_frame_changes_no_field() -> None:
    drive = Drive()
    drive.show(said())
    odd = drive.show(said(weather='rain', confidence=0.6))
    assert odd.scene['weather'].value == 'cloudy'
    assert odd.scene['weather'].confidence < 0.9
    assert drive.show(said()).scene['weather'].value == 'cloudy'


def test_a_field_that_stays_changes_within_the_time_constant() -> None:
    drive = Drive(smoothing_s=0.4)
    drive.show(said())
    seen = [drive.show(said(weather='rain')).scene['weather'].value for _ in range(8)]
    assert seen[0] == 'cloudy'
    assert seen[-1] == 'rain'
    # One change, not several.
    assert seen == sorted(seen)


def test_a_wavering_field_is_held() -> None:
    drive = Drive()
    drive.show(said())
    words = [
        drive.show(said(road=road, confidence=0.6)).scene['road'].value
        for road in ('city', 'residential') * 10
    ]
    assert len(set(words)) == 1


@pytest.mark.parametrize(
    'urgent', [{'people_on_road': True, 'people': 1}, {'light': 'red'}, {'light': 'yellow'}]
)
def test_what_a_driver_must_see_at_once_is_never_held_back(urgent: dict[str, object]) -> None:
    drive = Drive(smoothing_s=10.0)
    drive.show(said())
    shown = drive.show(said(**urgent)).scene
    name, value = next(iter(urgent.items()))
    assert shown[name].value == value


def test_a_person_on_the_road_is_counted_too() -> None:
    drive = Drive(smoothing_s=10.0)
    drive.show(said())
    shown = drive.show(said(people_on_road=True, people=2)).scene
    assert shown['people_on_road'].value is True
    assert shown['people'].value == 2


def test_counts_waver_less_and_follow() -> None:
    drive = Drive()
    drive.show(said(vehicles=4))
    wavering = [drive.show(said(vehicles=n)).scene['vehicles'].value for n in (5, 4, 3, 4, 5, 4)]
    assert set(wavering) == {4}
    followed = [drive.show(said(vehicles=8)).scene['vehicles'].value for _ in range(15)]
    assert followed[-1] == 8
    assert followed == sorted(followed)


def test_lead_and_its_range_always_go_together() -> None:
    drive = Drive()
    rng = np.random.default_rng(3)
    drive.show(said())
    for _ in range(200):
        lead = str(rng.choice(['none', 'car', 'truck']))
        reach = 'none' if lead == 'none' else str(rng.choice(['near', 'mid', 'far']))
        confidence = float(rng.uniform(0.3, 1.0))
        shown = drive.show(said(lead=lead, lead_range=reach, confidence=confidence)).scene
        assert (shown['lead'].value == 'none') == (shown['lead_range'].value == 'none')


def test_smoothing_of_zero_takes_every_frame_as_it_is() -> None:
    drive = Drive(smoothing_s=0.0)
    drive.show(said(vehicles=3))
    shown = drive.show(said(weather='fog', vehicles=9, confidence=0.3))
    assert shown.scene == scene(0.3, weather='fog', vehicles=9)


def test_a_sentence_is_kept_while_the_scene_is_the_same_but_not_for_ever() -> None:
    drive = Drive(sentence_hold_s=1.0)
    captions = [drive.show(said(f'Sentence {n}.')).caption for n in range(25)]
    assert captions[:10] == ['Sentence 0.'] * 10
    assert len(set(captions)) == 3
    ages = drive.moment.caption_age_s
    assert 0 <= ages < 1.0


@pytest.mark.parametrize(
    'change', [{'angle': 1.0}, {'light': 'red'}, {'people_on_road': True, 'people': 1}]
)
def test_a_sentence_ends_with_its_scene(change: dict[str, object]) -> None:
    drive = Drive()
    drive.show(said('Before.'))
    assert drive.show(said('Still before.')).caption == 'Before.'
    assert drive.show(said('After.', **change)).caption == 'After.'
    assert drive.moment.caption_age_s == 0.0


def test_a_kept_sentence_is_no_surer_than_what_is_seen_now() -> None:
    drive = Drive()
    drive.show(said('Kept.'))
    shown = drive.show(replace(said('New.'), confidence=0.2))
    assert (shown.caption, shown.confidence) == ('Kept.', 0.2)


def test_a_sentence_that_nothing_bears_out_any_more_is_not_kept() -> None:
    drive = Drive()
    drive.show(said('A red light ahead.', light='red'))
    # The field is still held at red, but the sentence of this frame says what is seen.
    for _ in range(30):
        shown = drive.show(said('A green light ahead.', light='green'))
    assert (shown.caption, shown.scene['light'].value) == ('A green light ahead.', 'green')


def test_a_new_sentence_never_contradicts_the_fields_beside_it() -> None:
    drive = Drive(smoothing_s=10.0)
    drive.show(said())
    lamp = SceneObject('traffic light', 0.9, (1.0, 1.0, 9.0, 20.0), 'ahead', 'mid', False)
    green = said('The light is green.', angle=1.0, light='green', confidence=0.6)
    shown = drive.show(replace(green, objects=(lamp,)))
    assert shown.caption == 'The light is green.'
    assert shown.scene['light'].value == 'green'


@pytest.mark.parametrize('status', ['abstain', 'error'])
def test_what_is_not_ok_is_passed_on_as_it_is(status: str) -> None:
    drive = Drive()
    drive.show(said('Before.'))
    bad = replace(said('Dark.', weather='fog'), status=status, reason='why', stamp_ns=0)
    shown = drive.show(bad)
    assert replace(shown, stamp_ns=0) == bad
    assert drive.show(said('New.')).scene['weather'].value == 'cloudy'


@pytest.mark.parametrize('step_s', [-50.0, 5.0])
def test_after_a_jump_or_a_gap_everything_begins_anew(step_s: float) -> None:
    drive = Drive()
    drive.show(said('Before.'))
    shown = drive.show(said('After.', weather='rain', vehicles=7), step_s)
    assert shown.caption == 'After.'
    assert shown.scene == scene(0.9, weather='rain', vehicles=7)


def test_only_what_says_something_new_has_changed() -> None:
    drive = Drive(repeat_s=0.95, sentence_hold_s=60.0)
    changed = []
    for _ in range(21):
        drive.show(said())
        changed.append(drive.moment.changed)
    assert [n for n, new in enumerate(changed) if new] == [0, 10, 20]
    drive.show(said(light='red'))
    assert drive.moment.changed


def frame(seed: int = 1, noise: int = 0, patch: bool = False) -> Frame:
    """Draw a picture, with sensor noise or a small thing in it."""
    rgb = draw_street(seed, 640, 360).astype(np.int16)
    if noise:
        rgb += np.random.default_rng(noise).integers(-3, 4, rgb.shape)
    if patch:
        rgb[200:232, 300:324] = 255
    return Frame(rgb.clip(0, 255).astype(np.uint8), stamp_ns=noise)


class TestGate:
    """The motion gate."""

    @pytest.fixture
    def still(self) -> SceneStream:
        """A stream that has seen the same scene twice."""
        stream = SceneStream('front', StreamSettings(gate_s=0.5))
        for time_s, noise in ((1.0, 1), (1.1, 2)):
            stream.update(said(), time_s, frame(noise=noise))
        return stream

    def test_a_picture_in_which_nothing_moves_needs_no_model(self, still: SceneStream) -> None:
        moment = still.reuse(frame(noise=3), 1.2)
        assert moment is not None
        assert moment.reused
        assert moment.description.caption == 'A quiet street.'
        assert moment.description.stamp_ns == 3
        assert moment.caption_age_s == pytest.approx(0.2)

    def test_it_is_bounded_in_time(self, still: SceneStream) -> None:
        assert still.reuse(frame(noise=3), 1.59) is not None
        assert still.reuse(frame(noise=4), 1.61) is None

    def test_a_small_thing_that_appears_opens_it(self, still: SceneStream) -> None:
        assert still.reuse(frame(noise=3, patch=True), 1.2) is None

    def test_the_very_same_picture_is_shown_to_the_model(self, still: SceneStream) -> None:
        assert still.reuse(frame(noise=2), 1.2) is None

    def test_it_is_closed_only_by_an_embedding_that_stays(self) -> None:
        stream = SceneStream('front', StreamSettings(gate_s=0.5))
        stream.update(said(), 1.0, frame(noise=1))
        assert stream.reuse(frame(noise=2), 1.1) is None
        stream.update(said(angle=1.0), 1.2, frame(noise=3))
        assert stream.reuse(frame(noise=4), 1.3) is None

    def test_what_is_not_ok_is_never_used_again(self) -> None:
        stream = SceneStream('front', StreamSettings(gate_s=0.5))
        for time_s, noise in ((1.0, 1), (1.1, 2)):
            stream.update(replace(said(), status='abstain'), time_s, frame(noise=noise))
        assert stream.reuse(frame(noise=3), 1.2) is None

    def test_it_is_off_by_default(self) -> None:
        stream = SceneStream('front')
        for time_s, noise in ((1.0, 1), (1.1, 2)):
            stream.update(said(), time_s, frame(noise=noise))
        assert stream.reuse(frame(noise=3), 1.2) is None
