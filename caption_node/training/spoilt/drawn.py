# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Drawn pictures that show no road: papers, charts, patterns, rooms, people, screens, hills."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)


def colour(rng: np.random.Generator, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    """Draw a colour."""
    r, g, b = rng.integers(low, high, 3).tolist()
    return r, g, b


def spectral(
    rng: np.random.Generator, height: int, width: int, slope: float
) -> NDArray[np.float32]:
    """
    Draw noise whose amplitude falls with frequency.

    :param slope: Exponent of the fall; 0 is white, 1 like photographs, 2 clouds.
    :returns: (height, width) 0..1.
    """
    # What is smooth anyway is drawn at half the size: a quarter of the work.
    part = 1 if slope < 1 else 2
    rows, columns = max(4, height // part), max(4, width // part)
    y, x = np.meshgrid(np.fft.fftfreq(rows), np.fft.rfftfreq(columns), indexing='ij')
    amplitude = 1 / np.maximum(np.hypot(y, x), 1 / max(rows, columns)) ** slope
    phase = np.exp(2j * np.pi * rng.random(amplitude.shape, dtype=np.float32))
    field = np.fft.irfft2(amplitude * phase, (rows, columns)).astype(np.float32)
    low, high = np.percentile(field[::3, ::3], (1, 99))
    field = np.clip((field - low) / (high - low + 1e-9), 0, 1)
    return np.asarray(cv2.resize(field, (width, height)), dtype=np.float32)


def ramp(field: NDArray[np.float32], rng: np.random.Generator, stops: int = 3) -> Image:
    """Colour a field of 0..1 with a random ramp of colours."""
    table = rng.integers(0, 256, (stops, 3)).astype(np.float32)
    places = np.linspace(0, 1, stops)
    return np.stack([np.interp(field, places, table[:, c]) for c in range(3)], axis=2).astype(
        np.uint8
    )


def document(rng: np.random.Generator, height: int, width: int) -> Image:
    """Lines of words on paper, sometimes with a heading, a stamp or a table."""
    image = np.full((height, width, 3), colour(rng, 205), dtype=np.uint8)
    ink = colour(rng, 0, 90)
    font, scale = int(rng.choice(_FONTS)), float(rng.uniform(0.3, 1.3))
    step, margin = int(34 * scale), int(rng.integers(5, width // 5))
    for y in range(step, height, step):
        x = margin
        while x < width - margin:
            word = ''.join(chr(c) for c in rng.integers(97, 123, int(rng.integers(1, 10))))
            cv2.putText(image, word, (x, y), font, scale, ink, 1 + int(scale > 0.8), cv2.LINE_AA)
            x += int(cv2.getTextSize(word + ' ', font, scale, 1)[0][0])
            if rng.random() < 0.03:
                break
    for _ in range(int(rng.integers(0, 4))):
        a = rng.integers(0, (width, height)).tolist()
        b = rng.integers(0, (width, height)).tolist()
        cv2.rectangle(image, a, b, colour(rng), int(rng.choice([-1, 1, 2])))
    return image


def chart(rng: np.random.Generator, height: int, width: int) -> Image:
    """Bars or curves between axes."""
    dark = rng.random() < 0.3
    image = np.full((height, width, 3), colour(rng, *((0, 60) if dark else (215, 256))), np.uint8)
    ink = colour(rng, *((160, 256) if dark else (0, 100)))
    left, bottom = width // 10, height * 9 // 10
    for k in range(int(rng.integers(0, 9))):
        y = bottom - k * height // 10
        cv2.line(image, (left, y), (width - 10, y), (150, 150, 150), 1)
    if rng.random() < 0.5:
        count = int(rng.integers(3, 25))
        for k in range(count):
            x = left + k * (width - left) // count
            top = int(bottom - rng.random() * height * 0.8)
            cv2.rectangle(image, (x, top), (x + width // count // 2, bottom), colour(rng), -1)
    else:
        across = np.linspace(left, width - 10, 90)
        for _ in range(int(rng.integers(1, 6))):
            walk = np.cumsum(rng.normal(0, height / 30, 90)) + rng.uniform(0, height / 2)
            points = np.stack([across, bottom - np.abs(walk)], 1).astype(np.int32)
            thick = int(rng.integers(1, 4))
            cv2.polylines(image, [points], False, colour(rng), thick, cv2.LINE_AA)
    cv2.line(image, (left, 10), (left, bottom), ink, 2)
    cv2.line(image, (left, bottom), (width - 10, bottom), ink, 2)
    return image


def pattern(rng: np.random.Generator, height: int, width: int) -> Image:
    """Checkers, stripes, waves or rings, sometimes slanted."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 160)
    u = x * np.cos(angle) + y * np.sin(angle)
    v = y * np.cos(angle) - x * np.sin(angle)
    kind = rng.integers(4)
    if kind == 0:
        wave = np.sign(np.sin(u * np.pi / period)) * np.sign(np.sin(v * np.pi / period))
    elif kind == 1:
        wave = np.sin(u * 2 * np.pi / period)
    elif kind == 2:
        wave = np.sin(np.hypot(x - rng.uniform(0, width), y - rng.uniform(0, height)) * 6 / period)
    else:
        wave = np.sin(u * 6 / period) * np.sin(v * 6 / (period * rng.uniform(0.3, 3)))
    if rng.random() < 0.4:
        wave = np.sign(wave)
    return ramp((wave + 1) / 2, rng, int(rng.integers(2, 4)))


def clouds(rng: np.random.Generator, height: int, width: int) -> Image:
    """Coloured noise of any roughness: smoke, stone, fabric, foliage from near."""
    slope = rng.uniform(0.4, 2.4)
    if rng.random() < 0.5:
        return ramp(spectral(rng, height, width, slope), rng, int(rng.integers(2, 6)))
    base = spectral(rng, height, width, slope)
    planes = [0.6 * base + 0.4 * spectral(rng, height, width, slope) for _ in range(3)]
    light = np.array(colour(rng, 60)) / 255
    return np.asarray(np.stack(planes, 2) * light * 255, dtype=np.uint8)


def gradient(rng: np.random.Generator, height: int, width: int) -> Image:
    """Smooth transitions between a few colours, with or without soft blobs."""
    small = rng.integers(0, 256, (int(rng.integers(2, 5)), int(rng.integers(2, 6)), 3))
    image = cv2.resize(small.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(rng.integers(0, 8))):
        place = rng.integers(0, (width, height)).tolist()
        cv2.circle(image, place, int(rng.uniform(0.02, 0.3) * width), colour(rng), -1)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(1, 25)), dtype=np.uint8)


def cells(rng: np.random.Generator, height: int, width: int) -> Image:
    """Cells around random points: paving, cracked earth, stained glass, skin from near."""
    count = int(rng.integers(12, 110))
    points = (rng.random((count, 2)) * (width, height)).astype(np.float32)
    y, x = np.mgrid[0:height:4, 0:width:4].astype(np.float32)
    away = np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1])
    nearest = np.sort(np.partition(away, 1, axis=2)[..., :2], axis=2)
    table = rng.integers(0, 256, 3) + rng.normal(0, rng.uniform(5, 80), (count, 3))
    image = np.clip(table, 0, 255).astype(np.uint8)[away.argmin(2)]
    edge = (nearest[..., 1] - nearest[..., 0]) < rng.uniform(0, 8)
    image[edge] = colour(rng)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def shapes(rng: np.random.Generator, height: int, width: int) -> Image:
    """Circles, boxes and polygons in heaps."""
    image = np.full((height, width, 3), colour(rng), dtype=np.uint8)
    reach = rng.uniform(0.03, 0.3) * width
    for _ in range(int(rng.integers(5, 150))):
        centre = rng.random(2) * (width, height)
        if rng.random() < 0.4:
            axes = (rng.random(2) * reach + 2).astype(int).tolist()
            turn = float(rng.uniform(0, 180))
            cv2.ellipse(image, centre.astype(int).tolist(), axes, turn, 0, 360, colour(rng), -1)
        else:
            corners = centre + rng.normal(0, reach / 2, (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(image, [corners.astype(np.int32)], colour(rng), cv2.LINE_AA)
    return image


def room(rng: np.random.Generator, height: int, width: int) -> Image:
    """Floor, ceiling and walls in perspective, with doors, pictures and furniture."""
    image = np.full((height, width, 3), colour(rng, 90), dtype=np.uint8)
    cx, cy = rng.uniform(0.25, 0.75) * width, rng.uniform(0.3, 0.6) * height
    w, h = rng.uniform(0.12, 0.38) * width, rng.uniform(0.12, 0.38) * height
    back = np.array([[cx - w, cy - h], [cx + w, cy - h], [cx + w, cy + h], [cx - w, cy + h]])
    front = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    for k in range(4):
        quad = np.array([front[k], front[(k + 1) % 4], back[(k + 1) % 4], back[k]])
        cv2.fillPoly(image, [quad.astype(np.int32)], colour(rng, 60), cv2.LINE_AA)
    cv2.fillPoly(image, [back.astype(np.int32)], colour(rng, 90), cv2.LINE_AA)
    for _ in range(int(rng.integers(1, 9))):
        x, y = rng.uniform(0, width), rng.uniform(0.3, 1) * height
        dx, dy = rng.uniform(0.03, 0.25) * width, rng.uniform(0.03, 0.3) * height
        corner = (int(x + dx), int(y + dy))
        cv2.rectangle(image, (int(x), int(y)), corner, colour(rng, 20, 220), -1)
        cv2.rectangle(image, (int(x), int(y - dy / 4)), (corner[0], int(y)), colour(rng, 60), -1)
    for _ in range(int(rng.integers(0, 4))):
        place = rng.integers(0, (width, max(2, height // 2))).tolist()
        cv2.circle(image, place, int(rng.integers(4, 30)), (255, 250, 225), -1)
    return _grained(image, rng)


def portrait(rng: np.random.Generator, height: int, width: int) -> Image:
    """One to three people from near: shoulders, head, hair, eyes."""
    image = gradient(rng, height, width)
    for _ in range(int(rng.integers(1, 4))):
        x, y = int(rng.uniform(0.2, 0.8) * width), int(rng.uniform(0.3, 0.6) * height)
        r = int(rng.uniform(0.12, 0.35) * height)
        tone = rng.uniform(0.3, 1.0)
        skin = tuple(int(tone * c) for c in (235, 190, 160))
        cv2.ellipse(image, (x, y + 2 * r), (2 * r, r + r // 4), 0, 0, 360, colour(rng), -1)
        cv2.circle(image, (x, y - r // 5), r + r // 8, colour(rng, 0, 120), -1)
        cv2.ellipse(image, (x, y), (int(0.75 * r), r), 0, 0, 360, skin, -1, cv2.LINE_AA)
        for side in (-1, 1):
            cv2.circle(image, (x + side * r // 3, y - r // 6), max(2, r // 10), (30, 20, 15), -1)
        cv2.ellipse(image, (x, y + r // 2), (r // 3, r // 8), 0, 0, 180, (150, 50, 50), 3)
    return _grained(image, rng)


def windows(rng: np.random.Generator, height: int, width: int) -> Image:
    """Windows of a desktop: bars, buttons, text and icons."""
    image = gradient(rng, height, width)
    for _ in range(int(rng.integers(1, 6))):
        x, y = int(rng.uniform(-0.1, 0.7) * width), int(rng.uniform(0, 0.6) * height)
        w, h = int(rng.uniform(0.3, 0.9) * width), int(rng.uniform(0.3, 0.9) * height)
        pane = colour(rng, 220) if rng.random() < 0.6 else colour(rng, 10, 60)
        cv2.rectangle(image, (x, y), (x + w, y + h), pane, -1)
        cv2.rectangle(image, (x, y), (x + w, y + 18), colour(rng, 60), -1)
        ink = colour(rng, 0, 80) if pane[0] > 128 else colour(rng, 150)
        for line in range(y + 34, min(y + h, height), 15):
            text = ''.join(chr(c) for c in rng.integers(40, 123, int(rng.integers(0, 60))))
            where = (max(0, x) + 8, line)
            cv2.putText(image, text[: max(0, w // 8)], where, _FONTS[0], 0.38, ink, 1, cv2.LINE_AA)
    return image


def wall(rng: np.random.Generator, height: int, width: int) -> Image:
    """Bricks, tiles or planks, flat in front of the lens."""
    image = np.full((height, width, 3), colour(rng, 60), dtype=np.uint8)
    h, w = int(rng.uniform(12, 90)), int(rng.uniform(20, 240))
    base, gap = np.array(colour(rng, 40)), int(rng.integers(1, 6))
    for row, y in enumerate(range(0, height, h)):
        for x in range(-w * (row % 2) // 2, width, w):
            shade = np.clip(base + rng.normal(0, 14, 3), 0, 255).astype(int).tolist()
            cv2.rectangle(image, (x, y), (x + w - gap, y + h - gap), shade, -1)
    grain = spectral(rng, height, width, rng.uniform(0.3, 1.5))[..., None]
    return np.asarray(image * (0.75 + 0.3 * grain), dtype=np.float32).clip(0, 255).astype(np.uint8)


def hills(rng: np.random.Generator, height: int, width: int) -> Image:
    """Sky over ranges of hills, trees or dunes; no road, nobody."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    top, low = np.array(colour(rng, 80)), np.array(colour(rng, 130))
    image = np.asarray((top * (1 - y) + low * y) * np.ones((1, width, 1)), dtype=np.uint8)
    line = rng.uniform(0.2, 0.6) * height
    while line < height:
        ridge = spectral(rng, 2, width, rng.uniform(0.8, 2))[0] * rng.uniform(0.02, 0.3) * height
        points = np.stack([np.arange(width), line + ridge], 1)
        points = np.concatenate([points, [[width, height], [0, height]]]).astype(np.int32)
        cv2.fillPoly(image, [points], colour(rng, 20, 200))
        line += rng.uniform(0.06, 0.4) * height
    grain = spectral(rng, height, width, rng.uniform(0.3, 1.3))[..., None]
    rough = rng.uniform(0.1, 0.7)
    return np.asarray(image * (1 - rough + rough * grain), dtype=np.uint8)


def blossoms(rng: np.random.Generator, height: int, width: int) -> Image:
    """Leaves, petals or grass from near."""
    image = np.asarray(clouds(rng, height, width) // 2, dtype=np.uint8)
    base, reach = np.array(colour(rng, 30)), rng.uniform(0.02, 0.2) * width
    for _ in range(int(rng.integers(40, 240))):
        place = rng.integers(0, (width, height)).tolist()
        axes = (int(reach * rng.uniform(0.5, 1)), max(1, int(reach * rng.uniform(0.05, 0.45))))
        shade = np.clip(base + rng.normal(0, 35, 3), 0, 255).astype(int).tolist()
        turn = float(rng.uniform(0, 360))
        cv2.ellipse(image, place, axes, turn, 0, 360, shade, -1, cv2.LINE_AA)
    return image


def code(rng: np.random.Generator, height: int, width: int) -> Image:
    """A square or bar code, large or as part of a sheet."""
    cell = int(rng.integers(3, 40))
    bits = rng.random((height // cell + 1, width // cell + 1)) < rng.uniform(0.3, 0.7)
    if rng.random() < 0.4:
        bits[:] = bits[:1]
    grid = np.kron(bits, np.ones((cell, cell), dtype=bool))[:height, :width]
    light, dark = np.array(colour(rng, 170)), np.array(colour(rng, 0, 80))
    image = np.where(grid[..., None], light, dark).astype(np.uint8)
    border = int(rng.uniform(0, 0.25) * height)
    image[:border] = image[height - border :] = light
    return image


def _grained(image: Image, rng: np.random.Generator) -> Image:
    """Add light that falls off and texture, as a photograph has."""
    shade = cv2.resize(
        rng.uniform(0.5, 1.15, (3, 4)), image.shape[1::-1], interpolation=cv2.INTER_CUBIC
    )
    height, width = image.shape[:2]
    grain = spectral(rng, height, width, rng.uniform(0.3, 1.3))
    x = image * (shade * (0.85 + 0.3 * grain))[..., None]
    return np.asarray(x.clip(0, 255), dtype=np.uint8)


KINDS: dict[str, Callable[[np.random.Generator, int, int], Image]] = {
    f.__name__: f
    for f in (
        document,
        chart,
        pattern,
        clouds,
        gradient,
        cells,
        shapes,
        room,
        portrait,
        windows,
        wall,
        hills,
        blossoms,
        code,
    )
}
