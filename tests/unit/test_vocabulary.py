# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Words to ids and back."""

import json
from pathlib import Path

import pytest

from caption_node.errors import BundleError
from caption_node.vocabulary import EOS, PAD, SPECIAL, UNK, Vocabulary, join_words, split_words

WORDS = ('a', 'car', 'ahead', '.', ',', 'headlights-on', "driver's", '2')


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary([*SPECIAL, *WORDS])


def test_sentence_comes_back(vocabulary: Vocabulary) -> None:
    ids = vocabulary.encode('A car ahead, a car.')
    assert ids == [4, 5, 6, 8, 4, 5, 7]
    assert vocabulary.decode(ids) == 'A car ahead, a car.'


def test_unknown_words_become_unk_and_are_not_said(vocabulary: Vocabulary) -> None:
    ids = vocabulary.encode('a purple car')
    assert ids == [4, UNK, 5]
    assert vocabulary.decode(ids) == 'A car.'


def test_decoding_stops_at_the_end_mark(vocabulary: Vocabulary) -> None:
    assert vocabulary.decode([4, 5, EOS, 6, PAD]) == 'A car.'


@pytest.mark.parametrize('ids', [[], [EOS], [PAD, PAD], [999, -3]])
def test_nothing_said_is_an_empty_sentence(vocabulary: Vocabulary, ids: list[int]) -> None:
    assert vocabulary.decode(ids) == ''


def test_hyphens_and_apostrophes_stay_in_words() -> None:
    assert split_words("The driver's headlights-on, 2 cars!") == [
        'the', "driver's", 'headlights-on', ',', '2', 'cars',
    ]  # fmt: skip


def test_full_stop_is_added_once() -> None:
    assert join_words(['wet', 'road']) == 'Wet road.'
    assert join_words(['wet', 'road', '.']) == 'Wet road.'


@pytest.mark.parametrize('words', [['a', *SPECIAL], [], [*SPECIAL, 'car', 'car']])
def test_bad_lists_are_refused(words: list[str]) -> None:
    with pytest.raises(BundleError):
        Vocabulary(words)


def test_file_comes_back(tmp_path: Path) -> None:
    file = tmp_path / 'vocabulary.json'
    file.write_text(json.dumps([*SPECIAL, *WORDS]), encoding='utf-8')
    assert Vocabulary.load(file).words == (*SPECIAL, *WORDS)
    assert len(Vocabulary.load(file)) == len(SPECIAL) + len(WORDS)


@pytest.mark.parametrize('text', ['', '{}', '[1, 2]', '["<pad>"', '"words"'])
def test_garbled_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / 'vocabulary.json'
    file.write_text(text, encoding='utf-8')
    with pytest.raises(BundleError):
        Vocabulary.load(file)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r'none\.json'):
        Vocabulary.load(tmp_path / 'none.json')
