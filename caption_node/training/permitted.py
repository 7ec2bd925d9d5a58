# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
How much of an annotator's sentence may be learnt: as far as the rules let it be said.

A decoder that learns words which it may never say goes towards them and breaks off.
"""

import torch
from torch import Tensor

from caption_node.training.model.writing import SHUT
from caption_node.vocabulary import PAD, UNK, Vocabulary

_CLAUSES = frozenset([',', 'and', 'with', 'while', 'past', 'passing', 'beyond'])


def clause_marks(vocabulary: Vocabulary) -> Tensor:
    """Return (V,) of 0 and 1: words that a clause begins with."""
    return torch.tensor([float(word in _CLAUSES) for word in vocabulary.words])


def permitted(following: Tensor, shut: Tensor, marks: Tensor) -> Tensor:
    """
    Return sentences up to the clause in which the first word stands that is shut out.

    :param following: (B, N) int64, the words to be said.
    :param shut: (B, N, V), what the rules add to their logits.
    :param marks: (V,) as :func:`clause_marks` gives them.
    :returns: (B, N) int64, PAD in place of all that is not to be learnt.
    """
    added = shut.gather(2, following[:, :, None])[:, :, 0]
    denied = (added <= SHUT / 2) & (following > UNK)
    count = int(following.shape[1])
    place = torch.arange(count, device=following.device)
    first = torch.where(denied, place, count).amin(1, keepdim=True)  # (B, 1)
    begins = (marks[following] > 0) & (place < first)
    until = torch.where(begins, place, 0).amax(1, keepdim=True)
    until = torch.where(first == count, count, until)
    return torch.where(place < until, following, PAD)
