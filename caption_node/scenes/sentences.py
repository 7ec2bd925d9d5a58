# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
One sentence about a scene, from the schema's fields and objects alone.

The sentence has a setting (road, light, weather) and two to four facts in the order in which they
matter. Every fact knows several wordings; none says more than the fields and objects do.
"""

from collections.abc import Mapping, Sequence
import re

import numpy as np

from caption_node.scenes.facts import Fact, Thing, collect, things_of
from caption_node.scenes.wording import articled, setting

Rng = np.random.Generator

MIN_WORDS = 8
MAX_WORDS = 28
# Most facts at first; if that gets too long or too short again and again, fewer.
_CAPS = (*(99,) * 8, *(3,) * 4, *(2,) * 8, *(1,) * 8)


def sentence(fields: Mapping[str, object], objects: Sequence[object], rng: Rng) -> str:
    """
    Describe a scene as a passenger would.

    :param fields: A value for every name of the schema's scene fields.
    :param objects: ``SceneObject``, ``TruthObject``, or their JSON objects as mappings.
    :param rng: Chooses the words; the same state gives the same sentence.
    :returns: 8 to 28 words in the present tense, seen from our vehicle.
    """
    things = things_of(objects)
    best = ''
    for cap in _CAPS:
        text = _compose(fields, things, rng, cap)
        count = len(text.split())
        if MIN_WORDS <= count <= MAX_WORDS:
            return text
        if not best or abs(count - 18) < abs(len(best.split()) - 18):
            best = text
    return best


def _compose(fields: Mapping[str, object], things: Sequence[Thing], rng: Rng, cap: int) -> str:
    """Try one way to say it, with no more than ``cap`` facts."""
    facts = collect(fields, things, rng)
    facts.sort(key=lambda f: -f.weight)
    kept = facts[: int(rng.choice((2, 3, 4), p=(0.25, 0.5, 0.25)))]
    # What must not go unsaid stays, however long the sentence gets.
    kept += [f for f in facts[len(kept) :] if f.weight >= 5.0]
    kept = kept[:cap]
    place = setting(fields, rng)
    style = rng.random()
    opener = next((f for f in kept if f.opener), None)
    subject = next((f for f in kept if f.ours), None)
    if style < 0.34 or len(kept) < 2:
        text = _setting_first(place, kept, rng)
    elif style < 0.6 and opener is not None:
        rest = [f for f in kept if f is not opener]
        text = f'{opener.opener} {_on(place)}, {_clauses(rest, rng)}'
    elif style < 0.82 and subject is not None:
        rest = [f for f in kept if f is not subject]
        text = f'{subject.ours} {_on(place)}, with {_nouns(rest)}'
    else:
        first, rest = kept[0], kept[1:]
        joint = ', with ' if rng.random() < 0.6 else ' and there is '
        if joint == ' and there is ' and not rest[0].singular:
            joint = ' and there are '
        text = f'{first.clause} {_on(place)}{joint}{_nouns(rest)}'
    text = re.sub(r'\s+', ' ', text).strip()
    return text[0].upper() + text[1:] + '.'


def _setting_first(place: str, facts: Sequence[Fact], rng: Rng) -> str:
    """Put the place first: as a bare noun or as 'On a ...'."""
    if not facts:
        return f'we are {_on(place)} and see nothing that needs our attention'
    head = place if rng.random() < 0.6 else _on(place)
    return f'{head}, {_clauses(facts, rng)}'


def _on(place: str) -> str:
    """Put a preposition and an article before a place."""
    words = place.split(' in ')[0].split(' at ')[0].split(' under ')[0]
    inside = any(w in words for w in ('tunnel', 'car park', 'parking'))
    return f'{"in" if inside else "on"} {articled(place)}'


def _clauses(facts: Sequence[Fact], rng: Rng) -> str:
    """Join facts: the first as a clause, the last after 'and' or 'while'."""
    parts = [f.clause for f in facts]
    if len(parts) == 1:
        return parts[0]
    if rng.random() < 0.45:
        return f'{parts[0]}, with {_nouns(facts[1:])}'
    joint = ' and ' if rng.random() < 0.75 else ' while '
    return ', '.join(parts[:-1]) + joint + parts[-1]


def _nouns(facts: Sequence[Fact]) -> str:
    """Join facts as noun phrases."""
    parts = [f.noun for f in facts]
    if len(parts) == 1:
        return parts[0]
    return ', '.join(parts[:-1]) + ' and ' + parts[-1]
