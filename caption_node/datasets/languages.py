# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a caption is English, by the small words that every sentence of a language has."""

from collections.abc import Sequence

_ENGLISH = """
a an the of in on at is are with and to no there from by its this that two has
"""
# German, Dutch, French, Spanish, Italian, Portuguese, Swedish, Polish; some are English, too.
_FOREIGN = """
der die das den dem des ein eine einen einem einer und mit ist im am zu von auf aus bei nicht
het een van op voor naar zijn
le la les un une du de et est dans sur avec au aux pas
el los las una y en con por del al hay
il lo gli di che sono della nel
os as um uma com na em da do e
och ett av med som
w z i jest
"""
_ENGLISH_WORDS, _FOREIGN_WORDS = (frozenset(words.split()) for words in (_ENGLISH, _FOREIGN))


def looks_english(words: Sequence[str]) -> bool:
    """
    Return whether English small words are there, and no fewer than those of other languages.

    :param words: Of one caption, in lower case.
    """
    ours = sum(word in _ENGLISH_WORDS for word in words)
    return ours > 0 and ours >= sum(word in _FOREIGN_WORDS for word in words)
