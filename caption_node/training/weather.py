# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Night, fog, rain and snow made from frames by day; fields and sentence say so too.

Fog follows Koschmieder's law over the depth of a street between houses: flat road, walls at both
sides, crowns of trees above. Wet roads mirror by Fresnel's law what stands behind them.
"""

from collections.abc import Callable
from dataclasses import replace
import re

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.training.labels import CAMERA_M, Label

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Change = Callable[[Image, Label, np.random.Generator], tuple[Image, Label]]
CONDITIONS = ('at night', 'in fog', 'in the rain', 'in the snow')
"""What a sentence says of a simulated condition, one short wording each."""
_DAYLIGHT = re.compile(
    r'\b(sun\w*|sky|bright\w*|shade\w*|shadow\w*|overcast|cloud\w*|day\w*|backlit|glare|gloomy|'
    r'grey|blue|pale|dusk|dawn|dim|evening|low light|light rain|fog\w*|mist\w*|haz[ey]\w*|rain\w*|'
    r'snow\w*|clear|damp|wet|dry|autumn)\b'
)
_WALL_M, _CROWN_M, _FOCAL_WIDTHS = 8.0, 10.0, 0.95


def choose_change(label: Label, rng: np.random.Generator) -> Change | None:
    """
    Draw a change of weather or light that the frame can bear, or none.

    Hard shadows contradict fog, rain and snow, so sunny frames only become night.
    """
    if label.fields['time'] != 'day':
        return None
    chance = rng.random()
    if chance < 0.28:
        return night
    if label.fields['weather'] != 'cloudy':
        return None
    for limit, change in ((0.42, fog), (0.60, rain), (0.68, snow)):
        if chance < limit:
            return change
    return None


def to_bytes(x: NDArray[np.floating]) -> Image:
    """Turn 0..1 into 0..255."""
    return np.asarray(np.clip(x, 0, 1) * 255 + 0.5, dtype=np.uint8)


def _horizon(image: Image, label: Label, rng: np.random.Generator) -> float:
    """Return where it is, 0..1 from the top: where the cars say, or somewhere likely."""
    row = label.horizon()
    likely = rng.uniform(0.44, 0.6)
    return likely if row is None else float(np.clip(row / image.shape[0], 0.3, 0.75))


def _floats(image: Image) -> Floats:
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _grid(image: Image) -> tuple[Floats, Floats]:
    """Return rows 0..1 from the top and columns -1..1."""
    h, w = image.shape[:2]
    y = np.linspace(0, 1, h, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, w, dtype=np.float32)[None]
    return y, x


def _sky(x: Floats) -> Floats:
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


def _depth_m(image: Image, horizon: float) -> Floats:
    """Return (H, W) metres in a street: road below, walls beside, crowns above the horizon."""
    h, w = image.shape[:2]
    y, across = _grid(image)
    tall = _FOCAL_WIDTHS * w / h
    road = CAMERA_M * tall / np.maximum(y - horizon, 1e-3)
    crowns = _CROWN_M * tall / np.maximum(horizon - y, 1e-3)
    walls = _WALL_M * _FOCAL_WIDTHS * 2 / np.maximum(np.abs(across), 1e-3)
    return np.asarray(np.minimum(np.minimum(road, crowns), np.minimum(walls, 200.0)), np.float32)


def _dull(x: Floats, sky: Floats, rng: np.random.Generator) -> Floats:
    """Take sun and blue away: a grey sky, paler colours, softer contrast."""
    grey = x.mean(axis=2, keepdims=True)
    x = grey + (x - grey) * rng.uniform(0.35, 0.75)
    # Exposure control sees a dull scene as bright as any other.
    middle = float(np.median(grey[grey.shape[0] // 2 :]))
    x = np.clip(x * (rng.uniform(0.24, 0.45) / max(middle, 0.08)), 0, 1.2) ** rng.uniform(0.8, 1.0)
    cover = sky[..., None] * rng.uniform(0.75, 1.0)
    tint = (1 + rng.uniform(-0.03, 0.03, 3)).astype(np.float32)
    return np.asarray(x * (1 - cover) + rng.uniform(0.6, 0.95) * tint * cover, dtype=np.float32)


def fog(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Let what is far fade into the air."""
    x = _floats(image)
    horizon = _horizon(image, label, rng)
    sky = _sky(x)
    x = _dull(x, sky, rng)
    depth = _depth_m(image, horizon)
    # No wall is straight: the depth varies from place to place.
    lumps = cv2.resize(rng.normal(0, 0.25, (6, 10)).astype(np.float32), image.shape[1::-1])
    depth = depth * np.exp(lumps) * (1 - sky) + 400 * sky
    through = np.exp(-depth * np.exp(rng.uniform(np.log(0.009), np.log(0.05))))[..., None]
    air = rng.uniform(0.5, 0.85) * (1 + rng.uniform(-0.04, 0.04, 3)).astype(np.float32)
    x = x * through + air * (1 - through)
    return _said(to_bytes(x), label, rng, 1, weather='fog')


def rain(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Grey light, a road that mirrors what stands behind it, streaks, drops on the glass."""
    x = _floats(image)
    horizon = _horizon(image, label, rng)
    x = _dull(x, _sky(x), rng)
    x = _mirrored(x, horizon, rng)
    if rng.random() < 0.4:
        x = _streaks(x, rng)
    if rng.random() < 0.35:
        x = _drops(x, rng)
    if rng.random() < 0.4:  # rain is haze too
        depth = np.minimum(_depth_m(image, horizon), 150)
        through = np.exp(-depth * rng.uniform(0.002, 0.008))[..., None]
        hazy = x * through + rng.uniform(0.5, 0.75) * (1 - through)
        x = hazy.astype(np.float32)
    return _said(to_bytes(x), label, rng, 2, weather='rain', surface='wet')


def _mirrored(x: Floats, horizon: float, rng: np.random.Generator) -> Floats:
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
    x = _floats(image)
    horizon = _horizon(image, label, rng)
    x = _dull(x, _sky(x), rng)
    y, across = _grid(image)
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
    x = _mirrored(x, horizon, rng) * 0.6 + x * 0.4
    if rng.random() < 0.4:
        flakes = (rng.random(image.shape[:2]) < rng.uniform(0, 0.004)).astype(np.float32)
        x = x + 2.5 * cv2.GaussianBlur(flakes, (0, 0), rng.uniform(0.7, 1.6))[..., None]
    return _said(to_bytes(x), label, rng, 3, weather='snow', surface='snow')


def night(image: Image, label: Label, rng: np.random.Generator) -> tuple[Image, Label]:
    """Let the sky go out, darken, shine headlights on the road, light lamps and windows."""
    x = _floats(image)
    y, across = _grid(image)
    grey = x.mean(axis=2)
    # Dark exposures first come to a common brightness, or they would end as black pictures.
    x = np.clip(x * (0.32 / max(0.08, float(np.median(grey[grey.shape[0] // 2 :])))), 0, 1.3)
    x = x ** rng.uniform(1.1, 1.7)
    horizon = _horizon(image, label, rng)
    bright = cv2.GaussianBlur(np.clip((grey - 0.4) / 0.15, 0, 1), (0, 0), 1.5)
    sky = bright * np.clip((horizon + 0.1 - y) / 0.05, 0, 1)
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
    return _said(to_bytes(x + noise), label, rng, 0, time='night', weather='unknown')


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


def _said(
    image: Image, label: Label, rng: np.random.Generator, condition: int, **changes: str
) -> tuple[Image, Label]:
    caption = _with_condition(label.caption, CONDITIONS[condition], rng)
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
