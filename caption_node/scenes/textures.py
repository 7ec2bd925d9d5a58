# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Tileable noise and small painted pictures that surfaces are made of."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
Rgba = NDArray[np.uint8]

TILE = 512


@lru_cache(maxsize=256)
def noise(seed: int, smooth_px: float, size: int = TILE) -> Grey:
    """
    Tileable smooth noise.

    :param smooth_px: Width of the blur; larger gives broader blobs.
    :returns: (size, size) float32 with mean 0 and standard deviation 1.
    """
    white = np.random.default_rng(seed).standard_normal((size, size)).astype(np.float32)
    edge = int(3 * smooth_px) + 1
    wrapped = np.pad(white, edge, mode='wrap')
    soft = cv2.GaussianBlur(wrapped, (0, 0), max(smooth_px, 0.3))[edge:-edge, edge:-edge]
    return np.asarray((soft - soft.mean()) / soft.std(), np.float32)


@lru_cache(maxsize=4)
def asphalt(seed: int) -> Grey:
    """Grain, stains and cracks of a road, (TILE, TILE) float32 around 0."""
    grain = 0.35 * noise(seed, 0.6) + 0.3 * noise(seed + 1, 2.0) + 0.35 * noise(seed + 2, 24.0)
    cracks = np.abs(noise(seed + 3, 14.0))
    grain -= 2.2 * np.clip(1.0 - cracks / 0.035, 0.0, 1.0) * (noise(seed + 4, 40.0) > 0.6)
    return np.asarray(grain, np.float32)


@lru_cache(maxsize=4)
def clouds(seed: int) -> Grey:
    """Tileable heaps of cloud, (TILE, TILE) float32 with mean 0."""
    layers = (noise(seed + i, 3.0 * 2.0**i) * 2.0 ** (i - 4) for i in range(5))
    total = np.asarray(sum(layers), np.float32)
    return np.asarray((total - total.mean()) / total.std(), np.float32)


@lru_cache(maxsize=24)
def tree_picture(style: int, bare: bool) -> Rgba:
    """
    A tree or bush, seen from the side.

    :param style: Number of the variant; multiples of 4 are conifers.
    :returns: (192, 160, 4) uint8; red, green and blue are brightness factors of 128.
    """
    rng = np.random.default_rng(900 + style)
    height, width = 192, 160
    shade = np.full((height, width), 110, np.float32)
    alpha = np.zeros((height, width), np.float32)
    cv2.line(alpha, (80, 191), (80, 90), 1.0, 7)
    cv2.line(shade, (80, 191), (80, 80), 62.0, 7)
    if bare:
        _branches(alpha, shade, rng, (80.0, 120.0), -np.pi / 2, 46.0, 5)
    for _ in range(0 if bare else 110):
        up = rng.random()
        if style % 4 == 0:
            spread = 58 * (1 - up) + 4
            x, y, r = 80 + rng.uniform(-1, 1) * spread, 170 - 160 * up, 8 + 8 * (1 - up)
        else:
            angle, far = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
            x, y = 80 + 60 * far * np.cos(angle), 76 + 58 * far * np.sin(angle)
            r = rng.uniform(8, 18)
        bright = 128 + 46 * (0.45 - (y / height)) * 2 + rng.normal(0, 13) + (80 - x) * 0.12
        cv2.circle(shade, (int(x), int(y)), int(r), float(bright), -1)
        cv2.circle(alpha, (int(x), int(y)), int(r), 1.0, -1)
    leaves = noise(901 + style, 1.0)[:height, :width]
    alpha = alpha * np.where((leaves > 1.7) & (shade > 70) & ~np.bool_(bare), 0.15, 1.0)
    shade = shade + np.where(shade > 70, leaves * 16, 0.0)
    alpha = cv2.GaussianBlur(alpha.astype(np.float32), (0, 0), 0.8)
    rgba = np.stack([shade, shade, shade, alpha * 255], -1)
    return np.asarray(np.clip(rgba, 0, 255), np.uint8)


def _branches(
    alpha: Grey,
    shade: Grey,
    rng: np.random.Generator,
    start: tuple[float, float],
    angle: float,
    length: float,
    depth: int,
) -> None:
    """Draw a branch and its twigs."""
    end = (start[0] + np.cos(angle) * length, start[1] + np.sin(angle) * length)
    ends = (int(start[0]), int(start[1])), (int(end[0]), int(end[1]))
    cv2.line(alpha, *ends, 1.0, max(1, depth))
    cv2.line(shade, *ends, 66.0, max(1, depth))
    if depth <= 1:
        return
    for _ in range(3):
        turn = angle + rng.normal(0, 0.55)
        _branches(alpha, shade, rng, end, float(turn), length * rng.uniform(0.6, 0.8), depth - 1)


@lru_cache(maxsize=64)
def facade(style: int, lit: bool, tall: bool) -> Rgba:
    """
    A wall with windows.

    :param style: Number of the variant.
    :param lit: Whether some windows shine; alpha is then their emission.
    :returns: (256, 256, 4) uint8: colour, and emission as the fourth channel.
    """
    rng = np.random.default_rng(300 + style)
    base = np.array(_WALLS[style % len(_WALLS)], np.float32)
    picture = np.empty((256, 256, 4), np.float32)
    picture[..., :3] = base + (noise(310 + style, 9.0)[:256, :256] * 5)[..., None]
    picture[..., 3] = 0.0
    columns = int(rng.integers(4, 8))
    rows = int(rng.integers(5, 8)) if tall else int(rng.integers(2, 4))
    w, h = 256 / columns, 256 / (rows + 0.4)
    wide, high = rng.uniform(0.4, 0.78), rng.uniform(0.5, 0.66)
    frame = base * (1.18 if rng.random() < 0.6 else 0.6)
    for row in range(rows):
        ground = row == rows - 1 and tall
        for column in range(columns):
            share = 0.85 if ground else wide
            x0, x1 = int((column + 0.5 - share / 2) * w), int((column + 0.5 + share / 2) * w)
            y0 = int((row + 0.4) * h)
            y1 = int(y0 + h * (0.85 if ground else high))
            picture[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2, :3] = np.minimum(frame, 245)
            glass = rng.uniform(28, 95)
            fade = np.linspace(1.25, 0.75, max(1, y1 - y0), dtype=np.float32)[:, None, None]
            tint = np.array((0.92, 1.0, 1.08), np.float32)
            shine = lit and rng.random() < (0.75 if ground else 0.3)
            if shine:
                tint = np.array((2.6, 2.1, 1.3), np.float32) * rng.uniform(0.6, 1.1)
                glass = 92.0
            picture[y0:y1, x0:x1, :3] = np.clip(glass * fade * tint, 0, 255)
            picture[y0:y1, x0:x1, 3] = 1.0 if shine else 0.0
            middle = (x0 + x1) // 2
            picture[y0:y1, middle : middle + 2, :3] *= 0.8
    picture[..., 3] *= 255
    return np.clip(picture, 0, 255).astype(np.uint8)


@lru_cache(maxsize=64)
def facade_tone(style: int, tall: bool) -> tuple[float, float, float]:
    """Colour of a facade's plaster, for its sides without windows."""
    base = _WALLS[style % len(_WALLS)]
    tone = 0.92 if tall else 1.0
    return base[0] * tone, base[1] * tone, base[2] * tone


_WALLS = (
    (172, 160, 142),
    (150, 98, 78),
    (196, 190, 180),
    (128, 124, 122),
    (184, 150, 112),
    (112, 88, 76),
    (206, 198, 168),
    (142, 150, 158),
)
