# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Which claims of a sentence an annotator denies: what makes a sentence wrong, for its confidence.

A sentence is right, as far as one annotator can tell, if that annotator denies none of its claims
about road users, signals, the vehicle ahead, sides, weather, surface, night, and the kind of road.
What it leaves out, and what no field records, does not make it wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import re

from caption_node.description import FIELDS, MAX_COUNT, FieldValue, Value
from caption_node.evaluation.frames import Annotation, LabelledFrame
from caption_node.evaluation.lead_words import says_lead, says_no_lead
from caption_node.evaluation.side_words import denied_sides

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


Denying = Mapping[str, tuple[Value, ...]]
"""Values by field that deny a claim; where several fields are named, all of them have to."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A kind of claim by its words, and what denies it."""

    name: str
    words: re.Pattern[str]
    denied_by: Denying


def _words(text: str) -> re.Pattern[str]:
    return re.compile(rf'\b(?:{text})\b')


_CLAIMS = (
    Claim(
        'people',
        _words(
            'pedestrians?|people(?! carrier)|persons?|wom[ae]n|children|child|workers?|walkers?)'
            '(?! (?:crossing|warning)'
        ),
        {'people': (0,)},
    ),
    Claim(
        'cyclists',
        _words(
            'cyclists?|motorcyclists?|riders?|(?:bicycles?|motorcycles?|scooters?) rid(?:es?|ing)'
        ),
        {'cyclists': (0,)},
    ),
    Claim(
        'oncoming',
        _words('(?<!no )oncoming (?!lanes?|side|carriageway)'),
        {'oncoming': (False,)},
    ),
    Claim(
        'parked',
        _words(
            'parked (?:cars?|vans?|vehicles?|trucks?)|(?:cars?|vans?|vehicles?) (?:are )?parked'
        ),
        {'parked': (False,)},
    ),
    Claim('crosswalk', _words('crosswalks?|zebras?'), {'crosswalk': (False,)}),
    Claim(
        'works',
        _words('roadworks?(?! sign)|works(?! sign)|cones?'),
        {'construction': (False,)},
    ),
    Claim('night', _words('(?:at|by) night|night(?:-time)?'), {'time': ('day',)}),
    Claim(
        'rain',
        _words('(?:in (?:the |heavy |light )?)rain|rainy|raining|rainfall'),
        {'weather': ('clear', 'cloudy', 'snow', 'fog')},
    ),
    Claim('fog', _words('fog|foggy'), {'weather': ('clear', 'cloudy', 'snow')}),
    Claim(
        'snow',
        _words('snow|snowy|snowfall|snow-covered'),
        {
            'surface': ('dry',),
            'weather': tuple(v for v in FIELDS['weather'].values if v != 'snow'),
        },
    ),
    Claim('wet', _words('wet|damp|rain-soaked'), {'surface': ('dry',)}),
    Claim('dry', _words('dry'), {'surface': ('wet', 'snow')}),
    Claim(
        'motorway',
        _words('motorway|freeway|autobahn'),
        {'road': ('city', 'residential', 'parking', 'private', 'industrial')},
    ),
    Claim('town', _words('(?:city|town|urban) (?:street|road)'), {'road': ('rural', 'highway')}),
    Claim(
        'country',
        _words('(?:country|rural) road'),
        {'road': ('city', 'residential', 'parking', 'tunnel')},
    ),
)


def claims_of(caption: str) -> Iterator[tuple[str, Denying]]:
    """Yield each claim of a sentence that a field can deny, and what denies it."""
    text = ' '.join(caption.lower().split())
    positive = _NOBODY.sub(' ', text)
    for claim in _CLAIMS:
        if claim.words.search(positive):
            yield claim.name, claim.denied_by
    if _NO_PEOPLE.search(text):
        yield 'nobody', {'people': tuple(range(1, MAX_COUNT + 1))}
    colours = {
        _COLOURS.get(colour, colour)
        for match in _SIGNAL.findall(text)
        for colour in match
        if colour
    }
    if colours:
        others = (v for v in FIELDS['light'].values if v not in (*colours, 'unclear'))
        yield 'light', {'light': tuple(others)}
    if says_lead(text):
        yield 'lead', {'lead': ('none',)}
    if says_no_lead(text):
        yield 'free lane', {'lead_range': ('near', 'mid')}


def denied_claims(caption: str, frame: LabelledFrame, annotation: Annotation) -> list[str]:
    """
    Name the claims of a sentence that one annotator denies.

    :param frame: Its labelled boxes may bear out a side that the annotator does not mention.
    """
    fields = annotation.fields
    denied = [
        name
        for name, denying in claims_of(caption)
        if all(fields[field] in values for field, values in denying.items())
    ]
    text = ' '.join(caption.lower().split())
    denied += denied_sides(text, annotation.caption, frame.box_sides)
    return denied


def support(caption: str, published: Mapping[str, FieldValue]) -> float:
    """
    Say how likely published fields make it that none of a sentence's claims is denied.

    What a field gives to all its other values may all deny: a claim that no field names as its
    value is supported by at most what the field leaves open.

    :returns: 0..1, the product over the claims; 1 without any.
    """
    likely = 1.0
    for _, denying in claims_of(caption):
        denied = 1.0
        for field, values in denying.items():
            said = published.get(field)
            if said is not None:
                denied *= said.confidence if said.value in values else 1.0 - said.confidence
        likely *= 1.0 - denied if any(field in published for field in denying) else 1.0
    return likely
