# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Real frames spoilt in ways that nothing was fitted to, for measuring trust."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def _lay(image: Image, cover: NDArray[np.floating], alpha: NDArray[np.floating]) -> Image:
    a = alpha.reshape(*alpha.shape, 1)
    return np.asarray((image * (1 - a) + cover * a).clip(0, 255), dtype=np.uint8)


def cloth(image: Image, rng: np.random.Generator) -> Image:
    """A rag or a cap over the lens: a weave, folds, little light."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    weave = 1 + 0.12 * np.sin(x * 1.1) * np.sin(y * 1.1)
    folds = 0.8 + 0.3 * np.sin(x / rng.uniform(30, 90) + y / rng.uniform(30, 200))
    base = rng.uniform(15, 180, 3)
    cover = cv2.GaussianBlur((base * (weave * folds)[..., None]).astype(np.float32), (0, 0), 1.5)
    edge = rng.uniform(0.0, 0.25) * width
    alpha = np.clip((x - edge - 20 * np.sin(y / 40)) / 12, 0, 1)
    return _lay(image, cover, alpha)


def thumb(image: Image, rng: np.random.Generator) -> Image:
    """A finger from below or the side over 60 to 90 per cent of the view."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    side = rng.choice([-1.0, 1.0])
    u = (x - width / 2) / width * side + 0.25 * (y - height / 2) / height
    tip = u + 0.25 * ((y - height * 0.6) / height) ** 2
    share = rng.uniform(0.6, 0.9)
    limit = np.quantile(tip, share)
    alpha = 1 / (1 + np.exp((tip - limit) * 40))
    shade = 0.6 + 0.5 * (y / height) - 0.3 * u
    cover = np.array([210.0, 130, 110]) * rng.uniform(0.15, 0.95) * shade[..., None]
    return _lay(image, cover, alpha)


def mud(image: Image, rng: np.random.Generator) -> Image:
    """Splashes, large and small, until two thirds of the view or more are gone."""
    height, width = image.shape[:2]
    alpha = np.zeros((height, width), dtype=np.float32)
    wanted = rng.uniform(0.66, 0.95)
    while float(alpha[::4, ::4].mean()) < wanted:
        place = rng.integers(0, (width, height)).tolist()
        r = int(rng.exponential(0.12) * height) + 3
        cv2.ellipse(alpha, place, (r, int(r * rng.uniform(0.5, 1))), 30, 0, 360, 1.0, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(2, 7)) * rng.uniform(0.9, 1)
    lumps = cv2.resize(rng.uniform(0.7, 1.2, (9, 16)), (width, height))
    return _lay(image, np.array([95.0, 75, 50]) * rng.uniform(0.4, 1.4) * lumps[..., None], alpha)


def ice(image: Image, rng: np.random.Generator) -> Image:
    """Frost or snow on the glass: milky, with crystals, the road only a shimmer."""
    height, width = image.shape[:2]
    crystals = np.zeros((height, width), dtype=np.float32)
    for _ in range(260):
        a = rng.integers(0, (width, height))
        b = a + rng.normal(0, 40, 2)
        cv2.line(crystals, a.tolist(), b.astype(int).tolist(), 1.0, 1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(8, 16))
    cover = rng.uniform(140, 220) + 35 * cv2.GaussianBlur(crystals, (0, 0), 1.2)[..., None]
    return _lay(soft, cover * np.ones(3), np.full((height, width), rng.uniform(0.72, 0.92)))


def droplet(image: Image, rng: np.random.Generator) -> Image:
    """One big drop over most of the view turns everything over and blurs it."""
    height, width = image.shape[:2]
    turned = cv2.GaussianBlur(image[::-1, ::-1], (0, 0), rng.uniform(5, 10))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    cx, cy = width * rng.uniform(0.42, 0.58), height * rng.uniform(0.42, 0.58)
    away = np.hypot((x - cx) / width, (y - cy) / height)
    limit = np.quantile(away, rng.uniform(0.65, 0.95))
    return _lay(image, turned.astype(np.float32), 1 / (1 + np.exp((away - limit) * 50)))


def breath(image: Image, rng: np.random.Generator) -> Image:
    """A fogged lens: everything milky and soft."""
    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(9, 18))
    grey = np.full(image.shape, float(soft.mean()) * 0.5 + rng.uniform(60, 110))
    return _lay(soft, grey, np.full(image.shape[:2], rng.uniform(0.5, 0.85)))


