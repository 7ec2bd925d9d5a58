# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The network for one's own data: pixels to words, fields and embedding, as one exportable graph.

The outputs are those of every bundle, so that backends, node and tools need not know; there are no
boxes in it. Field queries look at the picture; the decoder reads picture and queries.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.description import Field
from caption_node.training.model.attention import Layer
from caption_node.training.model.captioner import DECODERS
from caption_node.training.model.encoders import BackboneDetector, Detector
from caption_node.training.model.latent import Latent
from caption_node.training.model.nanodet import NanoDet
from caption_node.training.model.scene import GridEncoder, SceneConfig
from caption_node.training.model.writing import for_each
from caption_node.training.objectives.autoencoder import DenseEncoder
from caption_node.training.own.config import DENSE

_CHANNELS = (16, 32, 64, 96)
_BOXES = 32
_DENSE_TOKENS = 6


@dataclass
class Told:
    """
    What the network makes of pictures before it speaks.

    :param memory: (B, M, D) what the decoder reads.
    :param bias: (B, 1, 1, M) all zeros: nothing is hidden.
    :param logits: (B, S).
    :param embedding: (B, E) of unit length.
    """

    memory: Tensor
    bias: Tensor
    logits: Tensor
    embedding: Tensor


class SmallEncoder(nn.Module):
    """A plain CNN to one token for every 16 x 16 pixels; begins with random weights."""

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for k, channels in enumerate(_CHANNELS):
            for stride in (2,) if k == 0 else (2, 1):
                layers += [
                    nn.Conv2d(before, channels, 3, stride, 1, bias=False),
                    nn.BatchNorm2d(channels),
                    nn.ReLU(),
                ]
                before = channels
        self.layers = nn.Sequential(*layers)
        self.out = nn.Conv2d(before, config.width, 1)
        rows, columns = config.height // 16, config.width_px // 16
        self.place = nn.Parameter(torch.randn(1, config.width, rows, columns) * 0.02)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, rgb: Tensor) -> Tensor:
        """(B, 3, H, W) float 0..255 to (B, M, D)."""
        x = self.out(self.layers((rgb - 128) / 64)) + self.place
        return self.norm(x.flatten(2).transpose(1, 2))


class DenseFeatures(nn.Module):
    """A few tokens from one code of 64 x 64 pixels through dense layers alone; no grid."""

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        self.encoder = DenseEncoder(config.width)
        self.out = nn.Linear(config.width, _DENSE_TOKENS * config.width)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, rgb: Tensor) -> Tensor:
        """(B, 3, 64, 64) float 0..255 to (B, 6, D)."""
        tokens: Tensor = self.out(F.relu(self.encoder(rgb / 255)))
        return self.norm(tokens.reshape(-1, _DENSE_TOKENS, self.norm.normalized_shape[0]))


class NanoDetFeatures(nn.Module):
    """One token for every 32 x 32 pixels from NanoDet-Plus; its head is not asked."""

    def __init__(self, config: SceneConfig, detector: NanoDet) -> None:
        super().__init__()
        self.detector = detector
        self.grid = GridEncoder(config)

    def forward(self, rgb: Tensor) -> Tensor:
        """(B, 3, H, W) float 0..255 to (B, M, D)."""
        (_, c4, c5), levels, _ = self.detector(rgb)
        return self.grid(c4, c5, levels[2])


class BackboneFeatures(nn.Module):
    """One token for every 16 x 16 pixels from ResNet or MobileNetV2, of two of its stages."""

    mean_rgb: Tensor
    scale_rgb: Tensor

    def __init__(self, config: SceneConfig, detector: BackboneDetector) -> None:
        super().__init__()
        self.detector = detector.backbone
        self.register_buffer('mean_rgb', detector.mean_rgb, persistent=False)
        self.register_buffer('scale_rgb', detector.scale_rgb, persistent=False)
        _, c4, c5 = detector.backbone.channels
        self.from_c4 = nn.Conv2d(c4, config.width, 1)
        self.from_c5 = nn.Conv2d(c5, config.width, 1)
        rows, columns = config.height // 16, config.width_px // 16
        self.place = nn.Parameter(torch.randn(1, config.width, rows, columns) * 0.02)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, rgb: Tensor) -> Tensor:
        """(B, 3, H, W) float 0..255 to (B, M, D)."""
        _, c4, c5 = self.detector((rgb - self.mean_rgb) * self.scale_rgb)
        wide = F.interpolate(
            self.from_c5(c5), scale_factor=2.0, mode='bilinear', align_corners=False
        )
        x = F.relu(self.from_c4(c4) + wide) + self.place
        return self.norm(x.flatten(2).transpose(1, 2))


