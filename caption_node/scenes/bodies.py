# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Body shapes: profiles of cars and vans, boxes of trucks and buses, and their dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass


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
TRUCKS = ((8.0, 2.4, 3.3), (12.5, 2.5, 3.9), (6.6, 2.2, 2.9))
BUSES = ((12.0, 2.5, 3.1), (10.5, 2.5, 3.0))


def shapes_of(kind: str) -> int:
    """Number of different bodies of a kind of vehicle."""
    return {'car': len(CARS), 'van': len(VANS), 'truck': 12, 'bus': len(BUSES)}.get(kind, 1)


def dimensions(kind: str, shape: int) -> tuple[float, float, float]:
    """Width, height and length of a vehicle in metres."""
    if kind in ('car', 'van'):
        bodies = CARS if kind == 'car' else VANS
        body = bodies[shape % len(bodies)]
        return body.width, body.height, body.length
    if kind in ('truck', 'bus'):
        boxes = TRUCKS if kind == 'truck' else BUSES
        length, width, height = boxes[shape % len(boxes)]
        return width, height, length
    return (0.75, 1.65, 2.1) if kind == 'motorcycle' else (0.6, 1.75, 1.75)
