# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Scenery beside the road: buildings, trees, hedges, walls, rails, and the tube of a tunnel."""

from itertools import pairwise
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.camera import NEAR_M
from caption_node.scenes.canvas import Canvas
from caption_node.scenes.textures import facade, facade_tone, tree_picture
from caption_node.scenes.world import Prop, Scene

Floats = NDArray[np.float64]


def draw_tree(canvas: Canvas, scene: Scene, position: Floats, prop: Prop) -> None:
    """Draw a tree or bush as an upright picture that faces us."""
    bare = prop.style >= 100
    picture = tree_picture(prop.style % 12, bare and prop.kind == 'tree')
    foot = canvas.camera.project(position)
    if foot[2] < 2.0:
        return
    scale = canvas.camera.focal_px / float(foot[2])
    height = max(2, min(int(prop.size[1] * scale), canvas.camera.height * 3))
    width = max(2, int(prop.size[0] * scale))
    left, top = int(foot[0] - width / 2), int(foot[1] - height)
    camera = canvas.camera
    if left >= camera.width or left + width <= 0 or top >= camera.height:
        return
    x0, x1 = max(0, left), min(camera.width, left + width)
    y0, y1 = max(0, top), min(camera.height, top + height)
    if x1 <= x0 or y1 <= y0:
        return
    # Only the part inside the picture is scaled: near trees are far larger than the image.
    to_source = np.array(
        [[160 / width, 0, (x0 - left) * 160 / width], [0, 192 / height, (y0 - top) * 192 / height]]
    )
    mode = cv2.INTER_AREA if scale * prop.size[1] < 192 else cv2.INTER_LINEAR
    if mode == cv2.INTER_AREA:
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        part = small[y0 - top : y1 - top, x0 - left : x1 - left]
    else:
        part = cv2.warpAffine(
            picture, to_source, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
    point = position + np.array((0.0, prop.size[1] * 0.4, 0.0))
    normal = np.array([(-0.35 if position[0] > 0 else 0.35, 0.6, -0.7)])
    normal /= np.linalg.norm(normal)
    lit = canvas.light.shade(np.array([prop.colour]), normal, point[None])
    clear = math.exp(-canvas.light.haze_per_m * float(foot[2]))
    rgb = tuple(float(c) for c in lit[0] * clear)
    ink = cv2.multiply(np.ascontiguousarray(part[..., :3]), (*rgb, 0.0), scale=1 / 128)
    if scene.environment.surface == 'snow':
        white = canvas.light.shade(np.array([(226.0, 230.0, 236.0)]), normal, point[None])[0]
        crust = np.clip((part[..., 0].astype(np.float32) - 128) / 26, 0, 0.85)
        snow = np.empty_like(ink)
        snow[:] = np.minimum(white * clear, 255)
        ink = cv2.blendLinear(snow, ink, crust, 1 - crust)
    haze = canvas.light.air * (1 - clear)
    ink = cv2.add(ink, (float(haze[0]), float(haze[1]), float(haze[2]), 0.0))
    alpha = part[..., 3].astype(np.float32) * np.float32(1 / 255)
    canvas.blend(alpha, np.asarray(ink, np.uint8), x0, y0)
    crown = np.array(((0.2, 0.1), (0.8, 0.1), (0.8, 0.55), (0.2, 0.55))) * (width, height)
    crown += (left, top)
    canvas.cover(crown, 0)


def draw_block(canvas: Canvas, scene: Scene, prop: Prop) -> None:
    """
    Draw a building, hedge, wall or rail: the side that faces the road and the end that faces us.

    ``prop.d`` is the lateral position of its middle, ``prop.size`` width, height and length.
    """
    road = scene.road
    width, height, length = prop.size
    inner = prop.d - math.copysign(width / 2, prop.d - road.ego_d)
    outer = prop.d + math.copysign(width / 2, prop.d - road.ego_d)
    near, far = prop.s - length / 2, prop.s + length / 2
    near = max(near, NEAR_M + 0.3)
    if far <= near:
        return
    low = 0.0
    end = road.to_world(
        np.array((near, near, near, near)),
        np.array((inner, outer, outer, inner)),
        np.array((low, low, height, height)),
    )
    side = road.to_world(
        np.array((near, far, far, near)),
        np.array((inner, inner, inner, inner)),
        np.array((low, low, height, height)),
    )
    pixels = canvas.camera.project(np.concatenate([end, side]))
    if pixels[:, 0].max() < 0 or pixels[:, 0].min() > canvas.camera.width:
        return
    share = (near - (prop.s - length / 2)) / length
    facing = -1.0 if prop.d > road.ego_d else 1.0
    if share <= 0.0:
        _wall(canvas, scene, prop, end, (0.0, 0.0, -1.0), (0.0, 1.0), plain=prop.style % 3 == 0)
    _wall(canvas, scene, prop, side, (facing, 0.0, 0.0), (share, 1.0), plain=False)
    if prop.kind == 'house':
        _roof(canvas, prop, road.to_world(
            np.array((near, far, far, near)),
            np.array((inner, inner, (inner + outer) / 2, (inner + outer) / 2)),
            np.array((height, height, height + width * 0.42, height + width * 0.42)),
        ), end)  # fmt: skip
    canvas.cover(pixels[:4, :2], 0)
    canvas.cover(pixels[4:, :2], 0)


def _wall(
    canvas: Canvas,
    scene: Scene,
    prop: Prop,
    quad: Floats,
    outward: tuple[float, float, float],
    part: tuple[float, float],
    *,
    plain: bool,
) -> None:
    """Draw one upright side, textured with windows when it is a building."""
    centre = quad.mean(axis=0)
    light = canvas.light
    lit = light.shade(np.array([prop.colour]), np.array([outward]), centre[None])[0]
    if prop.kind not in ('building', 'house') or plain:
        if prop.kind in ('building', 'house'):
            tone = np.array([facade_tone(prop.style % 16, prop.kind == 'building')])
            lit = light.shade(tone, np.array([outward]), centre[None])[0]
        _strips(canvas, quad, lit, prop)
        return
    pixels = canvas.camera.project(quad)
    x0, y0 = np.floor(pixels[:, :2].min(axis=0)).astype(int) - 1
    x1, y1 = np.ceil(pixels[:, :2].max(axis=0)).astype(int) + 1
    x0, y0 = max(0, x0), max(0, y0)
    x1, y1 = min(canvas.camera.width, x1), min(canvas.camera.height, y1)
    if x1 <= x0 or y1 <= y0:
        return
    wall = facade(prop.style % 16, scene.environment.time != 'day', prop.kind == 'building')
    repeat = max(1.0, prop.size[2] / 18.0)
    left, right = 256 * part[0] * repeat, 256 * part[1] * repeat
    source = np.array([(left, 256), (right, 256), (right, 0), (left, 0)], np.float32)
    target = (pixels[:, :2] - (x0, y0)).astype(np.float32)
    size = (int(x1 - x0), int(y1 - y0))
    picture = cv2.warpPerspective(
        wall,
        cv2.getPerspectiveTransform(target, source),
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_WRAP,
    )
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillConvexPoly(mask, (target * 16).astype(np.int32), 255.0, cv2.LINE_AA, 4)
    factor = light.shade(np.ones((1, 3)), np.array([outward]), centre[None])[0]
    depth = float(np.clip(np.linalg.norm(centre), 1, 400))
    clear = math.exp(-light.haze_per_m * depth)
    rgb = np.ascontiguousarray(picture[..., :3])
    gain = factor * clear
    ink = cv2.multiply(rgb, (float(gain[0]), float(gain[1]), float(gain[2]), 0.0))
    if scene.environment.time != 'day':
        shine = picture[..., 3].astype(np.float32) * np.float32(1 / 255)
        ink = cv2.blendLinear(rgb, ink, shine * np.float32(0.85 * clear), 1 - shine)
    haze = light.air * (1 - clear)
    ink = cv2.add(ink, (float(haze[0]), float(haze[1]), float(haze[2]), 0.0))
    canvas.blend(
        mask.astype(np.float32) * np.float32(1 / 255), np.asarray(ink, np.uint8), int(x0), int(y0)
    )


def _strips(canvas: Canvas, quad: Floats, lit: Floats, prop: Prop) -> None:
    """Draw a plain wall, darker at its foot, with the texture of its kind as bands."""
    tones = {'hedge': (0.62, 0.85, 1.1), 'rail': (0.55, 0.9, 1.15, 0.7)}.get(
        prop.kind, (0.82, 0.94, 1.0, 1.04)
    )
    pixels = canvas.camera.project(quad)
    depth = float(pixels[:, 2].sum()) / len(pixels)
    if float(np.ptp(pixels[:, 1])) < 12:
        tones = (0.95,)
    steps = len(tones)
    corners = pixels[:, :2]
    for i, tone in enumerate(tones):
        low, high = i / steps, (i + 1) / steps
        # Upright edges stay straight and nearly even in the picture.
        strip = np.stack(
            [
                corners[0] + (corners[3] - corners[0]) * low,
                corners[1] + (corners[2] - corners[1]) * low,
                corners[1] + (corners[2] - corners[1]) * high,
                corners[0] + (corners[3] - corners[0]) * high,
            ]
        )
        ink = canvas.light.through_air(np.minimum(lit * tone, 255), np.asarray(depth))
        canvas.fill(strip, ink)


def _roof(canvas: Canvas, prop: Prop, slope: Floats, end: Floats) -> None:
    """Tiled roof of a house: the slope towards the road and the gable towards us."""
    light = canvas.light
    tiles = np.array(
        [((132.0, 74.0, 58.0), (92.0, 84.0, 82.0), (112.0, 62.0, 50.0))[prop.style % 3]]
    )
    outward = np.array([(-0.5 if prop.d > 0 else 0.5, 0.86, 0.0)])
    lit = light.shade(tiles, outward, slope.mean(axis=0)[None])[0]
    canvas.polygon(slope, lit)
    gable = np.stack(
        [end[3], end[2], (end[3] + end[2]) / 2 + np.array((0.0, prop.size[0] * 0.42, 0.0))]
    )
    wall = light.shade(
        np.array([prop.colour]), np.array([(0.0, 0.0, -1.0)]), gable.mean(axis=0)[None]
    )
    canvas.polygon(gable, wall[0])


def draw_tunnel(canvas: Canvas, scene: Scene) -> None:
    """Draw walls, ceiling and rows of lamps of a tunnel, in rings from far to near."""
    road = scene.road
    left, right, height = road.left - 0.8, road.right + 0.8, 5.6
    light = canvas.light
    edges = np.concatenate([np.geomspace(260.0, 8.0, 34), [5.0, 3.0, 1.2]])
    for far, near in pairwise(edges.tolist()):
        s = np.array((near, far, far, near))
        brightness = 0.9 + 0.14 * math.sin((far + road.scroll_m) * 0.35)
        tiles = np.array((176.0, 170.0, 156.0)) * brightness
        for d in (left, right):
            for y0, y1, tone in ((0.0, 0.9, 0.55), (0.9, 3.2, 1.05), (3.2, height, 0.7)):
                quad = road.to_world(s, np.full(4, d), np.array((y0, y0, y1, y1)))
                canvas.polygon(quad, tiles * tone * light.ambient * 1.7)
        roof = road.to_world(s, np.array((left, left, right, right)), height)
        canvas.polygon(roof, np.array((96.0, 92.0, 86.0)) * brightness * light.ambient * 1.3)
    lamps = np.arange(6 - road.scroll_m % 9, 200, 9)[::-1]
    for s0 in lamps[lamps > 1.5]:
        for share in (0.3, 0.7):
            d = left + (right - left) * share
            s = np.array((s0, s0 + 2.4, s0 + 2.4, s0))
            quad = road.to_world(
                s, np.array((d - 0.15, d - 0.15, d + 0.15, d + 0.15)), height - 0.05
            )
            canvas.polygon(quad, np.array((255.0, 244.0, 214.0)))
            point = road.to_world(float(s0 + 1.2), d, height - 0.1)
            canvas.lamp(point, None, np.array((255.0, 232.0, 180.0)), 0.35)
