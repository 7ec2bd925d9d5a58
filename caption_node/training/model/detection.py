# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Raw head outputs to K boxes, in fixed shapes and standard operators, inside the graph.

Sources: Generalized Focal Loss, arXiv 2006.04388 (expected distance over bins); Cluster-NMS,
arXiv 2005.03572 (suppression as a few rounds of one masked matrix maximum).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.training.model.nanodet import REG_BINS, STRIDES

SCHEMA_COLUMNS = (0, 1, 2, 3, 5, 7, 9, 11, *range(14, 24))
"""COCO columns that the head keeps: one a class of the schema, ten kinds of animal at the end."""
ANIMALS = 8
"""Where the animals begin among the kept columns."""
# A lorry is often seen as car and truck at once: these classes suppress each other.
_RIVALS = (0, 1, 2, 1, 2, 2, 3, 4, 5)
PRESENT_SCORE = 0.05
"""Weaker boxes come out as zeros, so that their order cannot depend on the runtime."""


class BoxDecoder(nn.Module):
    """
    Turn head outputs into the K best boxes.

    :param height: Input height in pixels, multiple of 64.
    :param width: Input width in pixels, multiple of 64.
    :param boxes: K, the number of boxes that come out.
    :param candidates: Locations that enter suppression.
    :param iou: Overlap above which the weaker of two rivals goes.
    """

    centres: Tensor
    strides: Tensor
    bins: Tensor
    rivals: Tensor
    rank_mask: Tensor

    def __init__(
        self, height: int, width: int, boxes: int = 32, candidates: int = 96, iou: float = 0.6
    ) -> None:
        super().__init__()
        self.boxes = boxes
        self.candidates = candidates
        self.iou = iou
        centres, strides = [], []
        for stride in STRIDES:
            ys = torch.arange(height // stride) * stride
            xs = torch.arange(width // stride) * stride
            grid_y, grid_x = torch.meshgrid(ys, xs, indexing='ij')
            centres.append(torch.stack([grid_x, grid_y], -1).reshape(-1, 2))
            strides.append(torch.full((centres[-1].shape[0], 1), stride))
        self.register_buffer('centres', torch.cat(centres).float(), persistent=False)
        self.register_buffer('strides', torch.cat(strides).float(), persistent=False)
        self.register_buffer('bins', torch.arange(REG_BINS).float(), persistent=False)
        self.register_buffer('rivals', torch.tensor(_RIVALS).float(), persistent=False)
        mask = torch.ones(candidates, candidates).tril(-1)
        self.register_buffer('rank_mask', mask, persistent=False)

    def forward(self, heads: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """
        Decode one batch.

        :param heads: Per level (B, columns + 32, H/s, W/s), columns as SCHEMA_COLUMNS.
        :returns: boxes (B, K, 4) as x_min, y_min, x_max, y_max in input pixels; classes (B, K)
            int64 in the order of the schema; scores (B, K) 0..1, falling, 0 where suppressed.
        """
        flat = torch.cat([h.flatten(2) for h in heads], 2).transpose(1, 2)  # (B, N, 50)
        columns = len(SCHEMA_COLUMNS)
        best, classes = flat[:, :, :columns].max(2)
        classes = classes.clamp(max=ANIMALS)
        top, index = best.topk(self.candidates, 1)  # (B, C), falling
        classes = classes.gather(1, index)
        width = 4 * REG_BINS
        bins = flat[:, :, columns:].gather(1, index[:, :, None].expand(-1, -1, width))
        bins = bins.reshape(-1, self.candidates, 4, REG_BINS).softmax(3)
        distance = (bins * self.bins).sum(3) * self.strides[index]  # (B, C, 4) pixels
        centre = self.centres[index]
        corners = torch.cat([centre - distance[:, :, :2], centre + distance[:, :, 2:]], 2)
        scores = top.sigmoid() * self._keep(corners, classes)
        scores, order = scores.topk(self.boxes, 1)
        present = scores >= PRESENT_SCORE
        corners = corners.gather(1, order[:, :, None].expand(-1, -1, 4)) * present[:, :, None]
        return corners, classes.gather(1, order) * present, scores * present

    def _keep(self, corners: Tensor, classes: Tensor) -> Tensor:
        """Return (B, C) of 1 for boxes that stay; candidates are sorted by falling score."""
        low = torch.maximum(corners[:, :, None, :2], corners[:, None, :, :2])
        high = torch.minimum(corners[:, :, None, 2:], corners[:, None, :, 2:])
        side = (high - low).clamp(min=0)
        inter = side[..., 0] * side[..., 1]  # (B, C, C)
        size = corners[:, :, 2:] - corners[:, :, :2]
        area = size[..., 0] * size[..., 1]
        iou = inter / (area[:, :, None] + area[:, None, :] - inter + 1e-6)
        group = self.rivals[classes]
        same = (group[:, :, None] == group[:, None, :]).float()
        # overlap[b, i, j] is 1 where j ranks before i, rivals it, and covers it.
        overlap = (iou > self.iou).float() * same * self.rank_mask
        keep = torch.ones_like(area)
        for _ in range(4):
            keep = 1.0 - (overlap * keep[:, None, :]).amax(2)
        return keep


def sample_objects(
    rgb: Tensor, level: Tensor, boxes: Tensor, patch: int, points: int
) -> tuple[Tensor, Tensor]:
    """
    Take what the picture and the finest feature map show at each box.

    :param rgb: (B, 3, H, W) float, 0..255.
    :param level: (B, C, H/8, W/8).
    :param boxes: (B, K, 4) input pixels.
    :param patch: Side of the colour patch in samples.
    :param points: Side of the grid of features in samples.
    :returns: features (B, K, C * points * points), colours (B, K, 3 * patch * patch) in -1..1.
    """
    height, width = int(rgb.shape[2]), int(rgb.shape[3])
    span = torch.tensor([width, height, width, height], dtype=boxes.dtype, device=boxes.device)
    unit = boxes * (2 / span) - 1  # grid_sample's -1..1
    low, high = unit[:, :, None].split(2, 3)  # (B, K, 1, 2)
    steps = [_steps(side, boxes) for side in (points, patch)]
    places = low + (high - low) * torch.cat(steps)  # (B, K, points, 2)
    of_level, of_rgb = places.split([points * points, patch * patch], 2)
    return _sample(level, of_level), _sample(rgb, of_rgb) / 127.5 - 1


def _steps(side: int, like: Tensor) -> Tensor:
    """Return (side * side, 2), the places of the samples as shares of a box."""
    steps = (torch.arange(side, dtype=like.dtype, device=like.device) + 0.5) / side
    grid_y, grid_x = torch.meshgrid(steps, steps, indexing='ij')
    return torch.stack([grid_x, grid_y], -1).reshape(side * side, 2)


def _sample(picture: Tensor, places: Tensor) -> Tensor:
    """Sample (B, C, h, w) at (B, K, N, 2) in -1..1, which gives (B, K, C * N)."""
    k, n, channels = int(places.shape[1]), int(places.shape[2]), int(picture.shape[1])
    found = F.grid_sample(picture, places, align_corners=False)  # (B, C, K, N)
    return found.permute(0, 2, 1, 3).reshape(-1, k, channels * n)
