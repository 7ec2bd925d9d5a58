# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A random driving scene from a seed: road, light, weather and traffic that go together."""

from dataclasses import replace
import math
from typing import Any

import numpy as np

from caption_node.description import FIELDS
from caption_node.errors import ConfigError
from caption_node.scenes.camera import Camera
from caption_node.scenes.placing import furnish
from caption_node.scenes.traffic import populate
from caption_node.scenes.world import (
    REACH_M,
    Environment,
    Junction,
    Road,
    Scene,
    bend_from_curvature,
)

ROADS = FIELDS['road'].values
TIMES = FIELDS['time'].values
WEATHERS = ('clear', 'cloudy', 'rain', 'fog', 'snow')

_ROAD_SHARES = (0.22, 0.28, 0.16, 0.14, 0.06, 0.05, 0.03, 0.06)
_TIME_SHARES = (0.55, 0.17, 0.28)
_WEATHER_SHARES = (0.32, 0.30, 0.17, 0.11, 0.10)


def sample_scene(rng: np.random.Generator, width: int, height: int, **overrides: Any) -> Scene:
    """
    Draw a scene.

    :param overrides: ``road``, ``time``, ``weather`` as words of the schema; ``junction``,
        ``construction`` as booleans; ``light`` red, yellow, green or none.
    :raises ConfigError: If an override is not known or has no such value.
    """
    _check(overrides)
    kind = str(overrides.get('road') or rng.choice(ROADS, p=_ROAD_SHARES))
    environment = sample_environment(rng, kind, overrides.get('time'), overrides.get('weather'))
    camera = sample_camera(rng, width, height)
    road = sample_road(rng, kind)
    scene = Scene(
        camera,
        environment,
        road,
        texture_seed=int(rng.integers(1000)),
        grain=float(rng.uniform(0.5, 4.0)) * (2.0 if environment.time == 'night' else 1.0),
        tint=_sample_tint(rng),
        blur_px=float(rng.uniform(0.0, 0.9)) * height / 720,
        vignette=float(rng.uniform(0.0, 0.45)),
        bonnet=bool(rng.random() < 0.12),
    )
    _sample_junction(rng, scene, overrides)
    scene.construction = bool(
        overrides.get('construction', kind not in ('parking', 'private') and rng.random() < 0.1)
    )
    furnish(rng, scene)
    populate(rng, scene, overrides.get('light'))
    return scene


def _check(overrides: dict[str, Any]) -> None:
    """Refuse overrides that could not be kept."""
    allowed: dict[str, tuple[object, ...]] = {
        'road': ROADS,
        'time': TIMES,
        'weather': WEATHERS,
        'junction': (True, False),
        'construction': (True, False),
        'light': ('none', 'red', 'yellow', 'green'),
    }
    for name, value in overrides.items():
        if name not in allowed:
            raise ConfigError(f'no scene option {name!r}', 'options: ' + ', '.join(allowed))
        if value not in allowed[name]:
            words = ', '.join(str(v) for v in allowed[name])
            raise ConfigError(f'scene option {name!r} cannot be {value!r}', f'allowed: {words}')


def sample_environment(
    rng: np.random.Generator, kind: str, time: str | None = None, weather: str | None = None
) -> Environment:
    """Draw light and weather that fit a kind of road."""
    time = time or str(rng.choice(TIMES, p=_TIME_SHARES))
    weather = weather or str(rng.choice(WEATHERS, p=_WEATHER_SHARES))
    surface = {'rain': 'wet', 'snow': 'snow' if rng.random() < 0.75 else 'wet'}.get(weather, 'dry')
    if weather in ('cloudy', 'fog') and rng.random() < 0.2:
        surface = 'wet'
    if kind == 'tunnel':
        weather, surface = 'unknown', 'dry'
    built_up = kind in ('city', 'residential', 'industrial', 'parking')
    haze = {'fog': rng.uniform(0.012, 0.04), 'rain': 0.004, 'snow': 0.008}.get(weather, 0.0012)
    # Cameras in cars expose long at night: real pictures of lit streets are far from black.
    brightest = {'day': 1.35, 'dusk': 1.7, 'night': 3.2 if built_up else 2.0}[time]
    low = time == 'dusk' or rng.random() < 0.25
    return Environment(
        time=time,
        weather=weather,
        surface=surface,
        sun_azimuth=float(rng.uniform(-math.pi, math.pi)),
        sun_height=float(rng.uniform(0.1, 0.35) if low else rng.uniform(0.4, 1.1)),
        haze_per_m=float(haze),
        cloud=float(rng.uniform(0.0, 0.5) if weather == 'clear' else rng.uniform(0.5, 1.0)),
        headlights=time != 'day' or kind == 'tunnel' or weather in ('rain', 'fog', 'snow'),
        exposure=float(rng.uniform(0.8, brightest)),
        lamps=time != 'day' and (built_up or rng.random() < 0.2),
    )


