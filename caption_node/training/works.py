# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Road works put into frames that have none: cones, drums, boards and signs of several countries.

The training frames show Germany's beacons and little else, and a head that knows only those sees
no works anywhere else. Props stand on a flat road, whose horizon follows from the cars on it, grow
with nearness, and never cover boxes.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.training.labels import CAMERA_M, Label

Image = NDArray[np.uint8]
Points = NDArray[np.float64]
WORKS = ('cones', 'drums', 'barriers', 'works signs')
SAID = '{} stand on the {}'
"""How a sentence names them, and the side."""
_FOCAL_WIDTHS = 0.95
_ORANGE, _WHITE, _BLACK = (232, 92, 28), (228, 228, 222), (28, 28, 30)
_RED, _YELLOW = (204, 34, 34), (240, 190, 30)
_SUPER = 4  # props are drawn so many times larger and then shrunk, for smooth edges
_SMALLEST_PX = 7


@dataclass(frozen=True)
class _Prop:
    """One prop: metres ahead and aside of the camera, and its height."""

    ahead_m: float
    aside_m: float
    height_m: float


def add_works(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """
    Put a row of one kind of prop, and perhaps signs, beside our lane.

    :param image: (H, W, 3) before it is letterboxed.
    :returns: the picture with ``construction`` true, or both as they are when there is no room or
        no car that tells where the horizon is.
    """
    horizon = label.horizon()
    if horizon is None:
        return image, label
    kind = int(rng.integers(len(WORKS)))
    side = float(rng.choice([-1.0, 1.0]))
    out = image.copy()
    placed = 0
    rows = _row(kind, side, rng)
    light = _light(image)
    for prop in sorted(rows, key=lambda p: -p.ahead_m):
        placed += _place(out, label, prop, kind, horizon, light, rng)
    if placed == 0 or (placed < 2 and kind != 3):
        return image, label
    caption = label.caption
    if caption is not None:
        where = 'left' if side < 0 else 'right'
        caption = f'{caption.rstrip(".")}, {SAID.format(WORKS[kind], where)}.'
        caption = None if len(caption.split()) > 26 or rng.random() < 0.3 else caption
    fields = {**label.fields, 'construction': True}
    return out, replace(label, fields=fields, caption=caption)


def _row(kind: int, side: float, rng: np.random.Generator) -> list[_Prop]:
    """Draw where props stand: a line along our lane that may close in on it."""
    height = rng.uniform(*((0.6, 1.0), (0.9, 1.2), (0.9, 1.4), (1.6, 2.6))[kind])
    if kind == 3:
        count, gap = int(rng.integers(1, 3)), rng.uniform(10, 20)
    else:
        count, gap = int(rng.integers(3, 9)), rng.uniform(2.5, 7)
    start = rng.uniform(6, 20)
    begin, end = side * rng.uniform(2.2, 5.5), side * rng.uniform(1.7, 4.5)
    return [
        _Prop(start + gap * i, begin + (end - begin) * i / max(1, count - 1), height)
        for i in range(count)
    ]


def _light(image: Image) -> NDArray[np.float64]:
    """Return the colour of the light: what the road reflects, held against a grey road by day."""
    h = image.shape[0]
    road = np.median(image[int(h * 0.7) :].reshape(-1, 3), axis=0) / 105.0
    return np.asarray(np.clip(road, 0.35, 1.25), dtype=np.float64)


def _place(
    out: Image,
    label: Label,
    prop: _Prop,
    kind: int,
    horizon: float,
    light: NDArray[np.float64],
    rng: np.random.Generator,
) -> int:
    """Draw one prop into the picture; 0 where it would be too small, outside or cover a box."""
    h, w = out.shape[:2]
    focal = _FOCAL_WIDTHS * w
    tall = focal * prop.height_m / prop.ahead_m
    foot = horizon + focal * CAMERA_M / prop.ahead_m
    middle = w / 2 + focal * prop.aside_m / prop.ahead_m
    wide = tall * (0.75, 0.62, 1.6, 0.75)[kind]
    box = (int(middle - wide / 2), int(foot - tall), int(middle + wide / 2), int(foot))
    if tall < _SMALLEST_PX or box[0] < 0 or box[1] < 0 or box[2] >= w or box[3] >= h:
        return 0
    for x1, y1, x2, y2 in label.boxes[:, :4]:
        if box[0] < x2 and x1 < box[2] and box[1] < y2 and y1 < box[3]:
            return 0
    size = (box[2] - box[0], box[3] - box[1])
    if min(size) < 3:
        return 0
    colour, cover = _draw(kind, size, rng)
    shade = light * rng.uniform(0.75, 1.15)
    colour = np.clip(colour * shade, 0, 255)
    part = out[box[1] : box[3], box[0] : box[2]]
    part[:] = (part * (1 - cover) + colour * cover + 0.5).astype(np.uint8)
    return 1


def _draw(
    kind: int, size: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (H, W, 3) colours and (H, W, 1) how much each pixel is covered, 0..1."""
    w, h = size[0] * _SUPER, size[1] * _SUPER
    colour = np.zeros((h, w, 3), np.uint8)
    cover = np.zeros((h, w), np.uint8)
    (_cone, _drum, _barrier, _sign)[kind](colour, cover, rng)
    # Worn, dusty, and a little blurred like all that a camera sees.
    dusty = colour * rng.uniform(0.8, 1.0) + 128 * rng.uniform(0.0, 0.2)
    sigma = _SUPER * rng.uniform(0.3, 0.8)
    soft = cv2.GaussianBlur(dusty.astype(np.float32), (0, 0), sigma)
    edge = cv2.GaussianBlur(cover.astype(np.float32) / 255, (0, 0), sigma)
    small = cv2.resize(soft, size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(edge, size, interpolation=cv2.INTER_AREA)[..., None]
    return np.asarray(small, np.float64), np.asarray(mask, np.float64)


def _fill(colour: Image, cover: Image, points: Points, rgb: tuple[int, int, int]) -> None:
    """Fill a polygon, its corners in shares of width and height."""
    h, w = cover.shape
    corners = np.round(points * (w - 1, h - 1)).astype(np.int32)
    cv2.fillPoly(colour, [corners], rgb)
    cv2.fillPoly(cover, [corners], 255)


def _band(top: float, bottom: float, above: float, below: float) -> Points:
    """Return a symmetric band between two heights, as wide above and below as given."""
    a, b = above / 2, below / 2
    return np.array([(0.5 - a, top), (0.5 + a, top), (0.5 + b, bottom), (0.5 - b, bottom)])


def _cone(colour: Image, cover: Image, rng: np.random.Generator) -> None:
    rgb = _ORANGE if rng.random() < 0.8 else _RED
    base = _BLACK if rng.random() < 0.6 else rgb
    _fill(colour, cover, _band(0.93, 1.0, 1.0, 1.0), base)
    _fill(colour, cover, _band(0.0, 0.94, 0.12, 0.72), rgb)
    for top, bottom in ((0.25, 0.45), (0.6, 0.75))[: int(rng.integers(0, 3))]:
        widths = [0.12 + 0.64 * y for y in (top, bottom)]
        _fill(colour, cover, _band(top, bottom, *widths), _WHITE)


def _drum(colour: Image, cover: Image, rng: np.random.Generator) -> None:
    _fill(colour, cover, _band(0.92, 1.0, 1.0, 1.0), _BLACK)
    _fill(colour, cover, _band(0.0, 0.94, 0.7, 0.86), _ORANGE)
    for i in range(int(rng.integers(1, 4))):
        _fill(colour, cover, _band(0.15 + 0.26 * i, 0.27 + 0.26 * i, 0.75, 0.8), _WHITE)


def _barrier(colour: Image, cover: Image, rng: np.random.Generator) -> None:
    rgb = (_ORANGE, _RED, _YELLOW)[int(rng.integers(3))]
    other = _BLACK if rgb == _YELLOW else _WHITE
    for x in (0.12, 0.88):
        leg = np.array([(x - 0.03, 0.1), (x + 0.03, 0.1), (x + 0.03, 1.0), (x - 0.03, 1.0)])
        _fill(colour, cover, leg, _WHITE)
    stripes = int(rng.integers(4, 9))
    boards = ((0.0, 0.3), (0.42, 0.62))[: int(rng.integers(1, 3))]
    for top, bottom in boards:
        for i in range(stripes):
            x0, x1 = i / stripes, (i + 1) / stripes
            slant = 0.5 / stripes
            quad = [
                (x0 - slant, bottom),
                (x0 + slant, top),
                (x1 + slant, top),
                (x1 - slant, bottom),
            ]
            _fill(colour, cover, np.clip(np.array(quad), 0, 1), rgb if i % 2 else other)


def _sign(colour: Image, cover: Image, rng: np.random.Generator) -> None:
    for x in (0.35, 0.65) if rng.random() < 0.5 else (0.5,):
        post = np.array([(x - 0.03, 0.4), (x + 0.03, 0.4), (x + 0.03, 1.0), (x - 0.03, 1.0)])
        _fill(colour, cover, post, (110, 112, 112))
    form = rng.random()
    if form < 0.45:  # a diamond, as in the Americas and Asia
        inner = _ORANGE if rng.random() < 0.7 else _YELLOW
        for size, rgb in ((0.5, _BLACK), (0.46, inner)):
            around = [(0.5, 0.36 - size * 0.72), (0.5 + size, 0.36), (0.5, 0.36 + size * 0.72)]
            points = np.clip(np.array([*around, (0.5 - size, 0.36)]), 0, 1)
            _fill(colour, cover, points, rgb)
        _fill(colour, cover, _band(0.28, 0.44, 0.3, 0.4), _BLACK)
    elif form < 0.7:  # a red-rimmed triangle, as in Europe
        _fill(colour, cover, np.array([(0.5, 0.0), (1.0, 0.6), (0.0, 0.6)]), _RED)
        _fill(colour, cover, np.array([(0.5, 0.14), (0.84, 0.54), (0.16, 0.54)]), _WHITE)
        _fill(colour, cover, _band(0.32, 0.52, 0.1, 0.3), _BLACK)
    else:  # an arrow board
        _fill(colour, cover, _band(0.02, 0.5, 1.0, 1.0), _BLACK)
        turn = -1 if rng.random() < 0.5 else 1
        for i in range(5):
            x = 0.5 + turn * (0.35 - 0.16 * i)
            lamp = np.add(_band(0.22, 0.3, 0.08, 0.08), (x - 0.5, 0))
            _fill(colour, cover, lamp, (255, 210, 80))
        for y in (0.14, 0.38):
            lamp = np.add(_band(y - 0.04, y + 0.04, 0.08, 0.08), (turn * 0.18, 0))
            _fill(colour, cover, lamp, (255, 210, 80))
