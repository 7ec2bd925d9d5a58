# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Faults in the form of a sentence that need no picture to be seen.

A reward for shared runs of words (CIDEr-D) does not mind them: "red light at a red light" holds
what annotators say twice.
"""

from itertools import pairwise
import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DANGLING = _words(
    'a an the of on in at to with and or our is are by from into near beside past under '
    'over behind between towards toward its their as for while no along across'
)
_ARTICLES = _words('a an the our no')
_MODIFIERS = _words(
    'clear red green free wide long small large narrow dry wet sunny shaded parked close '
    'busy straight open empty few single short marked oncoming quiet dark white '
    'tree-lined'
)
# Words that a good sentence may say twice: sides, lanes and the commonest road user.
_OFTEN = _words('car cars lane left right ahead road far two one light close street side traffic')
_SMALL = _DANGLING | _words(
    'it we that this there who which not but few several some row far up out just'
)
_SIDE_OF_SIDE = re.compile(
    r'\b(?:left|right)(?: edge| side| kerb| lane)? (?:on|at|to) (?:the|our) (?:left|right)\b'
)
_VERBS = 'is|are|stands?|faces?|comes?|waits?|passes'
# "with a car is ahead": a phrase that grew a verb; "narrow the lane": an adjective with no noun;
# "is parked cars stand": two sentences run into one.
_BROKEN = re.compile(
    rf"\bwith (?:an?|the|our|one|no)(?: [\w'-]+){{1,2}} (?:{_VERBS})\b"
    r'|\b(?:narrow|wide|dry|wet|straight|red|green|sunny|quiet) (?:an?|the|our)\b'
    r'|\b(?:is|are) parked (?:cars?|vehicles?|trucks?|vans?)\b'
)
_WORD = re.compile(r"[a-z0-9'-]+|,")


def faults_of_form(sentence: str) -> list[str]:
    """
    Name what is wrong with the form of a sentence.

    Found are: an end that waits for a word; an article or a modifier with no noun behind it; ``a``
    before a vowel and ``an`` before a consonant; a side of a side; a phrase that grew a verb; the
    same two words with content twice; a rarer word twice.

    :returns: One entry a fault; none for most sentences that people write.
    """
    words = _WORD.findall(sentence.lower())
    faults = [f'unfinished: {words[-1]}'] if words and words[-1] in _DANGLING else []
    for i, (before, word) in enumerate(pairwise(words)):
        if before in _ARTICLES and word in _MODIFIERS and _ends_phrase(words[i + 2 : i + 4]):
            faults.append(f'no noun: {before} {word}')
        if before == 'a' and word[0] in 'aeio' and not word.startswith('one'):
            faults.append(f'a before a vowel: {word}')
        if before == 'an' and word[0] not in 'aeiou':
            faults.append(f'an before a consonant: {word}')
        if before in _ARTICLES and word in _DANGLING:
            faults.append(f'no noun: {before} {word}')
    lower = sentence.lower()
    faults += [f'side of a side: {m}' for m in _SIDE_OF_SIDE.findall(lower)]
    faults += [f'broken: {m}' for m in _BROKEN.findall(lower)]
    content = [w for w in words if w not in _SMALL and w != ',']
    faults += [f'twice: {w}' for w in _repeated([w for w in content if w not in _OFTEN])]
    pairs = [
        f'{a} {b}'
        for a, b in pairwise(words)
        if a in content and b in content and b not in ('left', 'right', 'ahead')
    ]
    return faults + [f'twice: {p}' for p in _repeated(pairs)]


def _ends_phrase(following: list[str]) -> bool:
    """Say whether no noun can stand behind a modifier; another may, behind a comma."""
    if following[:1] == [',']:
        return following[1:] == [] or following[1] not in _MODIFIERS
    return following == [] or following[0] in _DANGLING


def _repeated(items: list[str]) -> list[str]:
    return [x for i, x in enumerate(items) if x in items[:i]]
