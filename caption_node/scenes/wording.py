# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Words for numbers, sides and places."""

from collections.abc import Mapping, Sequence

import numpy as np

Rng = np.random.Generator

_ROADS = {
    'highway': ('motorway', 'highway', 'freeway', 'divided highway', 'multi-lane highway'),
    'city': ('city street', 'town street', 'urban road', 'city road', 'street in town'),
    'residential': ('residential street', 'residential road', 'street in a residential area'),
    'rural': ('country road', 'rural road', 'road in the country'),
    'industrial': (
        'industrial road',
        'road in an industrial area',
        'street in an industrial area',
    ),
    'parking': ('car park', 'parking area', 'parking aisle'),
    'private': ('private road', 'private drive', 'narrow private lane'),
    'tunnel': ('tunnel', 'road tunnel'),
}
_NUMBERS = ('no', 'a', 'two', 'three', 'four', 'five')
_PLURALS = {'bus': 'buses', 'person': 'people', 'child': 'children'}
_SIDES = {
    'left': ('on the left', 'to our left', 'on the left side'),
    'right': ('on the right', 'to our right', 'on the right side'),
    'ahead': ('ahead', 'in front of us', 'straight ahead'),
}


def pick(rng: Rng, options: Sequence[str]) -> str:
    """Choose one of several wordings."""
    return options[int(rng.integers(len(options)))]


def articled(noun: str) -> str:
    """Put 'a' or 'an' before a noun phrase."""
    vowel = noun[0] in 'aeio' or (noun[0] == 'u' and not noun.startswith('uni'))
    return f'{"an" if vowel else "a"} {noun}'


def plural(noun: str) -> str:
    """Plural of a single word."""
    return _PLURALS.get(noun, noun + 's')


def counted(count: int, noun: str, rng: Rng) -> str:
    """'a car', 'two cars', 'several cars', 'many cars'."""
    if count == 1:
        return articled(noun) if rng.random() < 0.75 else f'one {noun}'
    if count < len(_NUMBERS) and rng.random() < 0.8:
        return f'{_NUMBERS[count]} {plural(noun)}'
    if count == 2:
        return f'a pair of {plural(noun)}'
    if count < 4:
        return f'a few {plural(noun)}'
    return f'{"several" if count < 8 else "many"} {plural(noun)}'


def side(position: str, rng: Rng) -> str:
    """Phrase for left, ahead or right."""
    return pick(rng, _SIDES[position])


def setting(fields: Mapping[str, object], rng: Rng) -> str:
    """
    Noun phrase for the place without an article, such as 'wet city street at night'.

    Night, rain, fog and snow are always said; the rest only sometimes.
    """
    road, time = str(fields['road']), str(fields['time'])
    weather, surface = str(fields['weather']), str(fields['surface'])
    before: list[str] = []
    after: list[str] = []
    if surface == 'wet':
        before.append(pick(rng, ('wet', 'wet', 'rain-soaked' if weather == 'rain' else 'damp')))
    elif surface == 'snow':
        before.append(pick(rng, ('snowy', 'snow-covered', 'white')))
    elif surface == 'dry' and rng.random() < 0.25:
        before.append('dry')
    if weather == 'fog':
        (before if rng.random() < 0.4 else after).append('foggy')
    elif weather == 'rain' and (surface != 'wet' or rng.random() < 0.75):
        after.append(pick(rng, ('in the rain', 'in rainy weather', 'in rain')))
    elif weather == 'snow':
        after.append(pick(rng, ('in falling snow', 'in snowfall')))
    after = [pick(rng, ('in fog', 'in thick air and fog', 'in the fog')) if a == 'foggy' else a
             for a in after]  # fmt: skip
    if time == 'night':
        (before if rng.random() < 0.25 else after).append('night')
        before = ['dark' if b == 'night' else b for b in before]
        after = ['at night' if a == 'night' else a for a in after]
    elif time == 'dusk' and rng.random() < 0.8:
        after.append(pick(rng, ('at dusk', 'in twilight', 'in fading light')))
    elif time == 'day' and not after and road != 'tunnel':
        _daylight(weather, before, after, rng)
    return ' '.join([*before, pick(rng, _ROADS[road]), *after])


def _daylight(weather: str, before: list[str], after: list[str], rng: Rng) -> None:
    """Sometimes say what the sky is like, in place."""
    if weather == 'clear' and rng.random() < 0.6:
        if rng.random() < 0.5 and not before:
            before.append(pick(rng, ('sunny', 'bright')))
        else:
            after.append(pick(rng, ('on a sunny day', 'under a clear sky', 'in clear weather')))
    elif weather == 'cloudy' and rng.random() < 0.5:
        after.append(pick(rng, ('on an overcast day', 'under a cloudy sky', 'under grey clouds')))
