# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Public checkpoints with random weights, and what the published networks make of a picture.

Written from the papers and the names of torchvision's files, batch norm and all, without modules:
a second opinion on :mod:`caption_node.training.model.backbones`.
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

State = dict[str, Tensor]
_DEPTHS = {'resnet18': (2, 2, 2, 2), 'resnet34': (3, 4, 6, 3), 'resnet50': (3, 4, 6, 3)}
_MOBILE = [(1, 16, 1), (6, 24, 2), (6, 24, 1), (6, 32, 2), (6, 32, 1), (6, 32, 1), (6, 64, 2),
           (6, 64, 1), (6, 64, 1), (6, 64, 1), (6, 96, 1), (6, 96, 1), (6, 96, 1), (6, 160, 2),
           (6, 160, 1), (6, 160, 1), (6, 320, 1)]  # fmt: skip


@cache
def random_checkpoint(kind: str, seed: int = 0) -> State:
    """Make up a file as torchvision publishes it, classifier and counters included."""
    state: State = {}
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    def add(conv: str, norm: str, c_in: int, c_out: int, kernel: int) -> None:
        state[f'{conv}.weight'] = (
            normal(c_out, c_in, kernel, kernel) * (2 / c_in / kernel**2) ** 0.5
        )
        state[f'{norm}.weight'] = 1 + 0.1 * normal(c_out)
        state[f'{norm}.bias'] = 0.1 * normal(c_out)
        state[f'{norm}.running_mean'] = 0.1 * normal(c_out)
        state[f'{norm}.running_var'] = 1 + normal(c_out).abs()
        state[f'{norm}.num_batches_tracked'] = torch.tensor(7)

    if kind == 'mobilenet_v2':
        add('features.0.0', 'features.0.1', 3, 32, 3)
        c_in = 32
        for i, (expand, c_out, _) in enumerate(_MOBILE, 1):
            wide, place = c_in * expand, 0
            if expand > 1:
                add(f'features.{i}.conv.0.0', f'features.{i}.conv.0.1', c_in, wide, 1)
                place = 1
            name = f'features.{i}.conv.{place}'
            add(f'{name}.0', f'{name}.1', 1, wide, 3)
            name = f'features.{i}.conv'
            add(f'{name}.{place + 1}', f'{name}.{place + 2}', wide, c_out, 1)
            c_in = c_out
        add('features.18.0', 'features.18.1', 320, 1280, 1)
        state |= {'classifier.1.weight': normal(10, 1280), 'classifier.1.bias': normal(10)}
        return state
    add('conv1', 'bn1', 3, 64, 7)
    deep, c_in = kind == 'resnet50', 64
    for s, depth in enumerate(_DEPTHS[kind]):
        width = 64 << s
        c_out = 4 * width if deep else width
        for k in range(depth):
            name = f'layer{s + 1}.{k}'
            add(f'{name}.conv1', f'{name}.bn1', c_in, width, 1 if deep else 3)
            add(f'{name}.conv2', f'{name}.bn2', width, width, 3)
            if deep:
                add(f'{name}.conv3', f'{name}.bn3', width, c_out, 1)
            if k == 0 and (s or deep):
                add(f'{name}.downsample.0', f'{name}.downsample.1', c_in, c_out, 1)
            c_in = c_out
    return state | {'fc.weight': normal(10, c_in), 'fc.bias': normal(10)}


def published_features(kind: str, state: State, x: Tensor) -> list[Tensor]:
    """
    Run the published network in evaluation mode.

    :param x: (B, 3, H, W) RGB 0..255.
    :returns: features at strides 8, 16 and 32.
    """
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (x / 255 - mean[:, None, None]) / deviation[:, None, None]

    def layer(x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        weight = state[f'{conv}.weight']
        groups = x.shape[1] // weight.shape[1]
        x = F.conv2d(x, weight, None, stride, weight.shape[2] // 2, groups=groups)
        n = {k: state[f'{norm}.{k}'] for k in ('running_mean', 'running_var', 'weight', 'bias')}
        return F.batch_norm(x, **n, eps=1e-5)

    if kind == 'mobilenet_v2':
        x = F.relu6(layer(x, 'features.0.0', 'features.0.1', 2))
        seen = []
        for i, (expand, _, stride) in enumerate(_MOBILE, 1):
            y, place, name = x, 0, f'features.{i}.conv'
            if expand > 1:
                y, place = F.relu6(layer(y, f'{name}.0.0', f'{name}.0.1')), 1
            y = F.relu6(layer(y, f'{name}.{place}.0', f'{name}.{place}.1', stride))
            y = layer(y, f'{name}.{place + 1}', f'{name}.{place + 2}')
            x = x + y if x.shape == y.shape else y
            seen.append(x)
        return [seen[5], seen[12], seen[16]]
    x = F.max_pool2d(F.relu(layer(x, 'conv1', 'bn1', 2)), 3, 2, 1)
    seen = []
    for s, depth in enumerate(_DEPTHS[kind]):
        for k in range(depth):
            name, stride = f'layer{s + 1}.{k}', 2 if s and not k else 1
            if kind == 'resnet50':
                y = F.relu(layer(x, f'{name}.conv1', f'{name}.bn1'))
                y = F.relu(layer(y, f'{name}.conv2', f'{name}.bn2', stride))
                y = layer(y, f'{name}.conv3', f'{name}.bn3')
            else:
                y = F.relu(layer(x, f'{name}.conv1', f'{name}.bn1', stride))
                y = layer(y, f'{name}.conv2', f'{name}.bn2')
            if f'{name}.downsample.0.weight' in state:
                x = layer(x, f'{name}.downsample.0', f'{name}.downsample.1', stride)
            x = F.relu(x + y)
        seen.append(x)
    return seen[1:]
