# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Draws a description onto its picture: boxes, the sentence and the facts, for people."""

from collections.abc import Sequence
from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from caption_node.description import FIELDS, SceneDescription, SceneObject

Pixels = NDArray[np.uint8]
Rgb = tuple[int, int, int]

_MIN_WIDTH, _MIN_HEIGHT = 400, 225
"""Smaller pictures are enlarged: letters need this many pixels."""
_MAX_ENLARGEMENT = 16
_REFERENCE_WIDTH = 1280.0
_COVERED_SHARE = 0.42
"""A band that would hide more of the picture than this is put below it instead."""
_MAX_LINES = 4
_CLASS_INK: dict[str, Rgb] = {
    'person': (255, 196, 60),
    'bicycle': (255, 140, 190),
    'motorcycle': (255, 120, 220),
    'car': (80, 210, 255),
    'truck': (70, 160, 255),
    'bus': (130, 140, 255),
    'traffic light': (120, 255, 140),
    'stop sign': (255, 90, 80),
    'animal': (230, 170, 110),
}
_STATUS_INK: dict[str, Rgb] = {
    'ok': (70, 205, 120),
    'abstain': (255, 176, 32),
    'error': (240, 64, 56),
    'stale': (150, 150, 160),
}
_LIGHT_INK: dict[str, Rgb] = {
    'red': (255, 96, 84),
    'yellow': (255, 210, 70),
    'green': (96, 235, 130),
}
_WHITE: Rgb = (246, 246, 246)
_GREY: Rgb = (196, 202, 208)


@dataclass(frozen=True, slots=True)
class _Type:
    """
    Letters of one size.

    :param scale: OpenCV's font scale.
    :param line_px: Distance from line to line.
    :param stroke: Thickness of the strokes.
    """

    scale: float
    line_px: int
    stroke: int

    @classmethod
    def for_width(cls, width: int, size: float) -> '_Type':
        """
        Choose letters that grow with the picture, but less than in proportion below 1280.

        :param size: Font scale at a width of 1280 pixels.
        """
        scale = max(0.4, size * (width / _REFERENCE_WIDTH) ** 0.62)
        return cls(scale, max(13, round(33 * scale)), max(1, round(scale * 1.5)))

    def width_of(self, text: str) -> int:
        """Width of a line in pixels."""
        import cv2

        return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, self.scale, self.stroke)[0][0])

    def draw(self, picture: Pixels, text: str, left: int, baseline: int, ink: Rgb) -> None:
        """Draw one line, in place."""
        import cv2

        cv2.putText(
            picture,
            text,
            (left, baseline),
            cv2.FONT_HERSHEY_SIMPLEX,
            self.scale,
            ink,
            self.stroke,
            cv2.LINE_AA,
        )


def draw_overlay(
    rgb: Pixels, description: SceneDescription, age_ms: float | None = None
) -> Pixels:
    """
    Draw boxes with class and score, and a band with sentence, status and facts.

    :param rgb: (H, W, 3) uint8, left untouched.
    :param age_ms: Age of the picture when its description was published, milliseconds, if known.
    :returns: (H, W, 3) uint8; larger than ``rgb`` where letters would not fit: tiny pictures are
        enlarged by a whole number, and very flat ones get the band below.
    """
    factor = _enlargement(rgb)
    picture = np.ascontiguousarray(rgb)
    if factor > 1:
        picture = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    elif picture is rgb:
        picture = rgb.copy()
    width = picture.shape[1]
    if description.status != 'error':
        _draw_objects(picture, description.objects, factor)
    return _draw_band(picture, description, _band(description, width, age_ms))


def _enlargement(rgb: Pixels) -> int:
    """How many times larger a tiny picture has to be drawn."""
    height, width = rgb.shape[:2]
    needed = min(_MIN_WIDTH / width, _MIN_HEIGHT / height)
    return int(np.clip(math.ceil(needed), 1, _MAX_ENLARGEMENT))


