# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Who is on the road: traffic, parked vehicles, people, cyclists and traffic lights."""

import math

import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.bodies import dimensions
from caption_node.scenes.world import Person, Prop, Rgb, Scene, Signal, Vehicle

Rng = np.random.Generator

_PAINTS: tuple[Rgb, ...] = (
    (232.0, 232.0, 230.0), (26.0, 27.0, 30.0), (150.0, 153.0, 157.0), (88.0, 91.0, 96.0),
    (44.0, 62.0, 104.0), (150.0, 26.0, 28.0), (190.0, 192.0, 194.0), (62.0, 80.0, 66.0),
    (176.0, 158.0, 128.0), (104.0, 40.0, 44.0), (214.0, 176.0, 52.0), (52.0, 56.0, 62.0),
)  # fmt: skip
_PAINT_SHARES = np.array((0.2, 0.17, 0.15, 0.13, 0.09, 0.07, 0.07, 0.03, 0.03, 0.02, 0.02, 0.02))
_KINDS = ('car', 'van', 'truck', 'bus', 'motorcycle', 'bicycle')
_MIX = {
    'highway': (0.66, 0.12, 0.18, 0.02, 0.02, 0.0),
    'city': (0.64, 0.12, 0.06, 0.07, 0.05, 0.06),
    'residential': (0.72, 0.13, 0.04, 0.01, 0.04, 0.06),
    'rural': (0.66, 0.12, 0.12, 0.02, 0.05, 0.03),
    'industrial': (0.48, 0.17, 0.29, 0.02, 0.02, 0.02),
    'tunnel': (0.7, 0.12, 0.12, 0.04, 0.02, 0.0),
}


def paint(rng: Rng) -> Rgb:
    """Draw a body colour as they are common on the road."""
    base = _PAINTS[int(rng.choice(len(_PAINTS), p=_PAINT_SHARES))]
    k = float(rng.uniform(0.88, 1.06))
    return (min(245.0, base[0] * k), min(245.0, base[1] * k), min(245.0, base[2] * k))


def make_vehicle(rng: Rng, scene: Scene, kind: str, s: float, d: float, role: str) -> Vehicle:
    """Draw shape, colour and lamps of a vehicle at a place."""
    yaw = {'oncoming': math.pi, 'crossing': math.pi / 2}.get(role, 0.0)
    return Vehicle(
        kind,
        s,
        d,
        yaw + float(rng.normal(0, 0.015)),
        role,
        shape=int(rng.integers(60)),
        colour=paint(rng),
        braking=role == 'same' and bool(rng.random() < 0.3),
        blinker=int(rng.choice((-1, 0, 0, 0, 0, 0, 0, 1))),
        phase=float(rng.uniform(0, 6.28)),
    )


def make_person(rng: Rng, s: float, d: float, yaw: float, standing: bool = False) -> Person:
    """Draw a pedestrian's build, clothes and stride."""
    tops = rng.uniform(20, 200, 3) * rng.choice((0.5, 1.0))
    legs = np.array(((42, 46, 66), (30, 30, 32), (96, 88, 74), (60, 62, 66))[rng.integers(4)])
    skin = np.array(
        ((226, 184, 156), (196, 148, 118), (136, 96, 72), (92, 64, 48))[rng.integers(4)]
    )
    hair = np.array(((36, 28, 24), (84, 58, 38), (150, 120, 76), (128, 126, 124))[rng.integers(4)])
    return Person(
        s,
        d,
        yaw,
        phase=float(rng.uniform(0, 6.28)),
        stride=0.06 if standing else float(rng.uniform(0.35, 0.6)),
        height_m=float(rng.choice((1.25, 1.62, 1.7, 1.78, 1.86), p=(0.1, 0.2, 0.3, 0.25, 0.15))),
        top=_rgb(tops),
        legs=_rgb(legs * 1.0),
        skin=_rgb(skin * 1.0),
        hair=_rgb(hair * 1.0),
        bag=int(rng.random() < 0.2),
    )


def _rgb(values: NDArray[np.float64]) -> Rgb:
    return float(values[0]), float(values[1]), float(values[2])


def populate(rng: Rng, scene: Scene, light: str | None = None) -> None:
    """Add vehicles, people and lights, in place."""
    kind = scene.road.kind
    density = float(rng.choice((0.0, 0.35, 0.8, 1.3), p=(0.12, 0.3, 0.38, 0.2)))
    if kind in _MIX:
        _own_lanes(rng, scene, density)
        _other_lanes(rng, scene, density)
    if scene.junction is not None:
        add_signals(rng, scene, light)
        _crossing(rng, scene, density)
    _parked(rng, scene)
    if kind in ('city', 'residential', 'industrial', 'parking') or rng.random() < 0.04:
        _people(rng, scene)


