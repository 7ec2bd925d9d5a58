# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
One sentence by rules, from published fields and boxes: the baseline of every learned sentence.

The place comes first, then what matters most, in words that annotators use. A fact that is not
sure enough, or that a box denies, is left unsaid; sides are told only where boxes bear them out.
The grammar of :mod:`caption_node.scenes.sentences` is another thing: it varies its words at
random, to teach them, about scenes of which everything is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import math

from caption_node.description import FieldValue, SceneObject, Value

MAX_WORDS = 28
MIN_WORDS = 8
_SURE: Mapping[str, float] = {
    'oncoming': 0.8,
    'parked': 0.85,
    'construction': 0.8,
    'crosswalk': 0.8,
    'lead': 0.65,
    'light': 0.7,
    'surface': 0.7,
    'lead_range': 0.5,
}
"""Fields less sure than this are left unsaid; found on frames kept from training."""
_SURE_ELSE = 0.6
_SURE_BOX = 0.5
_MOST_FACTS = 4

_ROADS = {
    'highway': 'highway',
    'city': 'city street',
    'residential': 'residential street',
    'rural': 'country road',
    'industrial': 'industrial road',
    'parking': 'car park',
    'private': 'private road',
    'tunnel': 'tunnel',
}
_JUNCTIONS = {
    'city': 'city junction',
    'residential': 'residential junction',
    'rural': 'rural junction',
    'industrial': 'industrial junction',
}
_VEHICLES = frozenset(['car', 'bus', 'truck'])
_LEADS = {'motorcycle': 'motorcyclist', 'bicycle': 'cyclist'}
_RANGES = {'near': 'close ahead', 'mid': 'ahead', 'far': 'far ahead'}
_COLOURS = ('red', 'yellow', 'green')
_NUMBERS = ('no', 'a', 'two', 'three', 'four', 'five')
_PLURALS = {'bus': 'buses', 'person': 'people'}


@dataclass
class _Facts:
    """
    What is sure enough to be said.

    :param said: Confidence in every fact that the sentence uses.
    """

    scene: Mapping[str, FieldValue]
    objects: Sequence[SceneObject]
    said: list[float] = field(default_factory=list)

    def value(self, name: str) -> Value | None:
        """Return a field's value if it is sure enough."""
        found = self.scene.get(name)
        if found is None or found.confidence < _SURE.get(name, _SURE_ELSE):
            return None
        return found.value

    def says(self, name: str, *values: Value) -> bool:
        """Tell whether a field surely has one of these values; remember that it is used."""
        if self.value(name) not in values:
            return False
        self.said.append(self.scene[name].confidence)
        return True

    def boxes(self, *classes: str) -> list[SceneObject]:
        """Return the sure boxes of some classes."""
        return [o for o in self.objects if o.class_name in classes and o.score >= _SURE_BOX]


def rule_sentence(
    scene: Mapping[str, FieldValue], objects: Sequence[SceneObject]
) -> tuple[str, float]:
    """
    Describe a scene by rules.

    :param scene: Published fields; those that are missing are not spoken of.
    :param objects: Published objects.
    :returns: 8 to 28 words in the present tense, seen from our vehicle; and how sure it is that
        all of it is right, 0..1, as if its facts had nothing to do with each other.
    """
    facts = _Facts(scene, objects)
    place = _place(facts)
    free = _free_lane(facts)
    things = [p for p in _things(facts) if p][:_MOST_FACTS]
    text = _joined(place, things, free)
    while len(text.split()) > MAX_WORDS:
        things.pop()
        text = _joined(place, things, free)
    if ' light ' in place:
        text += ', ahead of us' if len(text.split()) < MIN_WORDS else ''
    elif not things or len(text.split()) < MIN_WORDS:
        text = f'we are {_in_place(text)}'
    return text[0].upper() + text[1:] + '.', math.prod(facts.said)


def _place(facts: _Facts) -> str:
    """Return the signal and the place, without an article where the sentence begins with it."""
    road = str(facts.value('road') or '')
    facts.said += [facts.scene['road'].confidence] if road else []
    noun = _ROADS.get(road, 'road')
    if road in _JUNCTIONS and facts.says('intersection', True):
        noun = _JUNCTIONS[road]
    before = []
    if facts.says('surface', 'wet'):
        before.append('wet')
    elif facts.says('surface', 'snow'):
        before.append('snowy')
    behind = ''
    night = facts.says('time', 'night')
    if facts.says('weather', 'fog'):
        before.append('foggy')
    elif facts.says('weather', 'rain'):
        behind += ' in the rain'
    elif facts.says('weather', 'snow'):
        behind += ' in falling snow'
    elif road != 'tunnel' and facts.value('time') == 'day' and not before:
        if facts.says('weather', 'clear'):
            before.append('sunny')
        elif facts.says('weather', 'cloudy'):
            before.append('grey')
    if night:
        behind += ' at night'
    elif facts.says('time', 'dusk'):
        behind += ' at dusk'
    place = ' '.join([*before, noun]) + behind
    colour = facts.value('light')
    if colour in _COLOURS and any(o.class_name == 'traffic light' for o in facts.objects):
        facts.said.append(facts.scene['light'].confidence)
        return f'{colour} light {_in_place(place)}'
    return place


def _things(facts: _Facts) -> list[str]:
    """Return the facts as noun phrases, what matters most first."""
    return [
        _people_on_road(facts),
        _lead(facts),
        _riders(facts),
        *_alongside(facts),
        _people(facts),
        'roadworks in sight' if facts.says('construction', True) else '',
        'a crosswalk' if facts.says('crosswalk', True) else '',
        *_signs(facts),
    ]


