# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The picture while it is painted: faces with light and haze, who covers whom, and glow."""

from dataclasses import dataclass
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.camera import NEAR_M, Camera, Floats, clip_near
from caption_node.scenes.illumination import Illumination
from caption_node.scenes.mesh import Mesh, rotation

Bytes = NDArray[np.uint8]

_SHIFT = 4
_ID_SCALE = 2
_GLOW_SCALE = 4


@dataclass(slots=True)
class Footprint:
    """
    Where an actor ended up in the picture.

    :param box: x_min, y_min, x_max, y_max of the whole actor in pixels, cut at the border.
    :param area_px: Area of its outline inside the picture.
    :param inside: Share of its outline inside the picture, 0..1.
    """

    box: tuple[float, float, float, float]
    area_px: float
    inside: float


class Canvas:
    """
    RGB image painted far to near, with a map of actor numbers beside it.

    :param camera: Lens and position.
    :param light: Light of the scene.
    """

    def __init__(self, camera: Camera, light: Illumination) -> None:
        self.camera = camera
        self.light = light
        self.image: Bytes = np.zeros((camera.height, camera.width, 3), np.uint8)
        self.ids = np.zeros((camera.height // _ID_SCALE, camera.width // _ID_SCALE), np.int16)
        self.footprints: dict[int, Footprint] = {}
        self._glow = np.zeros(
            (camera.height // _GLOW_SCALE + 1, camera.width // _GLOW_SCALE + 1, 3), np.float32
        )
        self._glowing = False
        self._pending: list[tuple[float, float, float, Floats, float, int]] = []

    def fill(self, pixels: Floats, colour: Floats) -> None:
        """Fill a convex polygon of pixel coordinates (N, 2) with a colour 0..255."""
        points = (pixels * (1 << _SHIFT)).astype(np.int32)
        rgb = (float(colour[0]), float(colour[1]), float(colour[2]))
        cv2.fillConvexPoly(self.image, points, rgb, cv2.LINE_AA, _SHIFT)

    def polygon(self, points: Floats, colour: Floats) -> None:
        """Draw a convex world polygon (N, 3) with a colour that is lit already."""
        visible = clip_near(points, self.camera)
        if len(visible) < 3:
            return
        pixels = self.camera.project(visible)
        depth = float(pixels[:, 2].sum()) / len(pixels)
        self.fill(pixels[:, :2], self.light.through_air(colour, np.asarray(depth)))

    def mesh(
        self,
        mesh: Mesh,
        position: Floats,
        yaw: float,
        paint: Floats,
        number: int = 0,
        glow: float = 1.0,
    ) -> None:
        """
        Draw an object.

        :param position: (3,) world position of its origin.
        :param yaw: Direction of its forward axis, radians right of straight ahead.
        :param paint: (3,) colour of its painted faces, 0..255.
        :param number: Number in the map of actors; 0 only covers others.
        """
        turn = rotation(yaw)
        points = mesh.points @ turn + position
        pixels = self.camera.project(points)
        if float(pixels[:, 2].max()) < NEAR_M or self._outside(pixels):
            return
        self._cover(points, pixels, number)
        counts = np.diff(mesh.starts)
        centres = np.add.reduceat(points, mesh.starts[:-1], axis=0) / counts[:, None]
        normals = mesh.normals @ turn
        to_eye = np.array((0.0, self.camera.height_m, 0.0)) - centres
        facing = (normals * to_eye).sum(axis=1) > 0
        colours = self._colours(mesh, normals, centres, to_eye, paint)
        distance = np.linalg.norm(to_eye, axis=1)
        shown = np.flatnonzero(facing)
        order = shown[np.argsort(-distance[mesh.first[shown]], kind='stable')]
        clipped = float(pixels[:, 2].min()) < NEAR_M
        fixed = (pixels[:, :2] * (1 << _SHIFT)).astype(np.int32)
        starts, inks = mesh.starts.tolist(), colours.tolist()
        for i in order.tolist():
            part = slice(starts[i], starts[i + 1])
            if not clipped:
                cv2.fillConvexPoly(self.image, fixed[part], inks[i], cv2.LINE_AA, _SHIFT)
                continue
            kept = clip_near(points[part], self.camera)
            if len(kept) >= 3:
                self.fill(self.camera.project(kept)[:, :2], colours[i])
        if glow > 0:
            self._lamps(mesh, turn, position, glow, number)

    def _outside(self, pixels: Floats) -> bool:
        """Whether projected points (N, 3) all lie beyond one border of the picture."""
        u, v = pixels[:, 0], pixels[:, 1]
        return bool(
            u.max() < 0
            or u.min() > self.camera.width
            or v.max() < 0
            or v.min() > self.camera.height
        )

    def _colours(
        self, mesh: Mesh, normals: Floats, centres: Floats, to_eye: Floats, paint: Floats
    ) -> Floats:
        """Lit and hazed colour of every face."""
        albedo = np.where(mesh.painted[:, None], mesh.albedo * paint, mesh.albedo)
        colours = self.light.shade(albedo, normals, centres)
        depth = np.linalg.norm(to_eye, axis=1)
        cosine = np.abs((normals * to_eye).sum(axis=1)) / np.maximum(depth, 0.1)
        mirror = mesh.gloss * (0.55 + 0.45 * normals[:, 1]) * (0.45 + 0.55 * (1 - cosine) ** 2)
        colours = colours * (1 - 0.5 * mirror[:, None]) + self.light.sky * mirror[:, None]
        emission = mesh.emission[:, None]
        colours = np.maximum(colours * (1 - emission), 0) + albedo * emission
        return self.light.through_air(colours, depth)

    def _cover(self, points: Floats, pixels: Floats, number: int) -> None:
        """Write the outline into the map of actors."""
        if float(pixels[:, 2].min()) < NEAR_M:
            keep = pixels[:, 2] >= NEAR_M
            pixels = pixels[keep]
            if len(pixels) < 3:
                return
        self.cover(pixels[:, :2], number)

    def cover(self, pixels: Floats, number: int) -> None:
        """
        Write the convex hull of pixel coordinates (N, 2) into the map of actors.

        :param number: Number of the actor, or 0 for something that only hides what is behind.
        """
        outline = np.minimum(np.maximum(pixels, -1e5), 1e5).astype(np.float32)
        hull = cv2.convexHull(outline)
        area = float(cv2.contourArea(hull))
        small = (hull / _ID_SCALE * (1 << _SHIFT)).astype(np.int32)
        cv2.fillConvexPoly(self.ids, small, float(number), cv2.LINE_8, _SHIFT)
        if number == 0:
            return
        width, height = float(self.camera.width), float(self.camera.height)
        frame = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        inside = float(cv2.intersectConvexConvex(hull.reshape(-1, 2), frame)[0]) if area > 0 else 0
        low, high = outline.min(axis=0), outline.max(axis=0)
        box = (
            float(np.clip(low[0], 0, width)),
            float(np.clip(low[1], 0, height)),
            float(np.clip(high[0], 0, width)),
            float(np.clip(high[1], 0, height)),
        )
        self.footprints[number] = Footprint(box, inside, inside / area if area > 0 else 0.0)

    def visible_share(self, number: int) -> float:
        """Share of an actor's outline inside the picture that nothing covers, 0..1."""
        print_ = self.footprints.get(number)
        if print_ is None or print_.area_px <= 0:
            return 0.0
        x0, y0, x1, y1 = (int(v / _ID_SCALE) for v in print_.box)
        seen = int((self.ids[max(0, y0 - 1) : y1 + 2, max(0, x0 - 1) : x1 + 2] == number).sum())
        return min(1.0, seen * _ID_SCALE**2 / max(print_.area_px, float(_ID_SCALE**2)))

    def _lamps(
        self, mesh: Mesh, turn: Floats, position: Floats, strength: float, number: int
    ) -> None:
        """Let the lamps of an object glow for us."""
        for where, outward, colour, power in mesh.lamps:
            point = np.asarray(where) @ turn + position
            self.lamp(
                point, np.asarray(outward) @ turn, np.asarray(colour), power * strength, number
            )

    def lamp(
        self, point: Floats, outward: Floats | None, colour: Floats, power: float, number: int = 0
    ) -> None:
        """Add the glow of a light source of an actor, as far as it faces us and is not hidden."""
        u, v, depth = (float(x) for x in self.camera.project(point))
        if depth < 1.0:
            return
        eye = np.array((0.0, self.camera.height_m, 0.0)) - point
        eye /= np.linalg.norm(eye)
        facing = 1.0 if outward is None else max(0.0, float(eye @ outward)) ** 2
        strength = (
            self.light.bloom * power * facing * math.exp(-self.light.haze_per_m * depth * 0.6)
        )
        spread = 1.0 + 6.0 * self.light.haze_per_m**0.5
        radius = self.camera.focal_px * 0.12 / depth + 0.0028 * self.camera.width
        self._pending.append(
            (u, v, radius * spread * (0.5 + 0.5 * power), colour, strength, number)
        )

    def glow(self, u: float, v: float, radius_px: float, colour: Floats, strength: float) -> None:
        """Add a soft disc of light at a pixel; it stays on top of all that is painted."""
        if strength <= 0.01:
            return
        x, y, r = u / _GLOW_SCALE, v / _GLOW_SCALE, max(0.8, radius_px / _GLOW_SCALE)
        reach = min(int(3 * r) + 1, 90)
        x0, y0 = max(0, int(x) - reach), max(0, int(y) - reach)
        x1, y1 = (
            min(self._glow.shape[1], int(x) + reach + 1),
            min(self._glow.shape[0], int(y) + reach + 1),
        )
        if x0 >= x1 or y0 >= y1:
            return
        across = np.exp(-(((np.arange(x0, x1) + 0.5 - x) / r) ** 2))
        down = np.exp(-(((np.arange(y0, y1) + 0.5 - y) / r) ** 2))
        patch = (down[:, None] * across[None])[..., None] * (colour * strength)
        self._glow[y0:y1, x0:x1] += patch.astype(np.float32)
        self._glowing = True

    def add_glow(self) -> None:
        """Put the glow of all lamps that nothing covers onto the image."""
        height, width = self.ids.shape
        for u, v, radius, colour, strength, number in self._pending:
            x, y = int(u / _ID_SCALE), int(v / _ID_SCALE)
            inside = 0 <= x < width and 0 <= y < height
            if not inside or self.ids[y, x] == number:
                self.glow(u, v, radius, colour, strength)
                if self.light.bloom > 1.0:
                    # Light that scatters in lens and windscreen.
                    self.glow(u, v, 5 * radius, colour, 0.08 * strength * self.light.bloom)
        if not self._glowing:
            return
        size = (self.camera.width, self.camera.height)
        large = cv2.resize(self._glow, size, interpolation=cv2.INTER_LINEAR)
        added = np.clip(large, 0, 255).astype(np.uint8)
        self.image = np.asarray(cv2.add(self.image, added), np.uint8)

    def blend(self, mask: NDArray[np.float32], ink: Bytes, left: int, top: int) -> None:
        """
        Mix a small picture into the image.

        :param mask: (h, w) share of the small picture, 0..1.
        :param ink: (h, w, 3) its colours.
        :param left: Column of its left edge; it may reach over the border.
        """
        height, width = mask.shape
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(self.camera.width, left + width), min(self.camera.height, top + height)
        if x0 >= x1 or y0 >= y1:
            return
        inner = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
        alpha = np.ascontiguousarray(mask[inner])
        part = self.image[y0:y1, x0:x1]
        new = np.ascontiguousarray(ink[inner])
        self.image[y0:y1, x0:x1] = cv2.blendLinear(
            new, np.ascontiguousarray(part), alpha, np.float32(1.0) - alpha
        )
