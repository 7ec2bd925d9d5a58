# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences say nothing that fields and objects deny, whatever the layout."""

import re

import numpy as np
import pytest

from caption_node.description import FIELDS, SceneObject
from caption_node.scenes import render_scene, sentence
from caption_node.scenes.sentences import MAX_WORDS, MIN_WORDS

MOTORS = ('car', 'van', 'truck', 'bus', 'motorcycle')
NUMBERS = {'two': 2, 'three': 3, 'four': 4, 'five': 5}

# What a sentence may only say if a condition holds; written apart from the grammar.
CLAIMS = (
    (r'\b(pedestrians?|people|person|on foot)\b', lambda f: f['people'] > 0),
    (r'\b(pedestrians?|people|person|foot) (is |are )?on the road', lambda f: f['people_on_road']),
    (r'\b(cyclists?|motorcyclists?|riders?)\b', lambda f: f['cyclists'] > 0),
    (r'\b(red|green|amber|yellow) (traffic )?light', lambda f: _lit(f)),
    (r'\blight (is|shows)\b', lambda f: _lit(f)),
    (r'\bred\b', lambda f: f['light'] == 'red'),
    (r'\bgreen\b', lambda f: f['light'] == 'green'),
    (r'\b(amber|yellow)\b', lambda f: f['light'] == 'yellow'),
    (r'\b(night|dark)\b', lambda f: f['time'] == 'night'),
    (r'\b(dusk|twilight|fading light)\b', lambda f: f['time'] == 'dusk'),
    (r'\b(sunny|bright|clear sky|clear weather)\b', lambda f: f['weather'] == 'clear'),
    (r'\b(sunny|bright|clear sky|overcast|cloudy|grey)\b', lambda f: f['time'] == 'day'),
    (r'\b(overcast|cloudy|clouds)\b', lambda f: f['weather'] == 'cloudy'),
    (r'\b(rain|rainy)\b(?!-)', lambda f: f['weather'] == 'rain'),
    (r'\b(fog|foggy)\b', lambda f: f['weather'] == 'fog'),
    (r'\b(falling snow|snowfall)\b', lambda f: f['weather'] == 'snow'),
    (r'\b(snowy|snow-covered|white)\b', lambda f: f['surface'] == 'snow'),
    (r'\b(wet|damp|rain-soaked)\b', lambda f: f['surface'] == 'wet'),
    (r'\bdry\b', lambda f: f['surface'] == 'dry'),
    (r'\b(motorway|highway|freeway)\b', lambda f: f['road'] == 'highway'),
    (r'\btunnel\b', lambda f: f['road'] == 'tunnel'),
    (r'\b(country|rural)\b', lambda f: f['road'] == 'rural'),
    (r'\b(city|town|urban)\b', lambda f: f['road'] == 'city'),
    (r'\bresidential\b', lambda f: f['road'] == 'residential'),
    (r'\bparking\b|\bcar park\b', lambda f: f['road'] == 'parking'),
    (r'\b(junction|intersection|crossing road)\b', lambda f: f['intersection']),
    (r'\b(zebra|crosswalk|marked crossing|the crossing)\b', lambda f: f['crosswalk']),
    (r'\b(roadworks|works zone|construction)\b', lambda f: f['construction']),
    (r'\b(oncoming|other way|towards us)\b', lambda f: f['oncoming']),
    (r'\bparked\b', lambda f: f['parked']),
    (r'\b(no traffic|no other vehicles|other traffic)\b', lambda f: f['vehicles'] == 0),
    (r'\blane( ahead of us)? is (clear|free|empty)\b', lambda f: f['lead'] == 'none'),
    (r'\b(behind|follow|following) (close |closely )?(an? )', lambda f: f['lead'] != 'none'),
    (r'\bclose (ahead|in front|behind)\b', lambda f: f['lead_range'] == 'near'),
    (r'\btraffic (lights|signal)', lambda f: f['light'] == 'unclear'),
)  # fmt: skip


def _lit(fields):
    return fields['light'] in ('red', 'yellow', 'green')


