# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Before any caption: the encoder learns to put spoilt pictures right, of which there may be more.

Pictures without captions are cheap. Whether they help depends on the data; docs/objectives.md says
what was measured.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor, nn

from caption_node.errors import ConfigError, FrameError
from caption_node.image_codec import IMAGE_SUFFIXES, read_image
from caption_node.preprocess import letterbox
from caption_node.training.objectives.autoencoder import Autoencoder, DensePainter, GridPainter
from caption_node.training.own.config import OwnConfig
from caption_node.training.own.data import OwnData
from caption_node.training.own.model import DenseFeatures, OwnCaptioner
from caption_node.training.progress import Journal, log
from caption_node.training.stage import Stage

_SEED = 31
_SAVE_EVERY = 100


class _Grid(nn.Module):
    """The tokens of an encoder as features on a grid, from pictures of 0..1."""

    def __init__(self, encoder: nn.Module, rows: int) -> None:
        super().__init__()
        self.encoder, self.rows = encoder, rows

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, D, H / stride, W / stride)."""
        tokens: Tensor = self.encoder(pictures * 255)
        columns = tokens.shape[1] // self.rows
        return tokens.transpose(1, 2).reshape(len(tokens), -1, self.rows, columns)


def groups_of(config: OwnConfig, trained: nn.Module) -> list[dict[str, Any]]:
    """Return what learns, with its share of the learning rate."""
    encoder: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in trained.named_parameters():
        if parameter.requires_grad:
            (encoder if '.detector.' in f'.{name}' else rest).append(parameter)
    share = config.encoder_rate / config.learning_rate if config.encoder_rate else 1.0
    groups = [{'params': rest, 'share': 1.0}, {'params': encoder, 'share': share}]
    return [group for group in groups if group['params']]


def painted_by(model: OwnCaptioner, config: OwnConfig) -> Autoencoder:
    """Return the autoencoder whose encoder is the model's own; its painter is thrown away."""
    if isinstance(model.encoder, DenseFeatures):
        dense = model.encoder.encoder
        painter = DensePainter(dense.code.out_features, dense.hidden.out_features)
        return Autoencoder(dense, painter, config.hidden_share)
    device = model.queries.device
    with torch.no_grad():
        blank = torch.zeros(1, 3, config.height, config.width, device=device)
        _, cells, channels = model.encoder.eval()(blank).shape
    stride = round((config.height * config.width / cells) ** 0.5)
    grid = _Grid(model.encoder, config.height // stride)
    return Autoencoder(grid, GridPainter(channels, stride), config.hidden_share)


class PretrainRun(Stage):
    """
    All steps of it; killed, the same run goes on where it was.

    It sees the pictures that train with their captions, and those of ``unlabelled``, which are
    taken as they are: copies of pictures that judge the model do not belong there.
    """

    def __init__(self, config: OwnConfig, model: OwnCaptioner, data: OwnData, work: Path) -> None:
        self.config, self.data, self.work = config, data, work
        self.further = further_pictures(config, work / 'unlabelled.npy')
        self.count = len(data.train) + len(self.further)
        self.device = model.queries.device
        torch.manual_seed(config.seed)
        self.objective = painted_by(model, config)
        parts = self.objective.parts.to(self.device)
        optimiser = torch.optim.AdamW(
            groups_of(config, parts), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        mark = hashlib.sha256(self.further.tobytes()).hexdigest()[:12]
        file = work / f'pretraining-{mark}.pt'
        super().__init__('pre-training', parts, optimiser, file, config.average)

    def take_step(self) -> dict[str, float]:
        """Take one step; returns the errors behind and beside the squares."""
        config = self.config
        # A generator per step: a resumed run draws what an uninterrupted one would.
        rng = np.random.default_rng([config.seed, _SEED, self.step])
        torch.manual_seed(config.seed * 1_000_003 + self.step)
        chosen = rng.choice(self.count, config.batch).tolist()
        progress = self.step / max(1, config.pretrain_steps)
        rise = min(1.0, (self.step + 1) / max(1, config.warmup))
        for group in self.optimiser.param_groups:
            left = 0.02 + 0.98 * (1 - progress)
            group['lr'] = config.learning_rate * group['share'] * rise * left
        self.trained.train()
        drawn = torch.from_numpy(np.stack([self._picture(k) for k in chosen])).to(self.device)
        loss, figures = self.objective.loss(drawn.permute(0, 3, 1, 2).float() / 255)
        self.descend(loss, 1.0)
        return figures

    def _picture(self, k: int) -> NDArray[np.uint8]:
        train = self.data.train
        if k < len(train):
            return np.asarray(self.data.pictures[train[k]])
        return np.asarray(self.further[k - len(train)])

    def train(self) -> None:
        """Take all steps that remain; the encoder then has the averaged weights."""
        steps = self.config.pretrain_steps
        with Journal(self.work / 'tensorboard', 'pretraining', steps, self.step) as journal:
            while self.step < steps:
                journal.step(self.step, self.take_step())
                if self.step % _SAVE_EVERY == 0:
                    self.save()
        self.finish()


def further_pictures(config: OwnConfig, file: Path) -> NDArray[np.uint8]:
    """
    Return the pictures of ``unlabelled`` as the network takes them, (N, H, W, 3); N may be 0.

    :param file: For the scaled ones.
    :raises ConfigError: If the folder holds none that can be read.
    """
    none = np.zeros((0, config.height, config.width, 3), np.uint8)
    if not config.unlabelled:
        return none
    folder = Path(config.unlabelled)
    names = sorted(p for p in folder.rglob('*') if p.suffix.lower() in IMAGE_SUFFIXES)
    shape = (max(1, len(names)), *none.shape[1:])
    out = np.lib.format.open_memmap(file, mode='w+', dtype=np.uint8, shape=shape)
    count = 0
    for name in names:
        try:
            letterbox(read_image(name), config.height, config.width, out[count])
        except FrameError as err:
            log(f'{err}; left out')
            continue
        count += 1
    out.flush()
    if not count:
        raise ConfigError(
            f'unlabelled: {folder} holds no picture that can be read', 'or leave the key out'
        )
    return out[:count]
