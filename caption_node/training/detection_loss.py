# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Loss of the detection head against boxes.

Sources: Generalized Focal Loss, arXiv 2006.04388 (quality as the class target, distances as
distributions); task-aligned assignment, TOOD, arXiv 2108.07755; GIoU, arXiv 1902.09630.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from caption_node.training.model.detection import ANIMALS, SCHEMA_COLUMNS, BoxDecoder
from caption_node.training.model.nanodet import REG_BINS

_TOP = 9
_IOU_POWER = 4.0
# Rare classes in the order of OBJECT_CLASSES: their few boxes count for more.
_CLASS_WEIGHT = (2.0, 3.0, 1.0, 3.0, 2.5, 2.0, 1.5, 1.5)


@dataclass(frozen=True)
class Assignment:
    """
    Which locations answer for which boxes of one picture.

    :param places: (P,) locations.
    :param boxes: (P, 4) the boxes that they answer for.
    :param classes: (P,) int64.
    :param quality: (P,) 0..1, the score that they should give.
    """

    places: Tensor
    boxes: Tensor
    classes: Tensor
    quality: Tensor


def detection_loss(
    heads: Sequence[Tensor], decoder: BoxDecoder, truth: Sequence[Tensor]
) -> Tensor:
    """
    Compare raw head outputs with boxes.

    Animals are in no label of ours, so their columns are left as they are.

    :param heads: Per level (B, columns + 32, H/s, W/s).
    :param truth: Per picture (N, 6): box in input pixels, class number, score 0..1.
    """
    flat = torch.cat([h.flatten(2) for h in heads], 2).transpose(1, 2)
    columns = len(SCHEMA_COLUMNS)
    logits, bins = flat[:, :, :ANIMALS], flat[:, :, columns:]
    places = int(flat.shape[1])
    bins = bins.reshape(-1, places, 4, REG_BINS)
    distance = (bins.softmax(3) * decoder.bins).sum(3) * decoder.strides
    centres = decoder.centres
    corners = torch.cat([centres - distance[:, :, :2], centres + distance[:, :, 2:]], 2)
    wanted, importance = torch.zeros_like(logits), torch.ones_like(logits)
    rarity = torch.tensor(_CLASS_WEIGHT, device=flat.device)
    box_loss = flat.new_zeros(())
    total = flat.new_zeros(())
    for i, rows in enumerate(truth):
        known = rows[(rows[:, 4] < ANIMALS) & (_area(rows) > 4)]
        if not len(known):
            continue
        a = assign(logits[i].detach(), corners[i].detach(), centres, decoder.strides, known)
        wanted[i, a.places, a.classes] = a.quality
        weight = rarity[a.classes]
        importance[i, a.places, a.classes] = weight
        overlap = generalised_iou(corners[i, a.places], a.boxes)
        sides = torch.cat(
            [centres[a.places] - a.boxes[:, :2], a.boxes[:, 2:] - centres[a.places]], 1
        )
        parts = bin_loss(bins[i, a.places], sides / decoder.strides[a.places])
        box_loss = box_loss + (weight * a.quality * (2.0 * (1 - overlap) + 0.25 * parts)).sum()
        total = total + a.quality.sum()
    focus = importance * (logits.sigmoid() - wanted).abs().pow(2).detach()
    class_loss = F.binary_cross_entropy_with_logits(logits, wanted, reduction='none') * focus
    return (class_loss.sum() + box_loss) / total.clamp(min=1.0)


def assign(
    logits: Tensor, corners: Tensor, centres: Tensor, strides: Tensor, truth: Tensor
) -> Assignment:
    """
    Choose for every box the locations whose class score and overlap agree with it best.

    :param logits: (L, classes).
    :param corners: (L, 4) the boxes that the locations give now.
    :param centres: (L, 2) pixels.
    :param strides: (L, 1) pixels.
    :param truth: (N, 6) as :func:`detection_loss` takes them.
    """
    boxes, classes = truth[:, :4], truth[:, 4].long()
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    # A location answers for a box that its centre lies in, or whose middle it is nearest to.
    reach = torch.maximum((boxes[:, 2:] - boxes[:, :2])[:, None] / 2, strides[None] * 0.75)
    inside = ((centres[None] - middle[:, None]).abs() <= reach).all(2)  # (N, L)
    overlap = iou(boxes[:, None], corners[None])  # (N, L)
    score = logits.sigmoid()[:, classes].T  # (N, L)
    metric = score.clamp(min=0.01) * overlap.clamp(min=1e-3).pow(_IOU_POWER) * inside
    top, index = metric.topk(min(_TOP, int(metric.shape[1])), 1)
    chosen = torch.zeros_like(metric).scatter_(1, index, (top > 0).float()) * metric
    best, owner = chosen.max(0)  # a location answers for one box only
    places = (best > 0).nonzero()[:, 0]
    owner = owner[places]
    # The best location of a box aims at the best overlap found, the others at less.
    peak = torch.zeros(len(boxes)).to(metric).scatter_reduce_(0, owner, best[places], 'amax')
    reachable = (overlap * (chosen > 0)).amax(1)
    quality = best[places] / peak[owner].clamp(min=1e-9) * reachable[owner].clamp(min=0.3)
    # The label itself may be unsure.
    quality = quality * truth[owner, 5].mul(2).clamp(0.75, 1.0)
    return Assignment(places, boxes[owner], classes[owner], quality)


def bin_loss(bins: Tensor, sides: Tensor) -> Tensor:
    """
    Cross-entropy against the two bins beside each distance.

    :param bins: (P, 4, REG_BINS) logits.
    :param sides: (P, 4) distances in units of the stride.
    :returns: (P,).
    """
    x = sides.clamp(0, REG_BINS - 1.01)
    low = x.floor()
    share = x - low
    log_p = bins.log_softmax(2)
    at_low = log_p.gather(2, low.long()[:, :, None])[..., 0]
    at_high = log_p.gather(2, low.long()[:, :, None] + 1)[..., 0]
    return -((1 - share) * at_low + share * at_high).sum(1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Overlap of boxes (..., 4) that broadcast, 0..1."""
    side = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(0)
    shared = side[..., 0] * side[..., 1]
    return shared / (_area(a) + _area(b) - shared).clamp(min=1e-6)


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """Overlap of boxes (P, 4) less the empty share of what encloses both, -1..1."""
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    size = (hull[:, 0] * hull[:, 1]).clamp(min=1e-6)
    shared = iou(a, b)
    union = (_area(a) + _area(b)) / (1 + shared)
    return shared - (size - union) / size


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2] - boxes[..., 0]).clamp(0) * (boxes[..., 3] - boxes[..., 1]).clamp(0)