def _gap(rng: Rng, density: float, length: float) -> float:
    """Room to the next vehicle in a lane."""
    return length + float(rng.gamma(1.6, 14.0 / max(density, 0.2))) + 3.0


def _own_lanes(rng: Rng, scene: Scene, density: float) -> None:
    """Traffic that goes our way."""
    road = scene.road
    stop = _stop_line(scene)
    for lane in range(road.own_lanes):
        s = float(rng.uniform(6.0, 30.0)) + (0 if lane != road.ego_lane else 3.0)
        while s < scene.reach_m * 0.8 and density > 0:
            kind = str(rng.choice(_KINDS, p=_MIX[road.kind]))
            vehicle = make_vehicle(rng, scene, kind, s, road.lane_centre(lane), 'same')
            length = dimensions(kind, vehicle.shape)[2]
            vehicle.s = s + length / 2
            if lane != road.ego_lane and rng.random() < 0.25 and s > 8:
                vehicle.s -= 5.0
            vehicle.d += float(rng.normal(0, 0.15))
            if kind == 'bicycle':
                vehicle.d += road.lane_m * 0.28
                if lane != road.own_lanes - 1:
                    vehicle = make_vehicle(
                        rng, scene, 'car', vehicle.s, road.lane_centre(lane), 'same'
                    )
            if rng.random() < 0.35 + 0.5 * min(1.0, density) and not _inside(scene, vehicle, stop):
                scene.vehicles.append(vehicle)
            s = vehicle.s + length / 2 + _gap(rng, density, 0.0)


def _inside(scene: Scene, vehicle: Vehicle, stop: float) -> bool:
    """Whether a vehicle would stand on the zebra crossing or in the middle of the junction."""
    half = dimensions(vehicle.kind, vehicle.shape)[2] / 2
    if scene.zebra_s is not None and abs(vehicle.s - scene.zebra_s - 1.6) < half + 2.0:
        return True
    if scene.junction is None:
        return False
    return stop < vehicle.s + half and vehicle.s - half < scene.junction.s + 2.0


def _stop_line(scene: Scene) -> float:
    """Where traffic waits; far beyond the picture without a junction."""
    if scene.junction is None:
        return 1e9
    return scene.junction.s - (5.2 if scene.junction.zebra else 1.6)


def _other_lanes(rng: Rng, scene: Scene, density: float) -> None:
    """Traffic that comes towards us."""
    road = scene.road
    for lane in range(-road.other_lanes, 0):
        s = float(rng.uniform(8.0, 45.0))
        while s < scene.reach_m * 0.85 and density > 0:
            kind = str(rng.choice(_KINDS, p=_MIX[road.kind]))
            vehicle = make_vehicle(rng, scene, kind, s, road.lane_centre(lane), 'oncoming')
            length = dimensions(kind, vehicle.shape)[2]
            vehicle.s = s + length / 2
            if kind == 'bicycle':
                vehicle.d -= road.lane_m * 0.28
            chance = (0.25 + 0.4 * min(1.0, density)) * (0.8 if road.median_m > 1 else 1.0)
            if rng.random() < chance and not _inside(scene, vehicle, 1e9):
                scene.vehicles.append(vehicle)
            s = vehicle.s + length / 2 + _gap(rng, density, 0.0)


def _crossing(rng: Rng, scene: Scene, density: float) -> None:
    """A vehicle that passes through the junction from the side, when our light allows it."""
    junction = scene.junction
    if junction is None or rng.random() > 0.35 or density == 0:
        return
    if any(x.facing and x.state == 'green' for x in scene.signals):
        return
    busy = [v for v in scene.vehicles if junction.s - 3 < v.s < junction.s + junction.width_m + 3]
    if busy:
        return
    kind = str(rng.choice(('car', 'van', 'truck', 'bus'), p=(0.72, 0.14, 0.08, 0.06)))
    to_right = rng.random() < 0.5
    s = junction.s + junction.width_m * (0.27 if to_right else 0.73)
    d = float(rng.uniform(-12, 12))
    vehicle = make_vehicle(rng, scene, kind, s, d, 'crossing')
    vehicle.yaw = math.pi / 2 if to_right else -math.pi / 2
    vehicle.blinker = 0
    scene.vehicles.append(vehicle)


