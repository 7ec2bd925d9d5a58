# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What lies flat on the ground: broken lines and crossings as one mask, shadows as another."""

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.bodies import dimensions
from caption_node.scenes.camera import Camera, Floats, clip_near
from caption_node.scenes.illumination import Illumination
from caption_node.scenes.world import Road, Scene

Mask = NDArray[np.uint8]


def paint_mask(scene: Scene) -> Mask:
    """Draw broken lines, crossings and stop lines, (height, width) uint8."""
    mask = np.zeros((scene.camera.height, scene.camera.width), np.uint8)
    for quad in _dashes(scene):
        _fill(mask, scene.camera, quad, 255)
    if scene.zebra_s is not None:
        for quad in _zebra(scene.road, scene.zebra_s):
            _fill(mask, scene.camera, quad, 235)
    junction = scene.junction
    if junction is not None and junction.stop_line:
        s = junction.s - (5.2 if junction.zebra else 1.6)
        left = scene.road.median_m / 2 + 0.1 if scene.road.other_lanes else scene.road.left
        _fill(mask, scene.camera, _bar(scene.road, s, s + 0.45, left, scene.road.own_width), 245)
    return mask


def shadow_mask(scene: Scene, light: Illumination) -> Mask:
    """Draw what hides the sky and the sun from the ground, (height, width) uint8."""
    camera = scene.camera
    small = Camera(
        camera.width // 2,
        camera.height // 2,
        camera.focal_px / 2,
        camera.height_m,
        camera.pitch_rad,
        camera.shift_px / 2,
    )
    mask = np.zeros((small.height, small.width), np.uint8)
    if bool(light.sun.any()) and light.to_sun[1] > 0.08:
        for outline in _cast_shadows(scene, light):
            _fill(mask, small, outline, 205)
    for vehicle in scene.vehicles:
        width, _, length = dimensions(vehicle.kind, vehicle.shape)
        _fill(
            mask, small, _footprint(scene, vehicle.s, vehicle.d, vehicle.yaw, width, length), 235
        )
    for person in scene.people:
        _fill(mask, small, _footprint(scene, person.s, person.d, 0.0, 0.5, 0.4), 180)
    # Broad soft edges stand in for the penumbra.
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.8, small.width / 560))
    return np.asarray(cv2.resize(soft, (camera.width, camera.height)), np.uint8)


def _fill(mask: Mask, camera: Camera, outline: Floats, value: int) -> None:
    """Fill a world polygon on the ground."""
    visible = clip_near(outline, camera)
    if len(visible) < 3:
        return
    pixels = np.clip(camera.project(visible)[:, :2] * 16, -(2**24), 2**24).astype(np.int32)
    cv2.fillConvexPoly(mask, pixels, float(value), cv2.LINE_AA, 4)


def _bar(road: Road, near: float, far: float, left: float, right: float) -> Floats:
    """Corners of a rectangle in road coordinates."""
    return road.to_world(np.array((near, near, far, far)), np.array((left, right, right, left)))


def _dashes(scene: Scene) -> list[Floats]:
    """Broken lines between lanes."""
    road = scene.road
    if not road.marked:
        return []
    at = [road.median_m / 2 + i * road.lane_m for i in range(1, road.own_lanes)]
    at += [-road.median_m / 2 - i * road.lane_m for i in range(1, road.other_lanes)]
    if road.other_lanes and road.median_m < 0.5 and road.paint == 'dashed':
        at.append(0.0)
    dash, period = (6.0, 18.0) if road.kind == 'highway' else (3.0, 9.0)
    start = -(road.scroll_m % period)
    gap = (1e9, 1e9)
    if scene.junction is not None:
        gap = (scene.junction.s - 3.0, scene.junction.s + scene.junction.width_m + 1.0)
    quads = []
    for near in np.arange(start, 150.0, period):
        if near + dash > gap[0] and near < gap[1]:
            continue
        quads += [_bar(road, near, near + dash, d - 0.07, d + 0.07) for d in at]
    return quads


def _zebra(road: Road, s: float) -> list[Floats]:
    """Stripes of a crossing whose near edge is at s."""
    bars = np.arange(road.left + 0.4, road.right - 0.4, 1.0)
    return [_bar(road, s, s + 3.2, float(d), float(d) + 0.5) for d in bars]


def _footprint(
    scene: Scene, s: float, d: float, yaw: float, width: float, length: float
) -> Floats:
    """Corners of what stands on the ground, world metres."""
    heading = yaw + scene.road.heading(max(s, 0.0))
    sin, cos = np.sin(heading), np.cos(heading)
    x = np.array((-0.5, 0.5, 0.5, -0.5)) * width
    z = np.array((-0.5, -0.5, 0.5, 0.5)) * length
    base = scene.road.to_world(s, d)
    return np.stack([base[0] + x * cos + z * sin, 0 * x, base[2] + z * cos - x * sin], -1)


def _cast_shadows(scene: Scene, light: Illumination) -> list[Floats]:
    """Outlines on the ground that the sun cannot reach."""
    slide = -light.to_sun[[0, 2]] / max(0.15, float(light.to_sun[1]))
    solid = [(v.s, v.d, v.yaw, *dimensions(v.kind, v.shape)) for v in scene.vehicles if v.s < 90]
    solid += [(p.s, p.d, p.yaw, 0.45, p.height_m, 0.35) for p in scene.people if p.s < 60]
    solid += [
        (p.s, p.d, 0.0, p.size[0], p.size[1] * (0.9 if p.kind == 'tree' else 1.0), p.size[2])
        for p in scene.props
        if p.s < 110
        and p.kind in ('tree', 'building', 'house', 'hedge', 'wall', 'barrier', 'cone')
    ]
    outlines = []
    for s, d, yaw, width, height, length in solid:
        base = _footprint(scene, s, d, yaw, width * 0.9, length * 0.95)
        top = base + np.array((slide[0], 0.0, slide[1])) * height * 0.92
        flat = np.concatenate([base, top])[:, [0, 2]].astype(np.float32)
        hull = cv2.convexHull(flat).reshape(-1, 2)
        outlines.append(np.stack([hull[:, 0], 0 * hull[:, 0], hull[:, 1]], -1).astype(np.float64))
    return outlines
