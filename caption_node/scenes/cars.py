# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Cars and vans as meshes.

A body is a side profile drawn across the vehicle's width, windows and lamps laid on top.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.bodies import Body
from caption_node.scenes.mesh import MeshBuilder, Point
from caption_node.scenes.parts import (
    AMBER,
    CHROME,
    GLASS,
    LAMP_LIT,
    LAMP_OFF,
    RED_DARK,
    RED_LIT,
    TRIM,
    add_plate,
    add_wheel_discs,
    cut,
    inset,
)

Floats = NDArray[np.float64]


def add_sides(builder: MeshBuilder, body: Body) -> None:
    """Flanks with wheels, doors and windows."""
    stations = body.stations
    for side in (-1.0, 1.0):
        lower = [(side * w, y, z) for z, y, w in stations if y <= body.belt + 1e-6]
        rear = [p for p in lower if p[2] < 0]
        front = [p for p in lower if p[2] >= 0]
        belt_rear = (side * stations[3][2], stations[3][1], stations[3][0])
        belt_front = (side * stations[6][2], stations[6][1], stations[6][0])
        outline = [*rear, belt_rear, belt_front, *front]
        builder.face(_convex(outline), 0.92, outward=(side, 0.12, 0.0), gloss=0.12)
        _lower_shade(builder, body, side)
        add_wheel_discs(builder, body.width, body.axles, body.wheel, side)
        glass = [belt_rear, belt_front] + [
            (side * stations[i][2], stations[i][1], stations[i][0]) for i in (5, 4)
        ]
        builder.face(glass, 0.8, outward=(side, 0.5, 0.0), gloss=0.2)
        if not body.cargo:
            _side_glass(builder, glass, side, (0.04, 0.46, 0.52, 0.94))
        else:
            _side_glass(builder, glass, side, (0.76, 0.95))
        mirror_z = stations[6][0] - 0.25
        x = side * (body.width / 2 + 0.1)
        builder.face(
            [
                (x - 0.1, body.belt, mirror_z), (x + 0.1, body.belt, mirror_z),
                (x + 0.1, body.belt + 0.16, mirror_z), (x - 0.1, body.belt + 0.16, mirror_z),
            ],
            0.7,
            outward=(0, 0, -1),
        )  # fmt: skip
        builder.face(
            [
                (x - 0.1, body.belt, mirror_z + 0.05), (x + 0.1, body.belt, mirror_z + 0.05),
                (x + 0.1, body.belt + 0.16, mirror_z + 0.05),
                (x - 0.1, body.belt + 0.16, mirror_z + 0.05),
            ],
            0.8,
            outward=(0, 0, 1),
        )  # fmt: skip


def _convex(points: list[Point]) -> Floats:
    """Convex outline of points on a flank, in order."""
    flat = np.array([(p[2], p[1]) for p in points], np.float32)
    index = cv2.convexHull(flat, returnPoints=False).ravel()
    return np.array([points[int(i)] for i in index], np.float64)


def _lower_shade(builder: MeshBuilder, body: Body, side: float) -> None:
    """Darker sill, door seams and handles on a flank."""
    x = side * (body.width / 2 * 0.97 + 0.003)
    low = body.stations[0][1]
    z0, z1 = body.axles[0] + body.wheel, body.axles[1] - body.wheel
    out = (side, 0.0, 0.0)
    sill = [(x, low, z0), (x, low, z1), (x, low + 0.14, z1), (x, low + 0.14, z0)]
    builder.face(sill, 0.45, outward=out, detail=True)
    shade = [
        (x, low + 0.14, z0), (x, low + 0.14, z1),
        (x, body.belt * 0.62, z1), (x, body.belt * 0.62, z0),
    ]  # fmt: skip
    builder.face(shade, 0.76, outward=out, detail=True)
    for share in (0.08, 0.5, 0.92):
        z = z0 + (z1 - z0) * share
        seam = [
            (x, low + 0.1, z), (x, low + 0.1, z + 0.02),
            (x, body.belt, z + 0.02), (x, body.belt, z),
        ]  # fmt: skip
        builder.face(seam, 0.35, outward=out, detail=True)


def _side_glass(
    builder: MeshBuilder, quad: list[Point], side: float, cuts: Sequence[float]
) -> None:
    """Windows between pillars: ``cuts`` are pairs of shares from rear to front."""
    rear_low, front_low, front_high, rear_high = (np.asarray(p) for p in quad)
    for start, end in zip(cuts[::2], cuts[1::2], strict=True):
        lows = [rear_low + (front_low - rear_low) * t for t in (start, end)]
        highs = [rear_high + (front_high - rear_high) * t for t in (start, end)]
        inner = [
            low + (high - low) * h
            for low, high, h in (
                (lows[0], highs[0], 0.06),
                (lows[1], highs[1], 0.06),
                (lows[1], highs[1], 0.9),
                (lows[0], highs[0], 0.9),
            )
        ]
        builder.panel(
            np.stack(inner),
            (0.7, 1.0, 1.35),
            GLASS,
            outward=(side, 0.5, 0.0),
            gloss=0.34,
            detail=True,
        )


