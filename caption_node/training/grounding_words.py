# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Which words need evidence before the decoder may say them, and what counts as evidence.

The rules act inside the graph, at every word: what neither a published box nor a field bears out
cannot be said.
"""

from dataclasses import dataclass
import re

import torch
from torch import Tensor

from caption_node.description import FIELDS
from caption_node.training.model.writing import Phrases
from caption_node.vocabulary import SPECIAL, Vocabulary

TRUE = 'true'


@dataclass(frozen=True)
class WordGroup:
    """
    Words that may be said if any of the evidence holds.

    :param words: The words.
    :param like: Or a pattern that fits the words.
    :param classes: Object classes of which a published box is evidence.
    :param values: (field, value) pairs of which the field's likeliest value is evidence; the
        value of a boolean field is :data:`TRUE`.
    :param both: Whether it takes a box and a field together.
    :param after: If given, the words need evidence only right behind one of these words.
    :param free_after: Behind these words they need none.
    :param least: How many published boxes of the classes it takes.
    :param side: ``left`` or ``right``: boxes off the middle count only, on that side; ``off``: on
        either.
    """

    words: frozenset[str]
    classes: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    both: bool = False
    after: frozenset[str] = frozenset()
    free_after: frozenset[str] = frozenset()
    like: str = ''
    least: int = 1
    side: str = ''

    def holds(self, word: str) -> bool:
        """Say whether a word belongs to the group."""
        return word in self.words or bool(self.like and re.fullmatch(self.like, word))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LAMP = _words('light lights signal signals traffic lamp lamps arrow arrows countdown')
_COLOURS = {'red': 'red', 'yellow': 'yellow amber', 'green': 'green'}
# "A red car", "the green van": behind these words a colour is a thing's, unless a lamp follows.
_OF_THINGS = _words(
    'a an the and or of with by behind double single solid dashed broken faded small large big '
    'tall long narrow old dark pale white black blue grey parked loaded another one two three '
    'several some many following'
)


def _colour_groups(colour: str, words: frozenset[str]) -> tuple[WordGroup, ...]:
    """A lamp's colour needs the light's field and a box of a traffic light, however it is said."""
    classes, values = ('traffic light',), (('light', colour),)
    return (
        WordGroup(frozenset([f'{colour}-lit']), classes, values, both=True),
        WordGroup(words, classes, values, both=True, free_after=_OF_THINGS),
        # "A red light", and "with green for us".
        WordGroup(_LAMP | _words('for ahead at now'), classes, values, both=True, after=words),
    )


_ROAD_USERS = ('person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck')
_MANY_CLASSES = ('car', 'bus', 'truck')
_VEHICLES = _words(
    'car cars van vans truck trucks bus buses vehicle vehicles pickup lorry suv taxi'
)
_HOW_AHEAD = _words(
    'is are far close directly just right drives drive stands waits moves slowly near'
)
OFF_MIDDLE = 0.05
"""Share of the picture's width from which a box is on a side."""
FATIGUE = 4.0
"""Taken off a word's logit each time that it is said."""
_OFTEN = _words(
    'a an the and or of in on at to by for from with as is are our us we , left right ahead lane '
    'one two three another other'
) | frozenset(SPECIAL)
_LEAD = tuple(('lead', word) for word in FIELDS['lead'].values if word != 'none')
GROUPS = (
    WordGroup(
        _words(
            'pedestrian pedestrians people person persons man woman men women child children '
            'worker workers walker walkers jogger joggers passer-by passers-by someone crowd boy '
            'girl couple kid kids schoolchildren pupils officer officers policeman figure figures '
            'bystander bystanders onlooker onlookers commuter commuters'
        ),
        classes=('person',),
    ),
    WordGroup(
        _words(
            'cyclist cyclists bicycle bicycles bike bikes motorcycle motorcycles motorcyclist '
            'motorcyclists motorbike motorbikes scooter scooters rider riders moped mopeds biker '
            'bikers e-scooter e-scooters'
        ),
        classes=('bicycle', 'motorcycle'),
    ),
    WordGroup(
        _words('signal signals traffic-light traffic-lights'),
        values=(('light', 'red'), ('light', 'yellow'), ('light', 'green'), ('light', 'unclear')),
    ),
    WordGroup(
        _words('wet damp puddles spray'),
        values=(('surface', 'wet'), ('weather', 'rain'), ('surface', 'snow')),
    ),
    WordGroup(_words('rain rainy raining rainfall drizzle'), values=(('weather', 'rain'),)),
    WordGroup(_words('fog foggy mist misty'), values=(('weather', 'fog'),)),
    WordGroup(
        _words('snow snowy snowfall slush slushy'),
        values=(('weather', 'snow'), ('surface', 'snow')),
    ),
    WordGroup(_words('night'), values=(('time', 'night'),)),
    WordGroup(_words('headlights unlit'), values=(('time', 'night'), ('time', 'dusk'))),
    WordGroup(
        _words('sun sunny sunlit sunshine sun-dappled backlit shade shaded shadow shadows glare'),
        values=(('weather', 'clear'),),
    ),
    WordGroup(
        _words('overcast cloudy clouds'), values=(('weather', 'cloudy'), ('weather', 'rain'))
    ),
    WordGroup(_words('sky daylight bright'), values=(('time', 'day'), ('time', 'dusk'))),
    WordGroup(_words('motorway freeway highway autobahn'), values=(('road', 'highway'),)),
    WordGroup(_words('rural country countryside'), values=(('road', 'rural'),)),
    WordGroup(
        _words('city urban downtown'),
        values=(('road', 'city'), ('road', 'residential'), ('road', 'industrial')),
    ),
    WordGroup(_words('follow follows following ours'), values=_LEAD),
    WordGroup(_words('in of'), values=_LEAD, after=_words('ahead')),
    # "A car is far ahead" needs a lead vehicle, "a red light ahead" and "the road ahead" do not.
    WordGroup(_words('ahead front distance'), values=_LEAD, after=_VEHICLES | _HOW_AHEAD),
    WordGroup(
        _words('free empty clear open nothing'),
        values=(('lead', 'none'), ('lead_range', 'far')),
    ),
    WordGroup(_words('oncoming'), values=(('oncoming', TRUE),)),
    WordGroup(_words('parked'), values=(('parked', TRUE),)),
    WordGroup(_words('crosswalk crosswalks zebra'), values=(('crosswalk', TRUE),)),
    WordGroup(
        _words('roadworks roadwork works construction cone cones drums excavator barriers'),
        values=(('construction', TRUE),),
    ),
    WordGroup(_words('dry'), values=(('surface', 'dry'),)),
    WordGroup(
        _words('truck trucks lorry lorries'),
        classes=('truck', 'bus'),
        values=(('lead', 'truck'),),
    ),
    WordGroup(_words('bus buses coach minibus'), classes=('bus',), values=(('lead', 'bus'),)),
    *(g for c, words in _COLOURS.items() for g in _colour_groups(c, _words(words))),
    # Vans are no class of boxes: some vehicle has to be there.
    WordGroup(_words('van vans'), classes=_MANY_CLASSES, values=(('lead', 'van'),)),
    WordGroup(_words('sign signs stop'), classes=('stop sign',)),
    WordGroup(_words('cars vehicles trucks buses'), classes=_MANY_CLASSES, least=2),
    WordGroup(_words('row rows queue queues line lines stream'), classes=_MANY_CLASSES, least=4),
    # "A van is to the" and "cars parked on the" wait for a side.
    WordGroup(
        _words('to on beside'),
        classes=_ROAD_USERS,
        side='off',
        after=_VEHICLES
        | _words('is are one row close parked stands stand waits wait ones standing'),
    ),
    WordGroup(_words('left left-hand'), classes=_ROAD_USERS, side='left'),
    WordGroup(_words('right right-hand'), classes=_ROAD_USERS, side='right'),
    WordGroup(
        _words('junction junctions intersection crossroads roundabout turning turn turns side'),
        values=(('intersection', TRUE),),
    ),
    WordGroup(_words('crossing'), values=(('crosswalk', TRUE), ('intersection', TRUE))),
    WordGroup(_words('town'), values=(('road', 'city'), ('road', 'residential'))),
    WordGroup(_words('village'), values=(('road', 'residential'), ('road', 'rural'))),
    # "A traffic light" only: behind "a", traffic is no flow of vehicles.
    WordGroup(
        _words('traffic'),
        values=tuple(('light', v) for v in FIELDS['light'].values if v != 'none'),
        after=_words('a'),
    ),
    WordGroup(
        _words('field fields wooded wood woods forest valley hill hills meadow meadows'),
        values=(('road', 'rural'), ('road', 'highway')),
    ),
    WordGroup(_words('no'), values=(('lead', 'none'), ('lead_range', 'far'))),
    # What neither field nor box records is invented as often as seen; "past" leads to it.
    WordGroup(
        _words(
            'tram trams tracks rail rails island islands median medians hydrant hydrants '
            'beacon beacons bollard bollards banner billboard grass convertible silver white '
            'curving curve curves curved bend bends bending bent leaving marker markers '
            'fenced guardrail guardrails wall exit box patch marks door past passing trailer '
            'give-way crest brick articulated edges'
        )
    ),
    # Nothing bears these out: no picture makes "a oncoming car", or an end behind "on the".
    WordGroup(frozenset(), after=_words('a'), like=r'(?!one\b)[aeio].*'),
    WordGroup(frozenset(), after=_words('an'), like='[^aeiou].*'),
    WordGroup(_words('and or , <eos>'), after=_words('of in at to with from by and or is are as')),
    # "A lane is marked out by cones" ends, where it may not go on, in "with a marked out".
    WordGroup(_words('out'), after=_words('marked')),
)


