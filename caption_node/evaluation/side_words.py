# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""On which side a sentence puts road users, and whether an annotator puts them there too."""

from collections.abc import Collection
import re

# Kinds that are told apart by side, with the object classes whose boxes show them.
_KINDS: dict[str, tuple[str, frozenset[str]]] = {
    'vehicle': (
        r'cars?|vans?|vehicles?|suvs?|pickups?|trucks?|lorry|lorries|bus|buses|coach|coaches|sedan',
        frozenset(['car', 'truck', 'bus']),
    ),
    'person': (
        r'pedestrians?|people|persons?|man|woman|men|women|child|children|workers?',
        frozenset(['person']),
    ),
    'cyclist': (
        r'cyclists?|motorcyclists?|riders?|bicycles?|motorcycles?|scooters?',
        frozenset(['bicycle', 'motorcycle']),
    ),
}
_ANY = '|'.join(words for words, _ in _KINDS.values())
_PLACED = re.compile(
    rf"\b(?P<noun>{_ANY})\b(?P<between>(?: (?!(?:{_ANY}|and|while)\b)[\w'-]+){{0,6}}?)"
    r' (?P<prep>on|to|at|along|from|in) (?:the|our|its)(?: (?:far|near|next))? '
    r'(?P<side>left|right)\b(?! (?:bend|curve|turn))'
)
_BOTH = re.compile(r'\b(?:both|either|each) sides?\b')


def sides_of(caption: str) -> set[tuple[str, str]]:
    """Return (kind, side) for everything that a sentence in lower case puts on a side."""
    found = set()
    for clause in re.split('[,;.:]', caption):
        for match in _PLACED.finditer(clause):
            kind = next(
                k for k, (words, _) in _KINDS.items() if re.fullmatch(words, match['noun'])
            )
            found.add((kind, match['side']))
    return found


def denied_sides(
    caption: str, annotator_caption: str, box_sides: Collection[tuple[str, str]]
) -> list[str]:
    """
    Name the kinds that a sentence puts on a side where the annotator does not see any.

    Denied is a side only if the annotator puts the same kind on the other side alone, and no
    labelled box shows one on the side that the sentence says.

    :param box_sides: (object class, side) of the labelled boxes.
    """
    text = annotator_caption.lower()
    theirs = sides_of(text)
    if _BOTH.search(text):
        return []
    denied = []
    for kind, side in sorted(sides_of(caption)):
        other = 'right' if side == 'left' else 'left'
        boxed = any((name, side) in box_sides for name in _KINDS[kind][1])
        if (kind, other) in theirs and (kind, side) not in theirs and not boxed:
            denied.append(f'{kind} on the {side}')
    return denied
