# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The ground: carriageway, pavements and verges, with texture, light and shadows, row by row.

Every image row below the horizon is one distance, so the cross-section of the road, drawn once as
a strip of colours and blurred for every distance, is looked up for all pixels in one call.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.canvas import Canvas
from caption_node.scenes.textures import TILE, asphalt, noise
from caption_node.scenes.world import Road, Scene

Floats = NDArray[np.float64]
F32 = NDArray[np.float32]

_STEP_M = 0.04
_REACH_M = 60.0
_LEVELS = 8
_WHITE = (214.0, 214.0, 208.0)
_YELLOW = (206.0, 164.0, 48.0)
_VERGE = {
    'highway': (104, 106, 74),
    'city': (138, 132, 124),
    'residential': (86, 108, 60),
    'rural': (98, 112, 60),
    'industrial': (122, 116, 106),
    'parking': (118, 116, 114),
    'private': (112, 106, 84),
    'tunnel': (96, 92, 88),
}


def paint_ground(
    canvas: Canvas, scene: Scene, paint: NDArray[np.uint8], shadow: NDArray[np.uint8]
) -> None:
    """
    Fill the image below the horizon.

    :param paint: (height, width) uint8, 255 where broken lines and crossings are painted.
    :param shadow: (height, width) uint8, 255 where the sun is covered completely.
    """
    camera = scene.camera
    first = max(0, int(np.ceil(camera.horizon_px + 0.6)))
    if first >= camera.height:
        return
    rows = np.arange(first, camera.height, dtype=np.float64) + 0.5
    ahead = camera.ground_distance(rows)
    shown = ahead < 2000.0
    rows, ahead, first = rows[shown], ahead[shown], first + int((~shown).sum())
    lateral = _lateral(scene, ahead)
    albedo = _cross_section(scene, ahead, lateral)
    _add_paint(albedo, paint[first:])
    if scene.environment.surface == 'snow':
        _lay_snow(scene, albedo, ahead, lateral)
    factors = _light(canvas, scene, ahead, shadow[first:])
    texture = _texture(scene, ahead, lateral)
    if scene.environment.surface == 'wet':
        texture *= np.float32(0.62)
    clear = np.exp(-canvas.light.haze_per_m * ahead)[:, None].astype(np.float32)
    texture *= clear
    lit = cv2.multiply(albedo, cv2.merge([f * texture for f in factors]))
    width = scene.camera.width
    # Rows of width x 3 numbers: arithmetic on the last axis of 3 would be slow.
    flat = lit.reshape(len(ahead), width * 3)
    if scene.environment.surface == 'wet':
        _sheen(canvas, scene, lit, ahead, lateral)
    flat += (1 - clear) * np.tile(canvas.light.air.astype(np.float32), width)[None]
    canvas.image[first:] = np.minimum(flat, 255, out=flat).astype(np.uint8).reshape(lit.shape)


def _add_paint(albedo: F32, paint: NDArray[np.uint8]) -> None:
    """Lay worn white paint on the road, in place."""
    rows = np.flatnonzero(paint.any(axis=1))
    if len(rows) == 0:
        return
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    worn = paint[part].astype(np.float32) * np.float32(0.86 / 255)
    white = np.empty_like(albedo[part])
    white[:] = _WHITE
    albedo[part] = cv2.blendLinear(white, albedo[part], worn, 1 - worn)


def _lateral(scene: Scene, ahead: Floats) -> F32:
    """Lateral road position of every ground pixel, (rows, width) metres."""
    camera, road = scene.camera, scene.road
    depth = camera.to_view(np.stack([0 * ahead, 0 * ahead, ahead], -1))[:, 2]
    x = (np.arange(camera.width) + 0.5 - camera.centre[0]) / camera.focal_px
    shift = road.ego_d - road.offset(ahead)
    return np.asarray(depth[:, None] * x[None] + shift[:, None], np.float32)


