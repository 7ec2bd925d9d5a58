# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
NanoDet-Plus-m with batch norm folded: ShuffleNetV2 1.0x, GhostPAN, convolutional head.

Sources: NanoDet-Plus (RangiLyu, 2021, Apache-2.0); ShuffleNet V2, arXiv 1807.11164; GhostNet,
arXiv 1911.11907; Generalized Focal Loss, arXiv 2006.04388 for the distance bins.
Every module lists its convolutions in the order of the published ONNX file, so that the weights
are taken over by walking both lists side by side.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.errors import BundleError

STRIDES = (8, 16, 32, 64)
COCO_CLASSES = 80
REG_BINS = 8
MEAN_BGR = (103.53, 116.28, 123.675)
SCALE_BGR = (0.017429, 0.017507, 0.017125)
_SLOPE = 0.1


def _conv(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups)


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, _SLOPE)


def shuffle_channels(x: Tensor) -> Tensor:
    """Interleave the two halves of the channels of (B, C, H, W)."""
    b, c, h, w = x.shape
    return x.reshape(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)


class DownUnit(nn.Module):
    """ShuffleNetV2 unit that halves the resolution."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        half = c_out // 2
        self.left_depthwise = _conv(c_in, c_in, 3, 2, c_in)
        self.right_in = _conv(c_in, half, 1)
        self.right_depthwise = _conv(half, half, 3, 2, half)
        self.left_out = _conv(c_in, half, 1)
        self.right_out = _conv(half, half, 1)

    def forward(self, x: Tensor) -> Tensor:
        left = _leaky(self.left_out(self.left_depthwise(x)))
        right = self.right_depthwise(_leaky(self.right_in(x)))
        return shuffle_channels(torch.cat([left, _leaky(self.right_out(right))], 1))


class Unit(nn.Module):
    """ShuffleNetV2 unit that keeps the resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.expand = _conv(half, half, 1)
        self.depthwise = _conv(half, half, 3, 1, half)
        self.project = _conv(half, half, 1)

    def forward(self, x: Tensor) -> Tensor:
        keep, work = x.chunk(2, 1)
        work = _leaky(self.project(self.depthwise(_leaky(self.expand(work)))))
        return shuffle_channels(torch.cat([keep, work], 1))


