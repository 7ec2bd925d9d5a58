# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Traffic lights, stop signs, works barriers and cones, lamps and sign boards."""

from functools import lru_cache
import math

import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.canvas import Canvas
from caption_node.scenes.mesh import Mesh, MeshBuilder, Rgb
from caption_node.scenes.world import Prop, Signal

Floats = NDArray[np.float64]

_POLE = (92.0, 96.0, 98.0)
_BLACK = (22.0, 23.0, 24.0)
_LENS = {
    'red': (255.0, 40.0, 28.0),
    'yellow': (255.0, 186.0, 30.0),
    'green': (36.0, 250.0, 150.0),
}
_DARK = {'red': (70.0, 18.0, 16.0), 'yellow': (72.0, 56.0, 16.0), 'green': (14.0, 54.0, 36.0)}


@lru_cache(maxsize=16)
def signal_head(state: str) -> Mesh:
    """Housing with three lenses, its origin at the lower edge, facing -z (towards us)."""
    builder = MeshBuilder()
    builder.box((-0.17, 0.0, 0.0), (0.17, 1.02, 0.22), _BLACK)
    front = [(-0.2, -0.03, -0.01), (0.2, -0.03, -0.01), (0.2, 1.05, -0.01), (-0.2, 1.05, -0.01)]
    builder.face(front, _BLACK, outward=(0, 0, -1), group=10_000)
    for name, y in (('green', 0.18), ('yellow', 0.51), ('red', 0.84)):
        lit = name == state
        colour = _LENS[name] if lit else _DARK[name]
        centre = (0.0, y, -0.02)
        builder.disc(centre, 0.145, 2, (0, 0, -1), (12.0, 12.0, 13.0), detail=True)
        builder.disc(
            centre, 0.122, 2, (0, 0, -1), colour, emission=1.0 if lit else 0.0, detail=True
        )
        if lit:
            core = tuple(min(255.0, c * 0.5 + 128) for c in colour)
            rgb = (core[0], core[1], core[2])
            builder.disc(centre, 0.06, 2, (0, 0, -1), rgb, emission=1.0, detail=True)
            builder.lamp((0.0, y, -0.1), (0, 0, -1), _LENS[name], 0.9)
    return builder.build()


@lru_cache(maxsize=8)
def _pole(height: float, radius: float, colour: Rgb) -> Mesh:
    """Upright pole."""
    builder = MeshBuilder()
    builder.box((-radius, 0.0, -radius), (radius, height, radius), colour)
    return builder.build()


def draw_signal(canvas: Canvas, position: Floats, yaw: float, signal: Signal, number: int) -> None:
    """
    Draw a traffic light with its pole or arm.

    :param position: (3,) foot of the pole, or the point on the road under an overhead light.
    :param yaw: Direction in which traffic that obeys it drives.
    """
    white = np.full(3, 255.0)
    low = 5.2 if signal.overhead else signal.height_m
    if signal.overhead:
        arm = MeshBuilder()
        arm.box((-0.06, 6.0, 0.15), (5.5, 6.14, 0.29), _POLE)
        arm.box((5.4, 0.0, 0.12), (5.6, 6.3, 0.32), _POLE)
        canvas.mesh(arm.build(), position, yaw, white)
    else:
        canvas.mesh(_pole(round(low + 0.5, 1), 0.06, _POLE), position, yaw, white)
    head = position + np.array((0.0, low, 0.0))
    turn = yaw if signal.facing else yaw + (math.pi if signal.d < 0 else math.pi / 2)
    canvas.mesh(signal_head(signal.state), head, turn, white, number)


def draw_prop_mesh(canvas: Canvas, position: Floats, yaw: float, prop: Prop, number: int) -> None:
    """Draw a stop sign, a cone, a barrier, a post, a lamp or a board."""
    paint = np.asarray(prop.colour)
    if prop.kind == 'stop':
        canvas.mesh(_pole(2.0, 0.035, _POLE), position, yaw, paint)
        canvas.mesh(_stop_plate(), position + np.array((0.0, 2.1, -0.05)), yaw, paint, number)
    elif prop.kind == 'lamp':
        canvas.mesh(_street_lamp(prop.d > 0), position, yaw, paint)
    else:
        canvas.mesh(_object(prop.kind, prop.size, prop.style), position, yaw, paint, number)


def light_of_lamp(canvas: Canvas, position: Floats, right: bool) -> None:
    """Let a street lamp glow."""
    head = position + np.array((-1.6 if right else 1.6, 7.4, 0.0))
    canvas.lamp(head, None, np.array((255.0, 214.0, 150.0)), 1.1)


