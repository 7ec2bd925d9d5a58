# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Bodies of cars, vans, trucks and buses as meshes.

A body is a side profile drawn across the vehicle's width, windows and lamps laid on top.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from caption_node.scenes.mesh import Mesh, MeshBuilder, Point

_GLASS = (26.0, 30.0, 35.0)
_RUBBER = (24.0, 24.0, 25.0)
_TRIM = (34.0, 34.0, 36.0)
_CHROME = (150.0, 152.0, 156.0)
_RED_DARK = (120.0, 14.0, 14.0)
_RED_LIT = (255.0, 44.0, 30.0)
_AMBER = (255.0, 160.0, 30.0)
_LAMP_OFF = (176.0, 180.0, 184.0)
_LAMP_LIT = (255.0, 250.0, 232.0)
_PLATE = (222.0, 222.0, 214.0)


@dataclass(frozen=True, slots=True)
class Body:
    """
    Side profile of a passenger car or van.

    :param stations: (z, y, half width) from the rear bumper over the roof to the front bumper.
    :param rear_glass: Index of the profile segment that is the rear window.
    :param windscreen: Index of the segment that is the windscreen.
    :param belt: Height of the lower edge of the side windows.
    :param axles: z of the rear and front axle.
    """

    length: float
    width: float
    height: float
    stations: tuple[tuple[float, float, float], ...]
    rear_glass: int
    windscreen: int
    belt: float
    axles: tuple[float, float]
    wheel: float
    cargo: bool = False


def _body(
    length: float,
    width: float,
    height: float,
    profile: Sequence[tuple[float, float, float]],
    wheel: float = 0.33,
    cargo: bool = False,
) -> Body:
    """
    Scale a profile given as shares of length, height and half width.

    Profile points: 0-1 rear bumper, 2 tail, 3 foot of the rear window, 4-5 roof, 6 foot of the
    windscreen, 7 bonnet's edge, 8-9 front bumper.
    """
    stations = tuple(((z - 0.5) * length, y * height, w * width / 2) for z, y, w in profile)
    belt = min(stations[3][1], stations[6][1])
    axles = (-0.31 * length, 0.31 * length)
    return Body(length, width, height, stations, 3, 5, belt, axles, wheel, cargo)


CARS = (
    _body(4.6, 1.82, 1.45, (
        (0.02, 0.16, 0.90), (0.0, 0.38, 0.97), (0.02, 0.66, 0.95), (0.13, 0.71, 0.90),
        (0.30, 0.98, 0.68), (0.56, 1.0, 0.69), (0.74, 0.67, 0.88), (0.96, 0.56, 0.88),
        (1.0, 0.38, 0.92), (0.985, 0.14, 0.88))),
    _body(4.1, 1.77, 1.50, (
        (0.02, 0.16, 0.90), (0.0, 0.36, 0.97), (0.01, 0.60, 0.96), (0.025, 0.64, 0.93),
        (0.13, 0.97, 0.70), (0.56, 1.0, 0.70), (0.76, 0.66, 0.88), (0.96, 0.57, 0.88),
        (1.0, 0.38, 0.92), (0.985, 0.14, 0.88))),
    _body(4.7, 1.84, 1.48, (
        (0.02, 0.16, 0.90), (0.0, 0.37, 0.97), (0.01, 0.62, 0.96), (0.03, 0.66, 0.93),
        (0.12, 0.96, 0.70), (0.58, 1.0, 0.70), (0.76, 0.66, 0.88), (0.96, 0.56, 0.88),
        (1.0, 0.38, 0.92), (0.985, 0.14, 0.88))),
    _body(4.6, 1.90, 1.70, (
        (0.02, 0.20, 0.90), (0.0, 0.40, 0.97), (0.01, 0.62, 0.97), (0.03, 0.65, 0.95),
        (0.10, 0.97, 0.76), (0.56, 1.0, 0.76), (0.73, 0.66, 0.92), (0.95, 0.60, 0.92),
        (1.0, 0.42, 0.94), (0.985, 0.17, 0.90)), 0.37),
    _body(3.6, 1.66, 1.50, (
        (0.02, 0.16, 0.90), (0.0, 0.36, 0.97), (0.01, 0.58, 0.96), (0.03, 0.63, 0.93),
        (0.12, 0.96, 0.72), (0.60, 1.0, 0.72), (0.82, 0.66, 0.88), (0.97, 0.58, 0.88),
        (1.0, 0.38, 0.92), (0.985, 0.14, 0.88)), 0.3),
)  # fmt: skip
VANS = (
    _body(5.2, 1.98, 2.05, (
        (0.02, 0.14, 0.92), (0.0, 0.30, 0.98), (0.005, 0.52, 0.98), (0.01, 0.55, 0.97),
        (0.04, 0.97, 0.88), (0.66, 1.0, 0.88), (0.84, 0.58, 0.94), (0.96, 0.50, 0.93),
        (1.0, 0.33, 0.94), (0.985, 0.12, 0.90)), 0.34),
    _body(5.9, 2.0, 2.6, (
        (0.01, 0.13, 0.94), (0.0, 0.26, 0.99), (0.0, 0.50, 0.99), (0.005, 0.54, 0.99),
        (0.02, 0.98, 0.93), (0.74, 1.0, 0.92), (0.87, 0.53, 0.95), (0.97, 0.45, 0.93),
        (1.0, 0.30, 0.94), (0.99, 0.11, 0.92)), 0.36, True),
)  # fmt: skip
_TRUCKS = ((8.0, 2.4, 3.3), (12.5, 2.5, 3.9), (6.6, 2.2, 2.9))
_BUSES = ((12.0, 2.5, 3.1), (10.5, 2.5, 3.0))


