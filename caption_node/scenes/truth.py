# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What is true of a rendered picture, in the words of the schema.

Only what can be seen counts: an actor is in view when enough of it is inside the picture, not
covered, and large enough to be recognised.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
import math

import numpy as np

from caption_node.description import MAX_COUNT, Value
from caption_node.scenes.bodies import dimensions
from caption_node.scenes.hazards import hazard_of
from caption_node.scenes.sentences import sentence
from caption_node.scenes.world import Person, Prop, Scene, Signal, Vehicle

NEAR_M = 15.0
MID_M = 40.0
CROSSWALK_M = 40.0
JUNCTION_M = 35.0
MIN_SHARE = 0.3
MIN_HEIGHT = 0.012
"""Smallest height of a countable actor, as a share of the picture's height."""
MIN_SIGNAL_HEIGHT = 0.016
"""Lamps of a smaller traffic light cannot be told apart: its state is then ``unclear``."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """
    An actor as it appears in the picture.

    :param box: x_min, y_min, x_max, y_max in pixels.
    :param visible: Share of its outline inside the picture that nothing covers.
    :param inside: Share of its outline inside the picture.
    :param rider: Whether this is the person on the machine rather than the machine.
    """

    actor: Vehicle | Person | Signal | Prop
    box: tuple[float, float, float, float]
    visible: float
    inside: float
    rider: bool = False


@dataclass(frozen=True, slots=True)
class TruthObject:
    """
    One object in view, in the schema's words.

    :param class_name: A class of the schema; vans are cars there, ``kind`` keeps the difference.
    :param kind: As ``class_name``, but van and rider are told apart.
    :param distance_m: Distance along the road to its nearest point.
    :param role: same, oncoming, parked or crossing for vehicles; empty otherwise.
    :param visible: Share that can be seen, 0..1.
    """

    class_name: str
    box: tuple[float, float, float, float]
    position: str
    range: str
    in_lane: bool
    kind: str
    distance_m: float
    role: str = ''
    visible: float = 1.0
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class SceneTruth:
    """
    Everything the schema asks for.

    :param fields: A value for every name in ``caption_node.description.FIELDS``.
    """

    fields: dict[str, Value]
    objects: tuple[TruthObject, ...] = field(default_factory=tuple)
    hazard: str = 'none'
    caption: str = ''


def truth_of(scene: Scene, sightings: Sequence[Sighting], rng: np.random.Generator) -> SceneTruth:
    """
    State what the picture shows.

    :param rng: Chooses the words of the caption.
    """
    found = [(s, _object(scene, s)) for s in sightings]
    machines = {id(s.actor) for s, o in found if o is not None and not s.rider}
    # A rider whose machine is hidden could not be told from a pedestrian.
    objects = [o for s, o in found if o is not None and id(s.actor) in machines]
    objects.sort(key=lambda o: o.distance_m)
    fields = _fields(scene, objects)
    hazard = hazard_of(fields, objects)
    return SceneTruth(fields, tuple(objects), hazard, sentence(fields, objects, rng))


def range_of(distance_m: float) -> str:
    """Word for a distance."""
    if distance_m < NEAR_M:
        return 'near'
    return 'mid' if distance_m < MID_M else 'far'


def _object(scene: Scene, seen: Sighting) -> TruthObject | None:
    """Turn a sighting into an object, or nothing when it cannot be made out."""
    actor = seen.actor
    x0, y0, x1, y1 = seen.box
    tall = (y1 - y0) / scene.camera.height
    fog_reach = 3.4 / max(scene.environment.haze_per_m, 1e-6)
    if seen.visible < MIN_SHARE or seen.inside < 0.2 or tall < MIN_HEIGHT or x1 - x0 < 2:
        return None
    length = _length(actor)
    distance = max(0.0, actor.s - length / 2)
    if actor.s > fog_reach or (distance <= 0.0 and actor.s + length / 2 < 1.0):
        return None
    if actor.s > _sight_in_the_dark_m(scene, actor):
        return None
    road = scene.road
    offset = actor.d - road.ego_d
    half = road.lane_m / 2
    in_lane = abs(offset) < half * 0.8 and not (
        isinstance(actor, Vehicle) and actor.role == 'parked'
    )
    class_name, kind, role = _class_of(actor, seen.rider)
    # Within our lane counts as ahead whatever the bend does to the picture.
    position = 'ahead' if abs(offset) <= half else ('left' if offset < 0 else 'right')
    if isinstance(actor, Signal):
        in_lane = False
    return TruthObject(
        class_name, seen.box, position, range_of(distance), in_lane, kind, distance, role,
        seen.visible * seen.inside,
    )  # fmt: skip


def _sight_in_the_dark_m(scene: Scene, actor: Vehicle | Person | Signal | Prop) -> float:
    """How far an actor without lamps of its own can be made out at night."""
    environment = scene.environment
    shines = isinstance(actor, Signal) or (isinstance(actor, Vehicle) and actor.role != 'parked')
    if environment.time != 'night' or scene.road.kind == 'tunnel' or shines:
        return math.inf
    return (55.0 if environment.lamps else 32.0) * math.sqrt(environment.exposure)


def _length(actor: Vehicle | Person | Signal | Prop) -> float:
    """Extent of an actor along the road."""
    if isinstance(actor, Vehicle):
        width, _, length = dimensions(actor.kind, actor.shape)
        return abs(math.cos(actor.yaw)) * length + abs(math.sin(actor.yaw)) * width
    return 0.4


def _class_of(actor: Vehicle | Person | Signal | Prop, rider: bool) -> tuple[str, str, str]:
    """Class of the schema, finer kind, and role."""
    if isinstance(actor, Vehicle):
        if rider:
            return 'person', 'rider', actor.role
        return ('car' if actor.kind == 'van' else actor.kind), actor.kind, actor.role
    if isinstance(actor, Person):
        return 'person', 'person', 'road' if actor.on_road else ''
    if isinstance(actor, Signal):
        return 'traffic light', 'traffic light', actor.state if actor.facing else ''
    return 'stop sign', 'stop sign', ''


def _fields(scene: Scene, objects: Sequence[TruthObject]) -> dict[str, Value]:
    """Every field of the schema."""
    motors = [o for o in objects if o.kind in ('car', 'van', 'truck', 'bus', 'motorcycle')]
    people = [o for o in objects if o.kind == 'person']
    machines = [o for o in objects if o.kind in ('bicycle', 'motorcycle') and o.role != 'parked']
    leads = [o for o in (*motors, *machines) if o.in_lane and o.role == 'same']
    lead = min(leads, key=lambda o: o.distance_m, default=None)
    environment = scene.environment
    junction = scene.junction
    at_junction = junction is not None and -junction.width_m < junction.s < JUNCTION_M
    zebra = scene.zebra_s is not None and 1.5 < scene.zebra_s < CROSSWALK_M
    return {
        'time': environment.time,
        'weather': environment.weather,
        'surface': environment.surface,
        'road': scene.road.kind,
        'intersection': at_junction,
        'crosswalk': zebra,
        'construction': scene.construction,
        'lead': lead.kind if lead else 'none',
        'lead_range': lead.range if lead else 'none',
        'vehicles': min(MAX_COUNT, len(motors)),
        'oncoming': any(o.role == 'oncoming' for o in (*motors, *machines)),
        'parked': any(o.role == 'parked' for o in motors),
        'people': min(MAX_COUNT, len(people)),
        'people_on_road': any(o.role == 'road' for o in people),
        'cyclists': min(MAX_COUNT, len(machines)),
        'light': _light(scene, objects),
    }


def _light(scene: Scene, objects: Sequence[TruthObject]) -> str:
    """State of the traffic light that faces us."""
    facing = [o for o in objects if o.kind == 'traffic light' and o.role]
    if not facing:
        return 'none'
    nearest = min(facing, key=lambda o: o.distance_m)
    rows = (nearest.box[3] - nearest.box[1]) / scene.camera.height
    return nearest.role if rows >= MIN_SIGNAL_HEIGHT else 'unclear'