@lru_cache(maxsize=2)
def _stop_plate() -> Mesh:
    """Octagon with a white rim and a pale bar in place of letters."""
    builder = MeshBuilder()
    angles = np.linspace(0, 2 * math.pi, 8, endpoint=False) + math.pi / 8
    for radius, colour, z in (
        (0.46, (226.0, 226.0, 222.0), 0.0),
        (0.42, (186.0, 22.0, 28.0), -0.01),
    ):
        points = [(radius * math.cos(a), 0.45 + radius * math.sin(a), z) for a in angles]
        builder.face(points, colour, outward=(0, 0, -1), detail=z < 0)
    white = (230.0, 230.0, 226.0)
    for x in (-0.3, -0.14, 0.02, 0.18):
        strokes = [
            (x, 0.34, x + 0.035, 0.56),
            (x, 0.53, x + 0.12, 0.56),
            (x + 0.085, 0.34, x + 0.12, 0.56),
        ]
        for x0, y0, x1, y1 in strokes:
            quad = [(x0, y0, -0.02), (x1, y0, -0.02), (x1, y1, -0.02), (x0, y1, -0.02)]
            builder.face(quad, white, outward=(0, 0, -1), detail=True)
    return builder.build()


@lru_cache(maxsize=2)
def _street_lamp(right: bool) -> Mesh:
    """Pole with an arm over the road."""
    builder = MeshBuilder()
    side = -1.0 if right else 1.0
    builder.box((-0.06, 0.0, -0.06), (0.06, 7.6, 0.06), _POLE)
    arm = sorted((0.0, side * 1.7))
    builder.box((arm[0], 7.5, -0.04), (arm[1], 7.6, 0.04), _POLE)
    head = sorted((side * 1.3, side * 1.9))
    builder.box((head[0], 7.38, -0.12), (head[1], 7.5, 0.12), (120.0, 122.0, 124.0))
    return builder.build()


@lru_cache(maxsize=128)
def _object(kind: str, size: tuple[float, float, float], style: int) -> Mesh:
    """Mesh of a smaller prop."""
    builder = MeshBuilder()
    width, height, length = size
    if kind == 'cone':
        for y0, y1, rgb in (
            (0.0, 0.05, (40.0, 40.0, 42.0)),
            (0.05, 0.25, (236.0, 84.0, 24.0)),
            (0.25, 0.42, (232.0, 232.0, 226.0)),
            (0.42, 0.55, (236.0, 84.0, 24.0)),
            (0.55, 0.64, (232.0, 232.0, 226.0)),
            (0.64, 0.75, (236.0, 84.0, 24.0)),
        ):
            r0, r1 = (0.24, 0.24) if y0 == 0 else (0.2 * (1 - y0 * 1.15), 0.2 * (1 - y1 * 1.15))
            quad = [(-r0, y0, 0.0), (r0, y0, 0.0), (r1, y1, 0.0), (-r1, y1, 0.0)]
            builder.face(quad, rgb, outward=(0, 0, -1), group=1)
    elif kind == 'barrier':
        half, stripes = width / 2, max(3, int(width / 0.3))
        for i in range(stripes):
            x0, x1 = -half + width * i / stripes, -half + width * (i + 1) / stripes
            rgb = (206.0, 30.0, 30.0) if i % 2 else (232.0, 232.0, 228.0)
            slant = width / stripes * 0.5
            for y in (0.55, 0.9):
                quad = [(x0, y, 0), (x1, y, 0), (x1 + slant, y + 0.2, 0), (x0 + slant, y + 0.2, 0)]
                builder.face(quad, rgb, outward=(0, 0, -1), group=1)
        for x in (-half, half):
            leg = [(x - 0.04, 0, 0), (x + 0.04, 0, 0), (x + 0.04, 1.1, 0), (x - 0.04, 1.1, 0)]
            builder.face(leg, (200.0, 200.0, 196.0), outward=(0, 0, -1), group=1)
        if style % 2:
            builder.disc((-half, 1.2, 0), 0.1, 2, (0, 0, -1), (255.0, 180.0, 30.0), emission=0.9)
    elif kind == 'board':
        low = 2.0 if height < 3 else 5.4
        for x in (-width * 0.35, width * 0.35):
            builder.box((x - 0.05, 0, 0), (x + 0.05, low + 0.2, 0.1), _POLE)
        rgb = ((24.0, 66.0, 150.0), (18.0, 96.0, 62.0), (226.0, 190.0, 40.0))[style % 3]
        panel = np.array([(-0.5, 0, 0), (0.5, 0, 0), (0.5, 1, 0), (-0.5, 1, 0)], np.float64)
        panel = panel * (width, 1.4, 1) + (0, low, -0.02)
        builder.face(panel, rgb, outward=(0, 0, -1))
        for y, share in ((0.25, 0.7), (0.6, 0.55), (0.95, 0.62)):
            line = np.array(
                [(-0.42, 0, 0), (share - 0.42, 0, 0), (share - 0.42, 0.12, 0), (-0.42, 0.12, 0)]
            )
            line = line * (width, 1.6, 1) + (0, low + y, -0.04)
            builder.face(line, (228.0, 228.0, 222.0), outward=(0, 0, -1), detail=True)
    else:
        builder.box((-width / 2, 0, -length / 2), (width / 2, height, length / 2), 1.0)
        if kind == 'post':
            half, front = width / 2 + 0.002, -length / 2 - 0.01
            low, high = height * 0.72, height * 0.88
            quad = [
                (-half, low, front),
                (half, low, front),
                (half, high, front),
                (-half, high, front),
            ]
            builder.face(quad, (28.0, 28.0, 30.0), outward=(0, 0, -1), detail=True)
    return builder.build()
