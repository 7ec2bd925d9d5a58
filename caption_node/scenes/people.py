# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Pedestrians, and riders with their bicycles and motorcycles, as rounded limbs around joints."""

from collections.abc import Sequence
from itertools import pairwise
import math

import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.camera import NEAR_M
from caption_node.scenes.canvas import Canvas
from caption_node.scenes.mesh import rotation
from caption_node.scenes.world import Person, Rgb, Vehicle

Floats = NDArray[np.float64]
Joint = tuple[float, float, float]
Limb = tuple[Joint, Joint, float, float, Rgb]
"""Two joints in the body's own axes, radius at each in metres, colour."""

_SHOES = (34.0, 32.0, 32.0)


def draw_person(canvas: Canvas, position: Floats, yaw: float, person: Person, number: int) -> None:
    """
    Draw a pedestrian.

    :param position: (3,) point on the ground under the body.
    :param yaw: Walking direction, radians right of straight ahead.
    """
    k = person.height_m / 1.75
    swing = math.sin(person.phase) * person.stride
    limbs: list[Limb] = []
    for side, sign in ((-1.0, 1.0), (1.0, -1.0)):
        lean = swing * sign
        hip = (side * 0.09 * k, 0.92 * k, 0.0)
        knee = (side * 0.1 * k, 0.5 * k, 0.40 * k * math.sin(lean) + 0.03)
        lift = max(0.0, -lean) * 0.12
        foot = (
            side * 0.1 * k,
            (0.08 + lift) * k,
            0.80 * k * math.sin(lean) - 0.08 * max(0, -lean),
        )
        limbs += [
            (hip, knee, 0.095 * k, 0.068 * k, person.legs),
            (knee, foot, 0.068 * k, 0.046 * k, person.legs),
            (foot, (foot[0], 0.05 * k, foot[2] + 0.15 * k), 0.05 * k, 0.042 * k, _SHOES),
        ]
        shoulder = (side * 0.19 * k, 1.42 * k, 0.0)
        elbow = (side * 0.25 * k, 1.13 * k, -0.24 * k * math.sin(lean))
        hand = (side * 0.24 * k, 0.88 * k, -0.34 * k * math.sin(lean) + 0.08 * k)
        limbs += [
            (shoulder, elbow, 0.06 * k, 0.05 * k, person.top),
            (elbow, hand, 0.05 * k, 0.04 * k, person.top),
            (hand, (hand[0], hand[1] - 0.06 * k, hand[2]), 0.042 * k, 0.036 * k, person.skin),
        ]
    limbs += _trunk(k, person)
    if person.bag == 1:
        bag = (150.0, 60.0, 50.0)
        limbs.append(((0.0, 1.05 * k, -0.2 * k), (0.0, 1.38 * k, -0.2 * k), 0.13, 0.12, bag))
    _draw_limbs(canvas, position, yaw, limbs, number)


def _trunk(k: float, person: Person) -> list[Limb]:
    """Hips, chest, neck, head and hair of somebody upright."""
    dark = (person.top[0] * 0.9, person.top[1] * 0.9, person.top[2] * 0.9)
    return [
        ((0.0, 0.90 * k, 0.0), (0.0, 1.12 * k, 0.0), 0.155 * k, 0.15 * k, dark),
        ((-0.07 * k, 1.05 * k, 0.0), (-0.11 * k, 1.38 * k, 0.0), 0.105 * k, 0.095 * k, person.top),
        ((0.07 * k, 1.05 * k, 0.0), (0.11 * k, 1.38 * k, 0.0), 0.105 * k, 0.095 * k, person.top),
        ((0.0, 1.02 * k, 0.0), (0.0, 1.40 * k, 0.0), 0.13 * k, 0.12 * k, person.top),
        ((0.0, 1.44 * k, 0.0), (0.0, 1.53 * k, 0.01), 0.058 * k, 0.055 * k, person.skin),
        ((0.0, 1.58 * k, 0.03 * k), (0.0, 1.65 * k, 0.03 * k), 0.088 * k, 0.09 * k, person.skin),
        ((0.0, 1.62 * k, -0.03 * k), (0.0, 1.665 * k, 0.0), 0.094 * k, 0.098 * k, person.hair),
    ]


