# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Weather between us and the scene, and what a real lens and sensor add."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.canvas import Canvas
from caption_node.scenes.textures import noise
from caption_node.scenes.world import Scene

Bytes = NDArray[np.uint8]

_SLACK = 200


def fall(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """Draw rain streaks or snow flakes, and drops on the windscreen."""
    weather = scene.environment.weather
    if weather not in ('rain', 'snow') or scene.road.kind == 'tunnel':
        return
    height, width = canvas.image.shape[:2]
    unit = height / 720
    bright = float(np.clip(canvas.light.air.mean() * 1.05 + 34, 40, 235))
    layer = np.zeros((height, width), np.uint8)
    if weather == 'rain':
        for x, y in rng.random((150, 2)) * (width, height):
            length = rng.uniform(12, 44) * unit
            end = (int(x + length * 0.12), int(y + length))
            cv2.line(layer, (int(x), int(y)), end, 60.0, 1, cv2.LINE_AA)
    else:
        for x, y, size in rng.random((260, 3)) * (width, height, 1):
            radius = max(1, round(float(0.8 + 3.2 * size**4) * unit))
            cv2.circle(layer, (int(x), int(y)), radius, 120.0 + 110 * float(size), -1, cv2.LINE_AA)
        layer = np.asarray(cv2.GaussianBlur(layer, (0, 0), 0.8 * unit + 0.2), np.uint8)
    alpha = layer.astype(np.float32) * np.float32(1 / 255)
    canvas.blend(alpha, np.full_like(canvas.image, int(bright)), 0, 0)
    if weather == 'rain':
        # Drops stay on the glass from frame to frame.
        _drops(canvas, np.random.default_rng(scene.texture_seed), unit)


def _drops(canvas: Canvas, rng: np.random.Generator, unit: float) -> None:
    """Blurred drops on the glass, that show the scene upside down."""
    image = canvas.image
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(0, 22))):
        radius = max(2, int(rng.uniform(2.5, 9) * unit))
        x, y = (
            int(rng.integers(radius, width - radius)),
            int(rng.integers(radius, height - radius)),
        )
        patch = image[y - radius : y + radius, x - radius : x + radius]
        if patch.shape[:2] != (2 * radius, 2 * radius):
            continue
        seen = cv2.convertScaleAbs(cv2.blur(patch[::-1], (radius, radius)), alpha=1.12)
        mask = np.zeros((2 * radius, 2 * radius), np.float32)
        cv2.circle(mask, (radius, radius), radius - 1, 0.75, -1, cv2.LINE_AA)
        canvas.blend(mask, np.asarray(seen, np.uint8), x - radius, y - radius)


def expose(image: Bytes, scene: Scene, rng: np.random.Generator) -> Bytes:
    """
    Add bonnet reflections, blur, vignette and sensor noise.

    :returns: A new image of the same shape.
    """
    height, width = image.shape[:2]
    out = image
    if scene.bonnet:
        out = _bonnet(out)
    if scene.blur_px > 0.2:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), scene.blur_px), np.uint8)
    dark = _vignette(width, height, round(scene.vignette, 1))
    out = cv2.multiply(out, dark, scale=1 / 255)
    if scene.tint != (1.0, 1.0, 1.0):
        out = cv2.multiply(out, (*scene.tint, 0.0))
    grain = _grain(round(scene.grain * 2) / 2, width, height)
    y, x = (int(v) for v in rng.integers(0, _SLACK, 2))
    part = grain[y : y + height, x : x + width]
    return np.asarray(cv2.addWeighted(out, 1.0, part, 1.0, -128.0), np.uint8)


@lru_cache(maxsize=12)
def _vignette(width: int, height: int, strength: float) -> Bytes:
    """Darkening towards the corners, 255 means none, (height, width, 3)."""
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    dark = 255 * (1.0 - strength * np.clip((x * x + y * y) * 0.5, 0, 1))
    return np.asarray(cv2.merge([dark.astype(np.uint8)] * 3), np.uint8)


@lru_cache(maxsize=16)
def _grain(sigma: float, width: int, height: int) -> Bytes:
    """Sensor noise around 128, larger than the picture so that it can be shifted."""
    tile = noise(11, 0.45, 512)
    repeats = ((height + _SLACK) // 512 + 1, (width + _SLACK) // 512 + 1)
    levels = np.clip(128 + np.tile(tile, repeats) * sigma, 0, 255).astype(np.uint8)
    return np.asarray(cv2.merge([levels] * 3), np.uint8)


def _bonnet(image: Bytes) -> Bytes:
    """Our own bonnet at the lower edge of the picture."""
    height, width = image.shape[:2]
    out = image.copy()
    x = np.linspace(0, width, 24)
    top = height * (0.955 + 0.05 * ((x / width - 0.5) * 2) ** 2)
    outline = np.concatenate([np.stack([x, top], -1), [[width, height], [0, height]]])
    tone = tuple(float(c) * 0.3 + 12 for c in image[height // 2 :].mean(axis=(0, 1)))
    cv2.fillPoly(out, [outline.astype(np.int32)], tone, cv2.LINE_AA)
    return np.asarray(cv2.addWeighted(out, 0.85, image, 0.15, 0), np.uint8)
