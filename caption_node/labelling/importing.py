# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Corrected labels, checked line by line, as a folder that trains."""

from collections.abc import Iterable
from dataclasses import dataclass
import json
import os
from pathlib import Path, PurePosixPath
import re
import shutil
from typing import Any

from caption_node.errors import ConfigError, FrameError
from caption_node.image_codec import IMAGE_SUFFIXES, read_image
from caption_node.labelling.formats import Row
from caption_node.labelling.frames import frame_faults

LABEL_FILE = 'labels.jsonl'
_UNSTATED: dict[str, Any] = {
    'split': 'train',
    'source': 'unstated',
    'licence': 'unstated',
    'boxes': [],
    'light_scores': None,
}
_MOST_SHOWN = 50
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,199}')


@dataclass(frozen=True, slots=True)
class Checked:
    """
    A label that may train.

    :param data: Its line of the label file, except ``file``.
    :param picture: The picture as it lies now.
    """

    data: dict[str, Any]
    picture: Path


def check_rows(rows: Iterable[Row], frames: Path, facts: dict[str, str]) -> list[Checked]:
    """
    Check all rows and their pictures.

    :param frames: Folder that the rows' files are relative to.
    :param facts: ``split``, ``source`` or ``licence`` of all rows, whatever they say themselves.
    :raises ConfigError: If anything is wrong; the message names every line that is.
    """
    good: list[Checked] = []
    faults: list[str] = []
    seen: dict[str, str] = {}
    for row in rows:
        found = row.faults or frame_faults(row.data)
        name = row.data.get('id')
        if isinstance(name, str) and name:
            if not _NAME.fullmatch(name):
                found = [*found, f'id {name!r} has other characters than letters, digits, . _ -']
            elif name in seen:
                found = [*found, f'id {name!r} stands at {seen[name]} already']
            seen.setdefault(name, row.place)
        if not found:
            try:
                good.append(_with_picture(row.data, frames, facts))
            except (ConfigError, FrameError) as err:
                found = [str(err)]
        faults += [f'{row.place}: {fault}' for fault in found]
    if faults:
        shown = faults[:_MOST_SHOWN]
        rest = len(faults) - len(shown)
        raise ConfigError(
            '\n       '.join([*shown, *([f'and {rest} more'] if rest else [])]),
            'nothing was written; mend these lines and run the same command again',
        )
    if not good:
        raise ConfigError('the label file holds no labels')
    return good


def write_training(checked: Iterable[Checked], folder: Path) -> tuple[int, int]:
    """
    Add labels and pictures to a training folder; it is made where there is none.

    A frame that is there already gets the new label. The label file is replaced at the end, as a
    whole.

    :param folder: Gets ``labels.jsonl``, and the pictures as ``frames/SPLIT/ID.jpg``.
    :returns: Labels that are new, and labels that replaced others.
    :raises ConfigError: If it cannot be written.
    """
    target = folder / LABEL_FILE
    try:
        lines = _known_lines(target)
        before = len(lines)
        count = 0
        for item in checked:
            count += 1
            data = item.data
            file = PurePosixPath('frames', data['split'], data['id'] + item.picture.suffix.lower())
            _copy(item.picture, folder / file)
            lines[data['id']] = json.dumps({**data, 'file': str(file)}, ensure_ascii=False)
        scratch = target.with_name(f'.{LABEL_FILE}.{os.getpid()}.tmp')
        scratch.write_text('\n'.join(lines.values()) + '\n', encoding='utf-8')
        os.replace(scratch, target)
    except OSError as err:
        raise ConfigError(f'{folder} cannot be written: {err.strerror or err}') from err
    new = len(lines) - before
    return new, count - new


def _with_picture(data: dict[str, Any], frames: Path, facts: dict[str, str]) -> Checked:
    picture = frames / data['file']
    root = frames.resolve()
    if not picture.resolve().is_relative_to(root):
        raise ConfigError(f'file {data["file"]!r} leads out of {frames}')
    if picture.suffix.lower() not in IMAGE_SUFFIXES:
        raise ConfigError(f'file {data["file"]!r} is no picture by its name')
    height, width = read_image(picture).shape[:2]
    if (data.get('width', width), data.get('height', height)) != (width, height):
        raise ConfigError(
            f'{data["file"]} is {width} x {height}, not {data.get("width")} x {data.get("height")}'
        )
    for box in data.get('boxes', []):
        x_min, y_min, x_max, y_max = box['box']
        if x_min < -1 or y_min < -1 or x_max > width + 1 or y_max > height + 1:
            raise ConfigError(f'box {box["box"]} reaches out of {width} x {height} pixels')
    # What the model thought of its pre-label is no part of a corrected one.
    kept = {k: v for k, v in data.items() if k not in ('confidences', 'status', 'model')}
    full = {**_UNSTATED, **kept, **facts, 'width': width, 'height': height}
    if not _NAME.fullmatch(str(full['split'])):
        raise ConfigError(f'split {full["split"]!r} is not a plain word')
    return Checked(full, picture)


def _known_lines(target: Path) -> dict[str, str]:
    if not target.exists():
        return {}
    lines = {}
    for number, line in enumerate(target.read_text(encoding='utf-8').splitlines(), 1):
        if line.strip():
            try:
                lines[str(json.loads(line)['id'])] = line
            except (ValueError, KeyError, TypeError) as err:
                raise ConfigError(f'{target}, line {number}: not a labelled frame') from err
    return lines


def _copy(picture: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and picture.samefile(target):
        return
    scratch = target.with_name(f'.{target.name}.{os.getpid()}.tmp')
    shutil.copyfile(picture, scratch)
    os.replace(scratch, target)
