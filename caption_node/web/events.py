# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Stretches of a recording in which something holds that one would look for.

Seen afterwards, as a whole, with weather and kinds of road; what a planner is told while it
happens is in :mod:`caption_node.events`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from caption_node.description import SceneDescription

BRIDGED_GAP_S = 1.0
"""A condition that is lost for no longer than this goes on."""
SHORTEST_S = 0.3
"""What is seen for less than this is noise, unless frames are rarer."""
_LONGEST_HOLD_S = 5.0


@dataclass(frozen=True, slots=True)
class Event:
    """
    One stretch.

    :param kind: A key of :data:`WATCHED`.
    :param start_ns: Time of the first frame.
    :param end_ns: Time of the last frame.
    :param confidence: Mean over its frames, 0..1.
    :param index: Number of the first frame in the sequence that was searched.
    """

    kind: str
    camera: str
    start_ns: int
    end_ns: int
    confidence: float
    index: int


def _is(field: str, *values: object) -> Callable[[SceneDescription], float | None]:
    def holds(description: SceneDescription) -> float | None:
        known = description.scene.get(field)
        return known.confidence if known is not None and known.value in values else None

    return holds


WATCHED: Mapping[str, Callable[[SceneDescription], float | None]] = {
    'people on the road': _is('people_on_road', True),
    'lead vehicle near': _is('lead_range', 'near'),
    'red light': _is('light', 'red'),
    'yellow light': _is('light', 'yellow'),
    'green light': _is('light', 'green'),
    'construction': _is('construction', True),
    'crosswalk': _is('crosswalk', True),
    'night': _is('time', 'night'),
    'rain': _is('weather', 'rain'),
    'fog': _is('weather', 'fog'),
    'snow': _is('weather', 'snow'),
    'tunnel': _is('road', 'tunnel'),
    'no description': lambda d: 1.0 if d.status in ('abstain', 'error') else None,
}
"""Kinds of events; each function gives the confidence with which it holds, or None."""


def find_events(descriptions: Sequence[SceneDescription], times_ns: Sequence[int]) -> list[Event]:
    """
    Find the events of a recording, in the order of their beginning.

    :param times_ns: When each was recorded, ascending.
    """
    by_camera: dict[str, list[int]] = {}
    for i, description in enumerate(descriptions):
        by_camera.setdefault(description.camera, []).append(i)
    events = []
    for indices in by_camera.values():
        hold_ns = hold_of([times_ns[i] for i in indices])
        for kind, holds in WATCHED.items():
            seen = [
                (i, confidence)
                for i in indices
                if (confidence := holds(descriptions[i])) is not None
            ]
            camera = descriptions[indices[0]].camera
            events += _runs(kind, camera, times_ns, seen, hold_ns)
    return sorted(events, key=lambda e: (e.start_ns, e.camera, e.kind))


def hold_of(times_ns: Sequence[int]) -> int:
    """Return for how long a frame stands for what was seen: about the usual period, in ns."""
    steps = [b - a for a, b in pairwise(times_ns) if b > a]
    return min(round(1.5 * median(steps)), round(_LONGEST_HOLD_S * 1e9)) if steps else 10**9


def _runs(
    kind: str,
    camera: str,
    times_ns: Sequence[int],
    seen: Sequence[tuple[int, float]],
    hold_ns: int,
) -> list[Event]:
    runs: list[list[tuple[int, float]]] = []
    gap_ns = max(round(BRIDGED_GAP_S * 1e9), hold_ns)
    for i, confidence in seen:
        if runs and times_ns[i] - times_ns[runs[-1][-1][0]] <= gap_ns:
            runs[-1].append((i, confidence))
        else:
            runs.append([(i, confidence)])
    events = []
    for run in runs:
        first_ns, last_ns = times_ns[run[0][0]], times_ns[run[-1][0]]
        if last_ns - first_ns + hold_ns >= SHORTEST_S * 1e9:
            mean = fmean(confidence for _, confidence in run)
            events.append(Event(kind, camera, first_ns, last_ns, mean, run[0][0]))
    return events
