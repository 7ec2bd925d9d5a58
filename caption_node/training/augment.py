# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Augmentation that keeps labels true: what changes in the picture changes in fields and sentence.

The frames are few and almost all by day, so night and dusk are simulated from day frames
(:mod:`caption_node.training.darkness`), and so are fog, rain, snow and grey skies
(:mod:`caption_node.training.weather`).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.preprocess import letterbox
from caption_node.training.labels import Label
from caption_node.training.street_picture import to_bytes
from caption_node.training.weather import choose_change
from caption_node.training.works import add_works

Image = NDArray[np.uint8]
_WORKS_SHARE = 0.15


def augment(
    rgb: Image,
    label: Label,
    rng: np.random.Generator,
    height: int,
    width: int,
    weather: bool = True,
) -> tuple[Image, Label]:
    """
    Make one training variant of a frame.

    :param rgb: (H, W, 3) source image.
    :param weather: Whether night and weather may be simulated; renders have their own.
    :returns: the letterboxed (height, width, 3) image and its label, boxes in its pixels.
    """
    image, label = _crop(rgb, label, rng)
    if rng.random() < 0.35:
        label = label.flipped(image.shape[1])
        image = np.ascontiguousarray(image[:, ::-1])
    scale = min(height / image.shape[0], width / image.shape[1])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image = np.asarray(cv2.resize(np.ascontiguousarray(image), size, interpolation=how), np.uint8)
    label = label.scaled(scale)
    if (
        weather
        and rng.random() < _WORKS_SHARE
        and label.fields['road'] not in ('parking', 'private')
    ):
        image, label = add_works(image, label, rng)
    change = choose_change(label, rng) if weather else None
    if change is None:
        image = _exposure(image, rng)
    else:
        image, label = change(image, label, rng)
    boxed, fit = letterbox(_camera(image, rng), height, width)
    return boxed, label.scaled(fit.scale, fit.left, fit.top)


def _crop(rgb: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Cut a little off the edges: another focal length, pitch and aspect."""
    height, width = rgb.shape[:2]
    keep_x, keep_y = rng.uniform(0.86, 1.0), rng.uniform(0.8, 1.0)
    w, h = int(width * keep_x), int(height * keep_y)
    left = int((width - w) * rng.uniform(0.3, 0.7))
    top = int((height - h) * rng.uniform(0, 1))
    return rgb[top : top + h, left : left + w], label.cropped(left, top, w, h)


def _exposure(image: Image, rng: np.random.Generator) -> Image:
    gain = rng.uniform(0.45, 1.6)
    gamma = np.exp(rng.uniform(-0.4, 0.4))
    tint = 1 + rng.uniform(-0.12, 0.12, 3)
    x = np.clip(image / np.float32(255) * (gain * tint).astype(np.float32), 0, 1) ** gamma
    if rng.random() < 0.3:  # haze and washed-out lenses lift the blacks
        lift = rng.uniform(0.03, 0.2)
        x = x * (1 - lift) + lift
    if rng.random() < 0.3:
        grey = x.mean(axis=2, keepdims=True)
        x = grey + (x - grey) * rng.uniform(0.4, 1.5)
    return to_bytes(x)


def _camera(image: Image, rng: np.random.Generator) -> Image:
    """Blur, noise and compression, each sometimes."""
    if rng.random() < 0.25:
        k = int(rng.integers(1, 3)) * 2 + 1
        if rng.random() < 0.5:
            kernel = np.zeros((k, k), dtype=np.float32)
            kernel[k // 2] = 1 / k
            image = cv2.filter2D(image, -1, kernel)
        else:
            image = cv2.GaussianBlur(image, (k, k), 0)
    if rng.random() < 0.35:
        sigma = rng.uniform(2, 11)
        noise = rng.normal(0, sigma, (*image.shape[:2], 1)) + rng.normal(0, sigma / 2, image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        quality = int(rng.integers(25, 80))
        _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return image