def draw_rider(
    canvas: Canvas, position: Floats, yaw: float, vehicle: Vehicle, person: Person, number: int
) -> None:
    """
    Draw a rider and the machine; the rider's outline gets the next number.

    :param number: Number of the machine in the map of actors; the rider is ``number + 1``.
    """
    motor = vehicle.kind == 'motorcycle'
    machine = _motorcycle(vehicle) if motor else _bicycle(vehicle)
    seat = 0.82 if motor else 0.98
    rider = _seated(person, seat, motor, vehicle.phase)
    _draw_limbs(canvas, position, yaw, machine, number)
    _draw_limbs(canvas, position, yaw, rider, number + 1)
    turn = rotation(yaw)
    rear = np.array((0.0, 0.62, -0.75 if motor else -0.6)) @ turn + position
    if canvas.light.headlights > 0:
        behind = np.array((0.0, 0.0, -1.0)) @ turn
        canvas.lamp(rear, behind, np.array((255.0, 40.0, 24.0)), 0.35)
        front = np.array((0.0, 0.85, 0.65)) @ turn + position
        canvas.lamp(front, -behind, np.array((255.0, 246.0, 220.0)), 0.9 if motor else 0.4)


def _ring(z: float, radius: float, thick: float, colour: Rgb) -> list[Limb]:
    """Wheel in the plane of travel."""
    angles = np.linspace(0, 2 * math.pi, 15)
    points = [(0.0, radius + radius * math.sin(a), z + radius * math.cos(a)) for a in angles]
    return [(p, q, thick, thick, colour) for p, q in pairwise(points)]


def _bicycle(vehicle: Vehicle) -> list[Limb]:
    """Frame, wheels and handlebar of a bicycle."""
    ink, tyre = vehicle.colour, (26.0, 26.0, 28.0)
    limbs = _ring(-0.52, 0.34, 0.022, tyre) + _ring(0.52, 0.34, 0.022, tyre)
    crank, head, saddle = (0.0, 0.3, -0.08), (0.0, 0.82, 0.36), (0.0, 0.92, -0.2)
    rear, front = (0.0, 0.34, -0.52), (0.0, 0.34, 0.52)
    limbs += [
        (a, b, 0.022, 0.022, ink)
        for a, b in (
            (crank, head), (crank, saddle), (saddle, head), (rear, crank), (rear, saddle),
            (head, front),
        )
    ]  # fmt: skip
    limbs.append(((-0.28, 0.98, 0.36), (0.28, 0.98, 0.36), 0.02, 0.02, tyre))
    limbs.append(((0.0, 0.95, -0.32), (0.0, 0.96, -0.1), 0.07, 0.03, tyre))
    return limbs


def _motorcycle(vehicle: Vehicle) -> list[Limb]:
    """Wheels, tank, seat and lamp of a motorcycle."""
    tyre, metal = (24.0, 24.0, 26.0), (96.0, 98.0, 102.0)
    limbs = _ring(-0.68, 0.31, 0.065, tyre) + _ring(0.72, 0.31, 0.06, tyre)
    limbs += [
        ((0.0, 0.45, -0.35), (0.0, 0.48, 0.3), 0.17, 0.18, metal),
        ((0.0, 0.78, -0.7), (0.0, 0.76, -0.1), 0.11, 0.14, (40.0, 40.0, 42.0)),
        ((0.0, 0.88, 0.0), (0.0, 0.92, 0.35), 0.16, 0.17, vehicle.colour),
        ((0.0, 0.95, 0.45), (0.0, 0.36, 0.72), 0.06, 0.05, metal),
        ((0.0, 0.96, 0.46), (0.0, 1.12, 0.42), 0.15, 0.1, vehicle.colour),
        ((-0.36, 1.05, 0.32), (0.36, 1.05, 0.32), 0.03, 0.03, tyre),
        ((-0.14, 0.66, -0.82), (0.14, 0.66, -0.82), 0.05, 0.05, (150.0, 24.0, 20.0)),
        ((-0.09, 0.5, -0.88), (0.09, 0.5, -0.88), 0.06, 0.06, (210.0, 210.0, 204.0)),
    ]
    return limbs