def add_shell(builder: MeshBuilder, body: Body) -> None:
    """Rear, roof, bonnet and front: the profile drawn across the width."""
    shades = {
        0: (0.35, 0.55), 1: (0.85, 1.0, 1.08), 2: (1.0,), 3: (0.9,), 4: (1.0,), 5: (0.9,),
        6: (1.0,), 7: (1.0, 0.92), 8: (0.5, 0.35),
    }  # fmt: skip
    for i in range(len(body.stations) - 1):
        (z0, y0, w0), (z1, y1, w1) = body.stations[i], body.stations[i + 1]
        quad = np.array([(-w0, y0, z0), (w0, y0, z0), (w1, y1, z1), (-w1, y1, z1)])
        dz, dy = z1 - z0, y1 - y0
        outward = (0.0, dz, -dy)
        builder.panel(quad, shades[i], outward=outward, gloss=0.16)
        if i in (body.rear_glass, body.windscreen):
            inner = inset(quad, 0.06, 0.07 if not (body.cargo and i == body.rear_glass) else 0.12)
            tones = (0.75, 0.95, 1.2, 1.5) if i == body.rear_glass else (1.5, 1.1, 0.9, 0.8)
            builder.panel(inner, tones, GLASS, outward=outward, gloss=0.42, detail=True)
            if body.cargo and i == body.rear_glass:
                builder.face(cut(quad, 0.485, 0.515, 0.0, 1.0), 0.55, outward=outward, detail=True)


def _segment(body: Body, i: int) -> tuple[Floats, Point]:
    """Quad and outward direction of a profile segment, a hair in front of the shell."""
    (z0, y0, w0), (z1, y1, w1) = body.stations[i], body.stations[i + 1]
    quad = np.array([(-w0, y0, z0), (w0, y0, z0), (w1, y1, z1), (-w1, y1, z1)])
    return quad, (0.0, z1 - z0, y0 - y1)


def add_rear(builder: MeshBuilder, body: Body, lights: bool, braking: bool, blinker: int) -> None:
    """Tail lamps, number plate and bumper on the rear."""
    quad, _ = _segment(body, 1)
    out = (0.0, 0.0, -1.0)
    red, emission = (RED_LIT, 1.0 if braking else 0.8) if lights or braking else (RED_DARK, 0.0)
    tall = body.cargo or body.height > 1.9
    spans = ((0.02, 0.24), (0.76, 0.98)) if not tall else ((0.0, 0.1), (0.9, 1.0))
    low, high = (0.52, 0.93) if not tall else (0.25, 1.0)
    builder.face(cut(quad, 0.0, 1.0, -0.02, 0.05), 0.3, outward=out, detail=True)
    for side, (x0, x1) in zip((-1, 1), spans, strict=True):
        lamp = cut(quad, x0, x1, low, high)
        builder.face(lamp, (60.0, 8.0, 8.0), outward=out, detail=True)
        inner = inset(lamp, 0.08, 0.12)
        shine = AMBER if blinker == side else red
        builder.face(inner, shine, outward=out, emission=emission, detail=True)
        white = cut(lamp, 0.3, 0.7, 0.1, 0.3)
        builder.face(white, (196.0, 190.0, 186.0), outward=out, detail=True)
        if lights or braking:
            centre = lamp.mean(axis=0)
            builder.lamp(
                (float(centre[0]), float(centre[1]), float(centre[2]) - 0.05),
                out, (255.0, 40.0, 24.0), 0.75 if braking else 0.4,
            )  # fmt: skip
    add_plate(builder, cut(quad, 0.36, 0.64, 0.42, 0.66), out)
    builder.face(cut(quad, 0.44, 0.56, 0.82, 0.92), CHROME, outward=out, detail=True)
    if not tall:
        builder.face(cut(quad, 0.26, 0.74, 0.95, 1.0), 0.6, outward=out, detail=True)


def add_front(builder: MeshBuilder, body: Body, lights: bool) -> None:
    """Head lamps, grille and plate on the front."""
    quad, _ = _segment(body, 7)
    out = (0.0, 0.0, 1.0)
    # The front segment runs downwards: share 0 of its height is the bonnet's edge.
    builder.face(cut(quad, 0.26, 0.74, 0.12, 0.5), TRIM, outward=out, detail=True)
    builder.face(cut(quad, 0.3, 0.7, 0.28, 0.34), CHROME, outward=out, detail=True)
    for x0, x1 in ((0.0, 0.22), (0.78, 1.0)):
        lamp = cut(quad, x0, x1, 0.05, 0.55)
        builder.face(lamp, (70.0, 72.0, 76.0), outward=out, detail=True)
        inner = inset(lamp, 0.14, 0.16)
        colour = LAMP_LIT if lights else LAMP_OFF
        emission = 1.0 if lights else 0.0
        builder.face(inner, colour, outward=out, emission=emission, gloss=0.3, detail=True)
        if lights:
            c = lamp.mean(axis=0)
            builder.lamp(
                (float(c[0]), float(c[1]), float(c[2]) + 0.05), out, (255.0, 246.0, 220.0), 1.4
            )
    add_plate(builder, cut(quad, 0.38, 0.62, 0.72, 0.96), out)
    quad, _ = _segment(body, 8)
    builder.face(cut(quad, 0.12, 0.88, 0.1, 0.7), TRIM, outward=out, detail=True)
