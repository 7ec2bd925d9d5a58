# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What people type, as ideas: stems, words that mean the same, and the fields that say it too.

"Pedestrian" finds a sentence with "people" in it, and a frame whose field ``people`` is above 0.
"""

from dataclasses import dataclass, replace
from functools import cache
import re
from typing import Any

_WITHOUT = re.compile(r'\b(?:not|without|no)\s+(?:(?:any|a|an|the)\s+)?')
_PIECE = re.compile(r'(?:^|(?<=\s))(-?)([^\s]+(?:\s+(?!-)[^\s]+)*)')
_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
STOP_WORDS = frozenset(
    """
    a about an and are as at be but by can do does for from has have here in into is it its of on
    or our over s see seen that the their them there they this through to us was we were where
    which while with within me show find any some frame frames scene scenes moment moments
    road street
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Idea:
    """
    One thing that is asked for.

    :param name: As it was typed.
    :param ways: Words that say it; all words of one way must be there. Stems.
    :param fields: Filters (:mod:`~caption_node.bag.search.filters`) that say it as well.
    :param is_excluded: Rows that say it are not wanted.
    """

    name: str
    ways: tuple[tuple[str, ...], ...]
    fields: tuple[str, ...] = ()
    is_excluded: bool = False


# Ways to say it, commas between them : what the fields say.
_TABLE = """
child, children, kid, boy, girl:
person, people, pedestrian, walker, man, men, woman, women, child, children, kid, \
someone, somebody, passer-by: people>0
cyclist, bicyclist, biker, rider, bicycle, bike, cycle: cyclists>0; bicycle>0
motorcycle, motorbike, motorcyclist, scooter, moped: motorcycle>0; lead=motorcycle
car, automobile, sedan, saloon, hatchback, estate, suv: car>0; lead=car
truck, lorry, lorries, semi, semi-trailer, trailer, hgv, tanker: truck>0; lead=truck
bus, buses, coach, minibus: bus>0; lead=bus
van, minivan: lead=van
vehicle, traffic: vehicles>0
animal, dog, cat, horse, deer, cow, sheep, bird: animal>0
cross, jaywalk, step out, on the road, on the crosswalk, on the carriageway: people_on_road
pedestrian crossing: people_on_road; crosswalk
crosswalk, zebra crossing, zebra, crossing ahead, marked crossing: crosswalk
night, nighttime, night-time, dark, darkness, after dark, midnight: time=night
dusk, dawn, twilight, sunset, sunrise, evening, fading light: time=dusk
day, daytime, daylight: time=day
rain, rainy, raining, drizzle, shower, downpour: weather=rain
wet, damp, soaked, rain-soaked, puddle, slippery: surface=wet
fog, foggy, mist, misty, haze, hazy, thick air: weather=fog
snow, snowy, snowfall, snowing, snow-covered, blizzard, winter, \
white street, white road: weather=snow; surface=snow
sunny, sunshine, bright, clear sky, clear weather, blue sky: weather=clear
cloudy, overcast, grey, clouds: weather=cloudy
dry: surface=dry
highway, motorway, freeway, expressway, autobahn, interstate: road=highway
city, town, urban, downtown: road=city
residential, neighbourhood, neighborhood, suburb, suburban, housing: road=residential
rural, country, countryside: road=rural
industrial, factory, warehouse: road=industrial
parking area, car park, parking lot, parking aisle, parking garage: road=parking
private road, private drive, private lane, driveway: road=private
tunnel, underpass: road=tunnel
construction, roadworks, road works, works, work zone, cone, barrier, building site: construction
junction, intersection, crossroads, crossroad, roundabout: intersection
oncoming, opposite direction, towards us: oncoming
parked, parking: parked
red light, light is red, red traffic light, red signal, stopped at a light: light=red
green light, light is green, green traffic light, green signal: light=green
yellow light, amber light, light is yellow, amber signal, yellow traffic light: light=yellow
traffic light, traffic signal, stoplight, signal, lights: light!=none; traffic_light>0
stop sign: stop_sign>0
close, near, nearby, right in front: lead_range=near
distance, distant, far: lead_range=far
follow, behind, tail: lead!=none
"""


def stems_of(text: str) -> set[str]:
    """Return the stems of all words of a sentence that carry meaning; parts of compounds too."""
    found = set()
    for word in _WORD.findall(text.lower()):
        for part in (word, *word.split('-')) if '-' in word else (word,):
            if part not in STOP_WORDS:
                found.add(_stem(part))
    return found


def read_ideas(text: str) -> list[Idea]:
    """
    Read what was typed: longest known phrase first, unknown words as they are.

    ``-night``, ``not night`` and ``without a traffic light`` exclude.
    """
    ideas: list[Idea] = []
    plain = _WITHOUT.sub('-', text.lower())
    for sign, piece in _PIECE.findall(plain):
        found = _ideas_in(_WORD.findall(piece))
        if sign and found:
            # The minus holds for the first; what follows it is wanted again.
            found[0] = replace(found[0], is_excluded=True)
        ideas += found
    return list(dict.fromkeys(ideas))


def _ideas_in(words: list[str]) -> list[Idea]:
    phrases = _phrases()
    longest = max(len(key) for key in phrases)
    stems = [_stem(w) for w in words]
    found, i = [], 0
    while i < len(words):
        for length in range(min(longest, len(words) - i), 0, -1):
            entry = phrases.get(tuple(stems[i : i + length]))
            if entry is not None:
                name = ' '.join(words[i : i + length])
                found.append(Idea(name, *entry))
                i += length
                break
        else:
            if words[i] not in STOP_WORDS:
                found.append(Idea(words[i], ((stems[i],),)))
            i += 1
    return found


@cache
def _stem(word: str) -> str:
    """Return the stem of a lower-case word: ``crossing`` and ``crosses`` become ``cross``."""
    return str(_stemmer().stemWord(word))


@cache
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer('english')


@cache
def _phrases() -> dict[tuple[str, ...], tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]]:
    """Return, for every phrase by its stems, all ways to say the same and the filters."""
    table: dict[tuple[str, ...], tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]] = {}
    for line in _TABLE.strip().splitlines():
        said, _, filters = line.partition(':')
        phrases = [tuple(_stem(w) for w in p.split()) for p in said.split(',')]
        meaning = {tuple(s for s, w in zip(p, q.split(), strict=True) if w not in STOP_WORDS)
                   for p, q in zip(phrases, said.split(','), strict=True)}  # fmt: skip
        entry = (
            tuple(sorted(way for way in meaning if way)),
            tuple(f.strip() for f in filters.split(';') if f.strip()),
        )
        for phrase in phrases:
            table.setdefault(phrase, entry)
    return table
