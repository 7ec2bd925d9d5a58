# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""On which line the objects of a JSON file's lists begin: messages should name it."""

from collections.abc import Collection, Iterator
import json
import re

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r'[ \t\r\n]*')
_BETWEEN = re.compile(r'[ \t\r\n,]*')


def object_lines(text: str, names: Collection[str]) -> dict[tuple[str, int], int]:
    """
    Find the lines of the objects in some lists of a JSON object.

    :param text: JSON; of what is none or breaks off, only what can be found.
    :param names: Of the lists, as keys of the outermost object.
    :returns: Lines from 1, by list and number in it.
    """
    found: dict[tuple[str, int], int] = {}
    try:
        for name, at in _members(text):
            if name in names and text[at] == '[':
                # Where a key stands twice, the last one counts.
                for key in [key for key in found if key[0] == name]:
                    del found[key]
                line, counted = text.count('\n', 0, at) + 1, at
                for number, begin in enumerate(_items(text, at)):
                    line += text.count('\n', counted, begin)
                    counted = begin
                    found[name, number] = line
    except (ValueError, IndexError, RecursionError):
        pass  # who reads the file says what is wrong with it
    return found


def _members(text: str) -> Iterator[tuple[str, int]]:
    """Yield the keys of the outermost object, and where their values begin."""
    at = _skip(_BETWEEN, text, text.index('{') + 1)
    while text[at] != '}':
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(_SPACE, text, _skip(_SPACE, text, at) + 1)  # over the colon
        yield name, at
        at = _skip(_BETWEEN, text, _DECODER.raw_decode(text, at)[1])


def _items(text: str, at: int) -> Iterator[int]:
    """Yield where the items of the list that begins there begin."""
    at = _skip(_BETWEEN, text, at + 1)
    while text[at] != ']':
        yield at
        at = _skip(_BETWEEN, text, _DECODER.raw_decode(text, at)[1])


def _skip(what: re.Pattern[str], text: str, at: int) -> int:
    match = what.match(text, at)
    return match.end() if match else at
