# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The chapters of a drive: where and when each one plays, and what our vehicle does in it."""

from dataclasses import dataclass, replace
import math

import numpy as np

from caption_node.scenes.bodies import dimensions
from caption_node.scenes.camera import Camera
from caption_node.scenes.placing import furnish
from caption_node.scenes.sampling import sample_environment, sample_road
from caption_node.scenes.traffic import make_person, make_vehicle, populate
from caption_node.scenes.world import (
    REACH_M,
    Environment,
    Floats,
    Junction,
    Road,
    Scene,
    Signal,
    bend_from_curvature,
)

Rng = np.random.Generator

WALK_M_S = 1.35
_GO_SHARE = 0.72
"""Share of a chapter after which the light is green and the crossing free."""


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What a chapter is about.

    :param share: Part of the drive's duration.
    :param speed: Cruising speed, m/s.
    :param event: ``cruise``, ``light`` (stop at red, go at green) or ``zebra`` (stop for people).
    """

    road: str
    time: str
    weather: str
    share: float
    speed: float
    event: str = 'cruise'


PLANS = (
    Plan('city', 'day', 'clear', 0.24, 11.0, 'light'),
    Plan('highway', 'day', 'cloudy', 0.13, 27.0),
    Plan('residential', 'day', 'clear', 0.17, 8.0, 'zebra'),
    Plan('tunnel', 'day', 'clear', 0.08, 17.0),
    Plan('city', 'dusk', 'rain', 0.14, 10.0),
    Plan('city', 'night', 'clear', 0.14, 11.0),
    Plan('rural', 'day', 'fog', 0.10, 14.0),
)


@dataclass(frozen=True, slots=True)
class Chapter:
    """
    One stretch of a drive, as it is when it begins.

    :param scene: Positions relative to our camera at the beginning.
    :param curvature: Curvature of the road, 1/m, one value a metre from the beginning.
    :param stop_m: Distance after which we stop, or infinity.
    """

    plan: Plan
    scene: Scene
    curvature: Floats
    duration_s: float
    stop_m: float

    def travelled(self, elapsed_s: float) -> float:
        """Metres that our vehicle has driven since the chapter began."""
        return travelled(self.plan.speed, self.stop_m, self.go_s, elapsed_s)

    @property
    def go_s(self) -> float:
        """When the light turns green or the last pedestrian has crossed."""
        return self.duration_s * _GO_SHARE


def travelled(speed: float, stop_m: float, go_s: float, elapsed_s: float) -> float:
    """
    Distance at constant speed, or with a gentle stop at ``stop_m`` and a start at ``go_s``.

    Braking is even: the speed falls to zero over the last 90 % of the way.
    """
    if math.isinf(stop_m):
        return speed * elapsed_s
    free = stop_m * 0.1
    brake_s = 2 * (stop_m - free) / speed
    t = elapsed_s - free / speed
    if t < 0:
        return speed * elapsed_s
    t = min(t, brake_s)
    way = free + speed * t - speed * t * t / (2 * brake_s)
    start = max(0.0, elapsed_s - max(go_s, free / speed + brake_s))
    return way + 0.5 * 2.2 * start * start


def write_chapter(plan: Plan, seed: int, index: int, camera: Camera, duration_s: float) -> Chapter:
    """
    Furnish a chapter.

    :param index: Number of the chapter, for its own random numbers.
    """
    rng = np.random.default_rng((seed, 10 + index))
    environment = _environment(rng, plan)
    road = _road(rng, plan)
    way = plan.speed * duration_s
    bend = plan.event == 'cruise' and plan.road != 'city'
    strength = {'highway': 0.0006, 'rural': 0.002}.get(plan.road, 0.001) if bend else 0.0
    metres = REACH_M + int(way) + 40
    knots = rng.normal(0, strength, metres // 70 + 2)
    curvature = np.interp(np.arange(metres), np.linspace(0, metres, len(knots)), knots)
    # No sudden turn at the beginning.
    curvature *= np.clip(np.arange(metres) / 60.0, 0.0, 1.0)
    road = replace(road, bend=bend_from_curvature(curvature[:REACH_M]))
    scene = Scene(
        camera,
        environment,
        road,
        texture_seed=int(rng.integers(1000)),
        grain=2.5 if environment.time == 'night' else 1.2,
        blur_px=0.35 * camera.height / 720,
        vignette=0.2,
        reach_m=170.0 + way * 1.8,
    )
    # Time to brake, to wait and to set off again must fit into the chapter.
    stop = plan.speed * duration_s * 0.26 if plan.event != 'cruise' else math.inf
    _set_stage(rng, scene, plan, stop, duration_s)
    return Chapter(plan, scene, curvature, duration_s, stop)


def _environment(rng: Rng, plan: Plan) -> Environment:
    """Light and weather of a plan, well exposed."""
    environment = sample_environment(rng, plan.road, plan.time, plan.weather)
    built_up = plan.road in ('city', 'residential')
    return replace(
        environment,
        exposure={'day': 1.1, 'dusk': 1.25, 'night': 1.7}[plan.time],
        sun_height=0.7 if plan.time == 'day' else 0.2,
        lamps=plan.time != 'day' and built_up,
        surface='wet' if plan.weather == 'rain' else 'dry',
    )


def _road(rng: Rng, plan: Plan) -> Road:
    """A road of a plan's kind with room for traffic both ways."""
    road = sample_road(rng, plan.road)
    lanes = {'highway': 3, 'city': 2, 'tunnel': 2}.get(plan.road, 1)
    other = 3 if plan.road == 'highway' else (0 if plan.road == 'tunnel' else min(lanes, 2))
    edge = 2.4 if plan.road in ('city', 'residential') else road.edge_m
    return replace(
        road,
        own_lanes=lanes,
        other_lanes=other,
        ego_lane=min(1, lanes - 1),
        edge_m=edge,
        marked=True,
        drift_m=0.0,
        scroll_m=0.0,
    )