def new_encoder(config: SceneConfig, detector: Detector | None) -> nn.Module:
    """Return what makes tokens of pixels, all of one shape to those that read them."""
    if detector is None:
        return DenseFeatures(config) if config.encoder == DENSE else SmallEncoder(config)
    if isinstance(detector, NanoDet):
        return NanoDetFeatures(config, detector)
    return BackboneFeatures(config, detector)


class OwnCaptioner(nn.Module):
    """
    The whole network.

    :param words: Size of the vocabulary.
    :param table: The fields that it tells; may be empty.
    :param detector: Gives the features; None: a small encoder learns its own.
    """

    def __init__(
        self,
        config: SceneConfig,
        words: int,
        table: Mapping[str, Field],
        detector: Detector | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.encoder = new_encoder(config, detector)
        # One query more than fields: what the embedding is made of.
        self.queries = nn.Parameter(torch.randn(1, len(table) + 1, width) * 0.02)
        sizes = (width, config.heads, config.feed_forward, config.dropout)
        self.layers = nn.ModuleList(Layer(*sizes) for _ in range(config.query_layers))
        self.norm = nn.LayerNorm(width)
        self.heads = nn.ModuleList(nn.Linear(width, f.width) for f in table.values())
        self.embed = nn.Linear(width, config.embedding)
        nobody = torch.zeros(1, words)
        kind = DECODERS[config.decoder]
        self.decoder = kind(config, words, nobody, nobody.T, nobody[0])
        self.latent = Latent(config) if config.latent else None

    @property
    def facts(self) -> int:
        """Tokens that the memory ends in: one of every field, and one of all."""
        return self.queries.shape[1]

    def memory_of(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the decoder reads of pictures (B, H, W, 3): memory and attention bias."""
        told = self.tell(image)
        return told.memory, told.bias

    def tell(self, image: Tensor) -> Told:
        """
        Look at pictures.

        :param image: (B, H, W, 3) uint8 RGB, letterboxed.
        """
        # TensorRT takes uint8 only into a cast, so the cast comes before the transpose.
        grid = self.encoder(image.float().permute(0, 3, 1, 2))
        x = self.queries + grid[:, :1] * 0
        for layer in self.layers:
            x = layer(x, grid)
        x = self.norm(x)
        memory = torch.cat([grid, x], 1)
        logits = [head(x[:, k]) for k, head in enumerate(self.heads)]
        return Told(
            memory,
            memory[:, None, None, :, 0] * 0,
            torch.cat(logits, 1) if logits else x[:, 0, :1] * 0,
            F.normalize(self.embed(x[:, -1]), dim=1),
        )

    def forward(
        self, image: Tensor, noise: Tensor | None = None, latent: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """
        Describe one batch.

        :param image: (B, H, W, 3) uint8 RGB, letterboxed.
        :param noise: As :meth:`caption_node.training.model.captioner.Captioner.forward` takes it,
            and so ``latent``.
        :returns: tokens (B, T) int64, token_logp (B, T), boxes (B, 32, 4), box_class (B, 32)
            int64 and box_score (B, 32), all zeros, scene (B, S) logits, embedding (B, E).
        """
        told = self.tell(image)
        evidence = told.embedding[:, :1] * 0 + 1
        memory, bias, every = for_each(noise, told.memory, told.bias, evidence)
        if self.latent is not None:
            memory = self.latent.told(memory, bias, latent)
        tokens, token_logp = self.decoder.greedy(memory, bias, every, noise)
        none = told.embedding @ torch.zeros(self.config.embedding, 5 * _BOXES).to(evidence)
        boxes = none[:, : 4 * _BOXES].reshape(-1, _BOXES, 4)
        score = none[:, 4 * _BOXES :]
        return (
            tokens,
            token_logp,
            boxes,
            score.to(torch.int64),
            score,
            told.logits,
            told.embedding,
        )

    def chances(self) -> dict[str, tuple[int, ...]]:
        """Return the sizes of the inputs for chance by name, without the axis of the sentences."""
        found: dict[str, tuple[int, ...]] = {'noise': (self.config.tokens, len(self.decoder.bias))}
        if self.latent is not None:
            found['latent'] = (self.latent.size,)
        return found


def field_loss(logits: Tensor, targets: Tensor, table: Mapping[str, Field]) -> Tensor:
    """
    Return the mean loss of the fields that are known.

    :param logits: (B, S).
    :param targets: (B, fields) int64; -1 where a value is not known.
    """
    losses, start = [], 0
    for k, spec in enumerate(table.values()):
        part, target = logits[:, start : start + spec.width], targets[:, k]
        start += spec.width
        known = target >= 0
        if not bool(known.any()):
            continue
        if spec.kind == 'boolean':
            loss = F.binary_cross_entropy_with_logits(part[known, 0], target[known].float())
        else:
            loss = F.cross_entropy(part[known], target[known])
        losses.append(loss)
    return torch.stack(losses).mean() if losses else logits.sum() * 0
