# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Augmentation that keeps labels true: what changes in the picture changes in fields and sentence.

The frames are few and almost all by day, so night, fog, rain and snow are simulated, crudely, from
day frames. Fog follows Koschmieder's law on a flat road's depth.
"""

from dataclasses import replace
import re

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.preprocess import letterbox
from caption_node.training.labels import Label

Image = NDArray[np.uint8]
CONDITIONS = ('at night', 'in fog', 'in the rain', 'in the snow')
"""What a sentence says of a simulated condition, one short wording each."""
_DAYLIGHT = re.compile(
    r'\b(sun\w*|sky|bright\w*|shade\w*|shadow\w*|overcast|cloud\w*|day\w*|backlit|glare|gloomy|'
    r'grey|blue|pale|dusk|dawn|dim|evening|low light|light rain|fog\w*|mist\w*|haz[ey]\w*|rain\w*|'
    r'snow\w*|clear|damp|wet|dry|autumn)\b'
)


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
    by_day = weather and label.fields['time'] == 'day'
    choice = rng.random()
    if by_day and choice < 0.30:
        image, label = _night(image, label, rng)
    elif by_day and choice < 0.37:
        image, label = _fog(image, label, rng)
    elif by_day and choice < 0.46:
        image, label = _rain(image, label, rng)
    elif by_day and choice < 0.49:
        image, label = _snow(image, label, rng)
    else:
        image = _exposure(image, rng)
    boxed, fit = letterbox(_camera(image, rng), height, width)
    return boxed, label.scaled(scale * fit.scale, fit.left, fit.top)


def _crop(rgb: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Cut a little off the edges: another focal length, pitch and aspect."""
    height, width = rgb.shape[:2]
    keep_x, keep_y = rng.uniform(0.86, 1.0), rng.uniform(0.8, 1.0)
    w, h = int(width * keep_x), int(height * keep_y)
    left = int((width - w) * rng.uniform(0.3, 0.7))
    top = int((height - h) * rng.uniform(0, 1))
    return rgb[top : top + h, left : left + w], label.cropped(left, top, w, h)


def _exposure(image: Image, rng: np.random.Generator) -> Image:
    gain = rng.uniform(0.6, 1.45)
    gamma = np.exp(rng.uniform(-0.4, 0.4))
    tint = 1 + rng.uniform(-0.09, 0.09, 3)
    x = np.clip(image / np.float32(255) * (gain * tint).astype(np.float32), 0, 1) ** gamma
    if rng.random() < 0.3:  # haze and washed-out lenses lift the blacks
        lift = rng.uniform(0.03, 0.2)
        x = x * (1 - lift) + lift
    if rng.random() < 0.3:
        grey = x.mean(axis=2, keepdims=True)
        x = grey + (x - grey) * rng.uniform(0.4, 1.5)
    return _to_bytes(x)


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


