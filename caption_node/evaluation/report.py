# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""An evaluation as one JSON object."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from caption_node.evaluation.calibration import Calibration
from caption_node.evaluation.claims import ClaimRates, Rate
from caption_node.evaluation.measure import Evaluation
from caption_node.evaluation.sentences import Score

FORMAT_VERSION = 1


def to_json(result: Evaluation, is_part: bool = False) -> dict[str, Any]:
    """
    Return every figure by name, rounded to six places; null where there is none.

    :param is_part: Leave out what is too much for one group of many: bins, and the confidences of
        single fields.
    """
    used = result.confidences
    data: dict[str, Any] = {
        'frames': result.frames,
        'annotators': result.annotators,
        'left_out': result.left_out,
        'missing': len(result.missing),
        'missing_frames': list(result.missing),
        'abstained': _rate(result.abstained),
        'field_f1': _score(result.field_f1),
        'fields': {name: _score(s) for name, s in result.fields.items()},
        'sentences': {name: _score(s) for name, s in result.sentences.items()},
        'claims': {name: _claims(c) for name, c in result.claims.items()},
        'annotator_claims': {name: _claims(c) for name, c in result.annotator_claims.items()},
        'right_sentences': _score(result.truth.right),
        'denied_claims': dict(result.truth.denied),
        'calibration': {
            'pooled': _calibration(used.pooled, is_part),
            'mean_field_ece': _rounded(used.mean_ece),
            'mean_field_ece_by_chance': _rounded(used.mean_by_chance),
            'fields': {
                name: _calibration(c, is_part) for name, c in used.fields.items() if not is_part
            },
            'caption': _calibration(used.caption, is_part),
            'caption_used': _calibration(used.caption_used, is_part),
        },
    }
    if result.groups:
        data['groups'] = {
            grouping: {value: to_json(part, is_part=True) for value, part in parts.items()}
            for grouping, parts in result.groups.items()
        }
    return data


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _score(score: Score) -> dict[str, float | None]:
    return {
        'system': _rounded(score.system),
        'annotators': _rounded(score.annotators),
        'share': _rounded(score.share),
    }


def _rate(rate: Rate) -> dict[str, Any]:
    return {'share': _rounded(rate.share), 'count': rate.count, 'frames': rate.frames}


def _claims(rates: ClaimRates) -> dict[str, Any]:
    return {
        'hallucinated': _rate(rates.hallucinated),
        'omitted': _rate(rates.omitted),
        'boxless': None if rates.boxless is None else _rate(rates.boxless),
    }


def _calibration(found: Calibration | None, is_part: bool) -> dict[str, Any] | None:
    if found is None:
        return None
    data: Mapping[str, Any] = asdict(found)
    figures = {k: _figure(v) for k, v in data.items() if k != 'bins'}
    if is_part:
        return figures
    return {**figures, 'bins': [{k: _figure(v) for k, v in b.items()} for b in data['bins']]}


def _figure(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
