# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Memory that stays where it is over days: how the C library keeps blocks of the size of images.

Fresh pages from the system for every image cost more than decoding it, so blocks are kept in the
heap. There images of changing sizes leave holes: their pages go back every few seconds.
"""

from collections.abc import Callable
import ctypes
from functools import cache
from typing import Any

_M_MMAP_THRESHOLD = -3
_M_TRIM_THRESHOLD = -1
_M_ARENA_MAX = -8
LARGE_BYTES = 32 * 1024 * 1024
"""Larger blocks come from the system each time; glibc takes no higher limit."""
MOST_ARENAS = 2
RETURN_PERIOD_S = 5.0


def keep_images_in_heap() -> bool:
    """
    Let the C library keep freed images for the next ones.

    :returns: Whether it could be set: the C library may be another.
    """
    mallopt = _function('mallopt')
    settings = {
        _M_MMAP_THRESHOLD: LARGE_BYTES,
        _M_TRIM_THRESHOLD: 2 * LARGE_BYTES,
        _M_ARENA_MAX: MOST_ARENAS,
    }
    return mallopt is not None and all(mallopt(k, value) == 1 for k, value in settings.items())


def return_free_pages() -> bool:
    """
    Give all pages of the heap that hold nothing back to the system.

    :returns: Whether there were any.
    """
    malloc_trim = _function('malloc_trim')
    return malloc_trim is not None and malloc_trim(0) == 1


class PageReturner:
    """
    Gives free pages back from time to time.

    :param give_back: What does it.
    """

    def __init__(self, give_back: Callable[[], object] = return_free_pages) -> None:
        self._give_back = give_back
        self._last_s = 0.0

    def tick(self, now_s: float) -> None:
        """
        Give pages back if it is time; call it regularly.

        :param now_s: Any clock that runs on, seconds.
        """
        if now_s - self._last_s >= RETURN_PERIOD_S:
            self._last_s = now_s
            self._give_back()


@cache
def _function(name: str) -> Any:
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
