# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The reliability diagram as SVG: how often what is said with a confidence is right."""

from collections.abc import Mapping
from html import escape

from caption_node.evaluation.calibration import Calibration

_SIDE = 240
_LEFT, _TOP, _GAP, _FOOT = 46, 34, 26, 56
_LEGEND = 'bar: share that is right; red: too sure; green: too modest; line: share of the samples'
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_BAR, _OVER, _UNDER, _INK, _GRID = '#4477aa', '#cc6677', '#228833', '#333333', '#dddddd'


def reliability_svg(panels: Mapping[str, Calibration]) -> str:
    """
    Draw one panel a set of confidences: bars of accuracy, the gap to the confidence, shares below.

    :param panels: By title, drawn side by side.
    :returns: An SVG document that needs no font, script or style beside it.
    """
    width = _LEFT + len(panels) * (_SIDE + _LEFT) - _LEFT + _GAP
    height = _TOP + _SIDE + _FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="11" '
        f'fill="{_INK}">',
        '<title>Reliability diagram</title>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for number, (title, found) in enumerate(panels.items()):
        left = _LEFT + number * (_SIDE + _LEFT)
        parts.append(f'<g transform="translate({left} {_TOP})">')
        parts += [*_frame(title, found), *_bars(found), '</g>']
    parts.append(f'<text x="{_LEFT}" y="{height - 6}">{_LEGEND}</text>')
    return '\n'.join([*parts, '</svg>', ''])


def _frame(title: str, found: Calibration) -> list[str]:
    parts = [
        f'<text y="-18" font-weight="bold">{escape(title)}</text>',
        f'<text y="-5">ECE {found.ece:.3f} (by chance {found.ece_by_chance:.3f}), '
        f'{found.samples} samples</text>',
    ]
    for tick in _TICKS:
        at = _SIDE * tick
        parts += [
            f'<path d="M0 {_SIDE - at:g}H{_SIDE}M{at:g} 0V{_SIDE}" stroke="{_GRID}"/>',
            f'<text x="-6" y="{_SIDE - at + 4:g}" text-anchor="end">{tick:g}</text>',
            f'<text x="{at:g}" y="{_SIDE + 14}" text-anchor="middle">{tick:g}</text>',
        ]
    parts.append(
        f'<text x="{_SIDE / 2:g}" y="{_SIDE + 30}" text-anchor="middle">confidence</text>'
    )
    return parts


def _bars(found: Calibration) -> list[str]:
    parts = []
    wide = _SIDE / len(found.bins)
    for number, item in enumerate(found.bins):
        if item.confidence is None or item.accuracy is None:
            continue
        x, right, said = number * wide, item.accuracy * _SIDE, item.confidence * _SIDE
        gap = _OVER if said > right else _UNDER
        low, high = sorted((right, said))
        share = item.samples / found.samples * _SIDE
        parts += [
            f'<rect x="{x + 1:.1f}" y="{_SIDE - right:.1f}" width="{wide - 2:.1f}" '
            f'height="{right:.1f}" fill="{_BAR}"/>',
            f'<rect x="{x + 1:.1f}" y="{_SIDE - high:.1f}" width="{wide - 2:.1f}" '
            f'height="{high - low:.1f}" fill="{gap}" fill-opacity="0.35" stroke="{gap}"/>',
            f'<path d="M{x:.1f} {_SIDE - share:.1f}h{wide:.1f}" stroke="{_INK}" '
            'stroke-width="2"/>',
        ]
    parts.append(f'<path d="M0 {_SIDE}L{_SIDE} 0" stroke="{_INK}" stroke-dasharray="4 3"/>')
    return parts
