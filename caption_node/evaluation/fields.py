# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Scene fields against an annotator's: macro-averaged F1."""

from collections import Counter
from collections.abc import Mapping, Sequence

from caption_node.description import COUNT_BUCKETS, FIELDS, Value

BUCKET_NAMES = ('0', '1', '2-3', '4-7', '8+')


def bucket(count: int) -> int:
    """Return which of :data:`BUCKET_NAMES` a count falls into."""
    return sum(count >= start for start in COUNT_BUCKETS[1:])


def comparable(name: str, value: Value | None) -> Value | None:
    """Return what of a field's value is compared: counts by bucket, all else as it is."""
    if value is None or FIELDS[name].kind != 'count':
        return value
    return bucket(int(value))


def macro_f1(said: Sequence[Value | None], truth: Sequence[Value]) -> float | None:
    """
    Average the F1 of every value that occurs in the truth; None if there is no truth.

    :param said: None where nothing was said, which is wrong whatever the truth.
    """
    hits = Counter(t for s, t in zip(said, truth, strict=True) if s == t)
    claimed, wanted = Counter(said), Counter(truth)
    scores = [2 * hits[v] / (claimed[v] + n) for v, n in wanted.items()]
    return sum(scores) / len(scores) if scores else None


def score_fields(
    said: Sequence[Mapping[str, Value]], truth: Sequence[Mapping[str, Value]]
) -> dict[str, float | None]:
    """Return the macro-F1 of every field over frames in the same order."""
    return {
        name: macro_f1(
            [comparable(name, s.get(name)) for s in said],
            [_true(name, t) for t in truth],
        )
        for name in FIELDS
    }


def _true(name: str, fields: Mapping[str, Value]) -> Value:
    value = fields[name]
    return bucket(int(value)) if FIELDS[name].kind == 'count' else value
