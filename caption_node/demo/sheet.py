# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A sheet of pictures with words beside each, drawn with OpenCV."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caption_node.errors import ConfigError

Pixels = NDArray[np.uint8]
Rgb = tuple[int, int, int]

_COLUMNS = 2
_PICTURE = (432, 243)
_TEXT_WIDTH = 372
_GAP = 14
_LINE, _SCALE = 15, 0.4
_INK: Rgb = (30, 30, 34)
_TRUE: Rgb = (20, 110, 50)
_SAID: Rgb = (170, 30, 40)
_BOX: Rgb = (255, 176, 32)


@dataclass(frozen=True)
class Panel:
    """
    One picture with its words.

    :param pixels_rgb: (H, W, 3) uint8.
    :param boxes: x_min, y_min, x_max, y_max in pixels, drawn in.
    :param truth: The true sentence.
    :param said: The model's sentence.
    :param remarks: Lines below; those that find no room are left out, and their number is said.
    """

    title: str
    pixels_rgb: Pixels
    boxes: tuple[tuple[float, float, float, float], ...]
    truth: str
    said: str
    remarks: tuple[str, ...]


def draw_sheet(panels: Sequence[Panel]) -> Pixels:
    """
    Draw panels in two columns on white.

    :returns: (H, W, 3) uint8 RGB.
    """
    rows = -(-len(panels) // _COLUMNS)
    wide = _PICTURE[0] + _TEXT_WIDTH + 2 * _GAP
    tall = _PICTURE[1] + _GAP
    sheet = np.full((rows * tall + _GAP, _COLUMNS * wide + _GAP, 3), 255, np.uint8)
    for number, panel in enumerate(panels):
        row, column = divmod(number, _COLUMNS)
        _draw_panel(sheet, panel, _GAP + column * wide, _GAP + row * tall)
    return sheet


def encode_jpeg(sheet: Pixels, max_bytes: int) -> bytes:
    """
    Encode a sheet as well as its size allows.

    :raises ConfigError: If it is too large at any quality.
    """
    import cv2

    for quality in range(88, 30, -6):
        _, data = cv2.imencode('.jpg', sheet[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(data) <= max_bytes:
            return bytes(data.tobytes())
    raise ConfigError(f'the sheet does not fit into {max_bytes} bytes', 'take fewer panels')


def _draw_panel(sheet: Pixels, panel: Panel, left: int, top: int) -> None:
    import cv2

    width, height = _PICTURE
    small = cv2.resize(panel.pixels_rgb, _PICTURE, interpolation=cv2.INTER_AREA)
    scale = width / panel.pixels_rgb.shape[1]
    for box in panel.boxes:
        x0, y0, x1, y1 = (round(v * scale) for v in box)
        cv2.rectangle(small, (x0, y0), (x1, y1), _BOX, 1, cv2.LINE_AA)
    sheet[top : top + height, left : left + width] = small
    lines = [
        *((line, _INK) for line in _wrapped(panel.title.upper())),
        *((line, _TRUE) for line in _wrapped(f'True: {panel.truth}')),
        *((line, _SAID) for line in _wrapped(f'Said: {panel.said}')),
    ]
    room = height // _LINE
    for i, remark in enumerate(panel.remarks):
        more = _wrapped(remark)
        left_over = len(panel.remarks) - i
        if len(lines) + len(more) + (left_over > 1) > room:
            lines.append((f'... and {left_over} more', _INK))
            break
        lines += [(line, _INK) for line in more]
    for i, (line, ink) in enumerate(lines[:room]):
        place = (left + width + _GAP, top + 11 + i * _LINE)
        cv2.putText(sheet, line, place, cv2.FONT_HERSHEY_SIMPLEX, _SCALE, ink, 1, cv2.LINE_AA)


def _wrapped(text: str) -> list[str]:
    """Break a text into lines that fit beside a picture."""
    import cv2

    lines = ['']
    for word in text.encode('ascii', 'replace').decode().split():
        longer = f'{lines[-1]} {word}'.strip()
        size, _ = cv2.getTextSize(longer, cv2.FONT_HERSHEY_SIMPLEX, _SCALE, 1)
        if lines[-1] and size[0] > _TEXT_WIDTH:
            lines.append(f'  {word}')
        else:
            lines[-1] = longer if lines[-1].strip() else word
    return lines
