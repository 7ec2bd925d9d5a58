# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""On which line the objects of a JSON file's lists begin: messages should name it."""

from collections.abc import Iterable
import json


def object_lines(text: str, names: Iterable[str]) -> dict[tuple[str, int], int]:
    """
    Find the lines of the objects in some lists of a JSON object.

    :param names: Of the lists, as keys of the outermost object.
    :returns: Lines from 1, by list and number in it; what cannot be found is not there.
    """
    found: dict[tuple[str, int], int] = {}
    decoder = json.JSONDecoder()
    for name in names:
        start = text.find(f'"{name}"')
        at = text.find('[', start) + 1 if start >= 0 else 0
        number, line, counted = 0, 1, 0
        while at:
            while at < len(text) and text[at] in ' \t\r\n,':
                at += 1
            if at >= len(text) or text[at] == ']':
                break
            line += text.count('\n', counted, at)
            counted = at
            found[name, number] = line
            number += 1
            try:
                _, at = decoder.raw_decode(text, at)
            except (ValueError, RecursionError):
                break
    return found
