# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Night and dusk made from frames by day, as cameras in cars expose them.

Cameras expose long when it is dark: real pictures of lit streets are grey, noisy and tinted, with
lamps burnt white, and far from black.
"""

import cv2
import numpy as np

from caption_node.training.labels import Label
from caption_node.training.street_picture import (
    AT_DUSK,
    AT_NIGHT,
    Floats,
    Image,
    find_horizon,
    find_sky,
    grid,
    mirrored,
    said,
    to_bytes,
    to_floats,
)


def night(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Let the sky go out, darken, shine headlights, light lamps; then expose as cameras do."""
    horizon = find_horizon(image, label, rng)
    x = _darkened(image, horizon, rng)
    warm = rng.uniform(0.6, 1.05)
    x = x * np.array([1.0, 0.5 + warm / 2, warm], dtype=np.float32)
    x = x + _signals(image, rng) + _lamps(image, rng, horizon)
    if rng.random() < 0.4:
        x = x + _headlights(image, rng, horizon)
    changes = {'time': 'night', 'weather': 'unknown'}
    if label.fields['surface'] == 'dry' and rng.random() < 0.15:
        x = mirrored(x, horizon, rng)
        changes['surface'] = 'wet'
    x = _exposed(x, rng) if rng.random() < 0.6 else x + np.float32(rng.uniform(0.0, 0.04))
    noise = rng.normal(0, rng.uniform(0.004, 0.025), image.shape)
    return said(to_bytes(x + noise), label, rng, AT_NIGHT, **changes)