def _sample_tint(rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw the colour cast of a white balance that is a little off."""
    warm, green = rng.normal(0.0, 0.05), rng.normal(0.0, 0.025)
    return float(1 + warm), float(1 + green), float(1 - warm)


def sample_camera(rng: np.random.Generator, width: int, height: int) -> Camera:
    """Draw a forward camera as cars carry it."""
    view = rng.uniform(0.82, 1.35)
    return Camera(
        width,
        height,
        focal_px=width / 2 / math.tan(view / 2),
        height_m=float(rng.uniform(1.1, 1.75)),
        pitch_rad=float(rng.uniform(-0.02, 0.06)),
        shift_px=float(rng.uniform(-0.03, 0.03)) * height,
    )


def sample_road(rng: np.random.Generator, kind: str) -> Road:
    """Draw the cross-section and course of a road."""
    lanes = {
        'highway': (2, 4, 2, 4), 'city': (1, 3, 0, 3), 'residential': (1, 1, 1, 1),
        'rural': (1, 1, 1, 1), 'industrial': (1, 2, 1, 1), 'parking': (1, 1, 1, 1),
        'private': (1, 1, 0, 0), 'tunnel': (1, 3, 0, 2),
    }[kind]  # fmt: skip
    own = int(rng.integers(lanes[0], lanes[1] + 1))
    other = own if kind in ('highway',) else int(rng.integers(lanes[2], lanes[3] + 1))
    if kind == 'city' and own == 1 and other == 0:
        other = 1
    lane_m = {'highway': 3.6, 'city': 3.2, 'residential': 2.9, 'private': 3.2, 'parking': 2.9}.get(
        kind, 3.3
    )
    median = {'highway': rng.uniform(2.0, 6.0)}.get(kind, 0.0)
    if kind == 'city' and own > 1 and other > 1 and rng.random() < 0.35:
        median = rng.uniform(1.2, 3.0)
    edge = {'highway': 2.2, 'rural': 0.4, 'private': 0.3, 'tunnel': 0.6, 'parking': 5.2}.get(
        kind, rng.uniform(0.5, 2.6)
    )
    strength = {'highway': 0.0008, 'tunnel': 0.001, 'rural': 0.003}.get(kind, 0.0012)
    knots = rng.normal(0, strength, 5)
    curvature = np.interp(np.arange(REACH_M), np.linspace(0, REACH_M, 5), knots)
    choices = ('dashed', 'solid', 'double', 'yellow', 'none')
    shares = (0.4, 0.2, 0.12, 0.18, 0.1)
    marked = kind not in ('private', 'parking') and not (
        kind == 'residential' and rng.random() < 0.6
    )
    return Road(
        kind=kind,
        own_lanes=own,
        other_lanes=other,
        lane_m=lane_m + float(rng.uniform(-0.15, 0.25)),
        median_m=float(median),
        ego_lane=int(rng.integers(own)),
        edge_m=float(edge),
        bend=bend_from_curvature(curvature),
        pavement_m=float(rng.uniform(1.6, 3.8)) if kind in ('city', 'residential') else 0.0,
        paint=str(rng.choice(choices, p=shares)),
        marked=marked,
        scroll_m=float(rng.uniform(0, 500)),
        style=int(rng.integers(60)),
        drift_m=float(rng.normal(0, 0.12)),
    )


def _sample_junction(rng: np.random.Generator, scene: Scene, overrides: dict[str, Any]) -> None:
    """Perhaps put a junction or a crossing on the road."""
    kind = scene.road.kind
    chance = {'city': 0.55, 'residential': 0.35, 'rural': 0.12, 'industrial': 0.3}.get(kind, 0.0)
    wanted = overrides.get('junction')
    if overrides.get('light', 'none') != 'none':
        wanted = True
    if wanted if wanted is not None else rng.random() < chance:
        # Junctions are straight: the crossing road lies across the picture.
        straight = bend_from_curvature(np.zeros(REACH_M))
        scene.road = replace(scene.road, bend=straight)
        zebra = bool(rng.random() < (0.6 if kind == 'city' else 0.25))
        width = float(rng.uniform(7.0, 14.0))
        scene.junction = Junction(float(rng.uniform(9.0, 48.0)), width, zebra)
        if zebra:
            scene.zebra_s = scene.junction.s - 4.2
    elif kind in ('city', 'residential') and rng.random() < 0.12:
        scene.zebra_s = float(rng.uniform(8.0, 55.0))
