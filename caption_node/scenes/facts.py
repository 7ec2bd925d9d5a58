# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The facts that a sentence can be made of, each in several wordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from caption_node.scenes.wording import articled, counted, pick, side

Rng = np.random.Generator
Fields = Mapping[str, object]

_MOTORS = ('car', 'van', 'truck', 'bus', 'motorcycle')


@dataclass(frozen=True, slots=True)
class Thing:
    """An object as sentences see it; ``kind`` and ``role`` are only known for renders."""

    class_name: str
    position: str
    range: str
    in_lane: bool
    kind: str
    role: str


@dataclass(frozen=True, slots=True)
class Fact:
    """
    One thing worth saying.

    :param weight: Importance; 5 and more must be said.
    :param clause: As a main clause: 'a car is close ahead in our lane'.
    :param noun: As a noun phrase: 'a car close ahead in our lane'.
    :param opener: As the start of a sentence: 'Close behind a car'.
    :param ours: As a clause about us: 'we follow a car'.
    """

    weight: float
    clause: str
    noun: str
    opener: str = ''
    ours: str = ''
    singular: bool = True


def things_of(objects: Sequence[object]) -> list[Thing]:
    """Read objects of any form: dataclasses or JSON mappings."""
    return [_thing(o) for o in objects]


def _thing(item: object) -> Thing:
    if isinstance(item, Mapping):
        name = str(item.get('class', item.get('class_name', '')))
        return Thing(
            name, str(item['position']), str(item['range']), bool(item['in_lane']),
            str(item.get('kind', name)), str(item.get('role', '')),
        )  # fmt: skip
    name = str(getattr(item, 'class_name'))  # noqa: B009
    return Thing(
        name,
        str(getattr(item, 'position')),  # noqa: B009
        str(getattr(item, 'range')),  # noqa: B009
        bool(getattr(item, 'in_lane')),  # noqa: B009
        str(getattr(item, 'kind', name)),
        str(getattr(item, 'role', '')),
    )


def collect(fields: Fields, things: Sequence[Thing], rng: Rng) -> list[Fact]:
    """All facts of a scene, in no order."""
    found = [
        _light(fields, rng),
        _people(fields, things, rng),
        _cyclists(fields, things, rng),
        _lead(fields, things, rng),
        _crosswalk(fields, rng),
        _junction(fields, things, rng),
        _works(fields, rng),
        _oncoming(fields, things, rng),
        _parked(fields, things, rng),
        _others(fields, things, rng),
    ]
    return [f for f in found if f is not None]


def _number(fields: Fields, name: str) -> int:
    value = fields[name]
    return value if isinstance(value, int) else 0


def _light(fields: Fields, rng: Rng) -> Fact | None:
    """The traffic light that faces us."""
    state = str(fields['light'])
    if state in ('none', 'unclear'):
        if state == 'none':
            return None
        noun = pick(rng, ('traffic lights too far off to read', 'a distant traffic signal'))
        return Fact(1.2, 'a traffic signal is in view ahead', noun, singular=noun[0] == 'a')
    word = pick(rng, ('amber', 'yellow')) if state == 'yellow' else state
    clauses = [f'the light is {word}', f'our light is {word}', f'the traffic light shows {word}']
    opener = f'Approaching {articled(word)} light'
    return Fact(
        6.0,
        pick(rng, clauses),
        pick(rng, (f'{articled(word)} light ahead', f'{articled(word)} traffic light facing us')),
        pick(rng, (opener, f'{word.capitalize()} light ahead', f'Facing {articled(word)} light')),
        pick(rng, (f'we face {articled(word)} light', f'we have {articled(word)} light')),
    )


def _lead(fields: Fields, things: Sequence[Thing], rng: Rng) -> Fact | None:
    """The nearest vehicle in our lane, or that there is none."""
    lead, reach = str(fields['lead']), str(fields['lead_range'])
    if lead == 'none':
        return _no_lead(fields, things, rng)
    noun = 'cyclist' if lead == 'bicycle' else 'motorcyclist' if lead == 'motorcycle' else lead
    a = articled(noun)
    where = {
        'near': ('close ahead in our lane', 'right in front of us', 'close in front of us'),
        'mid': (
            'ahead in our lane',
            'some way ahead in our lane',
            'ahead of us at a moderate distance',
        ),
        'far': ('far ahead in our lane', 'in the distance in our lane', 'far ahead of us'),
    }[reach if reach != 'none' else 'mid']
    ours = {
        'near': (
            f'we are close behind {a}',
            f'we follow {a} closely',
            f'we follow close behind {a}',
        ),
        'mid': (f'we follow {a}', f'we follow {a} at a moderate distance', f'we are behind {a}'),
        'far': (f'we follow {a} far ahead', f'we are a long way behind {a}'),
    }[reach if reach != 'none' else 'mid']
    opener = {
        'near': (f'Close behind {a}', f'Right behind {a}'),
        'mid': (f'Following {a}', f'Behind {a} at a moderate distance'),
        'far': (f'Following a distant {noun}', f'Far behind {a}'),
    }[reach if reach != 'none' else 'mid']
    weight = {'near': 4.8, 'mid': 4.0, 'far': 3.0}.get(reach, 3.5)
    if lead in ('bicycle', 'motorcycle'):
        weight = max(weight, 5.2)
    place = pick(rng, where)
    return Fact(weight, f'{a} is {place}', f'{a} {place}', pick(rng, opener), pick(rng, ours))


