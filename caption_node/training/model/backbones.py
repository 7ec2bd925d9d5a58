# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
ResNet and MobileNetV2 with batch norm folded into the convolutions.

Sources: Deep Residual Learning, arXiv 1512.03385, with the stride of a bottleneck in its 3 x 3
convolution as torchvision has it; MobileNetV2, arXiv 1801.04381. Modules carry the names of
torchvision's, so that a published checkpoint is taken over by name: a convolution's batch norm is
``bnN`` beside ``convN``, else the next place of the sequence.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MEAN_RGB = (0.485, 0.456, 0.406)
DEVIATION_RGB = (0.229, 0.224, 0.225)
"""Of ImageNet, for pixels 0..1: all published weights of these networks were trained with them."""
_MOBILE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
           (6, 160, 3, 2), (6, 320, 1, 1))  # fmt: skip
_MOBILE_C3, _MOBILE_C4 = 6, 13


def _conv(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(c_in, width, 3, stride)
        self.conv2 = _conv(width, width, 3)
        self.downsample = _shortcut(c_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.downsample(x))


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions beside a shortcut."""

    expansion = 4

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(c_in, width, 1)
        self.conv2 = _conv(width, width, 3, stride)
        self.conv3 = _conv(width, 4 * width, 1)
        self.downsample = _shortcut(c_in, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.conv2(F.relu(self.conv1(x))))
        return F.relu(self.conv3(y) + self.downsample(x))


def _shortcut(c_in: int, c_out: int, stride: int) -> nn.Sequential:
    if c_in == c_out and stride == 1:
        return nn.Sequential()
    return nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride))


class ResNet(nn.Module):
    """
    A residual network without its classifier.

    :param block: Kind of its blocks.
    :param depths: Blocks of each of the four stages.
    """

    def __init__(
        self, block: type[BasicBlock] | type[Bottleneck], depths: tuple[int, int, int, int]
    ) -> None:
        super().__init__()
        self.conv1 = _conv(3, 64, 7, 2)
        stages, c_in = [], 64
        for i, depth in enumerate(depths):
            width = 64 * 2**i
            blocks = []
            for k in range(depth):
                blocks.append(block(c_in, width, 2 if i and not k else 1))
                c_in = width * block.expansion
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.channels = tuple(64 * 2**i * block.expansion for i in (1, 2, 3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = F.max_pool2d(F.relu(self.conv1(x)), 3, 2, 1)
        c3 = self.layer2(self.layer1(x))  # (B, channels[0], H/8, W/8)
        c4 = self.layer3(c3)  # (B, channels[1], H/16, W/16)
        return c3, c4, self.layer4(c4)  # (B, channels[2], H/32, W/32)

    def early(self) -> list[nn.Module]:
        """Return what sees edges and textures only."""
        return [self.conv1, self.layer1]


class InvertedResidual(nn.Module):
    """1 x 1 to more channels, 3 x 3 on each of them, 1 x 1 back; a shortcut where it fits."""

    def __init__(self, c_in: int, c_out: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = c_in * expand
        steps: list[nn.Module] = [
            nn.Sequential(_conv(wide, wide, 3, stride, wide), nn.ReLU6()),
            _conv(wide, c_out, 1),
        ]
        if expand > 1:
            steps.insert(0, nn.Sequential(_conv(c_in, wide, 1), nn.ReLU6()))
        self.conv = nn.Sequential(*steps)
        self.is_shortcut = c_in == c_out and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return x + y if self.is_shortcut else y


class MobileNetV2(nn.Module):
    """MobileNetV2 1.0 without classifier and without the 1280 channels before it."""

    def __init__(self) -> None:
        super().__init__()
        features: list[nn.Module] = [nn.Sequential(_conv(3, 32, 3, 2), nn.ReLU6())]
        c_in = 32
        for expand, c_out, depth, stride in _MOBILE:
            for k in range(depth):
                features.append(InvertedResidual(c_in, c_out, 1 if k else stride, expand))
                c_in = c_out
        self.features = nn.ModuleList(features)
        self.channels = (32, 96, 320)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seen = []
        for feature in self.features:
            x = feature(x)
            seen.append(x)
        return seen[_MOBILE_C3], seen[_MOBILE_C4], x  # strides 8, 16 and 32

    def early(self) -> list[nn.Module]:
        """Return what sees edges and textures only."""
        return list(self.features[:4])


Backbone = ResNet | MobileNetV2


def new_backbone(kind: str) -> Backbone:
    """
    Return a network of random weights.

    :param kind: ``resnet18``, ``resnet34``, ``resnet50`` or ``mobilenet_v2``.
    """
    made: Backbone
    if kind == 'mobilenet_v2':
        made = MobileNetV2()
    elif kind == 'resnet50':
        made = ResNet(Bottleneck, (3, 4, 6, 3))
    else:
        made = ResNet(BasicBlock, {'resnet18': (2, 2, 2, 2), 'resnet34': (3, 4, 6, 3)}[kind])
    _tame(made)
    return made


@torch.no_grad()
def _tame(backbone: Backbone) -> None:
    """Begin without batch norm: each residual block as its shortcut (arXiv 1901.09321)."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
            nn.init.zeros_(_bias_of(module))
    for module in backbone.modules():
        if isinstance(module, BasicBlock):
            module.conv2.weight.mul_(0.1)
        elif isinstance(module, Bottleneck):
            module.conv3.weight.mul_(0.1)
        elif isinstance(module, InvertedResidual) and module.is_shortcut:
            last = module.conv[-1]
            assert isinstance(last, nn.Conv2d)
            last.weight.mul_(0.1)


def _bias_of(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias


def convolutions(backbone: nn.Module) -> Iterator[tuple[str, str, nn.Conv2d]]:
    """Yield every convolution with its name and that of its batch norm in torchvision."""
    for name, module in backbone.named_modules():
        if isinstance(module, nn.Conv2d):
            head, _, last = name.rpartition('.')
            place = last.replace('conv', 'bn') if 'conv' in last else str(int(last) + 1)
            yield name, f'{head}.{place}' if head else place, module


@torch.no_grad()
def fold(conv: nn.Conv2d, weight: Tensor, norm: dict[str, Tensor], epsilon: float = 1e-5) -> None:
    """
    Set a convolution to what it and its batch norm do together.

    :param weight: Of the convolution.
    :param norm: ``weight``, ``bias``, ``running_mean`` and ``running_var``, one a channel each.
    """
    scale = norm['weight'].double() / torch.sqrt(norm['running_var'].double() + epsilon)
    conv.weight.copy_(weight.double() * scale[:, None, None, None])
    _bias_of(conv).copy_(norm['bias'].double() - norm['running_mean'].double() * scale)