def _people_on_road(facts: _Facts) -> str:
    ahead = [o for o in facts.boxes('person') if o.in_lane]
    if not ahead or not facts.value('people') or not facts.says('people_on_road', True):
        return ''
    return 'a pedestrian on the road ahead' if len(ahead) == 1 else 'pedestrians on the road ahead'


def _lead(facts: _Facts) -> str:
    """Return the vehicle in our lane."""
    lead = facts.value('lead')
    if lead is None or lead == 'none':
        return ''
    if lead in _LEADS and not (facts.boxes(str(lead)) and facts.value('cyclists')):
        return ''
    reach = str(facts.value('lead_range') or 'mid')
    vehicles = _VEHICLES | set(_LEADS)
    if reach == 'near' and not any(o.class_name in vehicles for o in facts.objects):
        return ''  # so close, a vehicle cannot be missed by all boxes
    facts.said.append(facts.scene['lead'].confidence)
    noun = _LEADS.get(str(lead), str(lead))
    return f'{_articled(noun)} {_RANGES.get(reach, "ahead")} in our lane'


def _free_lane(facts: _Facts) -> str:
    """Say that nobody is ahead of us, where neither a field nor a box speaks against it."""
    boxes = [o for o in facts.boxes(*_VEHICLES, 'motorcycle', 'bicycle', 'person') if o.in_lane]
    if any(o.range != 'far' for o in boxes) or facts.value('people_on_road') is not False:
        return ''
    if not facts.says('lead', 'none'):
        return ''
    if not facts.boxes(*_VEHICLES) and facts.says('vehicles', 0):
        return 'no traffic is ahead'
    return 'our lane is free'


def _signs(facts: _Facts) -> list[str]:
    """Return stop signs, and signals whose colour is not sure."""
    found = []
    for name, words in (('stop sign', 'a stop sign'), ('traffic light', 'traffic lights')):
        boxes = facts.boxes(name)
        if boxes and not (name == 'traffic light' and facts.value('light') in _COLOURS):
            facts.said.append(max(o.score for o in boxes))
            found.append(words)
    return found


def _riders(facts: _Facts) -> str:
    machines = [o for o in facts.boxes('bicycle', 'motorcycle') if not o.in_lane]
    kinds = {o.class_name for o in machines}
    if len(kinds) != 1 or not isinstance(facts.value('cyclists'), int):
        return ''
    if facts.value('cyclists') == 0:
        return ''
    facts.said.append(facts.scene['cyclists'].confidence)
    return _placed(machines, 'cyclist' if kinds == {'bicycle'} else 'motorcyclist')


def _alongside(facts: _Facts) -> list[str]:
    """Return oncoming, parked and other vehicles; their side where all boxes are on one."""
    boxes = [o for o in facts.boxes(*_VEHICLES) if o.position != 'ahead']
    sides = {o.position for o in boxes}
    where = f'on the {next(iter(sides))}' if len(sides) == 1 else ''
    noun = 'cars' if boxes and {o.class_name for o in boxes} == {'car'} else 'vehicles'
    oncoming, parked = facts.says('oncoming', True), facts.says('parked', True)
    found = []
    if oncoming:
        found.append(f'oncoming {noun} {"" if parked else where}'.strip())
    if parked and not oncoming and sides:
        found.append(f'parked {noun} {where or "on both sides"}')
    elif parked:
        found.append(f'parked {noun} along the road')
    elif not (oncoming and where):
        # Beside oncoming traffic only what is on the right: it may itself be on the left.
        near = [o for o in boxes if o.range != 'far' and (o.position == 'right' or not oncoming)]
        for side in ('left', 'right'):
            beside = [o for o in near if o.position == side]
            if beside:
                kinds = {o.class_name for o in beside}
                facts.said.append(max(o.score for o in beside))
                found.append(_placed(beside, kinds.pop() if len(kinds) == 1 else 'vehicle'))
    return found


def _people(facts: _Facts) -> str:
    seen = [o for o in facts.boxes('person') if o.position != 'ahead']
    count = facts.value('people')
    if not seen or not count or facts.value('people_on_road') is True:
        return ''
    facts.said.append(facts.scene['people'].confidence)
    return _placed(seen, 'pedestrian')


def _placed(items: Sequence[SceneObject], noun: str) -> str:
    """'two cars on the left'; without a side where they are on several."""
    sides = {o.position for o in items}
    where = {'left': 'on the left', 'right': 'on the right', 'ahead': 'ahead'}
    place = where[sides.pop()] if len(sides) == 1 else 'on both sides'
    count = len(items)
    plural = _PLURALS.get(noun, noun + 's')
    who = f'{_NUMBERS[count]} {plural}' if 1 < count < len(_NUMBERS) else f'several {plural}'
    return f'{_articled(noun) if count == 1 else who} {place}'


def _joined(place: str, things: Sequence[str], free: str) -> str:
    listed = ' and '.join([', '.join(things[:-1]), things[-1]] if things[1:] else things)
    text = f'{place} with {listed}' if things else place
    if free:
        return f'{text}, {"and " if things else ""}{free}'
    return text if things else f'{text}, and nothing else that we can tell for sure'


def _in_place(place: str) -> str:
    words = place.split()
    inside = 'tunnel' in words or 'park' in words
    return f'{"at" if "junction" in words else "in" if inside else "on"} {_articled(place)}'


def _articled(noun: str) -> str:
    return f'{"an" if noun[0] in "aeiou" else "a"} {noun}'