def _no_lead(fields: Fields, things: Sequence[Thing], rng: Rng) -> Fact | None:
    """Nobody in front, as far as that can be said."""
    if any(t.in_lane for t in things) or fields['people_on_road']:
        return None
    quiet = _number(fields, 'vehicles') == 0 and _number(fields, 'cyclists') == 0
    if quiet and rng.random() < 0.6:
        clause = pick(
            rng, ('no traffic is in sight', 'there is no traffic', 'no other vehicles are in view')
        )
        return Fact(
            3.4,
            clause,
            'no traffic in sight',
            'No traffic in sight',
            'we drive without other traffic',
        )
    clause = pick(
        rng,
        (
            'our lane is clear', 'our lane is empty', 'the lane ahead of us is free',
            'our lane is free', 'nothing is ahead in our lane',
        ),
    )  # fmt: skip
    noun = pick(
        rng, ('a clear lane ahead', 'an empty lane in front of us', 'a free lane ahead of us')
    )
    return Fact(
        2.6, clause, noun, '', pick(rng, ('we have a clear lane', 'we have a free lane ahead'))
    )


def _group(things: Sequence[Thing]) -> str:
    """Where most of them are."""
    places = [t.position for t in things]
    return max(sorted(set(places)), key=places.count) if places else ''


def _people(fields: Fields, things: Sequence[Thing], rng: Rng) -> Fact | None:
    """Pedestrians, on the road before all."""
    count = _number(fields, 'people')
    if count == 0:
        return None
    if fields['people_on_road']:
        return _people_on_road(fields, things, count, rng)
    noun = 'pedestrian' if count == 1 or rng.random() < 0.6 else 'person'
    who = counted(count, noun, rng)
    one = count == 1
    verb = 'is' if one else 'are'
    walkers = [t for t in things if t.class_name == 'person' and t.kind != 'rider']
    same = len({t.position for t in walkers}) == 1 and len(walkers) >= count
    place = _group(walkers)
    where = (
        side(place, rng) if same and place else pick(rng, ('nearby', 'beside the road', 'in view'))
    )
    if same and place == 'ahead':
        where = 'ahead'
    return Fact(5.5, f'{who} {verb} {where}', f'{who} {where}', singular=one)


def _people_on_road(fields: Fields, things: Sequence[Thing], count: int, rng: Rng) -> Fact:
    """Somebody on the carriageway; several only if several are known to be there."""
    known = [t for t in things if t.class_name == 'person' and (t.role == 'road' or t.in_lane)]
    several = min(count, len([t for t in known if t.kind != 'rider'])) > 1
    some = pick(rng, ('pedestrians', 'people on foot')) if several else 'a pedestrian'
    place = pick(rng, ('on the road ahead', 'on the roadway ahead of us'))
    if fields['crosswalk'] and rng.random() < 0.5:
        place = 'on the roadway near the crossing'
    verb = 'are' if several else 'is'
    noun = f'{some} {place}'
    return Fact(7.0, f'{some} {verb} {place}', noun, '', f'we see {noun}', not several)


def _cyclists(fields: Fields, things: Sequence[Thing], rng: Rng) -> Fact | None:
    """Riders of bicycles and motorcycles that are not the vehicle in front."""
    count = _number(fields, 'cyclists')
    if fields['lead'] in ('bicycle', 'motorcycle'):
        count -= 1
    if count <= 0:
        return None
    machines = [t for t in things if t.class_name in ('bicycle', 'motorcycle') and not t.in_lane]
    kinds = {t.class_name for t in machines}
    noun = 'two-wheeler rider'
    if len(kinds) == 1:
        noun = 'cyclist' if kinds == {'bicycle'} else 'motorcyclist'
    who = counted(count, noun, rng)
    same = len({t.position for t in machines}) == 1 and len(machines) == count
    where = side(machines[0].position, rng) if same else 'nearby'
    verb = 'is' if count == 1 else 'are'
    return Fact(5.3, f'{who} {verb} {where}', f'{who} {where}', singular=count == 1)


def _crosswalk(fields: Fields, rng: Rng) -> Fact | None:
    """A marked crossing ahead."""
    if not fields['crosswalk']:
        return None
    noun = pick(
        rng, ('a zebra crossing ahead', 'a marked crossing ahead', 'a crosswalk in front of us')
    )
    clause = pick(
        rng, ('a zebra crossing lies ahead', 'we near a marked crossing', 'a crosswalk is ahead')
    )
    return Fact(
        3.6, clause, noun, pick(rng, ('Approaching a zebra crossing', 'Just before a crosswalk')),
        'we approach a zebra crossing',
    )  # fmt: skip


