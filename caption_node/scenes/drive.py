# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A continuous drive: chapters one after another, every actor moving smoothly within each."""

from collections.abc import Iterator
from dataclasses import replace
import math

import numpy as np
from numpy.typing import NDArray

from caption_node.errors import ConfigError
from caption_node.scenes.camera import Camera
from caption_node.scenes.chapters import (
    PLANS,
    WALK_M_S,
    Chapter,
    signal_at,
    travelled,
    write_chapter,
)
from caption_node.scenes.render import render
from caption_node.scenes.truth import SceneTruth, truth_of
from caption_node.scenes.world import (
    REACH_M,
    Person,
    Road,
    Scene,
    Vehicle,
    bend_from_curvature,
)

_SHORTEST_CHAPTER_S = 2.0


def render_drive(
    seed: int,
    duration_s: float = 30.0,
    rate_hz: float = 10.0,
    width: int = 1280,
    height: int = 720,
) -> Iterator[tuple[NDArray[np.uint8], SceneTruth, int]]:
    """
    Draw a drive through city, highway, rain, night and fog.

    :param seed: Same arguments, same frames, bit for bit.
    :returns: RGB image, truth, and nanoseconds since the first frame, one frame after another.
    :raises ConfigError: If duration, rate or size is out of range.
    """
    if not 0 < duration_s <= 3600 or not 0 < rate_hz <= 240:
        raise ConfigError(
            f'cannot render {duration_s} s at {rate_hz} Hz', 'use up to 3600 s and 240 Hz'
        )
    if not 64 <= width <= 7680 or not 64 <= height <= 4320:
        raise ConfigError(f'cannot render {width} x {height}', 'use 64 x 64 to 7680 x 4320')
    return _frames(seed, duration_s, rate_hz, _camera(width, height))


def _camera(width: int, height: int) -> Camera:
    """The same camera for the whole drive, about 60 degrees wide."""
    return Camera(width, height, width / 2 / math.tan(0.54), 1.42, 0.015)


def _frames(
    seed: int, duration_s: float, rate_hz: float, camera: Camera
) -> Iterator[tuple[NDArray[np.uint8], SceneTruth, int]]:
    """Yield the frames of all chapters."""
    chapters = plan_drive(seed, duration_s, camera)
    ends = np.cumsum([c.duration_s for c in chapters])
    for i in range(max(1, round(duration_s * rate_hz))):
        now = i / rate_hz
        index = min(int(np.searchsorted(ends, now, side='right')), len(chapters) - 1)
        chapter = chapters[index]
        elapsed = now - (float(ends[index - 1]) if index else 0.0)
        scene = scene_at(chapter, elapsed)
        picture = render(scene, np.random.default_rng((seed, 3, i)))
        # Words change every two seconds, as they would for a listener.
        words = np.random.default_rng((seed, 4, int(now / 2)))
        yield picture.pixels_rgb, truth_of(scene, picture.sightings, words), round(now * 1e9)


def plan_drive(seed: int, duration_s: float, camera: Camera) -> list[Chapter]:
    """Choose as many chapters as there is time for."""
    count = int(np.clip(duration_s / _SHORTEST_CHAPTER_S, 1, len(PLANS)))
    plans = PLANS[:count]
    total = sum(p.share for p in plans)
    return [
        write_chapter(plan, seed, i, camera, duration_s * plan.share / total)
        for i, plan in enumerate(plans)
    ]


def scene_at(chapter: Chapter, elapsed_s: float) -> Scene:
    """The scene as it is some seconds after its chapter began."""
    start = chapter.scene
    way = chapter.travelled(elapsed_s)
    return replace(
        start,
        camera=_shaken(start.camera, way),
        road=_road_at(chapter, way),
        vehicles=[_moved(v, chapter, way, elapsed_s) for v in start.vehicles],
        people=[_walked(p, start.road, way, elapsed_s) for p in start.people],
        signals=[
            replace(x, s=x.s - way, state=signal_at(x, chapter, elapsed_s)) for x in start.signals
        ],
        props=[replace(p, s=p.s - way) for p in start.props],
        junction=replace(start.junction, s=start.junction.s - way) if start.junction else None,
        zebra_s=start.zebra_s - way if start.zebra_s is not None else None,
    )


def _shaken(camera: Camera, way: float) -> Camera:
    """The camera as it nods on an uneven road."""
    nod = 0.0009 * math.sin(way * 0.61) + 0.0006 * math.sin(way * 1.73)
    return replace(camera, pitch_rad=camera.pitch_rad + nod)


def _road_at(chapter: Chapter, way: float) -> Road:
    """The road as seen from where we are now."""
    metres = np.arange(len(chapter.curvature), dtype=np.float64)
    ahead = np.interp(np.arange(REACH_M) + way, metres, chapter.curvature)
    return replace(chapter.scene.road, bend=bend_from_curvature(ahead), scroll_m=way)


def _moved(vehicle: Vehicle, chapter: Chapter, way: float, elapsed_s: float) -> Vehicle:
    """Where a vehicle is now, and whether it brakes and blinks."""
    speed, stop = chapter.plan.speed, chapter.stop_m
    blinker = vehicle.blinker if elapsed_s * 1.5 % 1.0 < 0.5 else 0
    phase = vehicle.phase + elapsed_s * 5.0
    if vehicle.role == 'parked':
        return replace(vehicle, s=vehicle.s - way, blinker=0)
    if vehicle.role == 'crossing':
        # Cross traffic has green until shortly before we do; the last ones clear the junction.
        d = vehicle.d + math.copysign(9.0, math.sin(vehicle.yaw)) * elapsed_s
        return replace(vehicle, s=vehicle.s - way, d=d, phase=phase)
    if vehicle.role == 'oncoming':
        gone = 0.0 if chapter.plan.event == 'light' else speed * elapsed_s * 0.95
        if chapter.plan.event == 'light':
            gone = 1.1 * max(0.0, elapsed_s - chapter.go_s) ** 2
        return replace(vehicle, s=vehicle.s - way - gone, phase=phase)
    own = travelled(speed, stop, chapter.go_s - 0.6, elapsed_s)
    # Vehicles in other lanes are a little faster or slower than ours.
    offset = vehicle.d - chapter.scene.road.ego_d
    drift = (
        0.0 if math.isfinite(stop) else elapsed_s * (0.25 if abs(offset) < 1 else -offset * 0.35)
    )
    before = travelled(speed, stop, chapter.go_s - 0.6, max(0.0, elapsed_s - 0.2))
    halting = (
        math.isfinite(stop)
        and own - before < 0.2 * speed * 0.98
        and elapsed_s < chapter.go_s - 0.6
    )
    return replace(
        vehicle, s=vehicle.s + own + drift - way, braking=halting, blinker=blinker, phase=phase
    )


def _walked(person: Person, road: Road, way: float, elapsed_s: float) -> Person:
    """Where a pedestrian is now."""
    pace = WALK_M_S if person.stride > 0.1 else 0.0
    s = person.s + math.cos(person.yaw) * pace * elapsed_s - way
    d = person.d + math.sin(person.yaw) * pace * elapsed_s
    phase = person.phase + (elapsed_s * 5.6 if pace else 0.0)
    on_road = road.left < d < road.right
    return replace(person, s=s, d=d, phase=phase, on_road=on_road)