def _set_stage(rng: Rng, scene: Scene, plan: Plan, stop: float, duration_s: float) -> None:
    """Junction, lights, houses, traffic and people of a chapter, in place."""
    lead_m = 0.0
    if plan.event == 'light':
        # One car waits at the line in front of us.
        lead_m = 11.0
        line = stop + lead_m + 5.2
        scene.junction = Junction(line + 5.2, 12.0, zebra=True)
        scene.zebra_s = scene.junction.s - 4.2
    elif plan.event == 'zebra':
        scene.zebra_s = stop + 7.0
    furnish(rng, scene)
    populate(rng, scene, 'red' if plan.event == 'light' else None)
    if plan.event != 'cruise':
        _clear_the_way(scene, stop)
    if plan.event == 'light':
        road = scene.road
        lead = make_vehicle(rng, scene, 'car', lead_m, road.ego_d, 'same')
        scene.vehicles.append(lead)
        _cross_traffic(rng, scene, duration_s)
    elif plan.event == 'zebra':
        scene.signals.clear()
    elif not any(_is_lead(scene, v.s, v.d, v.role) for v in scene.vehicles):
        kind = 'truck' if plan.road == 'highway' else 'car'
        gap = float(rng.uniform(14, 24)) + dimensions(kind, 0)[2] / 2
        scene.vehicles = [
            v for v in scene.vehicles if abs(v.d - scene.road.ego_d) > 1 or v.s > gap + 14
        ]
        scene.vehicles.append(make_vehicle(rng, scene, kind, gap, scene.road.ego_d, 'same'))
    if scene.zebra_s is not None:
        _walkers(rng, scene, duration_s)


def _is_lead(scene: Scene, s: float, d: float, role: str) -> bool:
    return role == 'same' and s < 45 and abs(d - scene.road.ego_d) < 1.0


def _clear_the_way(scene: Scene, stop: float) -> None:
    """Take away who would stand where we drive, or drive while everybody waits, in place."""
    line = scene.zebra_s if scene.zebra_s is not None else stop
    scene.people = [p for p in scene.people if not p.on_road]
    kept = []
    for vehicle in scene.vehicles:
        if vehicle.role == 'parked':
            kept.append(vehicle)
        elif vehicle.role == 'oncoming' and scene.junction is None and vehicle.s < line + 45:
            continue
        elif vehicle.role == 'oncoming' and scene.junction is not None:
            # They wait at their own line, beyond the junction.
            far = scene.junction.s + scene.junction.width_m + 6.0
            if vehicle.s > far + 2 and not any(v.d == vehicle.d and v.s < far + 9 for v in kept):
                vehicle.s = far + dimensions(vehicle.kind, vehicle.shape)[2] / 2
                kept.append(vehicle)
    scene.vehicles = kept


def _cross_traffic(rng: Rng, scene: Scene, duration_s: float) -> None:
    """Vehicles that pass from the side while our light is red, in place."""
    junction = scene.junction
    if junction is None:
        return
    for i in range(4):
        to_right = i % 2 == 0
        s = junction.s + junction.width_m * (0.27 if to_right else 0.73)
        start = (-9.0 if to_right else 9.0) * (1.5 + 1.4 * i)
        kind = ('car', 'van', 'car', 'bus')[i] if duration_s > 4 else 'car'
        vehicle = make_vehicle(rng, scene, kind, s, start, 'crossing')
        vehicle.yaw = math.pi / 2 if to_right else -math.pi / 2
        vehicle.blinker = 0
        scene.vehicles.append(vehicle)


def _walkers(rng: Rng, scene: Scene, duration_s: float) -> None:
    """Pedestrians who cross while we brake and wait, in place."""
    zebra = scene.zebra_s or 0.0
    road = scene.road
    go_s = duration_s * _GO_SHARE
    for i in range(4):
        from_left = i % 2 == 0
        # Everybody is off the road again when we set off.
        spare = float(rng.uniform(0.2, 1.2)) * WALK_M_S
        way = WALK_M_S * go_s + spare
        start = road.right - way if from_left else road.left + way
        yaw = math.pi / 2 if from_left else -math.pi / 2
        scene.people.append(make_person(rng, zebra + 0.6 + 0.6 * i, start, yaw))


def signal_at(signal: Signal, chapter: Chapter, elapsed_s: float) -> str:
    """State of a light: ours turns green when we may go, the crossing one before that red."""
    if chapter.plan.event != 'light':
        return signal.state
    if signal.facing:
        return 'green' if elapsed_s >= chapter.go_s else 'red'
    return 'red' if elapsed_s >= chapter.go_s - 1.0 else 'green'
