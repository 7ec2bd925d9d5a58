# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""JSON lines read one at a time, so that a file of any size needs the memory of one line."""

from collections.abc import Iterator
from contextlib import ExitStack
import json
from pathlib import Path
import sys
from typing import Any, TextIO

from caption_node.errors import ConfigError

STANDARD_INPUT = '-'
LONGEST_LINE = 1 << 22


class JsonLineError(ConfigError):
    """Raised when one line is no JSON object; the next one may be fine."""


def read_json_lines(file: Path) -> Iterator[tuple[int, dict[str, Any] | JsonLineError]]:
    """
    Read the objects of a file; ``-`` is standard input.

    :returns: Line number from 1 with the object, or with what is wrong with the line.
    :raises ConfigError: If the file cannot be read on.
    """
    with ExitStack() as stack:
        stream = _open(file, stack)
        number = 0
        while True:
            number += 1
            try:
                line = stream.readline(LONGEST_LINE)
            except OSError as err:
                raise ConfigError(f'{file} cannot be read: {err.strerror or err}') from err
            if not line:
                return
            if len(line) == LONGEST_LINE and not line.endswith('\n'):
                raise ConfigError(
                    f'{file}, line {number}: longer than {LONGEST_LINE} characters',
                    'give a file of JSON lines, one object a line',
                )
            if line.strip():
                yield number, _parse(file, number, line)


def _open(file: Path, stack: ExitStack) -> TextIO:
    if str(file) == STANDARD_INPUT:
        if sys.stdin is None:
            raise ConfigError('standard input is closed')
        return sys.stdin
    try:
        # Bytes that are no text come through as such and fail as JSON, line by line.
        return stack.enter_context(file.open(encoding='utf-8', errors='surrogateescape'))
    except OSError as err:
        raise ConfigError(f'{file} cannot be read: {err.strerror or err}') from err


def _parse(file: Path, number: int, line: str) -> dict[str, Any] | JsonLineError:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as err:
        return JsonLineError(f'{file}, line {number}: not JSON ({err})')
    if not isinstance(data, dict):
        return JsonLineError(f'{file}, line {number}: not a JSON object')
    return data