def _draw_objects(picture: Pixels, objects: Sequence[SceneObject], factor: int) -> None:
    """Draw boxes, those in our lane with a thicker line, and labels that do not overlap."""
    import cv2

    height, width = picture.shape[:2]
    line = max(1, round(width / 700))
    letters = _Type.for_width(width, 0.42)
    taken: list[tuple[int, int, int, int]] = []
    for item in sorted(objects, key=lambda o: -o.score):
        ink = _CLASS_INK.get(item.class_name, _WHITE)
        limits = (width - 1, height - 1, width - 1, height - 1)
        corners = [_inside(v * factor, high) for v, high in zip(item.box, limits, strict=True)]
        x0, y0, x1, y1 = corners
        thick = line + (1 if item.in_lane else 0)
        cv2.rectangle(picture, (x0, y0), (x1, y1), (16, 18, 20), thick + 2, cv2.LINE_AA)
        cv2.rectangle(picture, (x0, y0), (x1, y1), ink, thick, cv2.LINE_AA)
        label = f'{item.class_name} {item.score:.2f}'
        wide, tall = letters.width_of(label) + 6, letters.line_px
        left = max(0, min(x0, width - wide))
        top = y0 - tall if y0 >= tall else min(y1, height - tall)
        place = (left, top, left + wide, top + tall)
        if any(_overlap(place, other) for other in taken) or wide > width:
            continue
        taken.append(place)
        cv2.rectangle(picture, place[:2], place[2:], ink, -1)
        letters.draw(picture, label, left + 3, top + round(tall * 0.74), (12, 14, 16))


def _inside(value: float, high: int) -> int:
    """Round a coordinate into the picture; anything that is no number becomes 0."""
    return int(min(max(value, 0.0), float(high))) if math.isfinite(value) else 0


def _overlap(one: tuple[int, int, int, int], two: tuple[int, int, int, int]) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


@dataclass(frozen=True, slots=True)
class _Line:
    """Words of one line of the band with the ink of each."""

    letters: _Type
    words: tuple[tuple[str, Rgb], ...]


def _band(description: SceneDescription, width: int, age_ms: float | None) -> list[_Line]:
    """Lines of the band, from top to bottom."""
    large, small = _Type.for_width(width, 0.86), _Type.for_width(width, 0.58)
    room = width - 3 * small.line_px // 2
    status = _STATUS_INK.get(description.status, _WHITE)
    if description.status == 'error':
        text = f'ERROR  {description.error or description.reason or "no description"}'
        return [_Line(large, ((t, _WHITE),)) for t in _wrapped(_plain(text), large, room)]
    ink = _WHITE if description.status == 'ok' else _GREY
    text = description.caption or '(no sentence)'
    lines = [_Line(large, ((t, ink),)) for t in _wrapped(_plain(text), large, room)]
    if description.status != 'ok':
        reason = f': {description.reason}' if description.reason else ': do not act on this'
        head = _wrapped(_plain(f'{description.status.upper()}{reason}'), small, room)
        lines = [*(_Line(small, ((t, status),)) for t in head[:2]), *lines]
    facts = _facts(description)
    timing = _timing(description, age_ms)
    return [*lines, *_flow([*facts, *timing], small, room)]


