# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The sky: gradient, clouds, sun, stars, and the hills at its foot.
"""

import cv2
import numpy as np

from caption_node.scenes.canvas import Canvas
from caption_node.scenes.textures import TILE, clouds, noise
from caption_node.scenes.world import Scene

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
    weather = environment.weather if environment.weather in ('rain', 'snow', 'cloudy') else 'clear'
    top, bottom = (
        np.array(c, np.float32) for c in _GRADIENT[environment.time, weather]
    )
    height = np.linspace(1.0, 0.0, rows, dtype=np.float32)[:, None] ** 0.8
    colours = bottom + (top - bottom) * height
    sky = np.repeat(colours[:, None, :], camera.width, axis=1)
    if environment.cloud > 0:
        _add_clouds(sky, scene, bottom)
    sky *= environment.exposure
    if environment.weather == 'clear' and environment.time != 'night':
        _add_sun(sky, scene)
    if environment.weather == 'fog':
        thick = 1.0 - 0.35 * height
        sky += (canvas.light.air.astype(np.float32) - sky) * thick[..., None]
    canvas.image[:rows] = np.clip(sky, 0, 255).astype(np.uint8)
    _add_hills(canvas, scene)


def _add_clouds(sky: np.ndarray, scene: Scene, bottom: np.ndarray) -> None:  # type: ignore[type-arg]
    """Mix clouds that shrink towards the horizon into the sky (rows, width, 3), in place."""
    rows, width = sky.shape[:2]
    small_h, small_w = max(2, rows // 2), max(2, width // 2)
    above = np.linspace(1.0, 0.06, small_h, dtype=np.float32)[:, None]
    across = np.linspace(-1.0, 1.0, small_w, dtype=np.float32)[None]
    drift = scene.texture_seed % 97 * 5.0 + scene.road.heading(2.0) * 120
    map_x = np.broadcast_to((across / (above + 0.12)) * 70 + drift + 300, (small_h, small_w))
    map_y = np.broadcast_to(60 / (above + 0.12) + scene.texture_seed % 31, (small_h, small_w))
    field = cv2.remap(
        clouds(40 + scene.texture_seed % 3),
        np.ascontiguousarray(map_x % TILE, np.float32),
        np.ascontiguousarray(map_y % TILE, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    field = cv2.resize(field, (width, rows))
    cover = scene.environment.cloud
    mask = np.clip((field - (1.1 - 2.6 * cover)) * 0.9, 0, 1)[..., None]
    white = {'day': 244.0, 'dusk': 140.0, 'night': 26.0}[scene.environment.time]
    tone = white + 6 * field[..., None] - 28 * np.clip(field[..., None] - 0.6, 0, 2) * cover
    ink = tone * (bottom / max(1.0, float(bottom.max()))) ** 0.7
    sky += (ink - sky) * mask * (0.85 if scene.environment.weather == 'clear' else 0.5)


def _add_sun(sky: np.ndarray, scene: Scene) -> None:  # type: ignore[type-arg]
    """Let the sun dazzle where it stands in the picture, in place."""
    camera, environment = scene.camera, scene.environment
    azimuth = environment.sun_azimuth
    if abs(azimuth) > 1.2:
        return
    u = camera.centre[0] + camera.focal_px * np.tan(azimuth)
    v = camera.horizon_px - camera.focal_px * np.tan(environment.sun_height)
    rows, width = sky.shape[:2]
    x = np.arange(width, dtype=np.float32)[None] - np.float32(u)
    y = np.arange(rows, dtype=np.float32)[:, None] - np.float32(v)
    far = np.sqrt(x * x + y * y) / camera.focal_px
    warm = np.array((255, 236, 205) if environment.time == 'day' else (255, 190, 120), np.float32)
    power = np.exp(-far * 3.2) * 0.75 + np.clip(1.6 - far * 34, 0, 1)
    sky += (warm - sky) * np.clip(power, 0, 1)[..., None]


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
