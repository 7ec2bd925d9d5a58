# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Memory that stays where it is over days: how the C library keeps large blocks."""

import ctypes

_M_MMAP_THRESHOLD = -3
_M_TRIM_THRESHOLD = -1
_M_ARENA_MAX = -8
LARGE_BYTES = 128 * 1024
MOST_ARENAS = 2


def give_large_blocks_back() -> bool:
    """
    Give freed images back to the system at once, rather than keep them in a heap full of holes.

    glibc raises its limit for that to the largest block that was ever freed. From then on images
    of changing sizes lie among small blocks that stay, and the heap grows for hours.

    :returns: Whether it could be set: the C library may be another.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = {
        _M_MMAP_THRESHOLD: LARGE_BYTES,
        _M_TRIM_THRESHOLD: 8 * LARGE_BYTES,
        _M_ARENA_MAX: MOST_ARENAS,
    }
    return all(mallopt(key, value) == 1 for key, value in settings.items())
