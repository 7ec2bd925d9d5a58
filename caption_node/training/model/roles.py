# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Scene fields that follow from the objects: who leads, how many there are, which lamp is ours.

Every object gets scores for the parts it may play; a field is then read from the objects alone.
What such a field says can be pointed at, and it does not depend on how a camera's streets look.
All parts, sums and counts go through the same few operators side by side: at batch 1 it is the
number of operators that takes time.
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
# The rows of ``parts``: lead, its kinds, its ranges, oncoming, parked, on road, lamp, its colours.
_ANY = [1 + _KINDS + _RANGES + k for k in range(3)]
_LAMP = _ANY[-1] + 1
_VALUES = [*range(1, 1 + _KINDS + _RANGES), *range(_LAMP + 1, _LAMP + 1 + _COLOURS)]
_PARTS = _LAMP + 1 + _COLOURS

_VEHICLES = ('car', 'truck', 'bus', 'motorcycle', 'bicycle')
_CLASSES = (
    # who may lead, and which lamp may be ours
    _VEHICLES,
    ('traffic light',),
    # of whom one is enough: oncoming, parked, people on the road
    _VEHICLES,
    _VEHICLES,
    ('person',),
    # who counts: vehicles, people, cyclists
    ('car', 'truck', 'bus'),
    ('person',),
    ('bicycle', 'motorcycle'),
)
_COUNTS = 3


def _order() -> list[int]:
    """Return where each logit of DERIVED stands in what :class:`ObjectRoles` computes."""
    read, place, at = {}, 0, 0
    for name, values in (('lead', _KINDS), ('lead_range', _RANGES), ('light', _COLOURS)):
        read[name] = [place, *range(3 + at, 3 + at + values)]
        place, at = place + 1, at + values
    at += 3
    for name in ('oncoming', 'parked', 'people_on_road'):
        read[name] = [at]
        at += 1
    for name in ('vehicles', 'people', 'cyclists'):
        read[name] = list(range(at, at + MAX_COUNT + 1))
        at += MAX_COUNT + 1
    return [k for name in DERIVED for k in read[name]]


class ObjectRoles(nn.Module):
    """
    Read the derived fields from object tokens.

    What is not said by an object is a constant: it must not depend on how a picture looks, or the
    fields would be learnt ones in disguise. Counts depend on scores and sizes of boxes alone.

    :param width: D, channels of a token.
    """

    of_class: Tensor
    counts: Tensor
    rows: Tensor
    order: Tensor
    pointed: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.parts = nn.Linear(width, _PARTS)
        self.nobody = nn.Parameter(torch.zeros(2))  # nobody leads, no lamp is ours
        self.unseen = nn.Parameter(torch.full((2,), -3.0))  # oncoming, parked
        # A box counts by half at a score of 0.3, whatever its size.
        self.gate = nn.Parameter(torch.tensor([[3.0, 0.0, 2.5]]).repeat(_COUNTS, 1))
        self.more = nn.Parameter(torch.full((_COUNTS,), -2.0))
        self.spread = nn.Parameter(torch.tensor([-0.8, -1.6]).repeat(_COUNTS, 1))
        of_class = torch.tensor([[float(c in k) for k in _CLASSES] for c in OBJECT_CLASSES])
        self.register_buffer('of_class', of_class, persistent=False)
        steps = torch.arange(MAX_COUNT + 1).float()
        self.register_buffer('counts', steps, persistent=False)
        rows = torch.tensor([0, _LAMP, *_ANY, *_VALUES])
        self.register_buffer('rows', rows, persistent=False)
        self.register_buffer('order', torch.tensor(_order()), persistent=False)
        pointed = torch.tensor([0, 0, 1])  # kind and range are the lead's, the colour the lamp's
        self.register_buffer('pointed', pointed, persistent=False)

    def forward(self, objects: Tensor, classes: Tensor, scores: Tensor, heights: Tensor) -> Tensor:
        """
        Return the logits of the derived fields.

        :param objects: (B, K, D).
        :param classes: (B, K) int64.
        :param scores: (B, K) 0..1.
        :param heights: (B, K) of the boxes, as shares of the picture's height.
        :returns: (B, R), the fields of ``DERIVED`` one behind the other, as wide as in FIELDS.
        """
        k, width = int(objects.shape[1]), int(objects.shape[2])
        present = (scores >= PRESENT_SCORE).to(scores.dtype)
        members = self.of_class[classes] * present[:, :, None]  # (B, K, 8)
        bias = self.parts.bias[self.rows] - F.pad(self.nobody, (0, _PARTS - 2))
        parts = F.linear(objects.reshape(-1, width), self.parts.weight[self.rows], bias)
        who, some, values = parts.reshape(-1, k, _PARTS).split([2, 3, len(_VALUES)], 2)
        pointers, sums = members.split([2, 6], 2)
        read = self._read(_point(who, pointers), values)
        each = torch.cat([F.logsigmoid(-some), self.gates(scores, heights)], 2) * sums
        none, counted = each.sum(1).split(3, 1)  # (B, 3) each
        unseen = F.pad(F.logsigmoid(-self.unseen), (0, 1))  # of people on the road none is unseen
        none = (none + unseen).clamp(max=-_FLOOR)
        some = torch.log1p(-none.exp()) - none  # the logit of at least one: a noisy or
        return torch.cat([read, some, self._bells(counted)], 1)[:, self.order]

    def _read(self, pointers: Tensor, values: Tensor) -> Tensor:
        """
        Mix what the objects are by how likely each plays the part.

        :param pointers: (B, 2, K), who leads and which lamp is ours.
        :param values: (B, K, kinds + ranges + colours).
        :returns: (B, 3 + kinds + ranges + colours), log p of none three times, and each value.
        """
        kinds, ranges, colours = values.split([_KINDS, _RANGES, _COLOURS], 2)
        of_lead = torch.cat([kinds.softmax(2), ranges.softmax(2)], 2)
        lead, lamp = pointers.split(1, 1)  # (B, 1, K)
        mixed = torch.cat([lead @ of_lead, lamp @ colours.softmax(2)], 2)[:, 0]
        none = (1 - pointers.sum(2))[:, self.pointed]
        return torch.cat([none, mixed], 1).clamp(min=_FLOOR).log()

    def gates(self, scores: Tensor, heights: Tensor) -> Tensor:
        """Return (B, K, 3), how much each box counts as one of each kind, 0..1."""
        likely = scores.clamp(0.02, 0.98)
        sure = torch.log(likely / (1 - likely))[:, :, None]
        size = (torch.log(heights.clamp(min=0.01)) + 2.5)[:, :, None]
        return (sure * self.gate[:, 0] + size * self.gate[:, 1] + self.gate[:, 2]).sigmoid()

    def _bells(self, counted: Tensor) -> Tensor:
        """A bell over 0..15 around how many boxes count, and how many more go unseen with them."""
        count = (counted * (1 + F.softplus(self.more)))[:, :, None]  # (B, 3, 1)
        spread = F.softplus(self.spread)
        width = spread[:, :1] + spread[:, 1:] * count
        steps = (self.counts - count) / width  # (B, 3, 16)
        return (steps * steps * -0.5).flatten(1)


def _point(scores: Tensor, of_class: Tensor) -> Tensor:
    """Return (B, n, K), how likely each object plays each part; what is missing to 1 is nobody."""
    scores = scores + (1 - of_class) * _SHUT
    # Nobody's own score is 0.
    return F.pad(scores.transpose(1, 2), (0, 1)).softmax(2)[:, :, :-1]
