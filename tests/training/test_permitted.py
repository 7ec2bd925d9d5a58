# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences are learnt as far as the rules let them be said."""

import torch

from caption_node.training.model.writing import SHUT
from caption_node.training.permitted import clause_marks, permitted
from caption_node.vocabulary import EOS, PAD, SPECIAL, Vocabulary

VOCABULARY = Vocabulary([*SPECIAL, 'a', 'car', 'tram', 'waits', 'with', ','])


def learnt(text: str, denied: str = 'tram') -> list[int]:
    tokens = torch.tensor([[*VOCABULARY.encode(text), EOS, PAD]])
    shut = torch.zeros(1, tokens.shape[1], len(VOCABULARY))
    shut[:, :, VOCABULARY.encode(denied)] = SHUT
    return permitted(tokens, shut, clause_marks(VOCABULARY))[0].tolist()


def test_whole_sentences_are_learnt_to_their_end() -> None:
    assert learnt('a car waits') == [*VOCABULARY.encode('a car waits'), EOS, PAD]


def test_a_clause_that_may_not_be_said_is_left_out_with_what_follows() -> None:
    kept = VOCABULARY.encode('a car waits')
    text = 'a car waits with a tram , a car'
    assert learnt(text) == [*kept, *[PAD] * (len(VOCABULARY.encode(text)) + 2 - len(kept))]


def test_nothing_is_learnt_where_the_first_clause_may_not_be_said() -> None:
    assert set(learnt('a tram waits with a car')) == {PAD}


def test_only_rules_for_the_place_count() -> None:
    tokens = torch.tensor([VOCABULARY.encode('a car a tram')])
    shut = torch.zeros(1, 4, len(VOCABULARY))
    shut[0, 0, VOCABULARY.encode('tram')] = SHUT
    assert torch.equal(permitted(tokens, shut, clause_marks(VOCABULARY)), tokens)
