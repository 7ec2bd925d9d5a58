# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Fog, rain, snow and grey skies made from frames by day; fields and sentence say so too.

Fog follows Koschmieder's law over the depth of a street. Wet roads mirror by Fresnel's law what
stands behind them.
"""

from collections.abc import Callable

import cv2
import numpy as np

from caption_node.training.darkness import dusk, night
from caption_node.training.labels import Label
from caption_node.training.street_picture import (
    IN_FOG,
    IN_RAIN,
    IN_SNOW,
    Floats,
    Image,
    depth_m,
    dull,
    find_horizon,
    find_sky,
    grid,
    mirrored,
    said,
    to_bytes,
    to_floats,
)

Change = Callable[[Image, Label, np.random.Generator], tuple[Image, Label]]


def choose_change(label: Label, rng: np.random.Generator) -> Change | None:
    """
    Draw a change of weather or light that the frame can bear, or none.

    Hard shadows contradict all but night, so sunny frames only become night. A grey sky alone is
    among the changes: else whatever looked dull in training would be fog, rain or wet.
    """
    if label.fields['time'] != 'day':
        return None
    chance = rng.random()
    if chance < 0.28:
        return night
    if label.fields['weather'] != 'cloudy':
        return None
    for limit, change in ((0.36, dusk), (0.46, fog), (0.61, rain), (0.68, snow), (0.82, overcast)):
        if chance < limit:
            return change
    return None


def overcast(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Another grey sky, over a road as dry as it was: nothing else is said."""
    x = to_floats(image)
    x = dull(x, find_sky(x), rng) * rng.uniform(0.7, 1.3)
    return to_bytes(x + rng.uniform(0.0, 0.06)), label


def fog(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Let what is far fade into the air."""
    x = to_floats(image)
    horizon = find_horizon(image, label, rng)
    sky = find_sky(x)
    x = dull(x, sky, rng)
    depth = depth_m(image, horizon)
    # No wall is straight: the depth varies from place to place.
    lumps = cv2.resize(rng.normal(0, 0.25, (6, 10)).astype(np.float32), image.shape[1::-1])
    depth = depth * np.exp(lumps) * (1 - sky) + 400 * sky
    through = np.exp(-depth * np.exp(rng.uniform(np.log(0.009), np.log(0.05))))[..., None]
    air = rng.uniform(0.5, 0.85) * (1 + rng.uniform(-0.04, 0.04, 3)).astype(np.float32)
    x = x * through + air * (1 - through)
    return said(to_bytes(x), label, rng, IN_FOG, weather='fog')


def rain(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Grey light, a road that mirrors what stands behind it, streaks, drops on the glass."""
    x = to_floats(image)
    horizon = find_horizon(image, label, rng)
    x = dull(x, find_sky(x), rng)
    x = mirrored(x, horizon, rng)
    if rng.random() < 0.4:
        x = _streaks(x, rng)
    if rng.random() < 0.35:
        x = _drops(x, rng)
    if rng.random() < 0.4:  # rain is haze too
        depth = np.minimum(depth_m(image, horizon), 150)
        through = np.exp(-depth * rng.uniform(0.002, 0.008))[..., None]
        hazy = x * through + rng.uniform(0.5, 0.75) * (1 - through)
        x = hazy.astype(np.float32)
    return said(to_bytes(x), label, rng, IN_RAIN, weather='rain', surface='wet')


def _streaks(x: Floats, rng: np.random.Generator) -> Floats:
    h, w = x.shape[:2]
    drops = np.zeros((h, w), dtype=np.float32)
    for _ in range(int(rng.integers(30, 250))):
        x0, y0 = int(rng.uniform(0, w)), int(rng.uniform(0, h))
        length = int(rng.uniform(4, 18))
        cv2.line(drops, (x0, y0), (x0 + int(rng.integers(-3, 4)), y0 + length), 1.0, 1)
    return (
        x + np.float32(rng.uniform(0.03, 0.12)) * cv2.GaussianBlur(drops, (0, 0), 0.8)[..., None]
    )


def _drops(x: Floats, rng: np.random.Generator) -> Floats:
    """Drops on the glass: small blurred discs that show the scene upside down."""
    h, w = x.shape[:2]
    mask = np.zeros((h, w), dtype=np.float32)
    for _ in range(int(rng.integers(8, 60))):
        place = (int(rng.uniform(0, w)), int(rng.uniform(0, h)))
        radius = (int(rng.integers(2, 8)), int(rng.integers(2, 8)))
        cv2.ellipse(mask, place, radius, 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.0)[..., None] * np.float32(rng.uniform(0.4, 0.9))
    turned = cv2.GaussianBlur(np.ascontiguousarray(x[::-1]), (0, 0), 6)
    return np.asarray(x * (1 - mask) + turned * mask, dtype=np.float32)


def snow(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Whiten the ground beside the wheel tracks but no vehicle; grey sky; sometimes flakes."""
    x = to_floats(image)
    horizon = find_horizon(image, label, rng)
    x = dull(x, find_sky(x), rng)
    y, across = grid(image)
    ground = np.clip((y - horizon - 0.01) / 0.03, 0, 1)
    slope = np.maximum(y - horizon, 1e-3)
    edge = rng.uniform(0.5, 1.6)  # where the cleared road ends, half widths at the bottom
    beside = 1 / (1 + np.exp(-(np.abs(across) / slope - edge / 0.5) * rng.uniform(1.5, 4)))
    cover = np.maximum(beside, rng.uniform(0, 0.45))
    lumps = cv2.resize(rng.random((30, 50)).astype(np.float32), image.shape[1::-1])
    cover = ground * np.clip(cover * 1.2 - 0.3 * lumps, 0, 1)
    for x1, y1, x2, y2 in label.boxes[:, :4].astype(int):
        cover[max(0, y1) : y2, max(0, x1) : x2] *= 0.1
    cover = cv2.GaussianBlur(cover, (0, 0), 1.5)[..., None]
    white = rng.uniform(0.68, 0.92) + 0.35 * (x.mean(axis=2, keepdims=True) - 0.4)
    x = x * (1 - cover) + white * cover
    x = mirrored(x, horizon, rng) * 0.6 + x * 0.4
    if rng.random() < 0.4:
        flakes = (rng.random(image.shape[:2]) < rng.uniform(0, 0.004)).astype(np.float32)
        x = x + 2.5 * cv2.GaussianBlur(flakes, (0, 0), rng.uniform(0.7, 1.6))[..., None]
    return said(to_bytes(x), label, rng, IN_SNOW, weather='snow', surface='snow')
