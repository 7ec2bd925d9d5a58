# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What a picture looks like in a few hundred numbers: where light, colour and detail lie.

They tell a road from a sheet of paper, and an open lens from a covered one, whatever the network
thinks of the picture.
"""

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT = 160, 96
_COLUMNS, _ROWS = 8, 6
_LEAST = 16
_BINS = 8
_BANDS, _SIDES = 3, 2
_CELLS = _COLUMNS * _ROWS
GROUPS = {
    'light': _CELLS,
    'colour': 2 * _CELLS,
    'detail': 2 * _CELLS,
    'detail relative to contrast': 2 * _CELLS,
    'directions': _BANDS * _SIDES * _BINS,
    'tones': 11,
    'sharpness': 7,
}
"""What the features tell of, in order, and how many there are of each."""
Floats = NDArray[np.float32]


def picture_features(image: NDArray[np.uint8]) -> Floats:
    """
    Describe the light, colour, detail and sharpness of a picture.

    :param image: (H, W, 3) RGB, scaled to the model's input, without the bars.
    :returns: (F,) float32; F is the same for all pictures.
    """
    import cv2

    image = np.ascontiguousarray(image)
    if min(image.shape[:2]) < _LEAST:
        image = cv2.resize(image, (_LEAST, _LEAST), interpolation=cv2.INTER_NEAREST)
    height, width = image.shape[:2]
    half = image
    if height >= 2 * _HEIGHT and width >= 2 * _WIDTH and not (height | width) & 1:
        # To exactly half the size first: the same picture in a third of the time.
        half = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    small = cv2.resize(half, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    little = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    cell = cv2.resize(small, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)
    total = cell.sum(axis=2) + 24
    light = np.log(total / total.mean())
    chroma = (cell[..., [0, 2]] - cell[..., 1:2]) / total[..., None] * 10
    spread = float(little.std())
    dx = cv2.Sobel(little, cv2.CV_32F, 1, 0)
    dy = cv2.Sobel(little, cv2.CV_32F, 0, 1)
    detail = [
        np.log(cv2.resize(np.abs(d), (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA) + 1)
        for d in (dx, dy)
    ]
    parts = [
        light,
        chroma,
        *detail,
        *(d - np.log(4 * spread + 8) for d in detail),
        _directions(dx, dy),
        _tones(grey, small),
        _sharpness(grey),
    ]
    return np.concatenate([np.ravel(p) for p in parts]).astype(np.float32)


def _directions(dx: Floats, dy: Floats) -> Floats:
    """How edges run, in three bands and two halves of the picture; each part sums up to one."""
    import cv2

    size, angle = cv2.cartToPolar(dx, dy)
    number = (angle * (_BINS / np.pi)).astype(np.int32) % _BINS  # a line has no sign
    band = (np.arange(_HEIGHT) * _BANDS // _HEIGHT)[:, None] * _SIDES
    side = (np.arange(_WIDTH) * _SIDES // _WIDTH)[None]
    number += (band + side) * _BINS
    sums = np.bincount(number.ravel(), size.ravel(), _BANDS * _SIDES * _BINS)
    sums = sums.reshape(-1, _BINS)
    return np.asarray(sums / (sums.sum(1, keepdims=True) + 500) * 5, dtype=np.float32)


def _tones(grey: NDArray[np.uint8], small: NDArray[np.uint8]) -> list[float]:
    import cv2

    # Every other row is enough, and half the work.
    rows = grey[::2]
    counts = cv2.calcHist([rows], [0], None, [256], [0, 256]).ravel() / rows.size
    levels = np.arange(256)
    mean = float(counts @ levels)
    spread = float(np.sqrt(max(0.0, counts @ (levels - mean) ** 2)))
    low, middle, high = np.searchsorted(counts.cumsum(), (0.02, 0.5, 0.98)) / 64
    red, green, blue = cv2.split(small)
    colourful = cv2.subtract(
        cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    )
    colour_mean, colour_spread = (float(np.ravel(x)[0]) for x in cv2.meanStdDev(colourful))
    shares = counts[counts > 0]
    alike = cv2.compare(rows[:, 1:], rows[:, :-1], cv2.CMP_EQ)
    return [
        np.log(mean + 4),
        np.log(spread + 2),
        low,
        middle,
        high,
        counts[:8].sum(),
        counts[248:].sum(),
        np.log(colour_mean + 4),
        np.log(colour_spread + 4),
        # Drawings have few tones and flat areas; cameras have grain everywhere.
        float(-(shares * np.log(shares)).sum()),
        cv2.countNonZero(alike) / max(1, alike.size) * 3,
    ]


def _sharpness(grey: NDArray[np.uint8]) -> list[float]:
    """
    How much detail there is at four sizes, and how it falls from one to the next.

    What is out of focus has lost the fine sizes; noise has nothing else.
    """
    import cv2

    sizes = []
    for _ in range(4):
        rough = float(cv2.norm(cv2.Laplacian(grey, cv2.CV_16S), cv2.NORM_L1)) / grey.size
        sizes.append(np.log(rough + 0.3))
        half = (max(2, grey.shape[1] // 2), max(2, grey.shape[0] // 2))
        grey = cv2.resize(grey, half, interpolation=cv2.INTER_AREA)
    return [*sizes, *np.diff(sizes)]