def _strip(road: Road, junction: bool, snow: bool) -> F32:
    """Colours across the road, from left to right, one pixel per ``_STEP_M``."""
    d = np.arange(-_REACH_M, _REACH_M, _STEP_M)
    strip = np.empty((len(d), 3), np.float32)
    tone = (76.0, 94.0, 112.0, 84.0, 102.0)[road.style % 5]
    grey = np.array((tone, tone * 0.99, tone * 0.98))
    strip[:] = _VERGE[road.kind]
    if junction:
        strip[:] = grey
        return strip
    inside = (d > road.left) & (d < road.right)
    if road.pavement_m > 0:
        walk = (d > road.left - road.pavement_m) & (d < road.right + road.pavement_m)
        strip[walk] = (152.0, 146.0, 138.0)
        kerb = walk & ~((d > road.left - 0.18) & (d < road.right + 0.18))
        strip[walk & ~kerb] = (176.0, 174.0, 168.0)
    strip[inside] = grey
    for lane in range(-road.other_lanes, road.own_lanes):
        for wheel in (-0.8, 0.8):
            track = np.exp(-(((d - road.lane_centre(lane) - wheel) / 0.35) ** 2))
            strip *= (1 - 0.09 * track * inside)[:, None].astype(np.float32)
    if road.median_m >= 0.5:
        strip[np.abs(d) < road.median_m / 2] = (108.0, 112.0, 86.0)
    if road.marked:
        _lines(strip, d, road)
    if road.kind == 'private':
        strip[inside] = strip[inside] * np.array((1.12, 1.05, 0.9), np.float32)
    return strip


def _lines(strip: F32, d: Floats, road: Road) -> None:
    """Paint the unbroken lines into the strip, in place."""
    lines: list[tuple[float, tuple[float, float, float]]] = []
    if road.kind in ('highway', 'rural', 'tunnel', 'industrial'):
        lines += [(road.own_width - 0.05, _WHITE)]
        left_ink = _YELLOW if road.style % 3 == 0 and road.median_m >= 0.5 else _WHITE
        if road.median_m >= 0.5 or road.other_lanes == 0:
            lines += [(road.median_m / 2 + 0.05, left_ink), (-road.median_m / 2 - 0.05, left_ink)]
        if road.other_lanes > 0:
            lines += [(-road.other_width + 0.05, _WHITE)]
    if road.other_lanes > 0 and road.median_m < 0.5:
        ink = _YELLOW if road.paint == 'yellow' else _WHITE
        if road.paint in ('double', 'yellow'):
            lines += [(-0.12, ink), (0.12, ink)]
        elif road.paint == 'solid':
            lines += [(0.0, ink)]
    for centre, ink in lines:
        strip[np.abs(d - centre) < 0.075] = ink