def _junction(fields: Fields, things: Sequence[Thing], rng: Rng) -> Fact | None:
    """A junction, with its stop sign if there is one."""
    if any(t.class_name == 'stop sign' for t in things):
        noun = pick(rng, ('a stop sign ahead', 'a stop sign at the roadside'))
        return Fact(
            3.9, 'a stop sign stands ahead', noun, 'Nearing a stop sign', 'we near a stop sign'
        )
    if not fields['intersection']:
        return None
    noun = pick(
        rng, ('a junction ahead', 'a crossing road ahead', 'an intersection in front of us')
    )
    clause = pick(
        rng, ('a junction lies ahead', 'an intersection is ahead', 'a junction opens before us')
    )
    opener = pick(rng, ('Approaching a junction', 'At a junction', 'Nearing an intersection'))
    return Fact(
        2.8, clause, noun, opener, pick(rng, ('we approach a junction', 'we near a junction'))
    )


def _works(fields: Fields, rng: Rng) -> Fact | None:
    """Roadworks."""
    if not fields['construction']:
        return None
    clause = pick(
        rng, ('roadworks narrow the way', 'there are roadworks', 'a works zone is ahead')
    )
    noun = pick(rng, ('roadworks beside our path', 'a construction zone', 'roadworks'))
    clause = clause.replace('narrow the way', 'are marked out')
    return Fact(4.2, clause, noun, 'Passing roadworks', 'we pass roadworks', noun[0] == 'a')


def _oncoming(fields: Fields, things: Sequence[Thing], rng: Rng) -> Fact | None:
    """Traffic that faces us."""
    if not fields['oncoming']:
        return None
    known = [t for t in things if t.role == 'oncoming' and t.kind in _MOTORS]
    if len(known) == 1:
        kind = known[0].kind
        where = {'near': 'close by', 'mid': 'ahead', 'far': 'in the distance'}[known[0].range]
        a = f'an oncoming {kind}'
        return Fact(2.9, f'{a} is {where}', f'{a} {where}')
    noun = pick(
        rng, ('oncoming traffic', 'traffic coming the other way', 'traffic coming towards us')
    )
    clause = pick(rng, ('oncoming traffic approaches', 'there is oncoming traffic'))
    return Fact(2.7, clause, noun)


def _parked(fields: Fields, things: Sequence[Thing], rng: Rng) -> Fact | None:
    """Vehicles that stand beside the road."""
    if not fields['parked']:
        return None
    known = [t for t in things if t.role == 'parked']
    sides = {t.position for t in known} - {'ahead'}
    if len(known) == 1 and len(sides) == 1:
        a, where = f'a parked {known[0].kind}', side(known[0].position, rng)
        return Fact(2.2, f'{a} stands {where}', f'{a} {where}')
    where = pick(rng, ('beside the road', 'along the road'))
    if len(sides) == 1 and known:
        where = side(sides.pop(), rng)
    elif len(sides) == 2:
        where = pick(rng, ('on both sides', 'along both sides'))
    what = pick(rng, ('parked vehicles', 'vehicles parked', 'a row of parked vehicles'))
    if what.startswith('a row') and len(known) < 4:
        what = 'parked vehicles'
    if what == 'vehicles parked':
        return Fact(
            2.2, f'vehicles are parked {where}', f'vehicles parked {where}', singular=False
        )
    verb = 'stands' if what.startswith('a ') else 'stand'
    return Fact(2.2, f'{what} {verb} {where}', f'{what} {where}', singular=verb == 'stands')


def _others(fields: Fields, things: Sequence[Thing], rng: Rng) -> Fact | None:
    """Further vehicles beside us or ahead, by kind and side where that is known."""
    total = _number(fields, 'vehicles') - (fields['lead'] in _MOTORS)
    if total <= 0:
        return None
    roles_known = any(t.role for t in things)
    open_ = [
        t for t in things
        if t.class_name in _MOTORS and not t.in_lane and t.position != 'ahead'
        and t.role in ('', 'same', 'crossing')
    ]  # fmt: skip
    if not roles_known and (fields['oncoming'] or fields['parked']):
        open_ = [t for t in open_ if t.kind in ('truck', 'bus')]
    if open_:
        first = open_[0]
        alike = [t for t in open_ if (t.kind, t.position) == (first.kind, first.position)]
        count = min(len(alike), total)
        who = counted(count, first.kind, rng)
        place = side(first.position, rng)
        if count == 1 and first.range == 'near':
            place = f'close {place}' if place.startswith('on') else place
        verb = 'is' if count == 1 else 'are'
        return Fact(2.5, f'{who} {verb} {place}', f'{who} {place}', singular=count == 1)
    if fields['oncoming'] or fields['parked']:
        return None
    who = counted(total, 'other vehicle' if fields['lead'] in _MOTORS else 'vehicle', rng)
    verb = 'is' if total == 1 else 'are'
    return Fact(2.0, f'{who} {verb} in view', f'{who} in view', singular=total == 1)
