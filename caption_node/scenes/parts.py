# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Small parts that all vehicles share: colours, cut-outs, plates, wheels."""

import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.mesh import MeshBuilder, Point

Floats = NDArray[np.float64]

GLASS = (26.0, 30.0, 35.0)
RUBBER = (24.0, 24.0, 25.0)
TRIM = (34.0, 34.0, 36.0)
CHROME = (150.0, 152.0, 156.0)
RED_DARK = (120.0, 14.0, 14.0)
RED_LIT = (255.0, 44.0, 30.0)
AMBER = (255.0, 160.0, 30.0)
LAMP_OFF = (176.0, 180.0, 184.0)
LAMP_LIT = (255.0, 250.0, 232.0)
PLATE = (222.0, 222.0, 214.0)


def inset(quad: Floats, across: float, along: float) -> Floats:
    """Shrink a quad by shares of its sides."""
    return cut(quad, across, 1 - across, along, 1 - along)


def cut(
    quad: Floats,
    x0: float,
    x1: float,
    y0: float,
    y1: float,
) -> Floats:
    """Cut a rectangle of shares out of a quad (bottom left, bottom right, top right, top left)."""

    def at(x: float, y: float) -> Floats:
        low = quad[0] + (quad[1] - quad[0]) * x
        high = quad[3] + (quad[2] - quad[3]) * x
        return np.asarray(low + (high - low) * y)

    return np.stack([at(x0, y0), at(x1, y0), at(x1, y1), at(x0, y1)])


def add_plate(builder: MeshBuilder, quad: Floats, out: Point) -> None:
    """Number plate with dark letters."""
    builder.face(quad, PLATE, outward=out, detail=True)
    for x in (0.1, 0.26, 0.42, 0.6, 0.76):
        builder.face(
            cut(quad, x, x + 0.1, 0.22, 0.78), (40.0, 40.0, 44.0), outward=out, detail=True
        )


def add_wheels(
    builder: MeshBuilder, width: float, axles: tuple[float, float], radius: float
) -> None:
    """Tyres and rims, and the dark belly between them."""
    for axle in axles:
        for side in (-1.0, 1.0):
            x = side * (width / 2 - 0.03)
            inner = side * (width / 2 - 0.27)
            builder.face(
                [
                    (min(x, inner), 0.0, axle - radius * 0.8),
                    (max(x, inner), 0.0, axle - radius * 0.8),
                    (max(x, inner), radius * 1.3, axle - radius * 0.8),
                    (min(x, inner), radius * 1.3, axle - radius * 0.8),
                ],
                RUBBER,
                outward=(0, 0, -1),
                group=-2,
            )
            builder.face(
                [
                    (min(x, inner), 0.0, axle + radius * 0.8),
                    (max(x, inner), 0.0, axle + radius * 0.8),
                    (max(x, inner), radius * 1.3, axle + radius * 0.8),
                    (min(x, inner), radius * 1.3, axle + radius * 0.8),
                ],
                RUBBER,
                outward=(0, 0, 1),
                group=-2,
            )
    length = axles[1] - axles[0]
    for z, outward in ((axles[0] - length * 0.16, -1.0), (axles[1] + length * 0.16, 1.0)):
        low, high = radius * 0.45, radius * 1.5
        half = width / 2 - 0.12
        builder.face(
            [(-half, low, z), (half, low, z), (half, high, z), (-half, high, z)],
            (14.0, 14.0, 15.0),
            outward=(0, 0, outward),
            group=-1,
        )


def add_wheel_discs(
    builder: MeshBuilder, width: float, axles: tuple[float, float], radius: float, side: float
) -> None:
    """Wheels as seen from the side, laid on the body's flank."""
    x = side * (width / 2 + 0.005)
    for axle in axles:
        outward = (side, 0.0, 0.0)
        arch = (x, radius * 1.05, axle)
        builder.disc(arch, radius * 1.16, 0, outward, (18.0, 18.0, 19.0), detail=True)
        builder.disc((x, radius, axle), radius, 0, outward, RUBBER, detail=True)
        builder.disc((x, radius, axle), radius * 0.64, 0, outward, CHROME, detail=True)
        builder.disc((x, radius, axle), radius * 0.5, 0, outward, (92.0, 94.0, 97.0), detail=True)
        builder.disc((x, radius, axle), radius * 0.16, 0, outward, TRIM, detail=True)
