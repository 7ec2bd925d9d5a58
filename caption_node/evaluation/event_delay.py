# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""How soon, and whether at all, events are reported that the labels say have happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
import math

from caption_node.description import FIELDS, FieldValue, Value
from caption_node.events import EVENT_KINDS

BRIDGED_S = 0.3
"""Truth that is interrupted for less, or holds for less, is a matter of pixels, not an event."""
SPARSEST_S = 0.5
"""Labels further apart than this do not tell when something has happened."""
# That nothing moves is in no label.
KINDS = tuple(name for name in EVENT_KINDS if name != 'stopped_traffic')

LabelledInstant = tuple[str, float, float, Mapping[str, Value]]
"""Camera, recording time, time of the play (both seconds), and the fields that are true."""


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """
    An event from its beginning to its end, as labels or the node have it.

    :param begin_s: Recording time at which it begins, seconds.
    :param end_s: Recording time at which it no longer holds; infinite if it never ends.
    :param at_s: When its beginning was known, on the clock of the play, seconds.
    """

    camera: str
    kind: str
    value: str
    begin_s: float
    end_s: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """
    That something has begun or ended, as it was heard.

    :param phase: ``begin`` or ``end``.
    :param time_s: Recording time of the image in which it was first seen, or no longer, seconds.
    :param at_s: When it was heard, on the clock of the play, seconds.
    """

    camera: str
    kind: str
    value: str
    phase: str
    time_s: float
    at_s: float


@dataclass(frozen=True, slots=True)
class EventDelays:
    """
    One kind of event.

    :param true: How many there are by the labels.
    :param found: How many of these were reported while they held.
    :param unfounded: Reported ones that never held meanwhile.
    :param delays_s: From the publication of the first image that shows it to the arrival of the
        report, in recording time, seconds; 0 where it was reported before it was true.
    """

    true: int
    found: int
    unfounded: int
    delays_s: tuple[float, ...]


def measure_events(
    instants: Sequence[LabelledInstant], reported: Sequence[HeldEvent], rate: float = 1.0
) -> dict[str, EventDelays]:
    """
    Hold the reported events against the labels.

    :param instants: By camera and time, ascending.
    :param rate: How many times as fast as recorded the play was.
    :returns: By kind; empty where labels are too far apart, or lack fields.
    """
    cameras: dict[str, list[LabelledInstant]] = {}
    for instant in instants:
        cameras.setdefault(instant[0], []).append(instant)
    if not all(_is_dense(of) for of in cameras.values()):
        return {}
    measured = {}
    for kind in KINDS:
        true = [event for of in cameras.values() for event in true_events(of, kind)]
        said = [event for event in reported if event.kind == kind]
        first = [next((s for s in said if _meet(t, s)), None) for t in true]
        measured[kind] = EventDelays(
            true=len(true),
            found=sum(s is not None for s in first),
            unfounded=sum(not any(_meet(t, s) for t in true) for s in said),
            delays_s=tuple(
                max(0.0, (s.at_s - t.at_s) * rate)
                for t, s in zip(true, first, strict=True)
                if s is not None
            ),
        )
    return measured


def true_events(instants: Sequence[LabelledInstant], kind: str) -> list[HeldEvent]:
    """
    Return when something held by the labels of one camera.

    :param instants: In the order of time.
    """
    found: list[HeldEvent] = []
    held: HeldEvent | None = None
    for camera, time_s, at_s, fields in instants:
        scene = {name: FieldValue(value, 1.0) for name, value in fields.items()}
        value = EVENT_KINDS[kind].see(scene, False).value
        if held is not None and value != held.value:
            found.append(_ended(held, time_s))
            held = None
        if held is None and value is not None:
            held = HeldEvent(camera, kind, value, time_s, math.inf, at_s)
            before = found[-1] if found else None
            if before and before.value == value and time_s - before.end_s < BRIDGED_S:
                held = found.pop()
    if held is not None:
        found.append(_ended(held, math.inf))
    return [event for event in found if event.end_s - event.begin_s >= BRIDGED_S]


def pair_reports(reports: Sequence[Report]) -> list[HeldEvent]:
    """
    Make events of reported beginnings and ends.

    :param reports: In the order in which they were heard.
    """
    held: dict[tuple[str, str], HeldEvent] = {}
    found = []
    for report in reports:
        key = (report.camera, report.kind)
        if key in held:
            found.append(_ended(held.pop(key), report.time_s))
        if report.phase == 'begin':
            held[key] = HeldEvent(*key, report.value, report.time_s, math.inf, report.at_s)
    return [*found, *held.values()]


def _ended(event: HeldEvent, end_s: float) -> HeldEvent:
    return HeldEvent(event.camera, event.kind, event.value, event.begin_s, end_s, event.at_s)


def _meet(true: HeldEvent, said: HeldEvent) -> bool:
    """Whether a report is of a true event: the same thing, at an overlapping time."""
    return (
        (true.camera, true.value) == (said.camera, said.value)
        and said.begin_s < true.end_s
        and true.begin_s < said.end_s
    )


def _is_dense(instants: Sequence[LabelledInstant]) -> bool:
    gaps = sorted(b[1] - a[1] for a, b in pairwise(instants))
    whole = all(len(fields) == len(FIELDS) for _, _, _, fields in instants)
    return whole and bool(gaps) and gaps[len(gaps) // 2] <= SPARSEST_S
