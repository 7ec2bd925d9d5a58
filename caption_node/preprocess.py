# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Letterbox to the model's input, and boxes back to the source image."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

BORDER = 114
"""Grey of the bars, as detectors of this family are trained with."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """
    How one image was fitted into the input.

    :param scale: Input pixels per source pixel.
    :param left: Width of the left bar, input pixels.
    :param top: Height of the upper bar, input pixels.
    :param source_width: Width of the source image, pixels.
    :param source_height: Height of the source image, pixels.
    """

    scale: float
    left: int
    top: int
    source_width: int
    source_height: int

    @classmethod
    def fit(cls, source_height: int, source_width: int, height: int, width: int) -> 'Letterbox':
        """Return how an image of one size fits into another, centred, its aspect kept."""
        scale = min(height / source_height, width / source_width)
        centred = cls(scale, 0, 0, source_width, source_height)
        inner_height, inner_width = centred.inner_size(height, width)
        left, top = (width - inner_width) // 2, (height - inner_height) // 2
        return replace(centred, left=left, top=top)

    def inner_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width, in input pixels, of what lies between the bars."""
        return (
            max(1, min(height, round(self.source_height * self.scale))),
            max(1, min(width, round(self.source_width * self.scale))),
        )

    def inner(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the part of a letterboxed (H, W, 3) image that lies between the bars."""
        height, width = self.inner_size(*image.shape[:2])
        return image[self.top : self.top + height, self.left : self.left + width]

    def boxes_to_source(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """
        Map boxes from input pixels to source pixels, cut at the image's edges.

        :param boxes: (N, 4) x_min, y_min, x_max, y_max.
        """
        shift = np.array([self.left, self.top, self.left, self.top], dtype=np.float32)
        limit = np.array([self.source_width, self.source_height] * 2, dtype=np.float32)
        mapped = (boxes - shift) / np.float32(self.scale)
        return np.asarray(np.clip(mapped, 0, limit), dtype=np.float32)


def letterbox(
    pixels_rgb: NDArray[np.uint8], height: int, width: int, out: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.uint8], Letterbox]:
    """
    Scale an image to fit, keeping its aspect, and centre it between grey bars.

    :param pixels_rgb: (H, W, 3).
    :param out: Where to write, (height, width, 3); a new array if None.
    :returns: the (height, width, 3) image and how it was fitted.
    """
    fit = Letterbox.fit(pixels_rgb.shape[0], pixels_rgb.shape[1], height, width)
    if out is None:
        out = np.empty((height, width, 3), dtype=np.uint8)
    inner = fit.inner(out)
    if inner.shape != out.shape:
        out[:] = BORDER
    inner[:] = rescale(pixels_rgb, inner.shape[1], inner.shape[0])
    return out, fit


def rescale(pixels_rgb: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """
    Scale an image.

    :param pixels_rgb: (H, W, 3); BGR pixels seen through turned-round channels cost no more than
        RGB ones: they are turned after scaling, when they are few.
    :returns: (height, width, 3).
    """
    import cv2

    size = (width, height)
    same = size == pixels_rgb.shape[1::-1]
    # Area averaging keeps small lamps visible when an image shrinks; linear when it grows.
    shrinks = width * height < pixels_rgb.shape[0] * pixels_rgb.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    turned = pixels_rgb[:, :, ::-1]
    if turned.flags.c_contiguous and not pixels_rgb.flags.c_contiguous:
        small = turned if same else cv2.resize(turned, size, interpolation=how)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    if same:
        return pixels_rgb
    source = np.ascontiguousarray(pixels_rgb)
    return np.asarray(cv2.resize(source, size, interpolation=how), dtype=np.uint8)
