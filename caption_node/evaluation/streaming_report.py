# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A streaming evaluation as one JSON object, and as tables for people."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from caption_node.evaluation.claims import Rate
from caption_node.evaluation.event_delay import EventDelays
from caption_node.evaluation.streaming import FRESH_S, Figures, StreamingEvaluation
from caption_node.evaluation.tables import Table

FORMAT_VERSION = 1
_PERCENTILES = (50, 90, 95, 99)
_NOTHING = '-'
_CLAIMS = {
    'people': 'people',
    'cyclists': 'two-wheelers',
    'light': 'a lamp colour',
    'lead': 'a lead vehicle',
    'night': 'night',
}


def streaming_json(result: StreamingEvaluation) -> dict[str, Any]:
    """Return every figure by name, rounded to six places; null where there is none."""
    streaming, offline = _figures(result.streaming), _figures(result.offline)
    return {
        'instants': result.instants,
        'cameras': result.cameras,
        'coverage': _rate(result.coverage),
        'described': _rate(result.described),
        'age_ms': _percentiles(result.ages_s),
        'latency_ms': _percentiles(result.latencies_s),
        'streaming': streaming,
        'offline': offline,
        'gap': {
            name: _difference(streaming[name], offline[name]) for name in ('field_f1', 'cider_d')
        }
        | {
            'fields': {
                name: _difference(streaming['fields'][name], offline['fields'][name])
                for name in streaming['fields']
            }
        },
        'flicker': {
            'field_changes_per_s': {
                'streaming': streaming['field_changes_per_s'],
                'offline': offline['field_changes_per_s'],
                'truth': _rounded(result.truth_changes_per_s),
            },
            'sentence_changes_per_s': {
                'streaming': streaming['sentence_changes_per_s'],
                'offline': offline['sentence_changes_per_s'],
            },
        },
        'events': {kind: _event(found) for kind, found in result.events.items()},
    }


def streaming_tables(result: StreamingEvaluation) -> list[Table]:
    """Return every table."""
    return [
        _play_table(result),
        _accuracy_table(result),
        _flicker_table(result),
        _claims_table(result),
        _events_table(result),
    ]


def _play_table(result: StreamingEvaluation) -> Table:
    columns = ('', *(f'p{p}' for p in _PERCENTILES), 'most')
    ages, latencies = (_percentiles(v) for v in (result.ages_s, result.latencies_s))
    rows: list[tuple[str, ...]] = [
        ('age of what is known at an instant, ms', *_cells(ages, 0)),
        ('image published to description heard, ms', *_cells(latencies, 0)),
    ]
    empty = ('',) * (len(_PERCENTILES))
    for name, value in (
        ('labelled instants', str(result.instants)),
        (f'covered: known, and not older than {FRESH_S:g} s', _percent(result.coverage)),
        ('images described', _percent(result.described)),
    ):
        rows.append((name, value, *empty))
    return Table('The play', columns, tuple(rows))


def _accuracy_table(result: StreamingEvaluation) -> Table:
    stream, rest = result.streaming, result.offline
    rows = [
        (name, *_beside(stream.fields[name], rest.fields[name], 2))
        for name in stream.fields
        if stream.fields[name] is not None
    ]
    rows.append(('**mean of the fields**', *_beside(stream.field_f1, rest.field_f1, 3)))
    rows.append(('**CIDEr-D**', *_beside(stream.cider_d, rest.cider_d, 3)))
    return Table('Macro-F1 of the fields', ('', 'streaming', 'offline', 'gap'), tuple(rows))


def _flicker_table(result: StreamingEvaluation) -> Table:
    stream, rest = result.streaming, result.offline
    fields = (stream.field_changes_per_s, rest.field_changes_per_s, result.truth_changes_per_s)
    sentences = (stream.sentence_changes_per_s, rest.sentence_changes_per_s, None)
    rows = (
        ('fields, all together', *(_number(v, 2) for v in fields)),
        ('sentence', *(_number(v, 2) for v in sentences)),
    )
    return Table('Changes a second', ('', 'streaming', 'offline', 'truth'), rows)


def _claims_table(result: StreamingEvaluation) -> Table:
    rows = []
    for kind, said in (
        ('hallucinated', 'claimed where there is none'),
        ('omitted', 'left out where there is one'),
    ):
        for topic, words in _CLAIMS.items():
            rates = [getattr(f.claims[topic], kind) for f in (result.streaming, result.offline)]
            if rates[0].frames:
                rows.append((f'{said}: {words}', *(_percent(rate) for rate in rates)))
    return Table('Claims of the sentences', ('', 'streaming', 'offline'), tuple(rows))


def _events_table(result: StreamingEvaluation) -> Table:
    columns = ('', 'true', 'found', 'unfounded', 'delay p50, s', 'p95, s', 'most, s')
    rows = []
    for kind, found in result.events.items():
        delays = _percentiles(found.delays_s, 1.0)
        cells = [_number(delays.get(name), 2) for name in ('p50', 'p95', 'most')]
        counts = (str(found.true), str(found.found), str(found.unfounded))
        rows.append((kind.replace('_', ' '), *counts, *cells))
    return Table('Events', columns, tuple(rows))


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        'field_f1': _rounded(figures.field_f1),
        'fields': {name: _rounded(value) for name, value in figures.fields.items()},
        'cider_d': _rounded(figures.cider_d),
        'claims': {
            name: {'hallucinated': _rate(c.hallucinated), 'omitted': _rate(c.omitted)}
            for name, c in figures.claims.items()
        },
        'missing': figures.missing,
        'field_changes_per_s': _rounded(figures.field_changes_per_s),
        'sentence_changes_per_s': _rounded(figures.sentence_changes_per_s),
    }


def _event(found: EventDelays) -> dict[str, Any]:
    return {
        'true': found.true,
        'found': found.found,
        'unfounded': found.unfounded,
        'delay_s': _percentiles(found.delays_s, 1.0),
    }


def _percentiles(values: Sequence[float], scale: float = 1e3) -> dict[str, float | None]:
    """Return percentiles and the greatest value; milliseconds of seconds by default."""
    names = (*(f'p{p}' for p in _PERCENTILES), 'most')
    if not values:
        return dict.fromkeys(names)
    found = [*np.percentile(values, _PERCENTILES), max(values)]
    return {n: _rounded(float(v) * scale) for n, v in zip(names, found, strict=True)}


def _rate(rate: Rate) -> dict[str, Any]:
    return {'share': _rounded(rate.share), 'count': rate.count, 'of': rate.frames}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else _rounded(one - other)


def _cells(values: dict[str, float | None], places: int) -> list[str]:
    return [_number(v, places) for v in values.values()]


def _beside(one: float | None, other: float | None, places: int) -> tuple[str, str, str]:
    gap = _difference(one, other)
    shown = _NOTHING if gap is None else f'{gap:+.{places}f}'
    return _number(one, places), _number(other, places), shown


def _number(value: float | None, places: int) -> str:
    return _NOTHING if value is None else f'{value:.{places}f}'


def _percent(rate: Rate) -> str:
    if rate.share is None:
        return _NOTHING
    return f'{100 * rate.share:.1f}% of {rate.frames}'