def _cross_section(scene: Scene, ahead: Floats, lateral: F32) -> F32:
    """Unlit colour of every ground pixel, (rows, width, 3)."""
    snow = scene.environment.surface == 'snow'
    bands = [_blurred(_strip(scene.road, False, snow))]
    row_band = np.zeros(len(ahead), np.float32)
    if scene.junction is not None:
        bands.append(_blurred(_strip(scene.road, True, snow)))
        near, far = scene.junction.s, scene.junction.s + scene.junction.width_m
        row_band[(ahead > near) & (ahead < far)] = _LEVELS
    atlas = np.concatenate(bands)
    metres_per_px = ahead / scene.camera.focal_px
    level = np.clip(np.round(np.log2(np.maximum(metres_per_px / _STEP_M, 1.0))), 0, _LEVELS - 1)
    map_y = np.repeat((level + row_band).astype(np.float32)[:, None], lateral.shape[1], axis=1)
    map_x = (lateral + np.float32(_REACH_M)) / np.float32(_STEP_M) - np.float32(0.5)
    return np.asarray(
        cv2.remap(atlas, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def _blurred(strip: F32) -> F32:
    """Stack the strip with ever wider blurs, (_LEVELS, length, 3)."""
    levels = [strip]
    for i in range(1, _LEVELS):
        width = 2**i // 2 * 2 + 1
        soft = cv2.blur(strip[None], (width, 1), borderType=cv2.BORDER_REPLICATE)[0]
        levels.append(np.asarray(soft, np.float32))
    return np.stack(levels)


def _texture(scene: Scene, ahead: Floats, lateral: F32) -> F32:
    """Brightness factor of every ground pixel: grain near, stains further off."""
    seed = scene.texture_seed % 4
    along = (ahead + scene.road.scroll_m).astype(np.float64)
    total = np.ones(lateral.shape, np.float32)
    metres_per_px = ahead / scene.camera.focal_px
    for scale, power, picture in (
        (30.0, 0.075, asphalt(seed)),
        (3.0, 0.06, noise(60 + seed, 5.0)),
    ):
        fade = power * np.clip(1.3 - metres_per_px * scale * 0.7, 0.0, 1.0)
        count = int((fade > 0.002).sum())
        if count == 0:
            continue
        part = slice(len(ahead) - count, None)
        map_x = lateral[part] * np.float32(scale)
        map_y = np.repeat(
            np.mod(along[part] * scale, TILE).astype(np.float32)[:, None], lateral.shape[1], 1
        )
        grain = cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        total[part] += grain * fade[part].astype(np.float32)[:, None]
    return total


def _lay_snow(scene: Scene, albedo: F32, ahead: Floats, lateral: F32) -> None:
    """Cover verges and what lies between the wheel tracks with snow, in place."""
    road = scene.road
    across = np.arange(-_REACH_M, _REACH_M, 0.1, dtype=np.float32)
    tracks = np.zeros(len(across), np.float32)
    for lane in range(-road.other_lanes, road.own_lanes):
        for wheel in (-0.8, 0.8):
            at = np.float32(road.lane_centre(lane) + wheel)
            tracks += np.exp(-(((across - at) / np.float32(0.33)) ** 2))
    inside = (across > road.left) & (across < road.right)
    base = np.where(inside, 0.85 - 0.62 * tracks, 0.96).astype(np.float32)
    cover = cv2.remap(
        base[None],
        (lateral + np.float32(_REACH_M)) * np.float32(10),
        np.zeros(lateral.shape, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    cover = np.clip(cover + np.float32(0.12) * _patches(scene, ahead, lateral, 0.9), 0.1, 1)
    snow = np.empty_like(albedo)
    snow[:] = (222.0, 226.0, 232.0)
    albedo[:] = cv2.blendLinear(snow, albedo, cover, 1 - cover)


def _patches(scene: Scene, ahead: Floats, lateral: F32, scale: float) -> F32:
    """Broad blobs on the ground, (rows, width) around 0."""
    along = np.mod((ahead + scene.road.scroll_m) * scale * 6, TILE).astype(np.float32)
    return np.asarray(
        cv2.remap(
            noise(70 + scene.texture_seed % 4, 9.0),
            np.clip(lateral * np.float32(scale * 12), -8000, 8000),
            np.repeat(along[:, None], lateral.shape[1], 1),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
    )


def _light(canvas: Canvas, scene: Scene, ahead: Floats, shadow: NDArray[np.uint8]) -> list[F32]:
    """Light on every ground pixel, three channels of (rows, width)."""
    light = canvas.light
    direct = light.sun * max(0.0, float(light.to_sun[1]))
    share = (255 - shadow).astype(np.float32) * np.float32(1 / 255)
    # Under a vehicle, where the mask is darkest, the diffuse sky is hidden too.
    open_sky = np.clip(share * np.float32(4.0), 0.0, 1.0) * np.float32(0.6) + np.float32(0.4)
    channels = [
        share * np.float32(a) + open_sky * np.float32(b)
        for a, b in zip(direct, light.ambient, strict=True)
    ]
    if light.headlights > 0:
        camera = scene.camera
        z = ahead[::2]
        x = (np.arange(0, camera.width, 8) + 4 - camera.centre[0]) / camera.focal_px
        points = np.zeros((len(z), len(x), 3))
        points[..., 0] = z[:, None] * x
        points[..., 2] = z[:, None]
        beam = light.headlamp_at(points).astype(np.float32)
        wide = cv2.resize(beam, (camera.width, len(ahead)), interpolation=cv2.INTER_LINEAR)
        for channel, tint in zip(channels, (1.0, 0.96, 0.86), strict=True):
            channel += wide * np.float32(tint)
    return channels


def _sheen(canvas: Canvas, scene: Scene, lit: F32, ahead: Floats, lateral: F32) -> None:
    """Let flat rows of a wet road mirror the sky, in place."""
    slope = np.clip(ahead / 45.0, 0, 1) ** 0.8
    mirror = (0.10 + 0.42 * slope)[:, None].astype(np.float32)
    puddles = np.clip(0.75 + 0.35 * _patches(scene, ahead, lateral, 0.25), 0.2, 1.5)
    share = np.minimum(mirror * puddles, np.float32(0.8))
    sky = np.empty_like(lit)
    sky[:] = canvas.light.sky
    lit[:] = cv2.blendLinear(sky, lit, share, 1 - share)
