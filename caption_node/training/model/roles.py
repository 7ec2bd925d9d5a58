# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Scene fields that follow from the objects: who leads, how many there are, which lamp is ours.

Every object gets scores for the parts it may play; a field is then read from the objects alone.
What such a field says can be pointed at, and it does not depend on how a camera's streets look.
Sources: pointer networks, arXiv 1506.03134; Deep Sets, arXiv 1703.06114.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.description import FIELDS, MAX_COUNT, OBJECT_CLASSES
from caption_node.training.model.detection import PRESENT_SCORE

DERIVED = (
    'lead',
    'lead_range',
    'vehicles',
    'oncoming',
    'parked',
    'people',
    'people_on_road',
    'cyclists',
    'light',
)
"""Fields that have a reading from the objects, in the order of FIELDS."""
_SHUT = -1e4
_FLOOR = 1e-3
_KINDS = len(FIELDS['lead'].values) - 1
_RANGES = len(FIELDS['lead_range'].values) - 1
_COLOURS = len(FIELDS['light'].values) - 1
_PARTS = (1, _KINDS, _RANGES, 1, 1, 1, 1, _COLOURS)


def _mask(*names: str) -> Tensor:
    return torch.tensor([float(c in names) for c in OBJECT_CLASSES])


class ObjectRoles(nn.Module):
    """
    Read the derived fields from object tokens.

    What is not said by an object is a constant: it must not depend on how a picture looks, or the
    fields would be learnt ones in disguise. Counts depend on scores and sizes of boxes alone.

    :param width: D, channels of a token.
    """

    vehicle: Tensor
    person: Tensor
    rider: Tensor
    signal: Tensor
    counted: Tensor
    counts: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.parts = nn.Linear(width, sum(_PARTS))
        self.nobody = nn.Parameter(torch.zeros(2))  # nobody leads, no lamp is ours
        self.unseen = nn.Parameter(torch.full((2,), -3.0))  # oncoming, parked
        # A box counts by half at a score of 0.3, whatever its size.
        self.gate = nn.Parameter(torch.tensor([[3.0, 0.0, 2.5]]).repeat(3, 1))
        self.more = nn.Parameter(torch.full((3,), -2.0))
        self.spread = nn.Parameter(torch.tensor([-0.8, -1.6]).repeat(3, 1))
        vehicle = _mask('car', 'truck', 'bus', 'motorcycle', 'bicycle')
        self.register_buffer('vehicle', vehicle, persistent=False)
        counted = _mask('car', 'truck', 'bus')
        self.register_buffer('counted', counted, persistent=False)
        self.register_buffer('person', _mask('person'), persistent=False)
        self.register_buffer('rider', _mask('bicycle', 'motorcycle'), persistent=False)
        self.register_buffer('signal', _mask('traffic light'), persistent=False)
        steps = torch.arange(MAX_COUNT + 1).float()
        self.register_buffer('counts', steps, persistent=False)

    def forward(self, objects: Tensor, classes: Tensor, scores: Tensor, heights: Tensor) -> Tensor:
        """
        Return the logits of the derived fields.

        :param objects: (B, K, D).
        :param classes: (B, K) int64.
        :param scores: (B, K) 0..1.
        :param heights: (B, K) of the boxes, as shares of the picture's height.
        :returns: (B, R), the fields of ``DERIVED`` one behind the other, as wide as in FIELDS.
        """
        present = (scores >= PRESENT_SCORE).float()
        vehicle, person = self.vehicle[classes] * present, self.person[classes] * present
        rider, signal = self.rider[classes] * present, self.signal[classes] * present
        counted = self.counted[classes] * present
        parts = self.parts(objects).split(_PARTS, 2)
        lead = _pointer(parts[0][:, :, 0], vehicle, self.nobody[0])  # (B, K)
        lamp = _pointer(parts[6][:, :, 0], signal, self.nobody[1])
        sure = torch.log(scores.clamp(0.02, 0.98) / (1 - scores.clamp(0.02, 0.98)))
        size = torch.log(heights.clamp(min=0.01)) + 2.5
        return torch.cat(
            [
                _read(lead, parts[1]),
                _read(lead, parts[2]),
                self._count(0, sure, size, counted),
                _any(parts[3], vehicle, self.unseen[0]),
                _any(parts[4], vehicle, self.unseen[1]),
                self._count(1, sure, size, person),
                _any(parts[5], person, None),
                self._count(2, sure, size, rider),
                _read(lamp, parts[7]),
            ],
            1,
        )

    def _count(self, number: int, sure: Tensor, size: Tensor, of_class: Tensor) -> Tensor:
        """A bell over 0..15 around how many boxes count, and how many more go unseen with them."""
        gate = self.gate[number]
        counts = (gate[0] * sure + gate[1] * size + gate[2]).sigmoid() * of_class
        count = counts.sum(1, keepdim=True) * (1 + F.softplus(self.more[number]))
        spread = F.softplus(self.spread[number])
        width = spread[0] + spread[1] * count
        return -(((self.counts - count) / width) ** 2) / 2


def _pointer(scores: Tensor, of_class: Tensor, nobody: Tensor) -> Tensor:
    """Return (B, K), how likely each object plays the part; what is missing to 1 is nobody."""
    scores = scores + (1 - of_class) * _SHUT - nobody
    # Nobody's own score is 0.
    return torch.cat([scores, scores[:, :1] * 0], 1).softmax(1)[:, :-1]


def _read(pointer: Tensor, values: Tensor) -> Tensor:
    """Mix what the objects are by how likely each plays the part: log p of none and each value."""
    mixed = (pointer[:, :, None] * values.softmax(2)).sum(1)  # (B, values)
    nobody = 1 - pointer.sum(1, keepdim=True)
    return torch.cat([nobody, mixed], 1).clamp(min=_FLOOR).log()


def _any(scores: Tensor, of_class: Tensor, unseen: Tensor | None) -> Tensor:
    """Return (B, 1), the logit that at least one object, or an unseen one, is so (noisy or)."""
    none = (F.logsigmoid(-scores[:, :, 0]) * of_class).sum(1, keepdim=True)
    if unseen is not None:
        none = none + F.logsigmoid(-unseen)
    none = none.clamp(max=-_FLOOR)
    return torch.log1p(-none.exp()) - none
