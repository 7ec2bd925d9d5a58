# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
From encoder features and boxes to scene fields, the embedding, and the decoder's memory.

One query a field looks at the grid and at the objects, as in DETR (arXiv 2005.12872); gated sums
over the objects let the count fields count (Deep Sets, arXiv 1703.06114).
"""

from dataclasses import dataclass
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.description import FIELDS, OBJECT_CLASSES
from caption_node.training.model.attention import FeedForward, Layer
from caption_node.training.model.detection import PRESENT_SCORE
from caption_node.training.model.roles import DERIVED, ObjectRoles

SCENE_WIDTH = sum(f.width for f in FIELDS.values())
GEOMETRY = 10
LAMP_SCORE = 0.27
"""A traffic light this sure is published and may be spoken of: lamps are small, and the field of
the facing light has to agree."""
CAR_SCORE = 0.45
"""Score from which a car bears out words about where vehicles are."""
SPOKEN_SCORE = 0.55
"""A box this sure lets the sentence speak of its class."""
LEAST_SURE = 0.7
"""Share of the probability from which fields bear words out; likeliest alone is not enough."""
# Heights in metres, in the order of OBJECT_CLASSES, to tell metres from pixels.
_HEIGHT_M = (1.7, 1.6, 1.5, 1.5, 3.1, 3.0, 0.9, 0.75, 0.8)
_FOCAL_WIDTHS = 0.95
_LEAST_OPEN = 3e-4


def field_starts() -> dict[str, int]:
    """Return where the logits of every field begin."""
    starts, start = {}, 0
    for name, field in FIELDS.items():
        starts[name] = start
        start += field.width
    return starts


def derived_columns() -> list[int]:
    """Return the logits of the fields that are read from the objects, in order."""
    starts = field_starts()
    return [starts[n] + k for n in DERIVED for k in range(FIELDS[n].width)]


def excluded_values() -> Tensor:
    """
    Return (S, S) of 0 and 1: which value, by row, excludes which of another field.

    Nobody sees the sky at night: every frame by night that trained has weather unknown, while
    lamps on wet or shining roads look like rain.
    """
    starts, table = field_starts(), torch.zeros(SCENE_WIDTH, SCENE_WIDTH)
    night = starts['time'] + FIELDS['time'].values.index('night')
    for i, word in enumerate(FIELDS['weather'].values):
        table[night, starts['weather'] + i] = float(word != 'unknown')
    return table


@dataclass(frozen=True)
class SceneConfig:
    """
    Sizes of the scene encoder and the decoder.

    :param told: How many of the boxes the decoder reads, the surest first.
    :param width: Channels of every token.
    :param heads: Attention heads.
    :param feed_forward: Hidden channels of the token-wise layers.
    :param query_layers: Rounds in which the field queries look at the picture.
    :param decoder_layers: Layers of the text decoder.
    :param embedding: Dimensions of the scene embedding.
    :param patch: Side of the colour patch that is taken at each box, in samples.
    :param points: Side of the grid of features that is taken at each box, in samples.
    :param tokens: T, words and marks of one sentence at most, the end mark counted in.
    :param latent: Z, dimensions of the latent behind a sentence; 0 for none.
    :param encoder: One of ``training.model.encoders.ENCODERS``.
    :param decoder: One of ``training.model.captioner.DECODERS``.
    """

    height: int = 384
    width_px: int = 640
    boxes: int = 32
    told: int = 24
    width: int = 192
    heads: int = 4
    feed_forward: int = 384
    query_layers: int = 2
    decoder_layers: int = 2
    embedding: int = 128
    patch: int = 6
    points: int = 3
    tokens: int = 32
    dropout: float = 0.1
    latent: int = 0
    encoder: str = 'nanodet'
    decoder: str = 'transformer'


@dataclass
class Features:
    """
    What the frozen part of the network hands on; this is what a feature cache stores.

    :param c4: (B, 232, H/16, W/16) backbone features.
    :param c5: (B, 464, H/32, W/32) backbone features.
    :param p5: (B, 96, H/32, W/32) pyramid features.
    :param boxes: (B, K, 4) input pixels.
    :param classes: (B, K) int64.
    :param scores: (B, K) 0..1, 0 for no box.
    :param object_features: (B, K, 96 * points * points).
    :param object_colours: (B, K, 3 * patch * patch), -1..1.
    """

    c4: Tensor
    c5: Tensor
    p5: Tensor
    boxes: Tensor
    classes: Tensor
    scores: Tensor
    object_features: Tensor
    object_colours: Tensor


class GridEncoder(nn.Module):
    """Backbone and pyramid features to one token for every 32 x 32 pixels."""

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        width = config.width
        self.down_c4 = nn.Conv2d(232, 232, 3, 2, 1, groups=232)
        self.from_c4 = nn.Conv2d(232, width, 1)
        self.from_c5 = nn.Conv2d(464, width, 1)
        self.from_p5 = nn.Conv2d(96, width, 1)
        self.spread = nn.ModuleList(
            nn.Conv2d(width, width, 5, 1, 2, groups=width) for _ in range(2)
        )
        self.mix = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(2))
        self.place = nn.Parameter(
            torch.randn(1, width, config.height // 32, config.width_px // 32) * 0.02
        )
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout2d(config.dropout)

    def forward(self, c4: Tensor, c5: Tensor, p5: Tensor) -> Tensor:
        """Return (B, H/32 * W/32, D)."""
        x = self.from_c4(self.down_c4(c4)) + self.from_c5(c5) + self.from_p5(p5)
        x = self.dropout(F.relu(x))
        for spread, mix in zip(self.spread, self.mix, strict=True):
            x = x + mix(F.relu(spread(x)))
        return self.norm((x + self.place).flatten(2).transpose(1, 2))


class ObjectEncoder(nn.Module):
    """Boxes with class, score, place, colours and features to one token each."""

    to_unit: Tensor
    pixel: Tensor
    aside: Tensor
    blend: Tensor
    of_class: Tensor

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        self._register_geometry(config.width_px, config.height)
        self.kind = nn.Embedding(len(OBJECT_CLASSES), config.width)
        colours = 3 * config.patch * config.patch
        self.geometry = nn.Linear(GEOMETRY, config.width)
        self.colours = nn.Sequential(
            nn.Linear(colours, 64), nn.ReLU(), nn.Linear(64, config.width)
        )
        self.features = nn.Linear(96 * config.points**2, config.width)
        self.feed_forward = FeedForward(config.width, config.feed_forward, config.dropout)
        self.norm = nn.LayerNorm(config.width)
        self.together = Layer(config.width, config.heads, config.feed_forward, config.dropout)

    def _register_geometry(self, px: int, py: int) -> None:
        """
        Set what turns nine measures of a box into its ten features.

        Measures: corners in -1..1 (4); logarithms of width and height as shares of the picture
        and of the score (3); score; how far aside it stands. Features: place of centre and lower
        edge (3); size (2) and shape; score (2); aside; ahead. All but the last depend on the
        measures alone, and all linearly; how far ahead it is depends on the class as well.
        """
        tall_m = torch.tensor(_HEIGHT_M)
        blend, constant = torch.zeros(GEOMETRY, 9), torch.zeros(GEOMETRY)
        blend[0, [0, 2]] = blend[1, [1, 3]] = 0.5
        blend[2, 3] = 1.0
        blend[3, 4] = blend[4, 5] = 0.5
        blend[5, 4], blend[5, 5] = 1.0, -1.0
        blend[6, 7] = 2.0
        blend[7, 6] = 0.5
        blend[8, 8] = 1.0
        blend[9, 5] = -0.5
        constant[3:7] = torch.tensor([1.0, 1.0, math.log(px / py), -1.0])
        of_class = constant.repeat(len(OBJECT_CLASSES), 1)
        of_class[:, 9] = torch.log(_FOCAL_WIDTHS * px / py * tall_m) / 2 - 1.5
        # On a pinhole camera metres aside are to metres tall as pixels are; four make one.
        aside = (tall_m * px / py / 16)[:, None]
        to_unit = torch.tensor([2 / px, 2 / py, 2 / px, 2 / py])
        self.register_buffer('to_unit', to_unit, persistent=False)
        self.register_buffer('pixel', torch.tensor([1 / px, 1 / py]), persistent=False)
        self.register_buffer('aside', aside, persistent=False)
        self.register_buffer('blend', blend, persistent=False)
        self.register_buffer('of_class', of_class, persistent=False)

    def _measures(self, f: Features) -> Tensor:
        """Return (B, K, 9); see :meth:`_register_geometry`."""
        unit = f.boxes * self.to_unit - 1
        low, high = unit.split(2, 2)
        side = torch.maximum((high - low) / 2, self.pixel)
        scores = f.scores[:, :, None]
        logs = torch.log(torch.cat([side, scores + 0.02], 2))
        aside = (low + high)[:, :, :1] * self.aside[f.classes] / side[:, :, 1:]
        return torch.cat([unit, logs, scores, torch.tanh(aside)], 2)

    def forward(self, f: Features) -> tuple[Tensor, Tensor]:
        """Return tokens (B, K, D) and the attention bias (B, 1, 1, K) that hides absent boxes."""
        k, width = int(f.boxes.shape[1]), self.norm.normalized_shape[0]
        mix = self.colours[2]
        assert isinstance(mix, nn.Linear)
        colours = self.colours[:2](f.object_colours.flatten(0, 1))
        # Three layers whose results are added are one layer over all that they read.
        read = [self._measures(f).flatten(0, 1), colours, f.object_features.flatten(0, 1)]
        geometry = self.geometry.weight @ self.blend
        weight = torch.cat([geometry, mix.weight, self.features.weight], 1)
        bias = self.geometry.bias + mix.bias + self.features.bias
        kind = self.kind.weight + self.of_class @ self.geometry.weight.T + bias  # (classes, D)
        x = F.linear(torch.cat(read, 1), weight).reshape(-1, k, width) + kind[f.classes]
        x = self.norm(x + self.feed_forward(F.relu(x)))
        hidden = ((f.scores < PRESENT_SCORE).to(f.scores.dtype) * -1e4)[:, None, None, :]
        return self.together(x, x, hidden), hidden


@dataclass
class Scene:
    """
    What the scene encoder makes of one batch.

    :param learnt: (B, S) logits as the field queries give them, for the loss.
    :param derived: (B, R) logits of the fields that are read from the objects, for the loss.
    :param logits: (B, S) to be published.
    :param embedding: (B, E) of unit length.
    :param memory: (B, M, D) for the decoder.
    :param bias: (B, 1, 1, M), the memory's attention bias.
    """

    learnt: Tensor
    derived: Tensor
    logits: Tensor
    embedding: Tensor
    memory: Tensor
    bias: Tensor


class SceneEncoder(nn.Module):
    """
    Everything between the detector and the words.

    Buffers that are set after training, and change what is published only:
    ``prior`` (S,) is added to the logits; it undoes the weights that training gave to rare values.
    ``share`` (S,) is how much of a field's logits is read from the objects, 0..1.
    ``implies`` (S + 1, S): what each value, by row, adds to the logits of others if it is likely,
    and what is added in any case.
    ``excludes`` (S, S) of 0 and 1: a value, by row, leaves others only what it leaves open itself.
    """

    prior: Tensor
    share: Tensor
    implies: Tensor
    excludes: Tensor
    own_query: Tensor
    same_field: Tensor
    boolean: Tensor
    place_derived: Tensor

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.grid = GridEncoder(config)
        self.objects = ObjectEncoder(config)
        sizes = (width, config.heads, config.feed_forward, config.dropout)
        self.surround = Layer(*sizes)
        self.queries = nn.Parameter(torch.randn(1, len(FIELDS), width) * 0.02)
        self.layers = nn.ModuleList(Layer(*sizes, few=True) for _ in range(config.query_layers))
        self.roles = ObjectRoles(width)
        self.norm = nn.LayerNorm(width)
        self.heads = nn.ModuleList(nn.Linear(width, f.width) for f in FIELDS.values())
        self.value = nn.Linear(SCENE_WIDTH, width)
        self.embed = nn.Linear(2 * width, config.embedding)
        columns = derived_columns()
        place = torch.zeros(len(columns), SCENE_WIDTH)
        place[torch.arange(len(columns)), torch.tensor(columns)] = 1.0
        self.register_buffer('place_derived', place, persistent=False)
        self.register_buffer('share', place.sum(0) * 0.5, persistent=False)
        field = torch.cat(
            [torch.full((f.width,), float(i)) for i, f in enumerate(FIELDS.values())]
        )
        own = (torch.arange(len(FIELDS))[:, None] == field).float()  # (fields, S)
        self.register_buffer('own_query', own, persistent=False)
        self.register_buffer('same_field', own.T @ own, persistent=False)
        # exp(x) / (exp(x) + 1) is the sigmoid.
        boolean = [float(f.kind == 'boolean') for f in FIELDS.values() for _ in range(f.width)]
        self.register_buffer('boolean', torch.tensor(boolean), persistent=False)
        self.register_buffer('prior', torch.zeros(SCENE_WIDTH), persistent=False)
        implies = torch.zeros(SCENE_WIDTH + 1, SCENE_WIDTH)
        self.register_buffer('implies', implies, persistent=False)
        self.register_buffer('excludes', excluded_values(), persistent=False)

    def forward(self, f: Features) -> Scene:
        """Encode one batch."""
        grid = self.grid(f.c4, f.c5, f.p5)  # (B, 240, D)
        coarse = self._halved(grid, 32)  # (B, 60, D): objects need less detail than fields
        objects, hidden = self.objects(f)  # (B, K, D)
        objects = self.surround(objects, coarse)
        seen = torch.cat([grid, objects], 1)
        bias = F.pad(hidden, (int(grid.shape[1]), 0))
        x = self.queries  # (1, fields, D): attention spreads it over the batch
        for layer in self.layers:
            x = layer(x, seen, bias)
        x = self.norm(x)  # (B, fields, D)
        learnt = self._read_fields(x)
        heights = (f.boxes[:, :, 3] - f.boxes[:, :, 1]) / self.config.height
        derived = self.roles(objects, f.classes, f.scores, heights)
        placed = torch.addmm(self.prior, derived, self.place_derived * self.share)
        logits = learnt * (1 - self.share) + placed
        likely = self.probabilities(logits)
        logits = torch.addmm(logits + self.implies[-1], likely, self.implies[:-1])
        likely = self.probabilities(logits)
        facts = self.value(likely)[:, None]  # (B, 1, D)
        logits = torch.addmm(logits, (1 - likely).clamp(min=_LEAST_OPEN).log(), self.excludes)
        # The mean of means is the mean of all.
        embedding = self.embed(torch.cat([coarse.mean(1), x.mean(1)], 1))
        embedding = embedding / embedding.norm(dim=1, keepdim=True).clamp(min=1e-12)
        around = self._halved(coarse, 64)  # (B, 15, D): words need less still
        told = self.config.told
        memory = torch.cat([around, objects[:, :told], x, facts], 1)
        bias = F.pad(hidden[..., :told], (int(around.shape[1]), len(FIELDS) + 1))
        return Scene(learnt, derived, logits, embedding, memory, bias)

    def _halved(self, grid: Tensor, cell: int) -> Tensor:
        """Average 2 x 2 neighbours of tokens that stand for cells of so many pixels."""
        rows, columns = self.config.height // cell, self.config.width_px // cell
        if rows % 2 or columns % 2:
            return grid
        width = self.config.width
        # Two means over whole rows of memory, not one over two axes far apart.
        halved = grid.reshape(-1, 2, columns * width).mean(1).reshape(-1, 2, width).mean(1)
        return halved.reshape(-1, rows * columns // 4, width)

    def _read_fields(self, x: Tensor) -> Tensor:
        """Let every field's head read its own query: one product and a mask, not one each."""
        weight = torch.cat([head.weight for head in self._heads()])  # (S, D)
        bias = torch.cat([head.bias for head in self._heads()])
        return ((x @ weight.T) * self.own_query).sum(1) + bias

    def _heads(self) -> list[nn.Linear]:
        return [head for head in self.heads if isinstance(head, nn.Linear)]

    def probabilities(self, logits: Tensor) -> Tensor:
        """Softmax within every field, sigmoid for booleans, all in one product."""
        likely = logits.clamp(-30, 30).exp()
        return likely / (likely @ self.same_field + self.boolean)