_CONNECTING = _words(
    'and or of in on at to with from by for as into beside past under over behind between '
    'towards toward along across while'
)
_VERBS = _words('is are has have stands faces comes waits drives passes crosses approaches')
_ARTICLES = _words('a an the our')


@dataclass(frozen=True)
class Phrase:
    """
    A run of words that must not be broken off.

    :param opened_by: Words behind which it is open.
    :param stays: Words behind which it stays open; None: all but those that end it.
    :param ended_by: Words that end it.
    :param shut: Words that may not be said while it is open.
    """

    opened_by: frozenset[str]
    shut: frozenset[str]
    stays: frozenset[str] | None = None
    ended_by: frozenset[str] = frozenset()

    def stays_open(self, word: str) -> bool:
        """Say whether it is still open behind a word, if it was before."""
        if word in self.opened_by:  # opens anew
            return False
        return word in self.stays if self.stays is not None else word not in self.ended_by


PHRASES = (
    # An article waits for its noun: not "a parked on the left", "with a free,", "on the.".
    Phrase(
        opened_by=_ARTICLES,
        stays=_words(
            'clear red green free wide long small large narrow dry wet sunny shaded parked close '
            'busy straight empty single short marked oncoming quiet far tree-lined multi-lane'
        ),
        shut=_ARTICLES | _CONNECTING | _VERBS | _words(', <eos> ahead'),
    ),
    # "With a car is ahead" and "with our lane is free": "with" takes no verb.
    Phrase(
        opened_by=_words('with'),
        ended_by=_words(', and or while as that which who where <eos>'),
        shut=_VERBS,
    ),
)


