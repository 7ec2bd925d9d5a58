# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Trucks and buses as meshes: boxes with doors, windows and lamps laid on top."""

import numpy as np

from caption_node.scenes.mesh import MeshBuilder
from caption_node.scenes.parts import (
    AMBER,
    GLASS,
    LAMP_LIT,
    LAMP_OFF,
    PLATE,
    RED_DARK,
    RED_LIT,
    TRIM,
    add_wheel_discs,
    cut,
)


def add_truck(
    builder: MeshBuilder, length: float, width: float, height: float, shape: int
) -> None:
    """Cab, cargo box and frame of a truck."""
    half = width / 2
    cab = 2.0 if length < 7 else 2.3
    front = length / 2
    builder.box((-half * 0.92, 0.5, -front), (half * 0.92, 0.95, front - 0.2), (40.0, 40.0, 42.0))
    top = height
    box_rgb = (
        (206.0, 206.0, 202.0),
        (186.0, 188.0, 190.0),
        (150.0, 40.0, 36.0),
        (48.0, 78.0, 140.0),
    )
    cargo = box_rgb[shape % 4]
    z1 = front - cab - 0.25
    builder.panel(
        [(-half, 0.95, -front), (half, 0.95, -front), (half, top, -front), (-half, top, -front)],
        (0.82, 0.94, 1.0, 1.04), cargo, outward=(0, 0, -1),
    )  # fmt: skip
    rear = np.array(
        [(-half, 0.95, -front), (half, 0.95, -front), (half, top, -front), (-half, top, -front)]
    )
    for x0, x1 in ((0.49, 0.51), (0.0, 0.03), (0.97, 1.0), (0.24, 0.255), (0.745, 0.76)):
        builder.face(
            cut(rear, x0, x1, 0.0, 1.0), (96.0, 96.0, 98.0), outward=(0, 0, -1), detail=True
        )
    builder.face(cut(rear, 0, 1, 0.0, 0.035), (80.0, 80.0, 82.0), outward=(0, 0, -1), detail=True)
    for side in (-1.0, 1.0):
        x = side * half
        builder.panel(
            [(x, 0.95, -front), (x, 0.95, z1), (x, top, z1), (x, top, -front)],
            (0.78, 0.9, 0.96, 1.0), cargo, outward=(side, 0, 0),
        )  # fmt: skip
        add_wheel_discs(builder, width, (-0.3 * length, 0.36 * length), 0.48, side)
    builder.face(
        [(-half, top, -front), (half, top, -front), (half, top, z1), (-half, top, z1)],
        cargo, outward=(0, 1, 0),
    )  # fmt: skip
    _cab(builder, half * 0.96, min(height - 0.25, 2.8), front - cab, front)


def _cab(builder: MeshBuilder, half: float, top: float, z0: float, z1: float) -> None:
    """Driver's cab with windscreen and doors."""
    builder.box((-half, 0.55, z0), (half, top, z1), 0.95, gloss=0.08)
    face = np.array([(-half, 0.55, z1), (half, 0.55, z1), (half, top, z1), (-half, top, z1)])
    out = (0.0, 0.0, 1.0)
    builder.face(face, 1.0, outward=out, gloss=0.08)
    builder.panel(
        cut(face, 0.05, 0.95, 0.48, 0.88),
        (1.2, 1.0, 0.8),
        GLASS,
        outward=out,
        gloss=0.4,
        detail=True,
    )
    builder.face(cut(face, 0.18, 0.82, 0.2, 0.4), TRIM, outward=out, detail=True)
    builder.face(cut(face, 0.0, 1.0, 0.0, 0.12), TRIM, outward=out, detail=True)
    for side in (-1.0, 1.0):
        x = side * half
        door = np.array([(x, 0.55, z0), (x, 0.55, z1), (x, top, z1), (x, top, z0)])
        builder.face(door, 0.9, outward=(side, 0, 0))
        builder.panel(
            cut(door, 0.35, 0.92, 0.5, 0.86), (0.8, 1.1), GLASS,
            outward=(side, 0, 0), gloss=0.3, detail=True,
        )  # fmt: skip


