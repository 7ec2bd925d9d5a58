# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Which claims of a sentence an annotator denies: what makes a sentence wrong, for its confidence.

A sentence is right, as far as one annotator can tell, if that annotator denies none of its claims
about road users, signals, the vehicle ahead, sides, weather, surface, night, and the kind of road.
What it leaves out, and what no field records, does not make it wrong.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import re

from caption_node.description import Value
from caption_node.evaluation.frames import Annotation, LabelledFrame
from caption_node.evaluation.lead_words import says_lead, says_no_lead
from caption_node.evaluation.side_words import denied_sides

Fields = Mapping[str, Value]

_NOBODY = re.compile(
    r'\b(?:no|nobody|without|free of) (?:[\w-]+ ){0,2}?'
    r'(?:pedestrians?|people|persons?|cyclists?|riders?|one on foot)\b|\bnobody\b|\bno one\b'
)
_NO_PEOPLE = re.compile(r'\bno (?:[\w-]+ ){0,1}?(?:pedestrians?|people|persons?)\b|\bnobody\b')
_SIGNAL = re.compile(
    r'\b(red|green|yellow|amber)(?:-lit| and amber| and yellow)? (?:traffic )?'
    r'(?:light|signal|arrow)s?\b'
    r'|\b(?:light|signal|arrow)s? (?:is|are|still|shows?|showing|turned?) (?:still )?'
    r'(red|green|yellow|amber)\b'
)
_COLOURS = {'amber': 'yellow'}


@dataclass(frozen=True, slots=True)
class Claim:
    """
    A kind of claim by its words.

    :param denied: Whether an annotator's fields deny it.
    """

    name: str
    words: re.Pattern[str]
    denied: Callable[[Fields], bool]


def _words(text: str) -> re.Pattern[str]:
    return re.compile(rf'\b(?:{text})\b')


def _field_in(field: str, *values: Value) -> Callable[[Fields], bool]:
    return lambda fields: fields[field] in values


_CLAIMS = (
    Claim(
        'people',
        _words(
            'pedestrians?|people(?! carrier)|persons?|wom[ae]n|children|child|workers?|walkers?)'
            '(?! (?:crossing|warning)'
        ),
        _field_in('people', 0),
    ),
    Claim(
        'cyclists',
        _words(
            'cyclists?|motorcyclists?|riders?|(?:bicycles?|motorcycles?|scooters?) rid(?:es?|ing)'
        ),
        _field_in('cyclists', 0),
    ),
    Claim(
        'oncoming',
        _words('(?<!no )oncoming (?!lanes?|side|carriageway)'),
        _field_in('oncoming', False),
    ),
    Claim(
        'parked',
        _words(
            'parked (?:cars?|vans?|vehicles?|trucks?)|(?:cars?|vans?|vehicles?) (?:are )?parked'
        ),
        _field_in('parked', False),
    ),
    Claim('crosswalk', _words('crosswalks?|zebras?'), _field_in('crosswalk', False)),
    Claim(
        'works',
        _words('roadworks?(?! sign)|works(?! sign)|cones?'),
        _field_in('construction', False),
    ),
    Claim('night', _words('(?:at|by) night|night(?:-time)?'), _field_in('time', 'day')),
    Claim(
        'rain',
        _words('(?:in (?:the |heavy |light )?)rain|rainy|raining|rainfall'),
        _field_in('weather', 'clear', 'cloudy', 'snow', 'fog'),
    ),
    Claim('fog', _words('fog|foggy'), _field_in('weather', 'clear', 'cloudy', 'snow')),
    Claim(
        'snow',
        _words('snow|snowy|snowfall|snow-covered'),
        lambda f: f['surface'] == 'dry' and f['weather'] != 'snow',
    ),
    Claim('wet', _words('wet|damp|rain-soaked'), _field_in('surface', 'dry')),
    Claim('dry', _words('dry'), _field_in('surface', 'wet', 'snow')),
    Claim(
        'motorway',
        _words('motorway|freeway|autobahn'),
        _field_in('road', 'city', 'residential', 'parking', 'private', 'industrial'),
    ),
    Claim(
        'town',
        _words('(?:city|town|urban) (?:street|road)'),
        _field_in('road', 'rural', 'highway'),
    ),
    Claim(
        'country',
        _words('(?:country|rural) road'),
        _field_in('road', 'city', 'residential', 'parking', 'tunnel'),
    ),
)


def denied_claims(caption: str, frame: LabelledFrame, annotation: Annotation) -> list[str]:
    """
    Name the claims of a sentence that one annotator denies.

    :param frame: Its labelled boxes may bear out a side that the annotator does not mention.
    """
    text = ' '.join(caption.lower().split())
    fields = annotation.fields
    positive = _NOBODY.sub(' ', text)
    denied = [c.name for c in _CLAIMS if c.words.search(positive) and c.denied(fields)]
    if _NO_PEOPLE.search(text) and fields['people'] != 0:
        denied.append('nobody')
    colours = {
        _COLOURS.get(colour, colour)
        for match in _SIGNAL.findall(text)
        for colour in match
        if colour
    }
    if colours and fields['light'] not in (*colours, 'unclear'):
        denied.append('light')
    if says_lead(text) and fields['lead'] == 'none':
        denied.append('lead')
    if says_no_lead(text) and fields['lead_range'] in ('near', 'mid'):
        denied.append('free lane')
    denied += denied_sides(text, annotation.caption, frame.box_sides)
    return denied