def phrases_of(vocabulary: Vocabulary) -> Phrases:
    """Return :data:`PHRASES` as tables over the words of a vocabulary."""

    def table(rows: list[list[bool]]) -> Tensor:
        return torch.tensor(rows).float()

    words = vocabulary.words
    return Phrases(
        opens=table([[w in p.opened_by for p in PHRASES] for w in words]),
        stays=table([[p.stays_open(w) for p in PHRASES] for w in words]),
        shuts=table([[w in p.shut for w in words] for p in PHRASES]),
        dangling=table([[w in _ARTICLES | _CONNECTING | _words('is are')] for w in words])[:, 0],
    )


def group_matrix(vocabulary: Vocabulary) -> Tensor:
    """
    Mark the words of each group.

    :returns: (G, V) float of 0 and 1.
    """
    rows = [[float(group.holds(word)) for word in vocabulary.words] for group in GROUPS]
    return torch.tensor(rows)


def trigger_matrix(vocabulary: Vocabulary) -> Tensor:
    """
    Mark behind which words each group needs evidence.

    :returns: (V, G) float of 0 and 1.
    """
    rows = [[float(_needs(group, word)) for group in GROUPS] for word in vocabulary.words]
    return torch.tensor(rows)


def _needs(group: WordGroup, before: str) -> bool:
    return before not in group.free_after and (not group.after or before in group.after)


def weary_words(vocabulary: Vocabulary) -> Tensor:
    """
    Say what each word loses each time that it is said: nothing, if sentences need it often.

    :returns: (V,).
    """
    return torch.tensor([0.0 if word in _OFTEN else FATIGUE for word in vocabulary.words])