def half_covered(image: Image, rng: np.random.Generator) -> Image:
    """A dark or bright board over 60 to 75 per cent, from any of four sides."""
    turns = int(rng.integers(4))
    view = np.rot90(image, turns).copy()
    edge = int(view.shape[0] * rng.uniform(0.6, 0.75))
    board = rng.uniform(10, 200, 3) + rng.normal(0, 3, (edge, view.shape[1], 3))
    view[:edge] = board.clip(0, 255)
    return np.ascontiguousarray(np.rot90(view, -turns))


def out_of_focus(image: Image, rng: np.random.Generator) -> Image:
    """Blurred by a disc, as a lens does it."""
    r = int(rng.integers(12, 26))
    disc = np.zeros((2 * r + 1, 2 * r + 1), dtype=np.float32)
    cv2.circle(disc, (r, r), r, 1.0, -1)
    return np.asarray(cv2.filter2D(image, -1, disc / disc.sum()), dtype=np.uint8)


def shaken(image: Image, rng: np.random.Generator) -> Image:
    """Blurred along a curve, as a loose mount does it."""
    size = 81
    path = np.cumsum(np.cumsum(rng.normal(0, 1, (40, 2)), 0), 0)
    path = (path - path.min(0)) / np.ptp(path, 0).max() * rng.uniform(50, 78)
    kernel = np.zeros((size, size), dtype=np.float32)
    cv2.polylines(kernel, [path.astype(np.int32)], False, 1.0, 1)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), dtype=np.uint8)


def _piece(
    image: Image, rng: np.random.Generator, top: float, bottom: float, zoom: float
) -> Image:
    height, width = image.shape[:2]
    h, w = int(height / zoom), int(width / zoom)
    y = int(rng.uniform(top, max(top, bottom - 1 / zoom)) * height)
    x = int(rng.random() * (width - w))
    part = image[y : y + h, x : x + w]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def above_the_road(image: Image, rng: np.random.Generator) -> Image:
    """Sky, foliage, wires and upper floors from near."""
    return _piece(image, rng, 0.0, 0.36, rng.uniform(5, 10))


def ground(image: Image, rng: np.random.Generator) -> Image:
    """Bonnet and asphalt from near."""
    return _piece(image, rng, 0.74, 1.0, rng.uniform(6, 10))


def turned_left(image: Image, rng: np.random.Generator) -> Image:
    """The camera lies on its side."""
    return np.ascontiguousarray(np.rot90(image))


def turned_right(image: Image, rng: np.random.Generator) -> Image:
    """On its other side, cut to the same shape."""
    height, width = image.shape[:2]
    turned = np.rot90(image, -1)
    high = width * width // height
    wide = cv2.resize(np.ascontiguousarray(turned), (width, high))
    top = (wide.shape[0] - height) // 2
    return np.ascontiguousarray(wide[top : top + height])


def kaleidoscope(image: Image, rng: np.random.Generator) -> Image:
    """One quarter mirrored into four."""
    h, w = image.shape[0] // 2, image.shape[1] // 2
    quarter = image[h : 2 * h, :w] if rng.random() < 0.5 else image[:h, w : 2 * w][::-1]
    half = np.concatenate([quarter, quarter[:, ::-1]], 1)
    return np.ascontiguousarray(np.concatenate([half, half[::-1]], 0))


def strips(image: Image, rng: np.random.Generator) -> Image:
    """Upright strips in the wrong order, every other one upside down."""
    count = int(rng.integers(6, 20))
    parts = np.array_split(image, count, axis=1)
    order = rng.permutation(count)
    return np.ascontiguousarray(
        np.concatenate([parts[k][:: -1 if i % 2 else 1] for i, k in enumerate(order)], 1)
    )


def mosaic(image: Image, rng: np.random.Generator) -> Image:
    """A contact sheet of many small pieces of the frame."""
    rows, columns = int(rng.integers(5, 9)), int(rng.integers(6, 11))
    height, width = image.shape[:2]
    size = (width // columns, height // rows)
    lines = []
    for _ in range(rows):
        cells = [cv2.resize(_piece(image, rng, 0, 1, 2.5), size) for _ in range(columns)]
        lines.append(np.concatenate(cells, 1))
    return np.ascontiguousarray(np.concatenate(lines, 0))


Spoil = Callable[[Image, np.random.Generator], Image]
COVERED: dict[str, Spoil] = {
    f.__name__: f for f in (cloth, thumb, mud, ice, droplet, breath, half_covered)
}
BLURRED: dict[str, Spoil] = {f.__name__: f for f in (out_of_focus, shaken)}
STRANGE: dict[str, Spoil] = {
    f.__name__: f
    for f in (above_the_road, ground, turned_left, turned_right, kaleidoscope, strips, mosaic)
}
