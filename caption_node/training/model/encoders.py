# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The encoders to choose from, each with the same detector behind it.

NanoDet-Plus comes with its detector. The others were trained to name whole pictures: three 1 x 1
convolutions bring their features to the channels of NanoDet's backbone, and its neck and head
follow, random at first. So all that reads features knows one shape, whatever the encoder, and the
sentence stays grounded in boxes. A head that was not trained finds nothing: its scores begin at
0.01, and the graph then gives zeros for boxes.
"""

from collections.abc import Mapping
import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.errors import BundleError, ConfigError
from caption_node.training.config import RANDOM
from caption_node.training.model.backbones import (
    DEVIATION_RGB,
    MEAN_RGB,
    convolutions,
    fold,
    new_backbone,
)
from caption_node.training.model.detection import SCHEMA_COLUMNS
from caption_node.training.model.nanodet import (
    DetectionHead,
    GhostPan,
    NanoDet,
    keep_columns,
    load_nanodet,
)
from caption_node.training.tensor_file import read_tensors

ENCODERS = ('nanodet', 'resnet18', 'resnet34', 'resnet50', 'mobilenet_v2')
_CHANNELS = (116, 232, 464)
_FIRST_SCORE = 0.01
_NORM = ('weight', 'bias', 'running_mean', 'running_var')
# What a published network has behind its features.
_CLASSIFIERS = ('fc.', 'classifier.', 'features.18.')


class BackboneDetector(nn.Module):
    """
    A backbone with laterals, neck and head; called as :class:`NanoDet` is.

    :param kind: One of ``ENCODERS`` other than ``nanodet``.
    """

    mean_rgb: Tensor
    scale_rgb: Tensor

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.backbone = new_backbone(kind)
        self.lateral = nn.ModuleList(
            nn.Conv2d(c_in, c_out, 1)
            for c_in, c_out in zip(self.backbone.channels, _CHANNELS, strict=True)
        )
        self.neck = GhostPan()
        columns = len(SCHEMA_COLUMNS)
        self.head = DetectionHead(classes=columns)
        for predict in self.head.predict:
            assert isinstance(predict, nn.Conv2d)
            assert predict.bias is not None
            nn.init.normal_(predict.weight, std=0.01)
            nn.init.zeros_(predict.bias)
            # Else the loss of all that is no object would drown the rest (arXiv 1708.02002).
            nn.init.constant_(predict.bias[:columns], math.log(_FIRST_SCORE / (1 - _FIRST_SCORE)))
        mean = torch.tensor(MEAN_RGB).view(1, 3, 1, 1) * 255
        scale = 1 / (torch.tensor(DEVIATION_RGB).view(1, 3, 1, 1) * 255)
        self.register_buffer('mean_rgb', mean, persistent=False)
        self.register_buffer('scale_rgb', scale, persistent=False)

    def forward(self, rgb: Tensor) -> tuple[tuple[Tensor, ...], list[Tensor], list[Tensor]]:
        """
        Run encoder and head.

        :param rgb: (B, 3, H, W) float, 0..255; H and W multiples of 64.
        :returns: (c3, c4, c5) of 116, 232 and 464 channels, [p3 .. p6], and per level
            (B, columns + 32, H/s, W/s) class logits and bins.
        """
        seen = self.backbone((rgb - self.mean_rgb) * self.scale_rgb)
        features = tuple(
            F.leaky_relu(lateral(x), 0.1) for lateral, x in zip(self.lateral, seen, strict=True)
        )
        levels = self.neck(*features)
        return features, levels, self.head(levels)


Detector = NanoDet | BackboneDetector


def new_detector(kind: str) -> Detector:
    """
    Return an encoder with detector, of random weights.

    :raises ConfigError: If there is none of that kind.
    """
    if kind == 'nanodet':
        return NanoDet(len(SCHEMA_COLUMNS))
    if kind not in ENCODERS:
        raise ConfigError(f'no encoder {kind!r}', 'encoder_kind: ' + ', '.join(ENCODERS))
    return BackboneDetector(kind)


def load_detector(kind: str, path: Path) -> Detector:
    """
    Return an encoder with detector, the encoder's weights from a file.

    :param path: For ``nanodet`` its published ONNX file, for the others a state dict with the
        names of torchvision; or ``RANDOM``.
    :raises ConfigError: If there is none of that kind.
    :raises BundleError: If the file is missing, or is not that network.
    """
    made = new_detector(kind)
    if str(path) == RANDOM:
        return made
    if isinstance(made, BackboneDetector):
        load_backbone(made.backbone, read_tensors(path), kind, path)
        return made
    try:
        return keep_columns(load_nanodet(path), SCHEMA_COLUMNS)
    except BundleError:
        raise
    except Exception as err:  # a stranger's bytes: protobuf and onnx share no base class
        raise BundleError(
            f'encoder weights {path} are not the published NanoDet file: {err}',
            'for weights of another network set encoder_kind',
        ) from err


def load_backbone(
    backbone: nn.Module, tensors: Mapping[str, Tensor], kind: str, path: Path
) -> None:
    """
    Take over a published network by name, its batch norms folded.

    :param tensors: Named as torchvision's.
    :param path: For messages.
    :raises BundleError: If a tensor is missing, of another shape, or left over.
    """
    _check(tensors, kind, path)
    for name, norm, conv in convolutions(backbone):
        fold(conv, tensors[f'{name}.weight'], {k: tensors[f'{norm}.{k}'] for k in _NORM})
        if not bool(conv.weight.isfinite().all()):
            raise BundleError(f'{path}: {norm}.running_var gives weights that are not finite')


def _check(tensors: Mapping[str, Tensor], kind: str, path: Path) -> None:
    fault = _first_fault(tensors, kind)
    if not fault:
        return
    hint = 'the names and shapes are those of torchvision'
    like = next((k for k in ENCODERS[1:] if k != kind and not _first_fault(tensors, k)), '')
    if like:
        hint = f'the file is a {like}: set encoder_kind: {like}'
    raise BundleError(f'{path} is not a {kind}: {fault}', hint)


def _first_fault(tensors: Mapping[str, Tensor], kind: str) -> str:
    wanted = _shapes(kind)
    for name, shape in wanted.items():
        if name not in tensors:
            return f'{name} is missing'
        if tuple(tensors[name].shape) != shape:
            return f'{name} is {tuple(tensors[name].shape)}, not {shape}'
    for name in tensors:
        if name not in wanted and not name.startswith(_CLASSIFIERS):
            return f'{name} has no place in it'
    return ''


def _shapes(kind: str) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a published file, the classifier left out."""
    with torch.device('meta'):
        backbone = new_backbone(kind)
    found: dict[str, tuple[int, ...]] = {}
    for name, norm, conv in convolutions(backbone):
        found[f'{name}.weight'] = tuple(conv.weight.shape)
        found |= {f'{norm}.{k}': (conv.out_channels,) for k in _NORM}
    return found


def early_parts(detector: Detector) -> list[nn.Module]:
    """Return what sees edges and textures, which are the same on every road."""
    if isinstance(detector, NanoDet):
        return [detector.backbone.stem, detector.backbone.stage2]
    return detector.backbone.early()