def _facts(description: SceneDescription) -> list[tuple[str, Rgb]]:
    """Key fields as words."""
    scene = {name: v.value for name, v in description.scene.items()}
    words: list[tuple[str, Rgb]] = []
    for name in ('time', 'weather', 'surface', 'road'):
        value = scene.get(name)
        if value not in (None, 'unknown'):
            words.append((str(value), _WHITE))
    lead = scene.get('lead')
    if lead is not None:
        reach = f' {scene.get("lead_range")}' if lead != 'none' else ''
        words.append((f'lead {lead}{reach}', _CLASS_INK['car'] if reach else _GREY))
    for name, class_name in (('vehicles', 'car'), ('people', 'person'), ('cyclists', 'bicycle')):
        if name in scene and (scene[name] or name != 'cyclists'):
            words.append((f'{name} {scene[name]}', _CLASS_INK[class_name]))
    if 'light' in scene:
        state = str(scene['light'])
        words.append((f'light {state}', _LIGHT_INK.get(state, _GREY)))
    for name in ('crosswalk', 'construction'):
        if scene.get(name):
            words.append((name, _LIGHT_INK['yellow']))
    for name, value in scene.items():
        if name not in FIELDS and value is not False:
            words.append((name if value is True else f'{name} {value}', _WHITE))
    if description.hazard not in ('', 'none'):
        words.append((f'! {description.hazard}', (255, 214, 120)))
    return [(_plain(text), ink) for text, ink in words]


def _timing(description: SceneDescription, age_ms: float | None) -> list[tuple[str, Rgb]]:
    """Confidence, and how long it took."""
    words = [
        (f'confidence {description.confidence:.2f}', _STATUS_INK.get(description.status, _WHITE))
    ]
    total = sum(description.latency_ms.values())
    if age_ms is not None and math.isfinite(age_ms):
        words.append((f'age {age_ms:.0f} ms', _GREY))
    elif total > 0:
        words.append((f'latency {total:.0f} ms', _GREY))
    return words


def _plain(text: str) -> str:
    """Only letters that every build of OpenCV can draw."""
    return ' '.join(text.encode('ascii', 'replace').decode().split())


def _wrapped(text: str, letters: _Type, room: int) -> list[str]:
    """Break a text into lines; what does not fit into the last line ends with dots."""
    lines = ['']
    for word in text.split():
        longer = f'{lines[-1]} {word}'.strip()
        if lines[-1] and letters.width_of(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > _MAX_LINES:
        lines = [*lines[: _MAX_LINES - 1], lines[_MAX_LINES - 1] + ' ...']
    return lines


def _flow(words: Sequence[tuple[str, Rgb]], letters: _Type, room: int) -> list[_Line]:
    """Set coloured words into lines with gaps between them."""
    gap = letters.width_of('  ') + letters.line_px // 4
    lines: list[list[tuple[str, Rgb]]] = [[]]
    used = 0
    for word in words:
        wide = letters.width_of(word[0]) + gap
        if lines[-1] and used + wide > room:
            lines.append([])
            used = 0
        lines[-1].append(word)
        used += wide
    return [_Line(letters, tuple(line)) for line in lines if line]


def _draw_band(picture: Pixels, description: SceneDescription, lines: Sequence[_Line]) -> Pixels:
    """Put the band over the foot of the picture, or below it where it would hide too much."""
    import cv2

    height, width = picture.shape[:2]
    pad = max(4, lines[-1].letters.line_px // 3)
    tall = sum(line.letters.line_px for line in lines) + 2 * pad
    if tall > _COVERED_SHARE * height:
        picture = np.concatenate([picture, np.zeros((tall, width, 3), np.uint8)])
        height += tall
    status = _STATUS_INK.get(description.status, _WHITE)
    failed = description.status == 'error'
    top = height - tall
    back = np.array((92, 16, 16) if failed else (14, 16, 20), np.float32)
    part = picture[top:].astype(np.float32)
    picture[top:] = (part * 0.24 + back * 0.76).astype(np.uint8)
    bar = max(4, width // 160)
    picture[top:, :bar] = status
    if description.status != 'ok':
        frame = max(2, width // 250)
        cv2.rectangle(picture, (0, 0), (width - 1, height - 1), status, 2 * frame)
    y = top + pad
    for line in lines:
        x = bar + pad
        gap = line.letters.width_of('  ') + line.letters.line_px // 4
        for text, ink in line.words:
            line.letters.draw(picture, text, x, y + round(line.letters.line_px * 0.74), ink)
            x += line.letters.width_of(text) + gap
        y += line.letters.line_px
    return picture