def shapes_of(kind: str) -> int:
    """Number of different bodies of a kind of vehicle."""
    return {'car': len(CARS), 'van': len(VANS), 'truck': 12, 'bus': len(_BUSES)}.get(kind, 1)


def dimensions(kind: str, shape: int) -> tuple[float, float, float]:
    """Width, height and length of a vehicle in metres."""
    if kind in ('car', 'van'):
        bodies = CARS if kind == 'car' else VANS
        body = bodies[shape % len(bodies)]
        return body.width, body.height, body.length
    if kind in ('truck', 'bus'):
        boxes = _TRUCKS if kind == 'truck' else _BUSES
        length, width, height = boxes[shape % len(boxes)]
        return width, height, length
    return (0.75, 1.65, 2.1) if kind == 'motorcycle' else (0.6, 1.75, 1.75)


@lru_cache(maxsize=256)
def vehicle_mesh(kind: str, shape: int, lights: bool, braking: bool, blinker: int) -> Mesh:
    """
    Mesh of a vehicle without its rider.

    :param kind: car, van, truck or bus.
    :param shape: Number of the body shape.
    :param lights: Whether its lamps are on.
    :param braking: Whether its brake lights are on.
    :param blinker: -1 left, 1 right, 0 off.
    """
    builder = MeshBuilder()
    if kind in ('car', 'van'):
        bodies = CARS if kind == 'car' else VANS
        body = bodies[shape % len(bodies)]
        _wheels(builder, body.width, body.axles, body.wheel)
        _sides(builder, body)
        _shell(builder, body)
        _rear(builder, body, lights, braking, blinker)
        _front(builder, body, lights)
    else:
        boxes = _TRUCKS if kind == 'truck' else _BUSES
        length, width, height = boxes[shape % len(boxes)]
        wheel = 0.48
        axles = (-0.3 * length, 0.36 * length)
        _wheels(builder, width, axles, wheel)
        if kind == 'truck':
            _truck(builder, length, width, height, shape)
        else:
            _bus(builder, length, width, height)
        _box_lamps(builder, length, width, height, kind, (lights, braking, blinker))
    return builder.build()


def _wheels(builder: MeshBuilder, width: float, axles: tuple[float, float], radius: float) -> None:
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
                _RUBBER,
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
                _RUBBER,
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


def _wheel_discs(
    builder: MeshBuilder, width: float, axles: tuple[float, float], radius: float, side: float
) -> None:
    """Wheels as seen from the side, laid on the body's flank."""
    x = side * (width / 2 + 0.005)
    for axle in axles:
        outward = (side, 0.0, 0.0)
        arch = (x, radius * 1.05, axle)
        builder.disc(arch, radius * 1.16, 0, outward, (18.0, 18.0, 19.0), detail=True)
        builder.disc((x, radius, axle), radius, 0, outward, _RUBBER, detail=True)
        builder.disc((x, radius, axle), radius * 0.64, 0, outward, _CHROME, detail=True)
        builder.disc((x, radius, axle), radius * 0.5, 0, outward, (92.0, 94.0, 97.0), detail=True)
        builder.disc((x, radius, axle), radius * 0.16, 0, outward, _TRIM, detail=True)


