# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""From a scene to a picture: the one place where the order of painting stands."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.bodies import shapes_of
from caption_node.scenes.canvas import Canvas
from caption_node.scenes.ground import paint_ground
from caption_node.scenes.illumination import Illumination
from caption_node.scenes.lens import expose, fall
from caption_node.scenes.masks import paint_mask, shadow_mask
from caption_node.scenes.people import draw_person, draw_rider
from caption_node.scenes.scenery import draw_block, draw_tree, draw_tunnel
from caption_node.scenes.sky import paint_sky
from caption_node.scenes.street import draw_prop_mesh, draw_signal, light_of_lamp
from caption_node.scenes.truth import Sighting
from caption_node.scenes.vehicles import vehicle_mesh
from caption_node.scenes.world import Person, Prop, Scene, Signal, Vehicle

Bytes = NDArray[np.uint8]
Actor = Vehicle | Person | Signal | Prop

_FURTHEST_M = 175.0
_BLOCKS = ('building', 'house', 'hedge', 'wall', 'rail')


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered image and where in it every actor is."""

    pixels_rgb: Bytes
    sightings: tuple[Sighting, ...]


def render(scene: Scene, rng: np.random.Generator) -> Picture:
    """
    Paint a scene far to near.

    :param rng: Draws what differs from frame to frame: rain, grain, drops.
    :returns: RGB image of the camera's size, and all actors with their visible share.
    """
    light = Illumination.of(scene.environment, scene.road.kind == 'tunnel')
    canvas = Canvas(scene.camera, light)
    paint_sky(canvas, scene)
    paint_ground(canvas, scene, paint_mask(scene), shadow_mask(scene, light))
    if scene.road.kind == 'tunnel':
        draw_tunnel(canvas, scene)
    numbers: dict[int, Actor] = {}
    actors: list[Actor] = [*scene.props, *scene.signals, *scene.vehicles, *scene.people]
    actors.sort(key=lambda a: -_order(a))
    for actor in actors:
        number = 2 * len(numbers) + 1
        numbers[number] = actor
        _draw(canvas, scene, actor, number)
    canvas.add_glow()
    fall(canvas, scene, rng)
    image = expose(canvas.image, scene, rng)
    return Picture(image, tuple(_sightings(canvas, numbers)))


def _order(actor: Actor) -> float:
    """Distance by which actors are painted: that of the end that is nearest to us, roughly."""
    if isinstance(actor, Prop) and actor.kind in _BLOCKS:
        return actor.s + actor.size[2] * 0.25 + abs(actor.d) * 0.05
    return actor.s


def _draw(canvas: Canvas, scene: Scene, actor: Actor, number: int) -> None:
    """Draw one actor."""
    if isinstance(actor, Prop) and actor.kind in _BLOCKS:
        if -actor.size[2] < actor.s < _FURTHEST_M:
            draw_block(canvas, scene, actor)
        return
    if actor.s < -4.0 or actor.s > _FURTHEST_M:
        return
    road = scene.road
    position = road.to_world(actor.s, actor.d)
    heading = road.heading(max(actor.s, 0.0))
    if isinstance(actor, Prop):
        if actor.kind in ('tree', 'bush'):
            draw_tree(canvas, scene, position, actor)
            return
        draw_prop_mesh(canvas, position, heading, actor, number if actor.kind == 'stop' else 0)
        if actor.kind == 'lamp' and scene.environment.time != 'day':
            light_of_lamp(canvas, position, actor.d > 0)
        return
    if isinstance(actor, Signal):
        draw_signal(canvas, position, heading, actor, number)
        return
    yaw = heading + actor.yaw
    if isinstance(actor, Person):
        draw_person(canvas, position, yaw, actor, number)
        return
    if actor.kind in ('bicycle', 'motorcycle'):
        rider = _rider_of(actor)
        draw_rider(canvas, position, yaw, actor, rider, number)
        return
    lit = scene.environment.headlights and actor.role != 'parked'
    shape = actor.shape % shapes_of(actor.kind)
    mesh = vehicle_mesh(actor.kind, shape, lit, actor.braking, actor.blinker)
    glow = 0.35 if scene.environment.time == 'day' else 1.0
    canvas.mesh(mesh, position, yaw, np.asarray(actor.colour), number, glow)


def _rider_of(vehicle: Vehicle) -> Person:
    """Somebody whose clothes follow from the machine, so that they stay the same in a drive."""
    rng = np.random.default_rng(int(sum(vehicle.colour)) + 7 * vehicle.shape)
    motor = vehicle.kind == 'motorcycle'
    tone = rng.uniform(30, 190, 3)
    hair = (30.0, 30.0, 34.0) if motor else (60.0, 46.0, 36.0)
    return Person(
        0.0, 0.0, 0.0, top=(float(tone[0]), float(tone[1]), float(tone[2])), hair=hair,
        legs=(40.0, 42.0, 52.0),
    )  # fmt: skip


def _sightings(canvas: Canvas, numbers: dict[int, Actor]) -> list[Sighting]:
    """Where every actor is seen, riders beside their machines."""
    found = []
    for number, actor in numbers.items():
        for shift in (0, 1):
            footprint = canvas.footprints.get(number + shift)
            if footprint is None:
                continue
            share = canvas.visible_share(number + shift)
            found.append(Sighting(actor, footprint.box, share, footprint.inside, shift == 1))
    return found