def _grid(image: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    h, w = image.shape[:2]
    y = np.linspace(0, 1, h, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, w, dtype=np.float32)[None]
    return y, x


def _night(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Let the sky go out, darken, shine headlights on the road, light lamps and windows."""
    x = image / np.float32(255)
    y, across = _grid(image)
    grey = x.mean(axis=2)
    # Dark exposures first come to a common brightness, or they would end as black pictures.
    x = np.clip(x * (0.32 / max(0.08, float(np.median(grey[grey.shape[0] // 2 :])))), 0, 1.3)
    x = x ** rng.uniform(1.1, 1.7)
    horizon = rng.uniform(0.42, 0.52)
    bright = cv2.GaussianBlur(np.clip((grey - 0.4) / 0.15, 0, 1), (0, 0), 1.5)
    sky = bright * np.clip((0.7 - y) / 0.1, 0, 1)
    ambient = 0.1 + 0.75 * rng.random() ** 1.5  # an unlit road to a lit city
    spread = 0.3 + 0.9 * np.maximum(y - 0.4, 0)
    beam = np.exp(-(((y - horizon - 0.2) / 0.2) ** 2) - (across / spread) ** 2)
    light = ambient * (1 - 0.96 * sky) + rng.uniform(0.4, 1.1) * beam * (1 - sky)
    x = x * light[..., None]
    warm = rng.uniform(0.6, 1.05)
    x = x * np.array([1.0, 0.5 + warm / 2, warm], dtype=np.float32)
    x = x + rng.uniform(0.0, 0.04)
    saturated = image.astype(np.int16).max(2) - image.astype(np.int16).min(2)
    lamps = ((saturated > 110) & (image.max(2) > 170)).astype(np.float32)
    lamps[: int(image.shape[0] * 0.15)] = 0
    lamps -= cv2.morphologyEx(
        lamps, cv2.MORPH_OPEN, np.ones((13, 13), np.uint8)
    )  # keep small ones
    glow = cv2.GaussianBlur(lamps, (0, 0), rng.uniform(1.5, 4))
    x = x + (np.clip(lamps * 0.7 + glow * 0.6, 0, 1))[..., None] * (image / np.float32(255))
    x = x + _lamps(image, rng, horizon)
    noise = rng.normal(0, rng.uniform(0.004, 0.025), image.shape)
    fields = {**label.fields, 'time': 'night', 'weather': 'unknown'}
    caption = _with_condition(label.caption, CONDITIONS[0], rng)
    return _to_bytes(x + noise), replace(label, fields=fields, caption=caption)


def _lamps(image: Image, rng: np.random.Generator, horizon: float) -> NDArray[np.float32]:
    """Street lamps and lit windows: small warm glows above the horizon."""
    h, w = image.shape[:2]
    canvas = np.zeros((h, w, 3), dtype=np.float32)
    for _ in range(int(rng.integers(0, 12))):
        x, y = int(rng.uniform(0, w)), int(rng.uniform(0.1, horizon) * h)
        colour = [1.0, rng.uniform(0.7, 1.0), rng.uniform(0.4, 0.95)]
        cv2.circle(canvas, (x, y), int(rng.integers(1, 4)), colour, -1, cv2.LINE_AA)
    glow = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(2, 8))
    return np.asarray(canvas + 1.5 * glow, dtype=np.float32)


def _fog(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    y, _ = _grid(image)
    horizon = rng.uniform(0.42, 0.52)
    # Metres on a flat road; what stands above the horizon is taken to be at one distance.
    depth = np.minimum(1.1 / np.maximum(y - horizon, 0.001), rng.uniform(30, 60))
    through = np.exp(-depth * rng.uniform(0.02, 0.07))[..., None]
    air = rng.uniform(0.5, 0.85) * (1 + rng.uniform(-0.04, 0.04, 3)).astype(np.float32)
    x = (image / np.float32(255)) * through + air * (1 - through)
    fields = {**label.fields, 'weather': 'fog'}
    caption = _with_condition(label.caption, CONDITIONS[1], rng)
    return _to_bytes(x), replace(label, fields=fields, caption=caption)


def _rain(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Grey light, a road that mirrors what stands on it, streaks and drops."""
    x = image / np.float32(255)
    grey = x.mean(axis=2, keepdims=True)
    x = (grey + (x - grey) * rng.uniform(0.35, 0.8)) * rng.uniform(0.55, 0.95)
    h, w = image.shape[:2]
    line = int(h * rng.uniform(0.48, 0.56))
    below = h - line
    mirror = x[max(0, line - below) : line][::-1]
    mirror = cv2.GaussianBlur(mirror, (0, 0), sigmaX=2, sigmaY=9)
    wet = rng.uniform(0.25, 0.6) * np.linspace(1, 0.5, mirror.shape[0])[:, None, None]
    x[line : line + mirror.shape[0]] = x[line : line + mirror.shape[0]] * (1 - wet) + mirror * wet
    if rng.random() < 0.7:
        drops = np.zeros((h, w), dtype=np.float32)
        for _ in range(int(rng.integers(30, 250))):
            x0, y0 = int(rng.uniform(0, w)), int(rng.uniform(0, h))
            length = int(rng.uniform(4, 18))
            cv2.line(drops, (x0, y0), (x0 + int(rng.integers(-3, 4)), y0 + length), 1.0, 1)
        x = x + rng.uniform(0.05, 0.2) * cv2.GaussianBlur(drops, (0, 0), 0.8)[..., None]
    fields = {**label.fields, 'weather': 'rain', 'surface': 'wet'}
    caption = _with_condition(label.caption, CONDITIONS[2], rng)
    return _to_bytes(x), replace(label, fields=fields, caption=caption)


def _snow(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Whiten the ground beside the tracks; flakes in the air."""
    x = image / np.float32(255)
    grey = x.mean(axis=2, keepdims=True)
    x = grey + (x - grey) * rng.uniform(0.3, 0.6)
    y, across = _grid(image)
    horizon = rng.uniform(0.46, 0.54)
    ground = np.clip((y - horizon) / 0.08, 0, 1)
    tracks = np.exp(-((across / (0.15 + 0.8 * np.maximum(y - horizon, 0))) ** 2))
    lumps = cv2.resize(rng.random((24, 40)).astype(np.float32), image.shape[1::-1])
    cover = ground * np.clip(1.15 - rng.uniform(0.5, 1.0) * tracks - 0.6 * lumps, 0, 1)
    x = x * (1 - 0.85 * cover[..., None]) + 0.85 * cover[..., None] * rng.uniform(0.7, 0.95)
    flakes = (rng.random(image.shape[:2]) < rng.uniform(0, 0.004)).astype(np.float32)
    x = x + 2.5 * cv2.GaussianBlur(flakes, (0, 0), rng.uniform(0.7, 1.6))[..., None]
    fields = {**label.fields, 'weather': 'snow', 'surface': 'snow'}
    caption = _with_condition(label.caption, CONDITIONS[3], rng)
    return _to_bytes(x), replace(label, fields=fields, caption=caption)


def _with_condition(caption: str | None, phrase: str, rng: np.random.Generator) -> str | None:
    """
    Say the new condition; give the sentence up where it speaks of the old one.

    An opening that many sentences share wins every greedy choice, hence one wording each.
    """
    if caption is None or _DAYLIGHT.search(caption.lower()):
        return None
    if rng.random() < 0.6:
        return f'{phrase[0].upper()}{phrase[1:]}, {caption[0].lower()}{caption[1:]}'
    return f'{caption.rstrip(".")} {phrase}.'


def _to_bytes(x: NDArray[np.floating]) -> Image:
    return np.asarray(np.clip(x, 0, 1) * 255 + 0.5, dtype=np.uint8)
