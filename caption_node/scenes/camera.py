# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
A pinhole camera on the ego vehicle above a flat ground.

World axes: x right, y up, z ahead, metres; the origin is on the road under the camera.
"""

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEAR_M = 0.6
"""Geometry closer than this along the optical axis is clipped away."""


@dataclass(frozen=True, slots=True)
class Camera:
    """
    Position and lens of the camera.

    :param focal_px: Focal length in pixels of this image size.
    :param height_m: Height of the lens above the road.
    :param pitch_rad: Downward tilt; positive lowers the optical axis and lifts the horizon.
    :param shift_px: Vertical offset of the principal point from the middle of the image.
    """

    width: int
    height: int
    focal_px: float
    height_m: float
    pitch_rad: float
    shift_px: float = 0.0

    @property
    def centre(self) -> tuple[float, float]:
        """Principal point (u, v) in pixels."""
        return self.width / 2, self.height / 2 + self.shift_px

    @property
    def horizon_px(self) -> float:
        """Row of the horizon."""
        return self.centre[1] - self.focal_px * math.tan(self.pitch_rad)

    def to_view(self, points: Floats) -> Floats:
        """Turn world points (N, 3) into camera axes: right, up, depth."""
        sin, cos = math.sin(self.pitch_rad), math.cos(self.pitch_rad)
        rise = points[..., 1] - self.height_m
        ahead = points[..., 2]
        view = np.empty(points.shape)
        view[..., 0] = points[..., 0]
        view[..., 1] = rise * cos + ahead * sin
        view[..., 2] = ahead * cos - rise * sin
        return view

    def project(self, points: Floats) -> Floats:
        """
        Project world points; the depth is clamped so that points behind do not flip over.

        :param points: (N, 3) metres.
        :returns: (N, 3): column, row in pixels, and depth in metres.
        """
        view = self.to_view(points)
        scale = self.focal_px / np.maximum(view[..., 2], NEAR_M * 0.5)
        u, v = self.centre
        view[..., 0] = u + view[..., 0] * scale
        view[..., 1] = v - view[..., 1] * scale
        return view

    def ground_distance(self, rows: Floats) -> Floats:
        """
        Distance ahead at which an image row meets the ground.

        :param rows: Row centres below the horizon, pixels.
        :returns: Metres ahead along z; infinite at and above the horizon.
        """
        tangent = (self.centre[1] - rows) / self.focal_px
        sin, cos = math.sin(self.pitch_rad), math.cos(self.pitch_rad)
        drop = sin - tangent * cos
        with np.errstate(divide='ignore'):
            scale = np.where(drop > 1e-6, self.height_m / np.maximum(drop, 1e-6), np.inf)
        return np.asarray(scale * (cos + tangent * sin))


def clip_near(points: Floats, camera: Camera) -> Floats:
    """
    Cut a polygon at the near plane (Sutherland-Hodgman against one plane).

    :param points: (N, 3) world polygon.
    :returns: (M, 3) the part in front of the camera, empty when there is none.
    """
    depth = camera.to_view(points)[:, 2] - NEAR_M
    if (depth >= 0).all():
        return points
    if (depth < 0).all():
        return points[:0]
    kept = []
    for i in range(len(points)):
        j = (i + 1) % len(points)
        if depth[i] >= 0:
            kept.append(points[i])
        if (depth[i] >= 0) != (depth[j] >= 0):
            t = depth[i] / (depth[i] - depth[j])
            kept.append(points[i] + t * (points[j] - points[i]))
    return np.asarray(kept)
