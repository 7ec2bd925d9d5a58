# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What a data set holds, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
import re
from typing import Any, Literal

from caption_node.datasets.alike import Look
from caption_node.description import Value

Severity = Literal['error', 'warning']


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One thing that is wrong.

    :param severity: An ``error`` keeps a picture or a caption from being used.
    :param kind: The same word for the same kind of problem, for programs.
    :param place: What it is about: ``image 7``, ``annotation 31``; empty for the whole file.
    :param line: Of the label file, from 1; 0 where no line can be named.
    """

    severity: Severity
    kind: str
    place: str
    line: int
    message: str

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {
            'severity': self.severity,
            'kind': self.kind,
            'place': self.place,
            'line': self.line,
            'message': self.message,
        }

    def __str__(self) -> str:
        where = ', '.join(w for w in (f'line {self.line}' if self.line else '', self.place) if w)
        return f'{self.severity}: {where + ": " if where else ""}{self.message} [{self.kind}]'


@dataclass(frozen=True, slots=True)
class Caption:
    """One sentence about a picture, and where it stands."""

    text: str
    place: str
    line: int


@dataclass(slots=True)
class Item:
    """
    One picture.

    :param id: As the label file names it.
    :param file: As the label file gives it.
    :param path: Where it should be on disk.
    :param split: Empty where none is given.
    :param values: Field values that could be read; others are not known of this picture.
    :param usable: Whether the picture can be decoded; known once it was looked at.
    :param look: What copies of it are found by; known then, too.
    """

    id: str
    file: str
    path: Path
    place: str
    line: int
    split: str = ''
    size: tuple[int, int] | None = None
    captions: list[Caption] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    usable: bool = True
    look: Look | None = None


@dataclass(slots=True)
class DataSet:
    """
    A label file as it was read.

    :param fields: Names that the file gives values for, whether a table knows them or not.
    """

    file: Path
    items: list[Item] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)

    def error(self, kind: str, message: str, place: str = '', line: int = 0) -> None:
        """Note what keeps something from being used."""
        self.problems.append(Problem('error', kind, place, line, message))

    def warn(self, kind: str, message: str, place: str = '', line: int = 0) -> None:
        """Note what should be looked at."""
        self.problems.append(Problem('warning', kind, place, line, message))

    def count(self, severity: Severity) -> int:
        """Count the problems of a severity."""
        return sum(p.severity == severity for p in self.problems)

    def take_size(self, item: 'Item', width: object, height: object) -> None:
        """
        Note the size that a picture is said to have.

        :param width: Pixels, a number or its digits; None or empty where nothing is said.
        """
        given = [str(v)[:20] for v in (width, height) if v not in (None, '')]
        if len(given) == 2 and all(re.fullmatch('[0-9]{1,6}', g) and int(g) for g in given):
            item.size = (int(given[0]), int(given[1]))
        elif given:
            message = f'width and height are {" x ".join(given)}, no size of a picture'
            self.warn('picture-size', message, item.place, item.line)

    def summary(self) -> Mapping[str, Any]:
        """Return counts, for people and for programs."""
        splits: dict[str, int] = {}
        for item in self.items:
            splits[item.split or '(none)'] = splits.get(item.split or '(none)', 0) + 1
        return {
            'file': str(self.file),
            'pictures': len(self.items),
            'captions': sum(len(i.captions) for i in self.items),
            'splits': dict(sorted(splits.items())),
            'fields': sorted(self.fields),
            'errors': self.count('error'),
            'warnings': self.count('warning'),
        }