def _seated(person: Person, seat: float, motor: bool, phase: float) -> list[Limb]:
    """Somebody who rides: hips on the saddle, hands on the bar."""
    limbs: list[Limb] = []
    hip_z, lean = (-0.3, 0.25) if motor else (-0.22, 0.28)
    for side, turn in ((-1.0, 0.0), (1.0, math.pi)):
        hip = (side * 0.11, seat, hip_z)
        if motor:
            knee, foot = (side * 0.24, seat - 0.12, 0.12), (side * 0.22, 0.38, -0.12)
        else:
            foot_y = 0.3 + 0.17 * math.sin(phase + turn)
            foot_z = -0.08 + 0.17 * math.cos(phase + turn)
            knee = (side * 0.13, (seat + foot_y) / 2 + 0.1, foot_z + 0.22)
            foot = (side * 0.12, foot_y, foot_z)
        limbs += [
            (hip, knee, 0.1, 0.075, person.legs),
            (knee, foot, 0.075, 0.05, person.legs),
            (foot, (foot[0], foot[1] - 0.02, foot[2] + 0.14), 0.05, 0.045, _SHOES),
        ]
        shoulder = (side * 0.19, seat + 0.5, hip_z + lean)
        elbow = (side * 0.3, seat + 0.24, hip_z + lean + 0.16)
        hand = (side * 0.27, seat + 0.12, hip_z + lean + 0.34)
        limbs += [
            (shoulder, elbow, 0.07, 0.055, person.top),
            (elbow, hand, 0.055, 0.045, person.top),
        ]
    neck_z = hip_z + lean
    head = person.hair if motor else person.skin
    limbs += [
        ((0.0, seat + 0.02, hip_z), (0.0, seat + 0.46, neck_z), 0.17, 0.18, person.top),
        ((-0.1, seat + 0.45, neck_z), (0.1, seat + 0.45, neck_z), 0.11, 0.11, person.top),
        ((0.0, seat + 0.52, neck_z), (0.0, seat + 0.6, neck_z + 0.04), 0.06, 0.06, person.skin),
        ((0.0, seat + 0.68, neck_z + 0.06), (0.0, seat + 0.75, neck_z + 0.06), 0.1, 0.1, head),
        (
            (0.0, seat + 0.73, neck_z + 0.02),
            (0.0, seat + 0.78, neck_z + 0.05),
            0.11,
            0.1,
            person.hair,
        ),
    ]
    return limbs


def _draw_limbs(
    canvas: Canvas, position: Floats, yaw: float, limbs: Sequence[Limb], number: int
) -> None:
    """Draw rounded limbs far to near, each with a lit and a shaded side."""
    turn = rotation(yaw)
    ends = np.array([(limb[0], limb[1]) for limb in limbs]) @ turn + position
    pixels = canvas.camera.project(ends.reshape(-1, 3)).reshape(-1, 2, 3)
    if float(pixels[..., 2].min()) < NEAR_M:
        return
    radii = np.array([(limb[2], limb[3]) for limb in limbs])
    radius_px = np.maximum(canvas.camera.focal_px * radii / pixels[..., 2], 0.45)
    _cover_limbs(canvas, pixels, radius_px, number)
    middle = ends.mean(axis=1)
    toward = np.array((0.0, 0.25, -0.97))
    normals = np.tile(toward, (len(limbs), 1))
    albedo = np.array([limb[4] for limb in limbs])
    light = canvas.light
    depth = pixels[..., 2].mean(axis=1)
    colours = light.through_air(light.shade(albedo, normals, middle) * 1.02, depth)
    shaded = light.through_air(light.shade(albedo * 0.62, normals, middle), depth)
    bright = -1.0 if light.to_sun[0] < 0 else 1.0
    outlines = _capsules(pixels[..., :2], radius_px)
    shift = np.array((bright * 0.22, -0.12)) * radius_px.mean(axis=1)[:, None]
    inner = _capsules(pixels[..., :2] + shift[:, None], radius_px * 0.74)
    for i in np.argsort(-depth, kind='stable').tolist():
        canvas.fill(outlines[i], shaded[i])
        if radius_px[i, 0] > 1.2:
            canvas.fill(inner[i], colours[i])


def _cover_limbs(canvas: Canvas, pixels: Floats, radius_px: Floats, number: int) -> None:
    """Write the outline of all limbs into the map of actors."""
    xy = pixels[..., :2].reshape(-1, 2)
    r = radius_px.reshape(-1, 1)
    sides = np.array(((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)))
    canvas.cover((xy[:, None] + sides[None] * r[:, None]).reshape(-1, 2), number)


def _capsules(ends: Floats, radii: Floats) -> Floats:
    """
    Outlines of limbs: two half circles and their tangents.

    :param ends: (N, 2, 2) pixels.
    :param radii: (N, 2) pixels.
    :returns: (N, 12, 2) pixels.
    """
    along = ends[:, 1] - ends[:, 0]
    angle = np.arctan2(along[:, 1], along[:, 0])[:, None]
    head = angle + np.linspace(-math.pi / 2, math.pi / 2, 6)
    circle = np.stack([np.cos(head), np.sin(head)], -1)
    caps = [ends[:, 1:] + radii[:, 1, None, None] * circle]
    caps.append(ends[:, :1] - radii[:, 0, None, None] * circle)
    return np.concatenate(caps, axis=1)
