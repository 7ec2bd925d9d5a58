# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Words to ids and back."""

from collections.abc import Iterable, Sequence
import json
from pathlib import Path
import re

from caption_node.errors import BundleError

PAD, BOS, EOS, UNK = range(4)
SPECIAL = ('<pad>', '<bos>', '<eos>', '<unk>')
TOKENIZERS = ('words', 'characters')
"""``words`` for writing with spaces; ``characters``, each its own token, for writing without."""
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*|[,.;:]")
_CHARACTER = re.compile(r'[a-z0-9]+|\S')
_CLOSE = frozenset(',.;:')


def split_words(sentence: str, tokenizer: str = 'words') -> list[str]:
    """
    Split a sentence into lower-case words and the marks ``, . ; :``.

    :param tokenizer: One of :data:`TOKENIZERS`. Of characters, Latin words and numbers stay whole.
    """
    return (_WORD if tokenizer == 'words' else _CHARACTER).findall(sentence.lower())


def join_words(words: Sequence[str], tokenizer: str = 'words') -> str:
    """
    Write words and marks as a sentence: capital first, full stop last.

    :param tokenizer: ``characters`` are put side by side, as they were said.
    """
    text = ''
    if tokenizer == 'characters':
        for word in words:
            apart = text[-1:].isascii() and text[-1:].isalnum() and word[0].isalnum()
            text += f' {word}' if apart and word.isascii() else word
        return text
    for word in words:
        text += word if word in _CLOSE or not text else ' ' + word
    if not text:
        return ''
    return text[0].upper() + text[1:] + ('' if text[-1] == '.' else '.')


class Vocabulary:
    """
    The words that a model can say.

    :param words: In the order of the ids, beginning with :data:`SPECIAL`.
    :param tokenizer: One of :data:`TOKENIZERS`.
    :raises BundleError: If the special words are not where they belong, or a word stands twice.
    """

    def __init__(self, words: Sequence[str], tokenizer: str = 'words') -> None:
        if tokenizer not in TOKENIZERS:
            raise BundleError(f'no tokenizer {tokenizer!r}; there are {", ".join(TOKENIZERS)}')
        if tuple(words[: len(SPECIAL)]) != SPECIAL:
            raise BundleError(f'a vocabulary begins with {SPECIAL}')
        if len(set(words)) != len(words):
            raise BundleError('a vocabulary may hold a word only once')
        self.words = tuple(words)
        self.tokenizer = tokenizer
        self._ids = {w: i for i, w in enumerate(words)}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, sentence: str) -> list[int]:
        """Return ids without BOS and EOS; unknown words become UNK."""
        return [self._ids.get(w, UNK) for w in split_words(sentence, self.tokenizer)]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the sentence up to the first EOS; ids out of range are left out."""
        words = []
        for i in ids:
            if i == EOS:
                break
            if len(SPECIAL) <= i < len(self.words):
                words.append(self.words[i])
        return join_words(words, self.tokenizer)

    @classmethod
    def load(cls, path: Path, tokenizer: str = 'words') -> 'Vocabulary':
        """
        Read a JSON list of words.

        :raises BundleError: If the file is missing or not such a list.
        """
        try:
            data = json.loads(path.read_text(encoding='utf-8'))
        except (OSError, ValueError) as err:
            raise BundleError(f'vocabulary {path} cannot be read: {err}') from err
        if not isinstance(data, list) or not all(isinstance(w, str) for w in data):
            raise BundleError(f'vocabulary {path} is not a list of words')
        return cls(data, tokenizer)
