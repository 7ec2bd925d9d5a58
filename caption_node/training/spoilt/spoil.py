# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Frames made useless: covered, blurred, turned over, cut up, enlarged beyond sense."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.training.spoilt.drawn import colour, spectral

Image = NDArray[np.uint8]


def _blend(image: Image, cover: NDArray[np.float32], alpha: NDArray[np.float32]) -> Image:
    a = alpha[..., None]
    return np.asarray((image * (1 - a) + cover * a).clip(0, 255), dtype=np.uint8)


def _surface(
    rng: np.random.Generator, height: int, width: int, base: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return what lies on a lens, out of focus: hardly any texture, light from one side."""
    side = cv2.resize(
        rng.uniform(0.45, 1.2, (2, 3)), (width, height), interpolation=cv2.INTER_LINEAR
    )
    soft = cv2.GaussianBlur(spectral(rng, height, width, 1.2), (0, 0), rng.uniform(2, 12))
    return np.asarray(base * (side * (0.9 + rng.uniform(0, 0.3) * soft))[..., None], np.float32)


def _reach(score: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Cover the share of pixels where a score is highest, with a soft edge."""
    limit = float(np.quantile(score[::8, ::8], 1 - share))
    return np.asarray(np.clip((score - limit) / 0.05 + 0.5, 0, 1), dtype=np.float32)


def hand(image: Image, rng: np.random.Generator) -> Image:
    """A palm with fingers before the lens, out of focus."""
    height, width = image.shape[:2]
    alpha = np.zeros((height, width), dtype=np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    start = np.array([width / 2, height / 2]) + rng.normal(0, 0.08, 2) * width
    for k in range(5):
        turn = angle + (k - 2) * rng.uniform(0.12, 0.3)
        end = start + np.array([np.cos(turn), np.sin(turn)]) * width * rng.uniform(0.3, 0.8)
        thick = int(height * rng.uniform(0.2, 0.4))
        cv2.line(alpha, start.astype(int).tolist(), end.astype(int).tolist(), 1.0, thick)
    cv2.circle(alpha, start.astype(int).tolist(), int(rng.uniform(0.45, 0.8) * height), 1.0, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(4, 22))
    skin = np.array([225.0, 165, 130]) * rng.uniform(0.12, 1.0)
    return _blend(image, _surface(rng, height, width, skin), alpha)


def tape(image: Image, rng: np.random.Generator) -> Image:
    """A strip over most of the view or all of it; light may shine through."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    across = np.abs(
        (x - width / 2) * np.sin(angle) / width + (y - height / 2) * np.cos(angle) / height
    )
    alpha = _reach(-across, rng.uniform(0.6, 1.0)) * np.float32(rng.uniform(0.92, 1.0))
    base = np.array(colour(rng, 20, 240), dtype=np.float64)
    return _blend(image, _surface(rng, height, width, base), alpha)


def dirt(image: Image, rng: np.random.Generator) -> Image:
    """Mud or dust in patches over most of the view."""
    height, width = image.shape[:2]
    patches = spectral(rng, height, width, rng.uniform(1.4, 2.4))
    alpha = _reach(patches, rng.uniform(0.6, 0.98)) * np.float32(rng.uniform(0.85, 1.0))
    alpha = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(1, 12))
    base = np.array([120.0, 95, 65]) * rng.uniform(0.3, 1.5) + rng.normal(0, 12, 3)
    return _blend(image, _surface(rng, height, width, base.clip(0, 255)), alpha)


def water(image: Image, rng: np.random.Generator) -> Image:
    """Drops or a film of water over most of the view: bent and blurred light."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    bend = rng.uniform(0.1, 0.4) * width
    slope = rng.uniform(1.8, 2.6)
    dx = (spectral(rng, height, width, slope) - 0.5) * bend
    dy = (spectral(rng, height, width, slope) - 0.5) * bend
    bent = cv2.remap(image, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    bent = cv2.GaussianBlur(bent, (0, 0), rng.uniform(6, 20)).astype(np.float32)
    alpha = _reach(spectral(rng, height, width, 2.0), rng.uniform(0.65, 1.0))
    return _blend(image, bent * np.float32(rng.uniform(0.7, 1.1)), alpha)


def screen_off(image: Image, rng: np.random.Generator) -> Image:
    """Something flat over one side of the view."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    side = x / width * np.cos(angle) + y / height * np.sin(angle)
    alpha = _reach(side, rng.uniform(0.55, 0.9))
    alpha = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(1, 20))
    base = np.array(colour(rng), dtype=np.float64) * rng.uniform(0.1, 1)
    return _blend(image, _surface(rng, height, width, base), alpha)


def defocus(image: Image, rng: np.random.Generator) -> Image:
    """The lens far out of focus."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(5, 16)), dtype=np.uint8)


def motion(image: Image, rng: np.random.Generator) -> Image:
    """The camera turned while the shutter was open."""
    length = int(rng.integers(38, 110))
    kernel = np.zeros((length, length), dtype=np.float32)
    turn = rng.uniform(-0.6, 0.6) + (np.pi / 2 if rng.random() < 0.3 else 0)
    middle = length / 2
    step = np.array([np.cos(turn), np.sin(turn)]) * middle
    start, end = (middle - step).astype(int).tolist(), (middle + step).astype(int).tolist()
    cv2.line(kernel, start, end, 1.0, 1)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), dtype=np.uint8)


def overturned(image: Image, rng: np.random.Generator) -> Image:
    """Upside down; left and right change places too, or stay."""
    return np.ascontiguousarray(image[::-1, :: -1 if rng.random() < 0.7 else 1])


def enlarged(image: Image, rng: np.random.Generator) -> Image:
    """A small piece of the frame, so near that nothing of the road is left."""
    height, width = image.shape[:2]
    zoom = rng.uniform(4, 9)
    h, w = int(height / zoom), int(width / zoom)
    # The band of the horizon holds what a telephoto lens would see of the road.
    upper = rng.random() < 0.55
    top = int(rng.uniform(0, 0.36) * height) if upper else int(rng.uniform(0.68, 1) * (height - h))
    left = int(rng.uniform(0, 1) * (width - w))
    part = image[top : top + h, left : left + w]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def shuffled(image: Image, rng: np.random.Generator) -> Image:
    """Cut into tiles, the tiles mixed, some turned over."""
    rows, columns = int(rng.integers(2, 6)), int(rng.integers(2, 8))
    h, w = image.shape[0] // rows, image.shape[1] // columns
    tiles = [
        image[r * h : (r + 1) * h, c * w : (c + 1) * w]
        for r in range(rows)
        for c in range(columns)
    ]
    order = rng.permutation(len(tiles))
    lines = [
        np.concatenate([tiles[k] for k in order[r * columns : (r + 1) * columns]], axis=1)
        for r in range(rows)
    ]
    return np.ascontiguousarray(np.concatenate(lines, axis=0))


def swirled(image: Image, rng: np.random.Generator) -> Image:
    """Twisted around a point beyond recognition."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    cx, cy = rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height
    away = np.hypot(x - cx, y - cy)
    turn = rng.choice([-1, 1]) * rng.uniform(3, 9) * np.exp(-away / (0.4 * width))
    u = cx + (x - cx) * np.cos(turn) - (y - cy) * np.sin(turn)
    v = cy + (x - cx) * np.sin(turn) + (y - cy) * np.cos(turn)
    u, v = u.astype(np.float32), v.astype(np.float32)
    return np.asarray(
        cv2.remap(image, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), dtype=np.uint8
    )


Spoil = Callable[[Image, np.random.Generator], Image]
COVERED: dict[str, Spoil] = {f.__name__: f for f in (hand, tape, dirt, water, screen_off)}
BLURRED: dict[str, Spoil] = {f.__name__: f for f in (defocus, motion)}
STRANGE: dict[str, Spoil] = {f.__name__: f for f in (overturned, enlarged, shuffled, swirled)}
