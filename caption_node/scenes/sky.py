# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The sky: gradient, clouds, sun, stars, and the hills at its foot."""

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.canvas import Canvas
from caption_node.scenes.textures import TILE, clouds, noise
from caption_node.scenes.world import Scene

F32 = NDArray[np.float32]

_GRADIENT = {
    ('day', 'clear'): ((62, 118, 196), (188, 212, 232)),
    ('day', 'cloudy'): ((168, 176, 188), (222, 226, 230)),
    ('day', 'rain'): ((128, 134, 142), (182, 187, 192)),
    ('day', 'snow'): ((186, 190, 196), (212, 215, 220)),
    ('dusk', 'clear'): ((58, 72, 122), (242, 168, 112)),
    ('dusk', 'cloudy'): ((66, 74, 96), (150, 140, 150)),
    ('dusk', 'rain'): ((58, 64, 80), (112, 116, 128)),
    ('dusk', 'snow'): ((80, 86, 102), (132, 136, 150)),
    ('night', 'clear'): ((5, 7, 14), (18, 20, 30)),
    ('night', 'cloudy'): ((12, 12, 15), (30, 28, 28)),
    ('night', 'rain'): ((10, 10, 13), (28, 26, 26)),
    ('night', 'snow'): ((20, 20, 24), (42, 40, 42)),
}


def paint_sky(canvas: Canvas, scene: Scene) -> None:
    """Fill the image above the horizon, and a few rows below it."""
    camera, environment = scene.camera, scene.environment
    rows = int(np.clip(camera.horizon_px + 3, 1, camera.height))
    # The sky has no fine detail: a quarter of the pixels is enough.
    small_h, small_w = max(2, rows // 2), max(2, camera.width // 2)
    weather = environment.weather if environment.weather in ('rain', 'snow', 'cloudy') else 'clear'
    top, bottom = (np.array(c, np.float32) for c in _GRADIENT[environment.time, weather])
    height = np.linspace(1.0, 0.0, small_h, dtype=np.float32)[:, None] ** 0.8
    column = bottom + (top - bottom) * height
    sky = [np.repeat(column[:, c : c + 1], small_w, axis=1) for c in range(3)]
    if environment.cloud > 0:
        _add_clouds(sky, scene, bottom)
    if environment.weather == 'clear' and environment.time != 'night':
        _add_sun(sky, scene, rows)
    for c in range(3):
        sky[c] *= np.float32(environment.exposure)
        if environment.weather == 'fog':
            thick = (1.0 - 0.35 * height).astype(np.float32)
            sky[c] += (np.float32(canvas.light.air[c]) - sky[c]) * thick
    small = np.clip(cv2.merge(sky), 0, 255).astype(np.uint8)
    canvas.image[:rows] = cv2.resize(small, (camera.width, rows))
    _add_hills(canvas, scene)


def _add_clouds(sky: list[F32], scene: Scene, bottom: F32) -> None:
    """Mix clouds that shrink towards the horizon into the three channels, in place."""
    small_h, small_w = sky[0].shape
    above = np.linspace(1.0, 0.06, small_h, dtype=np.float32)[:, None]
    across = np.linspace(-1.0, 1.0, small_w, dtype=np.float32)[None]
    drift = np.float32(scene.texture_seed % 97 * 5.0 + scene.road.heading(2.0) * 120)
    map_x = np.mod((across / (above + np.float32(0.12))) * 70 + drift + 300, np.float32(TILE))
    rise = np.mod(60 / (above + np.float32(0.12)) + scene.texture_seed % 31, np.float32(TILE))
    field = cv2.remap(
        clouds(40 + scene.texture_seed % 3),
        map_x,
        np.repeat(rise, small_w, axis=1),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    cover = np.float32(scene.environment.cloud)
    mask = np.clip((field - (1.1 - 2.6 * cover)) * 0.9, 0, 1)
    mask *= np.float32(0.85 if scene.environment.weather == 'clear' else 0.5)
    white = {'day': 244.0, 'dusk': 140.0, 'night': 26.0}[scene.environment.time]
    tone = white + 6 * field - 28 * np.clip(field - 0.6, 0, 2) * cover
    tint = (bottom / max(1.0, float(bottom.max()))) ** 0.7
    for c in range(3):
        sky[c] += (tone * tint[c] - sky[c]) * mask


def _add_sun(sky: list[F32], scene: Scene, rows: int) -> None:
    """Let the sun dazzle where it stands in the picture, in place."""
    camera, environment = scene.camera, scene.environment
    azimuth = environment.sun_azimuth
    if abs(azimuth) > 1.2:
        return
    u = camera.centre[0] + camera.focal_px * np.tan(azimuth)
    v = camera.horizon_px - camera.focal_px * np.tan(environment.sun_height)
    small_h, small_w = sky[0].shape
    x = np.linspace(0, camera.width, small_w, dtype=np.float32)[None] - np.float32(u)
    y = np.linspace(0, rows, small_h, dtype=np.float32)[:, None] - np.float32(v)
    far = np.sqrt(x * x + y * y) / np.float32(camera.focal_px)
    warm = (255, 236, 205) if environment.time == 'day' else (255, 190, 120)
    power = np.clip(np.exp(-far * 3.2) * 0.75 + np.clip(1.6 - far * 34, 0, 1), 0, 1)
    for c in range(3):
        sky[c] += (np.float32(warm[c]) - sky[c]) * power


def _add_hills(canvas: Canvas, scene: Scene) -> None:
    """Draw a far skyline of woods, hills or roofs that hides the horizon."""
    camera, light = scene.camera, canvas.light
    wave = noise(500 + scene.texture_seed % 7, 22.0)[3]
    fine = noise(507 + scene.texture_seed % 7, 2.0)[5]
    x = np.arange(0, camera.width + 8, 4)
    turn = scene.road.heading(60.0)
    angle = (x - camera.width / 2) / camera.focal_px + turn
    index = (angle * 300 + scene.texture_seed * 13).astype(int) % TILE
    tall = {'rural': 0.034, 'highway': 0.026}.get(scene.road.kind, 0.05)
    rise = camera.focal_px * tall * np.clip(0.55 + 0.35 * wave[index] + 0.12 * fine[index], 0.1, 2)
    top = camera.horizon_px - rise
    outline = np.concatenate(
        [
            np.stack([x, top], -1),
            [[camera.width + 8, camera.horizon_px + 3], [0, camera.horizon_px + 3]],
        ]
    )
    albedo = np.array([(66.0, 84.0, 58.0)])
    if scene.environment.surface == 'snow':
        albedo = np.array([(150.0, 156.0, 160.0)])
    lit = light.shade(albedo, np.array([(0.0, 0.6, -0.8)]), np.array([(0.0, 4.0, 300.0)]))
    colour = light.through_air(lit, np.array([520.0]))[0]
    points = (outline * 16).astype(np.int32)
    cv2.fillPoly(canvas.image, [points], tuple(float(c) for c in colour), cv2.LINE_AA, 4)
