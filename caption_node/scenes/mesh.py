# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Meshes of flat faces: building them, and placing them in the world."""

from collections.abc import Sequence
from dataclasses import dataclass, field
import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Point = tuple[float, float, float]
Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Mesh:
    """
    Flat faces in an object's own axes: x right, y up, z forward.

    :param points: (V, 3) corners of all faces, one face after another.
    :param starts: (F + 1,) where each face's corners begin.
    :param normals: (F, 3) outward unit vectors.
    :param albedo: (F, 3) colours 0..255, for painted faces a factor on the body's paint.
    :param painted: (F,) whether ``albedo`` scales the object's own colour.
    :param emission: (F,) share of the albedo that shines by itself.
    :param gloss: (F,) share of the sky that is mirrored.
    :param group: (F,) faces of one group are drawn in the order given, groups far to near.
    :param first: (F,) index of the first face of each face's group.
    """

    points: Floats
    starts: NDArray[np.int64]
    normals: Floats
    albedo: Floats
    painted: NDArray[np.bool_]
    emission: Floats
    gloss: Floats
    group: NDArray[np.int64]
    first: NDArray[np.int64]
    lamps: tuple[tuple[Point, Point, Rgb, float], ...] = ()


@dataclass(slots=True)
class MeshBuilder:
    """Collects faces; every body face opens a group, details on it join that group."""

    faces: list[tuple[Floats, Floats, Rgb, bool, float, float, int]] = field(default_factory=list)
    lamps: list[tuple[Point, Point, Rgb, float]] = field(default_factory=list)
    groups: int = 0

    def face(
        self,
        corners: Sequence[Point] | Floats,
        colour: Rgb | float,
        *,
        outward: Point | Floats | None = None,
        emission: float = 0.0,
        gloss: float = 0.0,
        detail: bool = False,
        group: int | None = None,
    ) -> None:
        """
        Add one flat polygon.

        :param colour: A colour, or a factor on the object's paint.
        :param outward: Direction that the face must look to; its corners' order is free then.
        :param detail: Draw it after the previous face, whatever the distance.
        """
        points = np.asarray(corners, np.float64)
        normal = _normal(points)
        if outward is not None and float(normal @ np.asarray(outward)) < 0:
            normal = -normal
        if group is None and not detail:
            self.groups += 1
        painted = not isinstance(colour, tuple)
        rgb = (float(colour),) * 3 if not isinstance(colour, tuple) else colour
        where = self.groups if group is None else group
        self.faces.append((points, normal, rgb, painted, emission, gloss, where))

    def panel(
        self,
        quad: Sequence[Point] | Floats,
        shades: Sequence[float],
        colour: Rgb | None = None,
        *,
        outward: Point | Floats,
        gloss: float = 0.0,
        detail: bool = False,
    ) -> None:
        """
        Add a quad as strips of changing brightness.

        :param quad: Bottom left, bottom right, top right, top left.
        :param shades: Brightness factors from bottom to top.
        :param colour: Colour to scale; the object's paint when absent.
        """
        corners = np.asarray(quad, np.float64)
        steps = len(shades)
        for i, shade in enumerate(shades):
            low, high = i / steps, (i + 1) / steps
            strip = np.stack(
                [
                    corners[0] + (corners[3] - corners[0]) * low,
                    corners[1] + (corners[2] - corners[1]) * low,
                    corners[1] + (corners[2] - corners[1]) * high,
                    corners[0] + (corners[3] - corners[0]) * high,
                ]
            )
            scaled: Rgb | float = shade
            if colour is not None:
                scaled = (colour[0] * shade, colour[1] * shade, colour[2] * shade)
            self.face(strip, scaled, outward=outward, gloss=gloss, detail=detail or i > 0)

    def box(
        self,
        low: Point,
        high: Point,
        colour: Rgb | float,
        emission: float = 0.0,
        gloss: float = 0.0,
    ) -> None:
        """Add the six sides of an upright box, sides darker towards the ground."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        for corners, outward in (
            (((x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)), (0, 0, -1)),
            (((x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)), (0, 0, 1)),
            (((x0, y0, z0), (x0, y0, z1), (x0, y1, z1), (x0, y1, z0)), (-1, 0, 0)),
            (((x1, y0, z0), (x1, y0, z1), (x1, y1, z1), (x1, y1, z0)), (1, 0, 0)),
            (((x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)), (0, 1, 0)),
            (((x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)), (0, -1, 0)),
        ):
            self.face(corners, colour, outward=outward, emission=emission, gloss=gloss)

    def disc(
        self,
        centre: Point,
        radius: float,
        axis: int,
        outward: Point,
        colour: Rgb,
        *,
        sides: int = 14,
        emission: float = 0.0,
        detail: bool = False,
    ) -> None:
        """Add a flat disc across an axis (0 x, 2 z)."""
        angles = np.linspace(0.0, 2 * math.pi, sides, endpoint=False)
        points = np.tile(np.asarray(centre, np.float64), (sides, 1))
        points[:, 1] += radius * np.sin(angles)
        points[:, 2 if axis == 0 else 0] += radius * np.cos(angles)
        self.face(points, colour, outward=outward, emission=emission, detail=detail)

    def lamp(self, where: Point, outward: Point, colour: Rgb, strength: float) -> None:
        """Add a light source: it glows for whoever it faces."""
        self.lamps.append((where, outward, colour, strength))

    def build(self) -> Mesh:
        """Join the faces to arrays."""
        sizes = [len(f[0]) for f in self.faces]
        first: dict[int, int] = {}
        for i, face in enumerate(self.faces):
            first.setdefault(face[6], i)
        return Mesh(
            points=np.concatenate([f[0] for f in self.faces]),
            starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            normals=np.stack([f[1] for f in self.faces]),
            albedo=np.array([f[2] for f in self.faces], np.float64),
            painted=np.array([f[3] for f in self.faces]),
            emission=np.array([f[4] for f in self.faces], np.float64),
            gloss=np.array([f[5] for f in self.faces], np.float64),
            group=np.array([f[6] for f in self.faces], np.int64),
            first=np.array([first[f[6]] for f in self.faces], np.int64),
            lamps=tuple(self.lamps),
        )


def _normal(points: Floats) -> Floats:
    """Unit normal of a polygon (Newell's method)."""
    corners = points.tolist()
    nx = ny = nz = 0.0
    for (x0, y0, z0), (x1, y1, z1) in zip(corners, corners[1:] + corners[:1], strict=True):
        nx += y0 * z1 - z0 * y1
        ny += z0 * x1 - x0 * z1
        nz += x0 * y1 - y0 * x1
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    if length < 1e-9:
        return np.array((0.0, 1.0, 0.0))
    return np.array((nx / length, ny / length, nz / length))


def rotation(yaw: float) -> Floats:
    """Matrix that turns an object's axes by a yaw to the right, for row vectors."""
    sin, cos = math.sin(yaw), math.cos(yaw)
    return np.array(((cos, 0.0, -sin), (0.0, 1.0, 0.0), (sin, 0.0, cos)))
