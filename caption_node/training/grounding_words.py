# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Which words need evidence before the decoder may say them."""

import torch
from torch import Tensor

from caption_node.vocabulary import Vocabulary

GROUPS = {
    'people': frozenset(
        [
            'pedestrian',
            'pedestrians',
            'person',
            'persons',
            'man',
            'woman',
            'men',
            'women',
            'child',
            'children',
            'worker',
            'workers',
            'walker',
            'walkers',
            'jogger',
            'joggers',
            'passer-by',
            'passers-by',
            'someone',
            'crowd',
            'boy',
            'girl',
            'couple',
        ]
    ),
    'cyclists': frozenset(
        [
            'cyclist',
            'cyclists',
            'bicycle',
            'bicycles',
            'bike',
            'bikes',
            'motorcycle',
            'motorcycles',
            'motorcyclist',
            'motorcyclists',
            'motorbike',
            'motorbikes',
            'scooter',
            'scooters',
            'rider',
            'riders',
            'moped',
            'mopeds',
        ]
    ),
    'signals': frozenset(['signal', 'signals', 'red-lit', 'traffic-light', 'traffic-lights']),
}


def group_matrix(vocabulary: Vocabulary) -> Tensor:
    """
    Mark the words of each group.

    :returns: (G, V) float of 0 and 1.
    """
    rows = [[float(word in words) for word in vocabulary.words] for words in GROUPS.values()]
    return torch.tensor(rows)
