# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Labelled frames as training reads them, and how a label changes when its picture does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
import json
from pathlib import Path
import re
from typing import Any

from caption_node.description import FIELDS, Value, check_value
from caption_node.errors import ConfigError

_SIDES = re.compile(r'\b(left|right|leftmost|rightmost|leftward|rightward)\b')
_TURNED = {
    'left': 'right',
    'right': 'left',
    'leftmost': 'rightmost',
    'rightmost': 'leftmost',
    'leftward': 'rightward',
    'rightward': 'leftward',
}


@dataclass(frozen=True)
class Label:
    """
    What one annotator said of one frame.

    :param fields: Every scene field by name.
    :param caption: The sentence, or None where it no longer fits the picture.
    """

    fields: Mapping[str, Value]
    caption: str | None

    def flipped(self) -> 'Label':
        """Return the label of the mirrored picture: left and right change places."""
        return replace(self, caption=self.caption and swap_sides(self.caption))

    def targets(self) -> list[int]:
        """Return one class number a field, in the order of the table."""
        numbers = []
        for name, spec in FIELDS.items():
            value = self.fields[name]
            if spec.kind == 'categorical':
                numbers.append(spec.values.index(str(value)))
            else:
                numbers.append(int(value))
        return numbers


@dataclass(frozen=True)
class Record:
    """One labelled frame on disk."""

    id: str
    split: str
    source: str
    path: Path
    labels: tuple[Label, ...]


def swap_sides(sentence: str) -> str:
    """
    Exchange left and right in a sentence.

    ``right in front`` and ``right before`` mean `just`, not a side, and stay.
    """
    kept = re.sub(r'\bright (in front|before|ahead|behind|at|next)\b', r'RIGHT \1', sentence)
    return _SIDES.sub(lambda m: _TURNED[m.group(1)], kept).replace('RIGHT ', 'right ')


def read_labels(file: Path, frames: Path, splits: Iterable[str]) -> list[Record]:
    """
    Read a label file.

    :param file: JSON lines, one frame a line.
    :param frames: Folder that the lines' ``file`` is relative to.
    :param splits: Which splits to keep.
    :raises ConfigError: If the file cannot be read, or a line or value is not of the schema.
    """
    wanted = set(splits)
    try:
        lines = file.read_text(encoding='utf-8').splitlines()
    except OSError as err:
        raise ConfigError(f'label file {file}: {err.strerror or err}') from err
    records = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            if data['split'] not in wanted:
                continue
            labels = tuple(_label(item) for item in data['labels'])
            path = frames / data['file']
            records.append(Record(data['id'], data['split'], data['source'], path, labels))
        except (KeyError, TypeError, ValueError, ConfigError) as err:
            raise ConfigError(f'{file}, line {number}: not a labelled frame ({err})') from err
    return records


def _label(data: Mapping[str, Any]) -> Label:
    fields = {name: check_value(name, data[name]) for name in FIELDS}
    return Label(fields, str(data['caption']))
