# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Pictures that are all but the same: copies that were scaled, recompressed or made brighter.

A difference hash of 16 x 16 cells names candidates; a small picture of each decides, since
pictures of one kind (radiographs) are alike in all but the detail that matters.

Hash: N. Krawetz, Kind of Like That, 2013. The package ImageHash would bring SciPy and PyWavelets
for these few lines.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CELLS = 16
_SMALL = 64
_STEPS = 24
_MOST_BITS = 20
_MOST_MEAN, _MOST_ANYWHERE = 0.07, 0.5
"""Differences of two small pictures, in standard deviations of their grey."""
_ROWS = 512


@dataclass(frozen=True, slots=True)
class Look:
    """
    What is kept of a picture.

    :param bits: (256,) of -1 and 1: whether each cell is brighter than the one on its left.
    :param small: (64, 64) grey, of mean 0 and 24 steps a standard deviation.
    """

    bits: NDArray[np.int8]
    small: NDArray[np.int8]


def look_at(rgb: NDArray[np.uint8]) -> Look:
    """Take what is needed to find the picture again."""
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(grey, (_CELLS + 1, _CELLS), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = np.where(cells[:, 1:] > cells[:, :-1], 1, -1).astype(np.int8).ravel()
    small = cv2.resize(grey, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA).astype(np.float32)
    small = (small - small.mean()) / max(float(small.std()), 1.0)
    return Look(bits, np.clip(small * _STEPS, -127, 127).astype(np.int8))


def near_pairs(looks: Sequence[Look]) -> Iterator[tuple[int, int]]:
    """
    Yield the numbers of pictures that are all but the same, the lower one first.

    No more pairs than it takes to connect all that are alike: N blank pictures give N - 1.
    """
    if not looks:
        return
    bits = np.stack([look.bits for look in looks]).astype(np.float32)
    limit = _CELLS * _CELLS - 2 * _MOST_BITS
    groups = _Groups(len(looks))
    for first in range(0, len(looks), _ROWS):
        block = bits[first : first + _ROWS]
        rows, columns = np.nonzero(block @ bits.T >= limit)
        for i, j in zip((rows + first).tolist(), columns.tolist(), strict=True):
            if i >= j or groups.root(i) == groups.root(j):
                continue
            if _same(looks[i].small, looks[j].small):
                groups.join(i, j)
                yield i, j


def _same(one: NDArray[np.int8], two: NDArray[np.int8]) -> bool:
    apart = np.abs(one.astype(np.float32) - two.astype(np.float32)) / _STEPS
    return float(apart.mean()) < _MOST_MEAN and float(apart.max()) < _MOST_ANYWHERE


class _Groups:
    """Numbers that belong together, each group known by its lowest."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, k: int) -> int:
        """Return the lowest number of the group of ``k``."""
        parent = self._parent
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    def join(self, i: int, j: int) -> None:
        """Make one group of two."""
        a, b = sorted((self.root(i), self.root(j)))
        self._parent[b] = a


def groups_of(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """
    Put pictures that are connected by pairs into one group.

    :returns: For each of ``count`` pictures the lowest number in its group.
    """
    groups = _Groups(count)
    for i, j in pairs:
        groups.join(i, j)
    return [groups.root(k) for k in range(count)]