class Backbone(nn.Module):
    """ShuffleNetV2 1.0x; gives features at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv(3, 24, 3, 2)
        self.stage2 = nn.Sequential(DownUnit(24, 116), *[Unit(116) for _ in range(3)])
        self.stage3 = nn.Sequential(DownUnit(116, 232), *[Unit(232) for _ in range(7)])
        self.stage4 = nn.Sequential(DownUnit(232, 464), *[Unit(464) for _ in range(3)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = F.max_pool2d(_leaky(self.stem(x)), 3, 2, 1)
        c3 = self.stage2(x)  # (B, 116, H/8, W/8)
        c4 = self.stage3(c3)  # (B, 232, H/16, W/16)
        return c3, c4, self.stage4(c4)  # (B, 464, H/32, W/32)


class GhostBlock(nn.Module):
    """Ghost bottleneck with a depthwise shortcut, 2C channels in, C out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.primary_1 = _conv(2 * channels, half, 1)
        self.cheap_1 = _conv(half, half, 3, 1, half)
        self.primary_2 = _conv(channels, half, 1)
        self.cheap_2 = _conv(half, half, 3, 1, half)
        self.shortcut_depthwise = _conv(2 * channels, 2 * channels, 5, 1, 2 * channels)
        self.shortcut = _conv(2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = _leaky(self.primary_1(x))
        y = self.primary_2(torch.cat([y, _leaky(self.cheap_1(y))], 1))
        y = torch.cat([y, self.cheap_2(y)], 1)
        return y + self.shortcut(self.shortcut_depthwise(x))


class SeparableConv(nn.Module):
    """5 x 5 depthwise, then 1 x 1, each followed by leaky ReLU."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = _conv(channels, channels, 5, stride, channels)
        self.pointwise = _conv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return _leaky(self.pointwise(_leaky(self.depthwise(x))))


class GhostPan(nn.Module):
    """Path aggregation over strides 8 to 32, with one more level at stride 64."""

    def __init__(self, channels: int = 96) -> None:
        super().__init__()
        self.reduce_5 = _conv(464, channels, 1)
        self.reduce_4 = _conv(232, channels, 1)
        self.top_down_4 = GhostBlock(channels)
        self.reduce_3 = _conv(116, channels, 1)
        self.top_down_3 = GhostBlock(channels)
        self.down_3 = SeparableConv(channels, 2)
        self.bottom_up_4 = GhostBlock(channels)
        self.down_4 = SeparableConv(channels, 2)
        self.bottom_up_5 = GhostBlock(channels)
        self.extra_in = SeparableConv(channels, 2)
        self.extra_out = SeparableConv(channels, 2)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> list[Tensor]:
        r5 = _leaky(self.reduce_5(c5))
        up = F.interpolate(r5, scale_factor=2.0, mode='bilinear', align_corners=False)
        t4 = self.top_down_4(torch.cat([up, _leaky(self.reduce_4(c4))], 1))
        up = F.interpolate(t4, scale_factor=2.0, mode='bilinear', align_corners=False)
        p3 = self.top_down_3(torch.cat([up, _leaky(self.reduce_3(c3))], 1))
        p4 = self.bottom_up_4(torch.cat([self.down_3(p3), t4], 1))
        p5 = self.bottom_up_5(torch.cat([self.down_4(p4), r5], 1))
        return [p3, p4, p5, self.extra_in(r5) + self.extra_out(p5)]  # (B, 96, H/s, W/s) each


class DetectionHead(nn.Module):
    """Per level: two separable convolutions, then class logits and distance bins."""

    def __init__(self, channels: int = 96, classes: int = COCO_CLASSES) -> None:
        super().__init__()
        self.first = nn.ModuleList(SeparableConv(channels) for _ in STRIDES)
        self.second = nn.ModuleList(SeparableConv(channels) for _ in STRIDES)
        out = classes + 4 * REG_BINS
        self.predict = nn.ModuleList(_conv(channels, out, 1) for _ in STRIDES)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        parts = zip(levels, self.first, self.second, self.predict, strict=True)
        return [predict(second(first(x))) for x, first, second, predict in parts]


class NanoDet(nn.Module):
    """
    RGB pixels 0..255 to backbone features, pyramid features and raw head outputs.

    :param classes: Columns of class logits; the published network has those of COCO.
    """

    mean_rgb: Tensor
    scale_rgb: Tensor

    def __init__(self, classes: int = COCO_CLASSES) -> None:
        super().__init__()
        self.classes = classes
        self.backbone = Backbone()
        self.neck = GhostPan()
        self.head = DetectionHead(classes=classes)
        mean = torch.tensor(MEAN_BGR).flip(0).view(1, 3, 1, 1)
        scale = torch.tensor(SCALE_BGR).flip(0).view(1, 3, 1, 1)
        self.register_buffer('mean_rgb', mean, persistent=False)
        self.register_buffer('scale_rgb', scale, persistent=False)

    def forward(self, rgb: Tensor) -> tuple[tuple[Tensor, ...], list[Tensor], list[Tensor]]:
        """
        Run encoder and head.

        :param rgb: (B, 3, H, W) float, 0..255; H and W multiples of 64.
        :returns: (c3, c4, c5), [p3 .. p6], and per level (B, classes + 32, H/s, W/s) class logits
            and bins.
        """
        features = self.backbone((rgb - self.mean_rgb) * self.scale_rgb)
        levels = self.neck(*features)
        return features, levels, self.head(levels)

    def convolutions_in_file_order(self) -> Iterator[nn.Conv2d]:
        """Yield every convolution in the order of the published ONNX file."""
        yield from (m for m in self.backbone.modules() if isinstance(m, nn.Conv2d))
        yield from (m for m in self.neck.modules() if isinstance(m, nn.Conv2d))
        yield from (m for m in self.head.first.modules() if isinstance(m, nn.Conv2d))
        for level in reversed(range(len(STRIDES))):
            for part in (self.head.second[level], self.head.predict[level]):
                yield from (m for m in part.modules() if isinstance(m, nn.Conv2d))


def keep_columns(detector: NanoDet, columns: Sequence[int]) -> NanoDet:
    """
    Return the same network with these columns of class logits only, in this order.

    :param columns: Of the class logits that ``detector`` has.
    """
    kept = NanoDet(len(columns))
    kept.backbone.load_state_dict(detector.backbone.state_dict())
    kept.neck.load_state_dict(detector.neck.state_dict())
    rows = [*columns, *range(detector.classes, detector.classes + 4 * REG_BINS)]
    state = detector.head.state_dict()
    for name, value in state.items():
        if name.startswith('predict'):
            state[name] = value[rows]
    kept.head.load_state_dict(state)
    return kept


def load_nanodet(path: Path) -> NanoDet:
    """
    Build the network with the weights of ``nanodet_plus_m_416.onnx``.

    The file's stem reads BGR; ours reads RGB, so the first kernel's channels are turned round.

    :raises BundleError: If the file is missing, or is not that network.
    """
    import onnx
    from onnx import numpy_helper

    if not path.is_file():
        raise BundleError(f'encoder weights {path} do not exist', 'see DATA.md for where they are')
    graph = onnx.load(str(path)).graph
    tensors = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    nodes = [n for n in graph.node if n.op_type == 'Conv']
    model = NanoDet()
    ours = list(model.convolutions_in_file_order())
    if len(nodes) != len(ours):
        raise BundleError(f'{path} has {len(nodes)} convolutions, expected {len(ours)}')
    with torch.no_grad():
        for node, conv in zip(nodes, ours, strict=True):
            weight = np.array(tensors[node.input[1]])
            wanted = tuple(conv.weight.shape)
            if weight.shape != wanted:
                raise BundleError(f'{path}: {node.input[1]} is {weight.shape}, not {wanted}')
            conv.weight.copy_(torch.from_numpy(weight))
            assert conv.bias is not None
            conv.bias.copy_(torch.from_numpy(np.array(tensors[node.input[2]])))
        stem = model.backbone.stem
        stem.weight.copy_(stem.weight.flip(1))
    return model
