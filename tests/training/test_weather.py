# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Light and weather that are simulated: the picture changes as the label says, and no more."""

import cv2
import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.description import FIELDS, Value
from caption_node.training.darkness import dusk, night
from caption_node.training.labels import Label
from caption_node.training.weather import choose_change, fog, overcast, rain, snow

HORIZON = 120


def label(caption: str = 'A car is ahead on a city street.', **changes: Value) -> Label:
    fields: dict[str, Value] = {
        n: f.values[0] if f.values else f.kind == 'count' and 0 for n, f in FIELDS.items()
    }
    fields |= {'time': 'day', 'weather': 'cloudy', 'surface': 'dry', **changes}
    return Label(fields, caption, np.zeros((0, 6), dtype=np.float32))


@pytest.fixture
def street() -> NDArray[np.uint8]:
    """A white sky over houses and a grey road, as large as the model's input."""
    image = np.full((240, 400, 3), 235, dtype=np.uint8)
    image[70:HORIZON] = (120, 100, 90)
    image[HORIZON:] = 110
    cv2.line(image, (200, HORIZON), (150, 239), (230, 230, 230), 4)
    return image


def bright(image: NDArray[np.uint8], top: int, bottom: int) -> float:
    return float(image[top:bottom].mean())


@pytest.mark.parametrize('seed', range(12))
def test_night_has_a_dark_sky_and_says_so(street: NDArray[np.uint8], seed: int) -> None:
    image, changed = night(street, label(), np.random.default_rng(seed))
    assert image.shape == street.shape
    assert bright(image, 0, 60) < 0.5 * bright(street, 0, 60)
    assert changed.fields['time'] == 'night'
    assert changed.fields['weather'] == 'unknown'
    assert changed.fields['vehicles'] == 0
    assert 'night' in (changed.caption or '')


def test_nights_reach_from_black_to_grey_skies_and_dry_to_wet(street: NDArray[np.uint8]) -> None:
    made = [night(street, label(), np.random.default_rng(seed)) for seed in range(40)]
    skies = [bright(image, 0, 60) for image, _ in made]
    assert min(skies) < 15
    assert max(skies) > 45  # a long exposure
    assert {changed.fields['surface'] for _, changed in made} == {'dry', 'wet'}


def test_a_road_under_snow_does_not_turn_wet_by_night(street: NDArray[np.uint8]) -> None:
    made = [night(street, label(surface='snow'), np.random.default_rng(s))[1] for s in range(20)]
    assert {changed.fields['surface'] for changed in made} == {'snow'}


@pytest.mark.parametrize('seed', range(6))
def test_dusk_leaves_the_sky_brighter_than_the_road(street: NDArray[np.uint8], seed: int) -> None:
    image, changed = dusk(street, label(), np.random.default_rng(seed))
    assert bright(image, 0, 60) > bright(image, HORIZON + 20, 240)
    assert changed.fields['time'] == 'dusk'
    assert changed.fields['weather'] == 'cloudy'
    assert 'dusk' in (changed.caption or '')


def test_a_grey_sky_changes_nothing_that_is_said(street: NDArray[np.uint8]) -> None:
    before = label()
    image, after = overcast(street, before, np.random.default_rng(3))
    assert after is before
    assert np.abs(image.astype(int) - street).mean() > 2


@pytest.mark.parametrize(
    ('change', 'field', 'value'),
    [(fog, 'weather', 'fog'), (rain, 'surface', 'wet'), (snow, 'surface', 'snow')],
)
def test_weather_says_what_it_does(
    street: NDArray[np.uint8], change: object, field: str, value: str
) -> None:
    assert callable(change)
    _, changed = change(street, label(), np.random.default_rng(1))
    assert changed.fields[field] == value


def test_a_sentence_that_speaks_of_the_sun_is_given_up(street: NDArray[np.uint8]) -> None:
    sunny = label('The sun stands low over the street.')
    assert night(street, sunny, np.random.default_rng(0))[1].caption is None


def test_only_grey_days_change_their_weather() -> None:
    rng = np.random.default_rng(0)
    sunny = {choose_change(label(weather='clear'), rng) for _ in range(200)}
    assert sunny == {night, None}
    grey = {choose_change(label(), rng) for _ in range(400)}
    assert grey == {night, dusk, fog, rain, snow, overcast, None}
    assert {choose_change(label(time='night'), rng) for _ in range(50)} == {None}