def _parked(rng: Rng, scene: Scene) -> None:
    """Vehicles at the kerb, or in the bays of a car park."""
    road = scene.road
    if road.kind == 'parking':
        _bays(rng, scene)
        return
    chance = {'city': 0.5, 'residential': 0.7, 'industrial': 0.35}.get(road.kind, 0.0)
    for side in (-1.0, 1.0):
        if road.edge_m < 1.2 or rng.random() > chance:
            continue
        s, fill = float(rng.uniform(5, 25)), float(rng.uniform(0.3, 0.95))
        while s < scene.reach_m * 0.55:
            mix = (0.8, 0.14, 0.06) if road.kind != 'industrial' else (0.4, 0.2, 0.4)
            kind = str(rng.choice(('car', 'van', 'truck'), p=mix))
            d = road.right - 0.95 if side > 0 else road.left + 0.95
            vehicle = make_vehicle(rng, scene, kind, s, d, 'parked')
            length = dimensions(kind, vehicle.shape)[2]
            vehicle.s = s + length / 2
            vehicle.yaw = (math.pi if side < 0 and rng.random() < 0.8 else 0.0) + float(
                rng.normal(0, 0.02)
            )
            vehicle.blinker = 0
            junction = scene.junction
            free = junction is None or not (
                junction.s - 9 < vehicle.s < junction.s + junction.width_m + 7
            )
            clear = scene.zebra_s is None or abs(vehicle.s - scene.zebra_s - 1.6) > 6.5
            if rng.random() < fill and free and clear:
                scene.vehicles.append(vehicle)
            s += length + float(rng.uniform(0.8, 2.5))


def _bays(rng: Rng, scene: Scene) -> None:
    """Rows of cars across a car park's aisle."""
    road = scene.road
    for side in (-1.0, 1.0):
        fill = float(rng.uniform(0.35, 0.95))
        for s in np.arange(6.0, 70.0, 2.75):
            if rng.random() > fill:
                continue
            kind = 'car' if rng.random() < 0.9 else 'van'
            d = road.right - 2.5 if side > 0 else road.left + 2.5
            vehicle = make_vehicle(rng, scene, kind, float(s), d, 'parked')
            vehicle.yaw = float(rng.choice((-1.0, 1.0))) * math.pi / 2 + float(rng.normal(0, 0.03))
            vehicle.blinker = 0
            scene.vehicles.append(vehicle)


def add_signals(rng: Rng, scene: Scene, light: str | None) -> None:
    """Traffic lights or a stop sign at the junction."""
    road, junction = scene.road, scene.junction
    if junction is None:
        return
    chance = {'city': 0.7, 'industrial': 0.3, 'residential': 0.15, 'rural': 0.15}.get(road.kind, 0)
    if light == 'none' or (light is None and rng.random() > chance):
        if rng.random() < 0.45 and light is None:
            scene.props.append(Prop('stop', junction.s - 1.0, road.right + 0.9, (0.9, 3.0, 0.1)))
        return
    state = light or str(rng.choice(('red', 'yellow', 'green'), p=(0.46, 0.1, 0.44)))
    s = junction.s - 0.8
    scene.signals.append(Signal(s, road.right + 0.7, state, height_m=float(rng.uniform(2.2, 2.9))))
    beyond = junction.s + junction.width_m + 1.0
    if rng.random() < 0.6:
        d = road.ego_d + float(rng.uniform(-0.6, 0.8))
        scene.signals.append(Signal(beyond, d, state, overhead=True))
    if rng.random() < 0.6:
        scene.signals.append(Signal(beyond, road.left - 0.7, state))
    if rng.random() < 0.5:
        other = 'green' if state == 'red' else 'red'
        scene.signals.append(Signal(beyond - 2.0, road.right + 1.6, other, facing=False))


def _people(rng: Rng, scene: Scene) -> None:
    """Pedestrians on the pavements, at the kerb, and on the crossing."""
    road = scene.road
    count = int(rng.choice((0, 1, 2, 3, 5, 8), p=(0.3, 0.24, 0.18, 0.14, 0.1, 0.04)))
    for _ in range(count):
        side = float(rng.choice((-1.0, 1.0)))
        strip = max(road.pavement_m, 1.6)
        d = (road.right if side > 0 else road.left) + side * float(rng.uniform(0.3, strip - 0.2))
        yaw = float(rng.choice((0.0, math.pi))) + float(rng.normal(0, 0.25))
        s = 6.0 + float(rng.gamma(2.0, 9.0))
        scene.people.append(make_person(rng, s, d, yaw, standing=bool(rng.random() < 0.25)))
    zebra = scene.zebra_s
    green = any(x.facing and x.state == 'green' for x in scene.signals)
    if zebra is not None and zebra > 5 and not green and rng.random() < 0.6:
        for _ in range(int(rng.integers(1, 5))):
            d = float(rng.uniform(road.left, road.right))
            yaw = math.pi / 2 * float(rng.choice((-1.0, 1.0)))
            person = make_person(rng, zebra + float(rng.uniform(0.5, 2.8)), d, yaw)
            person.on_road = True
            scene.people.append(person)
    elif rng.random() < 0.06:
        d = float(rng.uniform(road.left, road.right))
        person = make_person(rng, float(rng.uniform(14, 40)), d, math.pi / 2)
        person.on_road = all(abs(v.s - person.s) > 6 for v in scene.vehicles)
        if person.on_road:
            scene.people.append(person)
