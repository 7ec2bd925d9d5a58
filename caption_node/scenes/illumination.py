# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""How much light falls where: sky, sun, lamps, our headlights, and what the air takes away."""

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.world import Environment

Floats = NDArray[np.float64]

_AMBIENT = {
    ('day', 'clear'): (0.56, 0.60, 0.67),
    ('day', 'other'): (0.82, 0.84, 0.87),
    ('dusk', 'clear'): (0.30, 0.29, 0.36),
    ('dusk', 'other'): (0.26, 0.28, 0.34),
    ('night', 'clear'): (0.045, 0.05, 0.07),
    ('night', 'other'): (0.05, 0.052, 0.065),
}
_LAMP_LIGHT = np.array((0.20, 0.16, 0.105))
_HEADLAMP = np.array((1.0, 0.97, 0.88))


@dataclass(frozen=True, slots=True)
class Illumination:
    """
    The light of one scene.

    :param ambient: (3,) factor on albedo from all sides.
    :param sun: (3,) factor on a surface that faces the sun; zero without hard shadows.
    :param to_sun: (3,) unit vector.
    :param sky: (3,) colour that glossy surfaces mirror, 0..255.
    :param air: (3,) colour that distance turns everything into, 0..255.
    :param headlights: Strength of our own headlights.
    :param bloom: How strongly lamps shine into the lens.
    """

    ambient: Floats
    sun: Floats
    to_sun: Floats
    sky: Floats
    air: Floats
    haze_per_m: float
    headlights: float
    bloom: float = 1.0

    @classmethod
    def of(cls, environment: Environment, tunnel: bool = False) -> 'Illumination':
        """Derive the light from the environment."""
        weather = 'clear' if environment.weather == 'clear' else 'other'
        ambient = np.array(_AMBIENT[environment.time, weather])
        if environment.weather in ('rain', 'fog') and environment.time == 'day':
            ambient = ambient * 0.82
        if tunnel:
            ambient = np.array((0.42, 0.38, 0.30))
        elif environment.lamps and environment.time != 'day':
            ambient = ambient + _LAMP_LIGHT * (1.0 if environment.time == 'night' else 0.5)
        sun = np.zeros(3)
        if environment.weather == 'clear' and not tunnel:
            strength = {'day': 0.62, 'dusk': 0.22, 'night': 0.0}[environment.time]
            warm = 1.0 - min(1.0, environment.sun_height / 0.7)
            sun = strength * np.array((1.0, 0.94 - 0.16 * warm, 0.84 - 0.34 * warm))
        across = math.cos(environment.sun_height)
        to_sun = np.array(
            (
                math.sin(environment.sun_azimuth) * across,
                math.sin(environment.sun_height),
                math.cos(environment.sun_azimuth) * across,
            )
        )
        sky, air = _sky_and_air(environment, tunnel)
        return cls(
            ambient * environment.exposure,
            sun * environment.exposure,
            to_sun,
            np.minimum(sky * environment.exposure, 255.0),
            np.minimum(air * environment.exposure, 255.0),
            0.002 if tunnel else environment.haze_per_m,
            _headlights(environment),
            1.0 if environment.time == 'day' else min(2.2, max(1.0, environment.exposure)),
        )

    def headlamp_at(self, points: Floats) -> Floats:
        """Factor of our own low beam at world points (..., 3), 0..1."""
        if self.headlights == 0.0:
            return np.zeros(points.shape[:-1])
        x, y, z = points[..., 0], points[..., 1], np.maximum(points[..., 2], 0.1)
        side = (x - 0.02 * z) / (0.32 * z + 1.6)
        reach = np.clip((z - 1.5) / 5.0, 0.0, 1.0) * np.exp(-z / 24.0) * 1.25
        cut = 0.12 + 0.88 / (1.0 + np.exp(np.clip((y - 0.9 - 0.004 * z) * 3.0, -20, 20)))
        return np.asarray(self.headlights * np.exp(-side * side) * reach * cut)

    def shade(self, albedo: Floats, normals: Floats, points: Floats) -> Floats:
        """
        Colour of lit surfaces before the air's haze.

        :param albedo: (N, 3) 0..255.
        :param normals: (N, 3) unit vectors.
        :param points: (N, 3) centres of the surfaces, world metres.
        """
        sky_seen = (0.72 + 0.28 * normals[:, 1])[:, None]
        direct = np.maximum(normals @ self.to_sun, 0.0)[:, None]
        lamp = self.headlamp_at(points)[:, None]
        light = self.ambient * sky_seen + self.sun * direct + _HEADLAMP * lamp
        return np.asarray(albedo * light)

    def through_air(self, colours: Floats, depth_m: Floats) -> Floats:
        """Mix colours (N, 3) with the air in front of them."""
        clear = np.exp(-self.haze_per_m * np.maximum(depth_m, 0.0))[..., None]
        return np.asarray(np.minimum(colours * clear + self.air * (1.0 - clear), 255.0))


def _headlights(environment: Environment) -> float:
    """Strength of our own headlights in the exposed picture."""
    if not environment.headlights:
        return 0.0
    strength = 0.26 if environment.time == 'day' else 0.8
    return strength * min(1.9, max(1.0, environment.exposure))


def _sky_and_air(environment: Environment, tunnel: bool) -> tuple[Floats, Floats]:
    """Colours of the mirrored sky and of thick air."""
    if tunnel:
        return np.array((90.0, 80.0, 62.0)), np.array((105.0, 95.0, 74.0))
    if environment.time == 'night':
        glow = 1.8 if environment.lamps else 1.0
        return np.array((14.0, 15.0, 22.0)) * glow, np.array((20.0, 20.0, 26.0)) * glow
    if environment.time == 'dusk':
        if environment.weather == 'clear':
            return np.array((120.0, 110.0, 130.0)), np.array((150.0, 120.0, 118.0))
        return np.array((95.0, 102.0, 120.0)), np.array((98.0, 104.0, 118.0))
    if environment.weather == 'clear':
        return np.array((150.0, 185.0, 225.0)), np.array((190.0, 208.0, 228.0))
    if environment.weather == 'snow':
        return np.array((205.0, 210.0, 218.0)), np.array((208.0, 212.0, 219.0))
    return np.array((198.0, 202.0, 208.0)), np.array((192.0, 197.0, 203.0))
