# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences as words and runs of words: what every measure of wording counts."""

from collections import Counter
import re

_WORD = re.compile(r"[a-z0-9']+")
ORDERS = (1, 2, 3, 4)
"""Lengths of the runs of words that are compared."""

Gram = tuple[str, ...]


def split_words(sentence: str) -> list[str]:
    """Return the words, lower case; all but letters, digits and apostrophes parts them."""
    return _WORD.findall(sentence.lower())


def count_grams(words: list[str], order: int) -> Counter[Gram]:
    """Count the runs of ``order`` words."""
    return Counter(zip(*(words[i:] for i in range(order)), strict=False))
