# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Pictures that show no road, of kinds that nothing was fitted to.

What trust is fitted to is drawn by ``caption_node.training.spoilt``: other kinds, other code.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
_FONT = cv2.FONT_HERSHEY_PLAIN


def _tint(rng: np.random.Generator, low: int, high: int) -> list[int]:
    return [int(c) for c in rng.integers(low, high, 3)]


def _lumps(rng: np.random.Generator, height: int, width: int, size: int) -> NDArray[np.float32]:
    """Soft lumps of about ``size`` pixels, 0..1."""
    coarse = rng.random((height // size + 2, width // size + 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def _bytes(x: NDArray[np.floating]) -> Image:
    return np.asarray(x.clip(0, 255), dtype=np.uint8)


def street_map(rng: np.random.Generator, height: int, width: int) -> Image:
    """Streets, blocks, a river and names, from above, as on paper."""
    image = np.full((height, width, 3), (242, 239, 230), dtype=np.uint8)
    bank = np.cumsum(rng.normal(0, 14, 12)) + height / 2
    river = np.stack([np.linspace(-10, width + 10, 12), bank], 1).astype(np.int32)
    for _ in range(8):
        corner = rng.integers(0, (width, height)).tolist()
        far = (corner[0] + int(rng.integers(30, 120)), corner[1] + int(rng.integers(20, 90)))
        cv2.rectangle(image, corner, far, (200, 225, 185), -1)
    cv2.polylines(image, [river], False, (165, 200, 225), 22, cv2.LINE_AA)
    for _ in range(int(rng.integers(15, 50))):
        a, b = (rng.integers(-50, (width + 50, height + 50)).tolist() for _ in range(2))
        wide = int(rng.choice([3, 5, 9]))
        cv2.line(image, a, b, (190, 180, 170), wide + 2, cv2.LINE_AA)
        cv2.line(image, a, b, (255, 255, 255) if wide < 9 else (250, 215, 130), wide, cv2.LINE_AA)
    for _ in range(14):
        name = ''.join(chr(c) for c in rng.integers(97, 123, 7)).title()
        cv2.putText(image, name, rng.integers(0, (width, height)).tolist(), _FONT, 1, (60, 60, 60))
    return image


def head(rng: np.random.Generator, height: int, width: int) -> Image:
    """One head that fills the frame, light from one side."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = (x - width * rng.uniform(0.35, 0.65)) / height, (y - height * 0.5) / height
    face = 1 / (1 + np.exp(np.clip(((x / 0.33) ** 2 + (y / 0.46) ** 2 - 1) * 18, -30, 30)))
    shade = 0.75 + rng.uniform(-1, 1) * x - 0.3 * y
    for side in (-0.13, 0.13):
        shade -= 0.6 * np.exp(-(((x - side) / 0.05) ** 2) - ((y + 0.07) / 0.025) ** 2)
    shade -= 0.3 * np.exp(-((x / 0.03) ** 2) - ((y - 0.06) / 0.05) ** 2)
    shade -= 0.45 * np.exp(-((x / 0.1) ** 2) - ((y - 0.21) / 0.02) ** 2)
    skin = np.array([230, 180, 150]) * rng.uniform(0.35, 1)
    behind = (
        np.array(_tint(rng, 20, 230)) * (0.7 + 0.4 * _lumps(rng, height, width, 90))[..., None]
    )
    hair = (y < -0.2 + 0.06 * np.sin(x * 25))[..., None] * face[..., None]
    picture = skin * shade[..., None] * face[..., None] + behind * (1 - face[..., None])
    return _bytes(picture * (1 - 0.8 * hair) + rng.normal(0, 3, picture.shape))


def scan(rng: np.random.Generator, height: int, width: int) -> Image:
    """A section through a body: nested bright rings and organs on black."""
    image = np.zeros((height, width), dtype=np.float32)
    c, r = (width // 2, height // 2), height * rng.uniform(0.38, 0.48)
    cv2.ellipse(image, c, (int(r * rng.uniform(1, 1.5)), int(r)), 0, 0, 360, 210.0, -1)
    cv2.ellipse(image, c, (int(r * 0.95), int(r * 0.93)), 0, 0, 360, 90.0, -1)
    for _ in range(int(rng.integers(5, 16))):
        place = (np.array(c) + rng.normal(0, r / 3, 2)).astype(int).tolist()
        axes = (rng.uniform(0.04, 0.3, 2) * r).astype(int).tolist()
        turn, grey = float(rng.uniform(0, 180)), float(rng.uniform(10, 230))
        cv2.ellipse(image, place, axes, turn, 0, 360, grey, -1, cv2.LINE_AA)
    image = cv2.GaussianBlur(image, (0, 0), 1.5) + rng.normal(0, 7, image.shape)
    return np.repeat(_bytes(image)[..., None], 3, axis=2)


def aerial(rng: np.random.Generator, height: int, width: int) -> Image:
    """Fields, a village and tracks, straight from above."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    turn = rng.uniform(0, np.pi)
    u = x * np.cos(turn) + y * np.sin(turn) + 30 * _lumps(rng, height, width, 120)
    v = y * np.cos(turn) - x * np.sin(turn) + 30 * _lumps(rng, height, width, 120)
    number = (u // rng.uniform(50, 140)).astype(int) * 31 + (v // rng.uniform(40, 120)).astype(int)
    crops = rng.uniform(0.6, 1.1, (64, 1)) * np.array([105, 120, 65]) + rng.normal(0, 14, (64, 3))
    furrows = 6 * np.sin(u[..., None] * rng.uniform(0.5, 1.5))
    image = _bytes(
        crops[number % 64] + furrows + 25 * (_lumps(rng, height, width, 5)[..., None] - 0.5)
    )
    for _ in range(int(rng.integers(0, 40))):
        place = (rng.integers(0, (width, height)).tolist(), (14, 9), float(rng.uniform(0, 90)))
        corners = cv2.boxPoints(place).astype(np.int32)
        cv2.fillPoly(image, [corners], (170, 90, 70), cv2.LINE_AA)
    return image


def terminal(rng: np.random.Generator, height: int, width: int) -> Image:
    """Light letters on a dark screen."""
    image = np.full((height, width, 3), _tint(rng, 5, 40), dtype=np.uint8)
    for y in range(14, height, 14):
        text = ''.join(chr(c) for c in rng.integers(33, 123, int(rng.integers(0, 80))))
        x = 8 + 24 * int(rng.integers(0, 3))
        cv2.putText(image, text, (x, y), _FONT, 0.9, _tint(rng, 110, 250), 1, cv2.LINE_AA)
    return image


def fractal(rng: np.random.Generator, height: int, width: int) -> Image:
    """A Julia set."""
    y, x = np.mgrid[-1.2 : 1.2 : height * 1j, -1.8 : 1.8 : width * 1j]
    z = ((x + 1j * y) * rng.uniform(0.3, 1)).astype(np.complex64)
    angle = rng.uniform(0, 2 * np.pi)
    c = np.complex64(0.7885 * np.exp(1j * angle))
    steps = np.zeros(z.shape, dtype=np.float32)
    for _ in range(40):
        z = z * z + c
        inside = np.abs(z) < 4
        steps += inside
        z[~inside] = 4
    phase = rng.uniform(0, 6, 3)
    return _bytes(128 + 120 * np.sin(steps[..., None] * rng.uniform(0.1, 0.5) + phase))


def corridor(rng: np.random.Generator, height: int, width: int) -> Image:
    """A corridor with tiles, doors and lamps, seen along its axis."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = (x - width / 2) / height + rng.uniform(-0.2, 0.2), (y - height * 0.45) / height
    half = rng.uniform(0.8, 1.6)
    far = np.minimum(half / np.maximum(np.abs(x), 1e-3), 1.0 / np.maximum(np.abs(y), 1e-3))
    on_wall = half / np.maximum(np.abs(x), 1e-3) < 1.0 / np.maximum(np.abs(y), 1e-3)
    tile = ((far * 3).astype(int) + (x * far * 3).astype(int)) % 2
    wall = np.where((far % 3 < 0.9) & (y * far > -0.6), 0.45, 0.85)
    lamp = np.where((np.abs(x * far) < 0.25) & (far % 2 < 0.8), 1.3, 0.8)
    light = np.where(on_wall, wall, np.where(y > 0, 0.5 + 0.25 * tile, lamp)) / (1 + 0.06 * far)
    hue = np.where(on_wall[..., None], _tint(rng, 150, 255), _tint(rng, 120, 255))
    return _bytes(light[..., None] * hue + rng.normal(0, 3, (height, width, 3)))


def fur(rng: np.random.Generator, height: int, width: int) -> Image:
    """Hair or grass from very near."""
    image = np.full((height, width, 3), _tint(rng, 20, 120), dtype=np.uint8)
    base, lean = np.array(_tint(rng, 60, 210)), rng.uniform(-1, 1)
    for _ in range(1500):
        a = rng.integers(-20, (width + 20, height + 20))
        b = a + np.array([rng.normal(lean * 30, 9), -rng.uniform(20, 60)])
        shade = np.clip(base * rng.uniform(0.4, 1.25), 0, 255).astype(int).tolist()
        cv2.line(
            image, a.tolist(), b.astype(int).tolist(), shade, 1 + int(rng.integers(2)), cv2.LINE_AA
        )
    return image


def sea(rng: np.random.Generator, height: int, width: int) -> Image:
    """Water to the horizon under a sky."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    line = rng.uniform(0.25, 0.6)
    deep = np.maximum(y - line, 0.003)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    waves = np.sin(3 / deep + 9 * _lumps(rng, height, width, 25)) * np.sin(x / deep * 2 + 5)
    sky = np.array(_tint(rng, 130, 240)) * (1 - 0.3 * y[..., None]) * np.ones((1, width, 1))
    water = np.array(_tint(rng, 20, 140)) * (1 + 0.3 * waves[..., None])
    return _bytes(np.where(y[..., None] < line, sky, water) + rng.normal(0, 2, (height, width, 3)))


def plates(rng: np.random.Generator, height: int, width: int) -> Image:
    """Plates, bowls and food on a table, from above."""
    grain = _lumps(rng, height, width, 6)[..., None] * 25
    image = _bytes(np.array(_tint(rng, 60, 220)) + grain)
    for _ in range(int(rng.integers(2, 7))):
        place, r = rng.integers(0, (width, height)).tolist(), int(rng.uniform(0.15, 0.4) * height)
        cv2.circle(image, place, r, _tint(rng, 200, 256), -1, cv2.LINE_AA)
        cv2.circle(image, place, int(r * 0.75), _tint(rng, 180, 240), 2, cv2.LINE_AA)
        for _ in range(25):
            bite = (np.array(place) + rng.normal(0, r / 3, 2)).astype(int).tolist()
            cv2.circle(image, bite, max(2, r // 8), _tint(rng, 40, 220), -1, cv2.LINE_AA)
    return image


def shelf(rng: np.random.Generator, height: int, width: int) -> Image:
    """Rows of book spines."""
    image = np.full((height, width, 3), _tint(rng, 30, 90), dtype=np.uint8)
    row = int(rng.uniform(0.25, 0.6) * height)
    for top in range(0, height, row):
        x = 0
        while x < width:
            wide = int(rng.integers(8, 40))
            low = top + int(rng.uniform(0.03, 0.3) * row)
            cv2.rectangle(image, (x, low), (x + wide - 2, top + row - 8), _tint(rng, 20, 230), -1)
            cv2.line(
                image,
                (x + wide // 2, low + 20),
                (x + wide // 2, low + 60),
                _tint(rng, 150, 255),
                3,
            )
            x += wide
    return _bytes(image + rng.normal(0, 4, image.shape))


def notes(rng: np.random.Generator, height: int, width: int) -> Image:
    """Sheet music."""
    image = np.full((height, width, 3), 248, dtype=np.uint8)
    for top in range(20, height - 50, 80):
        for k in range(5):
            cv2.line(image, (15, top + 9 * k), (width - 15, top + 9 * k), (0, 0, 0), 1)
        for x in range(40, width - 20, int(rng.integers(18, 40))):
            y = top + int(rng.integers(-5, 42))
            cv2.ellipse(image, (x, y), (6, 4), -20, 0, 360, (0, 0, 0), -1, cv2.LINE_AA)
            cv2.line(image, (x + 6, y), (x + 6, y - 30), (0, 0, 0), 1)
    return image


def test_card(rng: np.random.Generator, height: int, width: int) -> Image:
    """Colour bars with a grey wedge and a circle."""
    bars = np.array([[w & 1, w >> 1 & 1, w >> 2 & 1] for w in rng.permutation(8)]) * 190 + 20
    rows = np.repeat(bars[None], height, 0)[:, np.arange(width) * 8 // width]
    image = np.ascontiguousarray(rows, dtype=np.uint8)
    wedge = (np.arange(width) * 255 // width).astype(np.uint8)
    image[height * 3 // 4 :] = wedge[None, :, None]
    cv2.circle(image, (width // 2, height // 2), height // 3, (255, 255, 255), 3, cv2.LINE_AA)
    return image


def heat(rng: np.random.Generator, height: int, width: int) -> Image:
    """A thermal picture of warm blobs."""
    field = _bytes(255 * _lumps(rng, height, width, int(rng.integers(40, 130))))
    table = int(rng.choice([cv2.COLORMAP_JET, cv2.COLORMAP_INFERNO, cv2.COLORMAP_HOT]))
    return np.ascontiguousarray(cv2.applyColorMap(field, table)[..., ::-1])


def white(rng: np.random.Generator, height: int, width: int) -> Image:
    """Blinded: white, with hardly any noise."""
    return _bytes(rng.uniform(245, 255) + rng.normal(0, rng.uniform(0, 3), (height, width, 3)))


def black(rng: np.random.Generator, height: int, width: int) -> Image:
    """No light, the sensor's own noise."""
    return _bytes(np.abs(rng.normal(0, rng.uniform(0, 5), (height, width, 3))))


def noise(rng: np.random.Generator, height: int, width: int) -> Image:
    """Coloured or grey noise, fine or in small grains, strong."""
    shape = (height, width, 3 if rng.random() < 0.6 else 1)
    field = rng.normal(rng.uniform(60, 190), rng.uniform(25, 110), shape).astype(np.float32)
    if rng.random() < 0.4:
        part = np.ascontiguousarray(field[::2, ::2])
        field = cv2.resize(part, (width, height), interpolation=cv2.INTER_NEAREST)
    return _bytes(np.broadcast_to(field.reshape(height, width, -1), (height, width, 3)))


Draw = Callable[[np.random.Generator, int, int], Image]
EMPTY: dict[str, Draw] = {f.__name__: f for f in (black, white, noise)}
NON_DRIVING: dict[str, Draw] = {
    f.__name__: f
    for f in (
        street_map,
        head,
        scan,
        aerial,
        terminal,
        fractal,
        corridor,
        fur,
        sea,
        plates,
        shelf,
        notes,
        test_card,
        heat,
    )
}