def complaints(text, fields, objects):
    """Everything in a sentence that is not backed."""
    low = text.lower()
    found = [p for p, allowed in CLAIMS if re.search(p, low) and not allowed(fields)]
    kinds = {getattr(o, 'kind', o.class_name) for o in objects} | {fields['lead']}
    for kind in ('van', 'truck', 'bus'):
        if re.search(rf'\b{kind}(s|es)?\b', low) and kind not in kinds:
            found.append(kind)
    for side in ('left', 'right'):
        word = rf'\b(on|to) (the|our) {side}\b'
        if re.search(word, low) and not any(o.position == side for o in objects):
            found.append(side)
    for word, noun in re.findall(r'\b(two|three|four|five) (cars|trucks|vans|buses)\b', low):
        kind = {'buses': 'bus'}.get(noun, noun[:-1])
        there = sum(getattr(o, 'kind', o.class_name) == kind for o in objects)
        if there < NUMBERS[word]:
            found.append(f'{word} {noun}')
    if not MIN_WORDS <= len(text.split()) <= MAX_WORDS:
        found.append(f'{len(text.split())} words')
    if not re.match(r'[A-Z].*[^ ]\.\Z', text) or re.search(r'  | ,|,,|\.\.', text):
        found.append('punctuation')
    return found


def random_layout(rng):
    """Fields and objects that fit together, as training draws them."""
    classes = ('car', 'truck', 'bus', 'person', 'bicycle', 'motorcycle')
    objects = [
        SceneObject(
            str(rng.choice(classes)), 1.0, (0.0, 0.0, 9.0, 9.0),
            str(rng.choice(('left', 'ahead', 'right'))),
            str(rng.choice(('near', 'mid', 'far'))), bool(rng.random() < 0.2),
        )
        for _ in range(int(rng.integers(0, 9)))
    ]  # fmt: skip
    fields = {n: str(rng.choice(f.values)) for n, f in FIELDS.items() if f.kind == 'categorical'}
    fields |= {n: bool(rng.random() < 0.4) for n, f in FIELDS.items() if f.kind == 'boolean'}
    count = {c: sum(o.class_name == c for o in objects) for c in classes}
    lanes = [o for o in objects if o.in_lane and o.class_name != 'person']
    fields['lead'] = lanes[0].class_name if lanes else 'none'
    fields['lead_range'] = lanes[0].range if lanes else 'none'
    fields['vehicles'] = sum(count[c] for c in ('car', 'truck', 'bus', 'motorcycle'))
    fields['cyclists'] = count['bicycle'] + count['motorcycle']
    fields['people'] = count['person']
    fields['people_on_road'] = bool(fields['people_on_road'] and count['person'])
    moving = fields['vehicles'] > bool(lanes)
    fields['oncoming'] = bool(fields['oncoming'] and moving)
    fields['parked'] = bool(fields['parked'] and moving)
    return fields, objects


def test_sentence_claims_nothing_that_a_random_layout_denies():
    rng = np.random.default_rng(3)
    for _ in range(1500):
        fields, objects = random_layout(rng)
        text = sentence(fields, objects, rng)
        assert not complaints(text, fields, objects), (text, fields, objects)


@pytest.mark.parametrize('seed', range(0, 80))
def test_caption_of_a_render_claims_nothing_that_its_truth_denies(seed):
    _, truth = render_scene(seed, 320, 180)
    assert not complaints(truth.caption, truth.fields, truth.objects), (
        truth.caption,
        truth.fields,
    )


def test_sentence_reads_json_objects_like_dataclasses():
    rng = np.random.default_rng(5)
    for _ in range(30):
        fields, objects = random_layout(rng)
        mappings = [
            {'class': o.class_name, 'position': o.position, 'range': o.range, 'in_lane': o.in_lane}
            for o in objects
        ]
        seed = int(rng.integers(1 << 30))
        one = sentence(fields, objects, np.random.default_rng(seed))
        two = sentence(fields, mappings, np.random.default_rng(seed))
        assert one == two


def test_sentences_about_one_scene_vary():
    _, truth = render_scene(12, 320, 180)
    rng = np.random.default_rng(1)
    texts = {sentence(truth.fields, truth.objects, rng) for _ in range(100)}
    assert len(texts) > 60


def test_sentence_always_mentions_a_red_light_and_people_on_the_road():
    rng = np.random.default_rng(9)
    for _ in range(300):
        fields, objects = random_layout(rng)
        text = sentence(fields, objects, rng).lower()
        if fields['light'] == 'red':
            assert 'red' in text, text
        if fields['people_on_road']:
            assert re.search(r'pedestrian|people', text), text
        if fields['time'] == 'night':
            assert re.search(r'night|dark', text), text
