# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Rows that were found, merged into moments of one camera, and ranked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# How much a moment gains that lasts, at most: a single frame may be a slip of the model.
_LASTING_GAIN = 0.3
_LASTING_FRAMES = 4.0


@dataclass(frozen=True, slots=True)
class Run:
    """
    Rows that belong together.

    :param first: Place of the first row.
    :param last: Place of the last row.
    :param best: Place of the row that fits best.
    :param frames: How many rows.
    """

    first: int
    last: int
    best: int
    frames: int
    score: float


def merge(
    places: NDArray[np.int64],
    scores: NDArray[np.float32],
    streams: NDArray[np.uint32],
    times_ns: NDArray[np.int64],
    gap_ns: int,
    wanted: int,
    newest_first: bool,
) -> tuple[list[Run], int]:
    """
    Merge rows into moments and return the first of them.

    :param places: Of the rows that were found, ascending.
    :param scores: One a row that was found.
    :param streams: Recording and topic of the rows that were found.
    :param times_ns: When they were recorded.
    :param gap_ns: Rows further apart belong to different moments.
    :param wanted: How many moments, the best or the newest.
    :returns: The moments, and how many there are in all.
    """
    if not len(places):
        return [], 0
    if np.any(streams[1:] < streams[:-1]) or np.any(
        (times_ns[1:] < times_ns[:-1]) & (streams[1:] == streams[:-1])
    ):
        order = np.lexsort((times_ns, streams))
        places, scores = places[order], scores[order]
        streams, times_ns = streams[order], times_ns[order]
    is_start = np.ones(len(places), dtype=bool)
    is_start[1:] = (streams[1:] != streams[:-1]) | (times_ns[1:] - times_ns[:-1] > gap_ns)
    starts = np.flatnonzero(is_start)
    ends = np.append(starts[1:], len(places)) - 1
    frames = ends - starts + 1
    best = np.maximum.reduceat(scores, starts)
    rank = best * (1.0 + _LASTING_GAIN * (1.0 - np.exp((1 - frames) / _LASTING_FRAMES)))
    key = times_ns[ends].astype(np.float64) if newest_first else rank.astype(np.float64)
    if len(key) > 4 * wanted:
        chosen = np.flatnonzero(key >= np.partition(key, len(key) - wanted)[len(key) - wanted])
    else:
        chosen = np.arange(len(key))
    # Equal ranks: the newest first.
    chosen = chosen[np.lexsort((-times_ns[starts[chosen]], -key[chosen]))][:wanted]
    runs = []
    for i in chosen.tolist():
        first, last = int(starts[i]), int(ends[i])
        top = first + int(scores[first : last + 1].argmax())
        runs.append(
            Run(int(places[first]), int(places[last]), int(places[top]), last - first + 1,
                float(rank[i]))
        )  # fmt: skip
    return runs, len(starts)