def _sides(builder: MeshBuilder, body: Body) -> None:
    """Flanks with wheels, doors and windows."""
    stations = body.stations
    for side in (-1.0, 1.0):
        out = (side, 0.0, 0.0)
        lower = [(side * w, y, z) for z, y, w in stations if y <= body.belt + 1e-6]
        rear = [p for p in lower if p[2] < 0]
        front = [p for p in lower if p[2] >= 0]
        outline = [*rear, *front]
        belt_rear = (side * stations[3][2], stations[3][1], stations[3][0])
        belt_front = (side * stations[6][2], stations[6][1], stations[6][0])
        outline = [*rear, belt_rear, belt_front, *front] if body.belt < 9 else outline
        builder.face(_convex(outline), 0.92, outward=(side, 0.12, 0.0), gloss=0.12)
        _lower_shade(builder, body, side)
        _wheel_discs(builder, body.width, body.axles, body.wheel, side)
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
        del out


def _convex(points: list[Point]) -> np.ndarray:  # type: ignore[type-arg]
    """Convex outline of points on a flank, in order."""
    import cv2

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
        (x, low + 0.14, z0), (x, low + 0.14, z1), (x, body.belt * 0.62, z1), (x, body.belt * 0.62, z0)
    ]  # fmt: skip
    builder.face(shade, 0.76, outward=out, detail=True)
    for share in (0.08, 0.5, 0.92):
        z = z0 + (z1 - z0) * share
        seam = [
            (x, low + 0.1, z), (x, low + 0.1, z + 0.02), (x, body.belt, z + 0.02), (x, body.belt, z)
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
            _GLASS,
            outward=(side, 0.5, 0.0),
            gloss=0.34,
            detail=True,
        )


def _shell(builder: MeshBuilder, body: Body) -> None:
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
            inner = _inset(quad, 0.06, 0.07 if not (body.cargo and i == body.rear_glass) else 0.12)
            tones = (0.75, 0.95, 1.2, 1.5) if i == body.rear_glass else (1.5, 1.1, 0.9, 0.8)
            builder.panel(inner, tones, _GLASS, outward=outward, gloss=0.42, detail=True)
            if body.cargo and i == body.rear_glass:
                builder.face(
                    _part(quad, 0.485, 0.515, 0.0, 1.0), 0.55, outward=outward, detail=True
                )


def _inset(quad: np.ndarray, across: float, along: float) -> np.ndarray:  # type: ignore[type-arg]
    """Shrink a quad by shares of its sides."""
    return _part(quad, across, 1 - across, along, 1 - along)


def _part(
    quad: np.ndarray,
    x0: float,
    x1: float,
    y0: float,
    y1: float,  # type: ignore[type-arg]
) -> np.ndarray:  # type: ignore[type-arg]
    """Cut a rectangle of shares out of a quad (bottom left, bottom right, top right, top left)."""

    def at(x: float, y: float) -> np.ndarray:  # type: ignore[type-arg]
        low = quad[0] + (quad[1] - quad[0]) * x
        high = quad[3] + (quad[2] - quad[3]) * x
        return np.asarray(low + (high - low) * y)

    return np.stack([at(x0, y0), at(x1, y0), at(x1, y1), at(x0, y1)])


def _segment(body: Body, i: int) -> tuple[np.ndarray, Point]:  # type: ignore[type-arg]
    """Quad and outward direction of a profile segment, a hair in front of the shell."""
    (z0, y0, w0), (z1, y1, w1) = body.stations[i], body.stations[i + 1]
    quad = np.array([(-w0, y0, z0), (w0, y0, z0), (w1, y1, z1), (-w1, y1, z1)])
    return quad, (0.0, z1 - z0, y0 - y1)


