# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Cameras that give the same picture again and again while their stamps advance.

A vehicle that stands at a light is no such case: a sensor's noise changes some pixel of every
frame. A driver, grabber or network bridge that hangs repeats its last picture to the byte.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CAMERAS = 64
"""So many cameras are remembered; the one that was silent longest is forgotten first."""
_STEP = 16
"""Every so manieth row is compared first: pictures that differ mostly do so there."""


@dataclass(slots=True)
class _Seen:
    image: NDArray[np.uint8]
    since_ns: int
    last_ns: int
    repeats: int = 0


class FrozenWatch:
    """
    Remembers the last picture of every camera and tells how long it has been the same.

    :param least_s: A picture is frozen once its stamps span so many seconds.
    :param least_repeats: And once it came so many times again.
    """

    def __init__(self, least_s: float, least_repeats: int) -> None:
        self._least_ns = round(least_s * 1e9)
        self._least_repeats = least_repeats
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def standing_s(self, camera: str, stamp_ns: int, image: NDArray[np.uint8]) -> float:
        """
        Take note of a picture; call it once for every frame, in order.

        :param stamp_ns: Pictures without a stamp (0), such as single files, are never frozen.
        :param image: (H, W, 3); copied.
        :returns: For how many seconds the camera has been frozen, 0 if it is not.
        """
        if stamp_ns <= 0:
            return 0.0
        seen = self._seen.get(camera)
        if seen is None or stamp_ns < seen.last_ns or not _are_equal(seen.image, image):
            self._remember(camera, stamp_ns, image)
            return 0.0
        # The same message twice is no sign of anything: only an advancing stamp counts.
        seen.repeats += stamp_ns > seen.last_ns
        seen.last_ns = stamp_ns
        self._seen.move_to_end(camera)
        stood_ns = stamp_ns - seen.since_ns
        if seen.repeats < self._least_repeats or stood_ns < self._least_ns:
            return 0.0
        return stood_ns / 1e9

    def forget(self) -> None:
        """Forget all cameras."""
        self._seen.clear()

    def _remember(self, camera: str, stamp_ns: int, image: NDArray[np.uint8]) -> None:
        seen = self._seen.get(camera)
        if seen is not None and seen.image.shape == image.shape:
            # A fresh array for every frame would cost more than the copy.
            seen.image[:] = image
            seen.since_ns = seen.last_ns = stamp_ns
            seen.repeats = 0
        else:
            self._seen[camera] = _Seen(image.copy(), stamp_ns, stamp_ns)
        self._seen.move_to_end(camera)
        if len(self._seen) > _CAMERAS:
            self._seen.popitem(last=False)


def _are_equal(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
    return (
        a.shape == b.shape
        and np.array_equal(a[::_STEP], b[::_STEP])
        and bool(np.array_equal(a, b))
    )
