# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Any vehicle with four wheels or more as a mesh."""

from functools import lru_cache

from caption_node.scenes.bodies import BUSES, CARS, TRUCKS, VANS
from caption_node.scenes.cars import add_front, add_rear, add_shell, add_sides
from caption_node.scenes.lorries import add_bus, add_lamps, add_truck
from caption_node.scenes.mesh import Mesh, MeshBuilder
from caption_node.scenes.parts import add_wheels


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
        add_wheels(builder, body.width, body.axles, body.wheel)
        add_sides(builder, body)
        add_shell(builder, body)
        add_rear(builder, body, lights, braking, blinker)
        add_front(builder, body, lights)
    else:
        boxes = TRUCKS if kind == 'truck' else BUSES
        length, width, height = boxes[shape % len(boxes)]
        wheel = 0.48
        axles = (-0.3 * length, 0.36 * length)
        add_wheels(builder, width, axles, wheel)
        if kind == 'truck':
            add_truck(builder, length, width, height, shape)
        else:
            add_bus(builder, length, width, height)
        add_lamps(builder, length, width, height, kind, (lights, braking, blinker))
    return builder.build()
