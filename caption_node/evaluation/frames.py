# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Frames with what one or two annotators say of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caption_node.description import FIELDS, Value, check_value
from caption_node.errors import ConfigError
from caption_node.evaluation.json_lines import read_json_lines

ANNOTATORS = 2
"""So many annotators are compared with each other; further ones are left aside."""
_MIDDLE = 0.05
"""A box whose centre is within this share of the width from the middle is on neither side."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one annotator says: every scene field, and a sentence."""

    fields: Mapping[str, Value]
    caption: str


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """
    One frame with its annotations.

    :param file: Path of the picture, relative to the folder of frames.
    :param annotations: At least one.
    :param box_sides: (object class, ``left`` or ``right``) of every labelled box off the middle.
    """

    id: str
    split: str
    source: str
    file: str
    annotations: tuple[Annotation, ...]
    box_sides: frozenset[tuple[str, str]] = frozenset()

    @property
    def captions(self) -> tuple[str, ...]:
        """The annotators' sentences."""
        return tuple(a.caption for a in self.annotations)


def read_frames(
    file: Path, splits: Collection[str], source: str | None = None
) -> dict[str, list[LabelledFrame]]:
    """
    Read the labelled frames of some splits, sorted by their ids.

    :param file: JSON lines, one frame a line.
    :param source: Keep the frames of this source only.
    :raises ConfigError: If the file cannot be read, a line is not a labelled frame, or a split
        has no frame.
    """
    found: dict[str, dict[str, LabelledFrame]] = {name: {} for name in splits}
    sources: dict[str, set[str]] = {}
    for number, data in read_json_lines(file):
        if isinstance(data, ConfigError):
            raise data
        try:
            sources.setdefault(str(data['split']), set()).add(str(data['source']))
            if data['split'] not in found or source not in (None, data['source']):
                continue
            frame = _frame(data)
        except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as err:
            raise ConfigError(f'{file}, line {number}: not a labelled frame ({err})') from err
        if frame.id in found[frame.split]:
            raise ConfigError(f'{file}, line {number}: frame {frame.id!r} stands there twice')
        found[frame.split][frame.id] = frame
    for name, frames in found.items():
        if not frames:
            of = f' of source {source!r}' if source is not None else ''
            raise ConfigError(
                f'{file} has no frame{of} in split {name!r}', _what_there_is(sources)
            )
    return {name: [f for _, f in sorted(frames.items())] for name, frames in found.items()}


def evenly_annotated(frames: Collection[LabelledFrame]) -> list[LabelledFrame]:
    """
    Keep the frames that have as many annotators as the best annotated ones, two at most.

    Only between the same frames can annotators be compared with each other.
    """
    most = min(ANNOTATORS, max((len(f.annotations) for f in frames), default=0))
    return [f for f in frames if len(f.annotations) >= most]


def _what_there_is(sources: Mapping[str, set[str]]) -> str:
    if not sources:
        return 'the file is empty'
    parts = (f'{split} ({", ".join(sorted(of))})' for split, of in sorted(sources.items()))
    return 'splits and sources there: ' + '; '.join(parts)


def _frame(data: Mapping[str, Any]) -> LabelledFrame:
    annotations = tuple(_annotation(item) for item in data['labels'][:ANNOTATORS])
    if not annotations:
        raise ConfigError('no annotation')
    file = str(data['file'])
    if not file or '\0' in file:
        raise ConfigError(f'{file!r} cannot be the name of a file')
    return LabelledFrame(
        id=str(data['id']),
        split=str(data['split']),
        source=str(data['source']),
        file=file,
        annotations=annotations,
        box_sides=frozenset(_sides(data.get('boxes') or (), data.get('width') or 0)),
    )


def _annotation(data: Mapping[str, Any]) -> Annotation:
    return Annotation(
        {name: check_value(name, data[name]) for name in FIELDS}, str(data['caption'])
    )


def _sides(boxes: Collection[Mapping[str, Any]], width: float) -> list[tuple[str, str]]:
    sides = []
    for item in boxes:
        centre = (item['box'][0] + item['box'][2]) / 2 / width - 0.5 if width else 0.0
        if abs(centre) > _MIDDLE:
            sides.append((str(item['cls']), 'left' if centre < 0 else 'right'))
    return sides