def _rear(builder: MeshBuilder, body: Body, lights: bool, braking: bool, blinker: int) -> None:
    """Tail lamps, number plate and bumper on the rear."""
    quad, _ = _segment(body, 1)
    out = (0.0, 0.0, -1.0)
    red, emission = (_RED_LIT, 1.0 if braking else 0.8) if lights or braking else (_RED_DARK, 0.0)
    tall = body.cargo or body.height > 1.9
    spans = ((0.02, 0.24), (0.76, 0.98)) if not tall else ((0.0, 0.1), (0.9, 1.0))
    low, high = (0.52, 0.93) if not tall else (0.25, 1.0)
    builder.face(_part(quad, 0.0, 1.0, -0.02, 0.05), 0.3, outward=out, detail=True)
    for side, (x0, x1) in zip((-1, 1), spans, strict=True):
        lamp = _part(quad, x0, x1, low, high)
        builder.face(lamp, (60.0, 8.0, 8.0), outward=out, detail=True)
        inner = _inset(lamp, 0.08, 0.12)
        shine = _AMBER if blinker == side else red
        builder.face(inner, shine, outward=out, emission=emission, detail=True)
        white = _part(lamp, 0.3, 0.7, 0.1, 0.3)
        builder.face(white, (196.0, 190.0, 186.0), outward=out, detail=True)
        if lights or braking:
            centre = lamp.mean(axis=0)
            builder.lamp(
                (float(centre[0]), float(centre[1]), float(centre[2]) - 0.05),
                out, (255.0, 40.0, 24.0), 0.75 if braking else 0.4,
            )  # fmt: skip
    _plate(builder, _part(quad, 0.36, 0.64, 0.42, 0.66), out)
    builder.face(_part(quad, 0.44, 0.56, 0.82, 0.92), _CHROME, outward=out, detail=True)
    if not tall:
        builder.face(_part(quad, 0.26, 0.74, 0.95, 1.0), 0.6, outward=out, detail=True)


def _plate(builder: MeshBuilder, quad: np.ndarray, out: Point) -> None:  # type: ignore[type-arg]
    """Number plate with dark letters."""
    builder.face(quad, _PLATE, outward=out, detail=True)
    for x in (0.1, 0.26, 0.42, 0.6, 0.76):
        builder.face(
            _part(quad, x, x + 0.1, 0.22, 0.78), (40.0, 40.0, 44.0), outward=out, detail=True
        )


def _front(builder: MeshBuilder, body: Body, lights: bool) -> None:
    """Head lamps, grille and plate on the front."""
    quad, _ = _segment(body, 7)
    out = (0.0, 0.0, 1.0)
    # The front segment runs downwards: share 0 of its height is the bonnet's edge.
    builder.face(_part(quad, 0.26, 0.74, 0.12, 0.5), _TRIM, outward=out, detail=True)
    builder.face(_part(quad, 0.3, 0.7, 0.28, 0.34), _CHROME, outward=out, detail=True)
    for x0, x1 in ((0.0, 0.22), (0.78, 1.0)):
        lamp = _part(quad, x0, x1, 0.05, 0.55)
        builder.face(lamp, (70.0, 72.0, 76.0), outward=out, detail=True)
        inner = _inset(lamp, 0.14, 0.16)
        colour = _LAMP_LIT if lights else _LAMP_OFF
        emission = 1.0 if lights else 0.0
        builder.face(inner, colour, outward=out, emission=emission, gloss=0.3, detail=True)
        if lights:
            c = lamp.mean(axis=0)
            builder.lamp(
                (float(c[0]), float(c[1]), float(c[2]) + 0.05), out, (255.0, 246.0, 220.0), 1.4
            )
    _plate(builder, _part(quad, 0.38, 0.62, 0.72, 0.96), out)
    quad, _ = _segment(body, 8)
    builder.face(_part(quad, 0.12, 0.88, 0.1, 0.7), _TRIM, outward=out, detail=True)


def _truck(builder: MeshBuilder, length: float, width: float, height: float, shape: int) -> None:
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
            _part(rear, x0, x1, 0.0, 1.0), (96.0, 96.0, 98.0), outward=(0, 0, -1), detail=True
        )
    builder.face(
        _part(rear, 0, 1, 0.0, 0.035), (80.0, 80.0, 82.0), outward=(0, 0, -1), detail=True
    )
    for side in (-1.0, 1.0):
        x = side * half
        builder.panel(
            [(x, 0.95, -front), (x, 0.95, z1), (x, top, z1), (x, top, -front)],
            (0.78, 0.9, 0.96, 1.0), cargo, outward=(side, 0, 0),
        )  # fmt: skip
        _wheel_discs(builder, width, (-0.3 * length, 0.36 * length), 0.48, side)
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
        _part(face, 0.05, 0.95, 0.48, 0.88),
        (1.2, 1.0, 0.8),
        _GLASS,
        outward=out,
        gloss=0.4,
        detail=True,
    )
    builder.face(_part(face, 0.18, 0.82, 0.2, 0.4), _TRIM, outward=out, detail=True)
    builder.face(_part(face, 0.0, 1.0, 0.0, 0.12), _TRIM, outward=out, detail=True)
    for side in (-1.0, 1.0):
        x = side * half
        door = np.array([(x, 0.55, z0), (x, 0.55, z1), (x, top, z1), (x, top, z0)])
        builder.face(door, 0.9, outward=(side, 0, 0))
        builder.panel(
            _part(door, 0.35, 0.92, 0.5, 0.86), (0.8, 1.1), _GLASS,
            outward=(side, 0, 0), gloss=0.3, detail=True,
        )  # fmt: skip


