# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What changes of light and weather share: where the sky is, how far things are, what is then said.

Depth is that of a street between houses: flat road, walls at both sides, crowns of trees above.
"""

from dataclasses import replace
import re

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.training.labels import CAMERA_M, Label

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
AT_NIGHT, AT_DUSK = 'at night', 'at dusk'
IN_FOG, IN_RAIN, IN_SNOW = 'in fog', 'in the rain', 'in the snow'
CONDITIONS = (AT_NIGHT, IN_FOG, IN_RAIN, IN_SNOW, AT_DUSK)
"""What a sentence says of a simulated condition, one short wording each."""
_DAYLIGHT = re.compile(
    r'\b(sun\w*|sky|bright\w*|shade\w*|shadow\w*|overcast|cloud\w*|day\w*|backlit|glare|gloomy|'
    r'grey|blue|pale|dusk|dawn|dim|evening|low light|light rain|fog\w*|mist\w*|haz[ey]\w*|rain\w*|'
    r'snow\w*|clear|damp|wet|dry|autumn)\b'
)
_WALL_M, _CROWN_M, _FOCAL_WIDTHS = 8.0, 10.0, 0.95


def to_bytes(x: NDArray[np.floating]) -> Image:
    """Turn 0..1 into 0..255."""
    return np.asarray(np.clip(x, 0, 1) * 255 + 0.5, dtype=np.uint8)


def find_horizon(image: Image, label: Label, rng: np.random.Generator) -> float:
    """Return where it is, 0..1 from the top: where the cars say, or somewhere likely."""
    row = label.horizon()
    likely = rng.uniform(0.44, 0.6)
    return likely if row is None else float(np.clip(row / image.shape[0], 0.3, 0.75))


def to_floats(image: Image) -> Floats:
    """Turn 0..255 into 0..1."""
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def grid(image: Image) -> tuple[Floats, Floats]:
    """Return rows 0..1 from the top and columns -1..1."""
    h, w = image.shape[:2]
    y = np.linspace(0, 1, h, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, w, dtype=np.float32)[None]
    return y, x


def find_sky(x: Floats) -> Floats:
    """Return (H, W) 0..1, how much a pixel looks like sky: bright or blue, joined to the top."""
    h = x.shape[0]
    grey = x.mean(axis=2)
    blue = (x[..., 2] > x[..., 0] + 0.04) & (grey > 0.3)
    like = ((grey > 0.62) | blue).astype(np.uint8)
    like[int(h * 0.72) :] = 0
    like = cv2.morphologyEx(like, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, parts = cv2.connectedComponents(like)
    sky = np.isin(parts, np.unique(parts[: h // 8])) & (like > 0)
    # One pixel more, or a bright rim would stay around every roof.
    wide = cv2.dilate(sky.astype(np.float32), np.ones((3, 3), np.uint8))
    return np.asarray(cv2.GaussianBlur(wide, (0, 0), 1.0), dtype=np.float32)


def depth_m(image: Image, horizon: float) -> Floats:
    """Return (H, W) metres in a street: road below, walls beside, crowns above the horizon."""
    h, w = image.shape[:2]
    y, across = grid(image)
    tall = _FOCAL_WIDTHS * w / h
    road = CAMERA_M * tall / np.maximum(y - horizon, 1e-3)
    crowns = _CROWN_M * tall / np.maximum(horizon - y, 1e-3)
    walls = _WALL_M * _FOCAL_WIDTHS * 2 / np.maximum(np.abs(across), 1e-3)
    return np.asarray(np.minimum(np.minimum(road, crowns), np.minimum(walls, 200.0)), np.float32)


def dull(x: Floats, sky: Floats, rng: np.random.Generator) -> Floats:
    """Take sun and blue away: a grey sky, paler colours, softer contrast."""
    grey = x.mean(axis=2, keepdims=True)
    x = grey + (x - grey) * rng.uniform(0.35, 0.75)
    # Exposure control sees a dull scene as bright as any other.
    middle = float(np.median(grey[grey.shape[0] // 2 :]))
    x = np.clip(x * (rng.uniform(0.24, 0.45) / max(middle, 0.08)), 0, 1.2) ** rng.uniform(0.8, 1.0)
    cover = sky[..., None] * rng.uniform(0.75, 1.0)
    tint = (1 + rng.uniform(-0.03, 0.03, 3)).astype(np.float32)
    return np.asarray(x * (1 - cover) + rng.uniform(0.6, 0.95) * tint * cover, dtype=np.float32)


def mirrored(x: Floats, horizon: float, rng: np.random.Generator) -> Floats:
    """
    Wet the road: what stands above the horizon is seen in it, the flatter the look the more.

    :param x: (H, W, 3), 0..1.
    :param horizon: 0..1 from the top.
    """
    h = x.shape[0]
    line = int(h * horizon)
    below = h - line
    mirror = x[max(0, line - below) : line][::-1]
    mirror = cv2.GaussianBlur(mirror, (0, 0), sigmaX=rng.uniform(1, 3), sigmaY=rng.uniform(6, 16))
    reach = mirror.shape[0]
    # The flatter the look, the more a wet road mirrors.
    flat = np.exp(-np.linspace(0, rng.uniform(1.0, 3.0), reach, dtype=np.float32))[:, None, None]
    # What stands at the horizon stands on the road: nothing mirrors up there.
    begins = np.clip(np.linspace(0, reach / (0.07 * h), reach, dtype=np.float32), 0, 1)
    share = rng.uniform(0.35, 0.85) * flat * begins[:, None, None]
    patches = cv2.resize(rng.random((10, 16)).astype(np.float32), (x.shape[1], reach))
    share = share * (0.55 + 0.45 * patches[..., None])
    darker = 1 - begins[:, None, None] * rng.uniform(0.05, 0.4)  # wet asphalt is
    road = x[line : line + reach] * darker
    out = x.copy()
    out[line : line + reach] = road * (1 - share) + mirror * share
    return out


def said(
    image: Image, label: Label, rng: np.random.Generator, condition: str, **changes: str
) -> tuple[Image, Label]:
    """
    Return a changed picture with what is now said of it.

    :param condition: One of ``CONDITIONS``, for the sentence.
    :param changes: Values of fields.
    """
    caption = _with_condition(label.caption, condition, rng)
    return image, replace(label, fields={**label.fields, **changes}, caption=caption)


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