def add_bus(builder: MeshBuilder, length: float, width: float, height: float) -> None:
    """Body of a city bus."""
    half, low = width / 2, 0.32
    z0, z1 = -length / 2, length / 2
    rear = np.array([(-half, low, z0), (half, low, z0), (half, height, z0), (-half, height, z0)])
    builder.panel(rear, (0.7, 0.9, 1.0, 1.05), outward=(0, 0, -1), gloss=0.08)
    builder.panel(
        cut(rear, 0.1, 0.9, 0.55, 0.84), (0.8, 1.1, 1.3), GLASS,
        outward=(0, 0, -1), gloss=0.35, detail=True,
    )  # fmt: skip
    builder.face(
        cut(rear, 0.16, 0.84, 0.12, 0.36), (52.0, 52.0, 54.0), outward=(0, 0, -1), detail=True
    )
    front = np.array([(-half, low, z1), (half, low, z1), (half, height, z1), (-half, height, z1)])
    builder.panel(front, (0.75, 1.0, 1.0), outward=(0, 0, 1), gloss=0.08)
    builder.panel(
        cut(front, 0.04, 0.96, 0.3, 0.82), (1.3, 1.0, 0.8), GLASS,
        outward=(0, 0, 1), gloss=0.4, detail=True,
    )  # fmt: skip
    board = cut(front, 0.2, 0.8, 0.85, 0.96)
    builder.face(board, (255.0, 170.0, 40.0), outward=(0, 0, 1), emission=0.7, detail=True)
    for side in (-1.0, 1.0):
        x = side * half
        flank = np.array([(x, low, z0), (x, low, z1), (x, height, z1), (x, height, z0)])
        builder.panel(flank, (0.7, 0.88, 1.0, 1.0), outward=(side, 0, 0), gloss=0.08)
        for share in np.linspace(0.03, 0.85, 6):
            pane = cut(flank, float(share), float(share) + 0.125, 0.42, 0.82)
            builder.face(pane, GLASS, outward=(side, 0, 0), gloss=0.35, detail=True)
        add_wheel_discs(builder, width, (-0.3 * length, 0.36 * length), 0.48, side)
    builder.face(
        [(-half, height, z0), (half, height, z0), (half, height, z1), (-half, height, z1)],
        0.95, outward=(0, 1, 0),
    )  # fmt: skip


def add_lamps(
    builder: MeshBuilder,
    length: float,
    width: float,
    height: float,
    kind: str,
    state: tuple[bool, bool, int],
) -> None:
    """Lamps, plate and bumpers of a truck or bus."""
    lights, braking, blinker = state
    half, z0, z1 = width / 2, -length / 2 - 0.02, length / 2 + 0.02
    y = 0.62 if kind == 'truck' else 0.8
    if kind == 'truck':
        builder.face(
            [(-half, 0.45, z0), (half, 0.45, z0), (half, 0.78, z0), (-half, 0.78, z0)],
            (44.0, 44.0, 46.0), outward=(0, 0, -1), group=10_000,
        )  # fmt: skip
    red, emission = (RED_LIT, 1.0 if braking else 0.8) if lights or braking else (RED_DARK, 0.0)
    for side in (-1, 1):
        x = side * (half - 0.28)
        quad = [
            (x - 0.2, y, z0),
            (x + 0.2, y, z0),
            (x + 0.2, y + 0.16, z0),
            (x - 0.2, y + 0.16, z0),
        ]
        shine = AMBER if blinker == side else red
        builder.face(quad, shine, outward=(0, 0, -1), emission=emission, group=10_000)
        if lights or braking:
            builder.lamp((x, y, z0), (0, 0, -1), (255.0, 40.0, 24.0), 0.8 if braking else 0.4)
        lamp = [(x - 0.2, 0.7, z1), (x + 0.2, 0.7, z1), (x + 0.2, 0.95, z1), (x - 0.2, 0.95, z1)]
        colour = LAMP_LIT if lights else LAMP_OFF
        glow = 1.0 if lights else 0.0
        builder.face(lamp, colour, outward=(0, 0, 1), emission=glow, group=10_001)
        if lights:
            builder.lamp((x, 0.82, z1), (0, 0, 1), (255.0, 246.0, 220.0), 1.4)
    plate = np.array([(-0.27, 0.62, z0), (0.27, 0.62, z0), (0.27, 0.76, z0), (-0.27, 0.76, z0)])
    builder.face(plate, PLATE, outward=(0, 0, -1), group=10_000)
