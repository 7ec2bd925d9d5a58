# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What some fields of a scene imply of others, learnt from labels alone.

Parked cars stand along streets, not along country roads; a lamp that faces us is seldom on a
highway. Such relations hold for every camera, while what a country road looks like differs from
country to country. Source: pseudo-likelihood of a pairwise model, Besag 1975.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from caption_node.description import FIELDS
from caption_node.training.model.scene import SCENE_WIDTH, field_starts

_STEPS, _RATE, _KEEP_SMALL = 400, 0.03, 3.0


def implied_by_labels(targets: Tensor, shares: Mapping[str, float]) -> Tensor:
    """
    Fit what all other fields say of a field, for the fields that are named.

    :param targets: (N, fields) int64 class numbers of labelled frames.
    :param shares: How much of it is added to a field's logits, by field of words or flags.
    :returns: (S + 1, S): products with the probabilities of all values, and what is added to all.
    """
    table = torch.zeros(SCENE_WIDTH + 1, SCENE_WIDTH)
    if not shares:
        return table
    seen = one_hot(targets)
    usual = seen.mean(0)
    for name, share in shares.items():
        begin = field_starts()[name]
        columns = slice(begin, begin + FIELDS[name].width)
        weight = _fit(seen - usual, targets[:, list(FIELDS).index(name)], name) * share
        table[:-1, columns] = weight
        table[-1, columns] = -usual @ weight
    return table


def one_hot(targets: Tensor) -> Tensor:
    """Return (N, S) of 0 and 1 for (N, fields) class numbers; a flag is one column."""
    parts = [
        targets[:, i : i + 1].float()
        if spec.kind == 'boolean'
        else F.one_hot(targets[:, i], spec.width).float()
        for i, spec in enumerate(FIELDS.values())
    ]
    return torch.cat(parts, 1)


def _fit(others: Tensor, target: Tensor, name: str) -> Tensor:
    """Fit (S, width) by regularised likelihood; a field says nothing of itself."""
    spec, begin = FIELDS[name], field_starts()[name]
    mask = torch.ones(SCENE_WIDTH, 1)
    mask[begin : begin + spec.width] = 0
    weight = torch.zeros(SCENE_WIDTH, spec.width, requires_grad=True)
    bias = torch.zeros(spec.width, requires_grad=True)
    optimiser = torch.optim.Adam([weight, bias], lr=_RATE)
    for _ in range(_STEPS):
        logits = others @ (weight * mask) + bias
        if spec.kind == 'boolean':
            loss = F.binary_cross_entropy_with_logits(
                logits[:, 0], target.float(), reduction='sum'
            )
        else:
            loss = F.cross_entropy(logits, target, reduction='sum')
        loss = loss + _KEEP_SMALL * (weight * mask).pow(2).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return (weight * mask).detach()