def _bus(builder: MeshBuilder, length: float, width: float, height: float) -> None:
    """Body of a city bus."""
    half, low = width / 2, 0.32
    z0, z1 = -length / 2, length / 2
    rear = np.array([(-half, low, z0), (half, low, z0), (half, height, z0), (-half, height, z0)])
    builder.panel(rear, (0.7, 0.9, 1.0, 1.05), outward=(0, 0, -1), gloss=0.08)
    builder.panel(
        _part(rear, 0.1, 0.9, 0.55, 0.84), (0.8, 1.1, 1.3), _GLASS,
        outward=(0, 0, -1), gloss=0.35, detail=True,
    )  # fmt: skip
    builder.face(
        _part(rear, 0.16, 0.84, 0.12, 0.36), (52.0, 52.0, 54.0), outward=(0, 0, -1), detail=True
    )
    front = np.array([(-half, low, z1), (half, low, z1), (half, height, z1), (-half, height, z1)])
    builder.panel(front, (0.75, 1.0, 1.0), outward=(0, 0, 1), gloss=0.08)
    builder.panel(
        _part(front, 0.04, 0.96, 0.3, 0.82), (1.3, 1.0, 0.8), _GLASS,
        outward=(0, 0, 1), gloss=0.4, detail=True,
    )  # fmt: skip
    board = _part(front, 0.2, 0.8, 0.85, 0.96)
    builder.face(board, (255.0, 170.0, 40.0), outward=(0, 0, 1), emission=0.7, detail=True)
    for side in (-1.0, 1.0):
        x = side * half
        flank = np.array([(x, low, z0), (x, low, z1), (x, height, z1), (x, height, z0)])
        builder.panel(flank, (0.7, 0.88, 1.0, 1.0), outward=(side, 0, 0), gloss=0.08)
        for share in np.linspace(0.03, 0.85, 6):
            pane = _part(flank, float(share), float(share) + 0.125, 0.42, 0.82)
            builder.face(pane, _GLASS, outward=(side, 0, 0), gloss=0.35, detail=True)
        _wheel_discs(builder, width, (-0.3 * length, 0.36 * length), 0.48, side)
    builder.face(
        [(-half, height, z0), (half, height, z0), (half, height, z1), (-half, height, z1)],
        0.95, outward=(0, 1, 0),
    )  # fmt: skip


def _box_lamps(
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
    red, emission = (_RED_LIT, 1.0 if braking else 0.8) if lights or braking else (_RED_DARK, 0.0)
    for side in (-1, 1):
        x = side * (half - 0.28)
        quad = [
            (x - 0.2, y, z0),
            (x + 0.2, y, z0),
            (x + 0.2, y + 0.16, z0),
            (x - 0.2, y + 0.16, z0),
        ]
        shine = _AMBER if blinker == side else red
        builder.face(quad, shine, outward=(0, 0, -1), emission=emission, group=10_000)
        if lights or braking:
            builder.lamp((x, y, z0), (0, 0, -1), (255.0, 40.0, 24.0), 0.8 if braking else 0.4)
        lamp = [(x - 0.2, 0.7, z1), (x + 0.2, 0.7, z1), (x + 0.2, 0.95, z1), (x - 0.2, 0.95, z1)]
        colour = _LAMP_LIT if lights else _LAMP_OFF
        glow = 1.0 if lights else 0.0
        builder.face(lamp, colour, outward=(0, 0, 1), emission=glow, group=10_001)
        if lights:
            builder.lamp((x, 0.82, z1), (0, 0, 1), (255.0, 246.0, 220.0), 1.4)
    plate = np.array([(-0.27, 0.62, z0), (0.27, 0.62, z0), (0.27, 0.76, z0), (-0.27, 0.76, z0)])
    builder.face(plate, _PLATE, outward=(0, 0, -1), group=10_000)