def dusk(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Let the light go but not the sky's, which is the brightest thing yet; some lamps are lit."""
    x = to_floats(image)
    y, _ = grid(image)
    sky = find_sky(x)[..., None]
    horizon = find_horizon(image, label, rng)
    x = x ** rng.uniform(1.0, 1.3) * rng.uniform(0.25, 0.6)
    low = np.clip(y / horizon, 0, 1)[..., None]
    above = np.array([0.55, 0.66, 0.82], np.float32) * np.float32(rng.uniform(0.4, 0.9))
    glow = np.array([1.0, 0.78, 0.6], np.float32) if rng.random() < 0.5 else above * 1.2
    clouds = 0.7 + 0.3 * to_floats(image).mean(axis=2, keepdims=True)
    x = x * (1 - sky) + sky * clouds * (above * (1 - low) + glow * rng.uniform(0.5, 0.95) * low)
    blue = rng.uniform(1.0, 1.25)
    x = x * np.array([1.0, (1 + blue) / 2, blue], dtype=np.float32)
    x = x + _signals(image, rng) + 0.8 * _lamps(image, rng, horizon)
    if rng.random() < 0.3:
        x = x + _headlights(image, rng, horizon)
    x = np.clip(x, 0, 1.5) * rng.uniform(0.8, 1.7)
    x = x + rng.uniform(0.0, 0.08)
    noise = rng.normal(0, rng.uniform(0.004, 0.02), image.shape)
    return said(to_bytes(x + noise), label, rng, AT_DUSK, time='dusk')


def _darkened(image: Image, horizon: float, rng: np.random.Generator) -> Floats:
    """Take sky and daylight away and put our own headlights on the road."""
    x = to_floats(image)
    y, across = grid(image)
    grey = x.mean(axis=2)
    # Dark exposures first come to a common brightness, or they would end as black pictures.
    x = np.clip(x * (0.32 / max(0.08, float(np.median(grey[grey.shape[0] // 2 :])))), 0, 1.3)
    x = x ** rng.uniform(1.1, 1.7)
    bright = cv2.GaussianBlur(np.clip((grey - 0.4) / 0.15, 0, 1), (0, 0), 1.5)
    sky = bright * np.clip((horizon + 0.1 - y) / 0.05, 0, 1)
    # Twigs are thinner than a pixel's worth of sky around them: no bright rims may stay.
    whole = find_sky(to_floats(image))
    sky = np.maximum(sky, np.asarray(cv2.dilate(whole, np.ones((3, 3), np.uint8)), np.float32))
    ambient = 0.1 + 0.75 * rng.random() ** 1.5  # an unlit road to a lit city
    spread = 0.3 + 0.9 * np.maximum(y - 0.4, 0)
    beam = np.exp(-(((y - horizon - 0.2) / 0.2) ** 2) - (across / spread) ** 2)
    light = ambient * (1 - 0.96 * sky) + rng.uniform(0.4, 1.1) * beam * (1 - sky)
    return np.asarray(x * light[..., None], dtype=np.float32)


def _exposed(x: Floats, rng: np.random.Generator) -> Floats:
    """Expose long: dark skies come out grey, lamps white, shadows noisy, colours off."""
    # The film's curve: what is dark gains, what is bright runs into white.
    x = np.asarray(1 - np.exp(-np.clip(x, 0, 4) * rng.uniform(1.2, 4.5)), np.float32)
    bloom = cv2.GaussianBlur(np.clip(x - 0.75, 0, 1), (0, 0), rng.uniform(4, 14))
    y = x + bloom * rng.uniform(0.3, 2.0)
    lift = np.float32(rng.uniform(0.02, 0.26))
    cast = (1 + rng.uniform(-0.25, 0.1, 3)).astype(np.float32)
    y = np.clip(y, 0, 1.2) * (1 - lift) * cast + lift * (1 + cast) / 2
    small = (x.shape[0] // 2, x.shape[1] // 2, 3)
    grain = rng.normal(0, rng.uniform(0.003, 0.03), small).astype(np.float32)
    return np.asarray(y + cv2.resize(grain, x.shape[1::-1]), dtype=np.float32)


def _signals(image: Image, rng: np.random.Generator) -> Floats:
    """Small saturated lights of the frame itself, which shine on: signals and tail lights."""
    saturated = image.astype(np.int16).max(2) - image.astype(np.int16).min(2)
    lamps = ((saturated > 110) & (image.max(2) > 170)).astype(np.float32)
    lamps[: int(image.shape[0] * 0.15)] = 0
    # Only small ones: what is as wide as thirteen pixels is a wall or a sign.
    lamps -= cv2.morphologyEx(lamps, cv2.MORPH_OPEN, np.ones((13, 13), np.uint8))
    glow = cv2.GaussianBlur(lamps, (0, 0), rng.uniform(1.5, 4))
    share = np.clip(lamps * 0.7 + glow * 0.6, 0, 1)[..., None]
    return np.asarray(share * to_floats(image), dtype=np.float32)


def _lamps(image: Image, rng: np.random.Generator, horizon: float) -> Floats:
    """Street lamps and lit windows: small warm or white glows above the horizon."""
    h, w = image.shape[:2]
    canvas = np.zeros((h, w, 3), dtype=np.float32)
    largest = int(rng.integers(4, 9))
    for _ in range(int(rng.integers(0, 12))):
        x, y = int(rng.uniform(0, w)), int(rng.uniform(0.1, horizon) * h)
        colour = [1.0, rng.uniform(0.7, 1.0), rng.uniform(0.4, 0.95)]
        cv2.circle(canvas, (x, y), int(rng.integers(1, largest)), colour, -1, cv2.LINE_AA)
    glow = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(2, 8))
    return np.asarray(canvas + 1.5 * glow, dtype=np.float32)


def _headlights(image: Image, rng: np.random.Generator, horizon: float) -> Floats:
    """One or two vehicles far off that face us, burnt white, beside the lane we drive in."""
    h, w = image.shape[:2]
    canvas = np.zeros((h, w, 3), dtype=np.float32)
    for _ in range(int(rng.integers(1, 3))):
        radius = rng.uniform(1.5, 7)
        x = w * (0.5 + rng.choice((-1, 1)) * rng.uniform(0.04, 0.2))
        y = h * horizon + radius * rng.uniform(0.5, 3)
        for side in (-1, 1):
            place = (int(x + side * radius * 1.8), int(y))
            cv2.circle(canvas, place, max(1, int(radius)), (1.6, 1.6, 1.6), -1, cv2.LINE_AA)
    return np.asarray(canvas + 1.2 * cv2.GaussianBlur(canvas, (0, 0), 9), dtype=np.float32)
