# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The closing table: how many, how old, and how often right."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from caption_node.description import FIELDS, SceneDescription, Value
from caption_node.ros.listener import Heard
from caption_node.scenes import SceneTruth

COUNT_TOLERANCE = 1
"""Counts agree when they differ by no more than this."""


def rows_of(sent: int, heard: Sequence[Heard]) -> list[tuple[str, str]]:
    """How many frames were described, and how old the descriptions were when they arrived."""
    described = len({(h.description.camera, h.description.stamp_ns) for h in heard})
    ages = [h.age_ms for h in heard if h.age_ms == h.age_ms]
    states = [h.description.status for h in heard]
    captions = {h.description.caption for h in heard}
    rows = [
        ('frames sent', str(sent)),
        ('described', f'{described} ({_percent(described, sent)})'),
        ('dropped for newer ones', str(max(0, sent - described))),
    ]
    if ages:
        p50, p95 = np.percentile(ages, (50, 95))
        rows.append(('age p50 / p95', f'{p50:.0f} / {p95:.0f} ms'))
    for status in ('abstain', 'error'):
        if status in states:
            rows.append((f'status {status}', str(states.count(status))))
    rows.append(('different sentences', str(len(captions))))
    return rows


def agreement(
    pairs: Iterable[tuple[SceneDescription, SceneTruth]],
) -> dict[str, tuple[int, int]]:
    """
    Compare descriptions with what is true, field by field.

    :returns: (right, all) by field; counts are right within :data:`COUNT_TOLERANCE`.
    """
    totals = {name: (0, 0) for name in FIELDS}
    for description, truth in pairs:
        for name in FIELDS:
            said = description.scene.get(name)
            if said is None:
                continue
            right, count = totals[name]
            totals[name] = (right + _same(name, said.value, truth.fields[name]), count + 1)
    return totals


def agreement_rows(
    heard: Sequence[Heard], truth: Mapping[int, SceneTruth]
) -> list[tuple[str, str]]:
    """Agreement with the ground truth of a render as rows of a table."""
    described = [h.description for h in heard]
    pairs = [(d, truth[d.stamp_ns]) for d in described if d.stamp_ns in truth and d.scene]
    totals = agreement(pairs)
    if not pairs:
        return []
    rows = []
    for name, (right, count) in totals.items():
        note = f' (within {COUNT_TOLERANCE})' if FIELDS[name].kind == 'count' else ''
        rows.append((name, f'{_percent(right, count)}{note}'))
    mean = float(np.mean([right / count for right, count in totals.values() if count]))
    return [*rows, ('mean', f'{100 * mean:.0f} %')]


def _same(name: str, said: Value, true: Value) -> bool:
    if FIELDS[name].kind == 'count':
        return abs(int(said) - int(true)) <= COUNT_TOLERANCE
    return said == true


def _percent(part: int, whole: int) -> str:
    return f'{100 * part / whole:.0f} %' if whole else 'none'
