# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Loss of the scene fields: cross-entropy for words and flags, a bell around each true count."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from caption_node.description import FIELDS, MAX_COUNT

ALL = tuple(FIELDS)


def field_weights(targets: Tensor) -> dict[str, Tensor]:
    """
    Weigh rare values up, by the square root of how rare they are; counts are left alone.

    A weighted count is a wrong count: large ones are rare, and all would come out too large.

    :param targets: (N, fields) int64 class numbers of the training samples.
    :returns: (width,) by field; for booleans (2,), false first.
    """
    weights = {}
    for i, (name, spec) in enumerate(FIELDS.items()):
        classes = 2 if spec.kind == 'boolean' else spec.width
        counts = torch.bincount(targets[:, i], minlength=classes).float()
        even = targets.shape[0] / max(1, int((counts > 0).sum()))
        weights[name] = (even / counts.clamp(min=1)).sqrt().clamp(0.5, 3.0)
        if spec.kind == 'count':
            weights[name] = torch.ones(classes)
    return weights


def field_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Mapping[str, Tensor],
    names: Sequence[str] = ALL,
) -> Tensor:
    """
    Mean over fields of the weighted loss.

    :param logits: (B, sum of the named fields' widths).
    :param targets: (B, fields) int64, all fields.
    :param names: Which fields the logits are of, in order.
    """
    total = logits.new_zeros(())
    start = 0
    for name in names:
        spec = FIELDS[name]
        part = logits[:, start : start + spec.width]
        start += spec.width
        target = targets[:, ALL.index(name)]
        weight = weights[name][target]
        if spec.kind == 'boolean':
            soft = target.float() * 0.94 + 0.03
            loss = F.binary_cross_entropy_with_logits(part[:, 0], soft, reduction='none')
        elif spec.kind == 'count':
            loss = -(count_targets(target) * part.log_softmax(1)).sum(1)
        else:
            loss = F.cross_entropy(part, target, reduction='none', label_smoothing=0.05)
        total = total + (loss * weight).mean()
    return total / len(names)


def count_targets(count: Tensor) -> Tensor:
    """Return (B, 16): a bell around each count, wider for larger counts, sharp at zero."""
    steps = torch.arange(MAX_COUNT + 1, device=count.device).float()
    spread = 0.3 + 0.12 * count.float()
    bell = torch.exp(-(((steps - count[:, None]) / spread[:, None]) ** 2) / 2)
    return bell / bell.sum(1, keepdim=True)
