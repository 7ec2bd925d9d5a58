# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Checked data as tensors: pictures on disk as the network takes them, sentences, targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
import zlib

import numpy as np
import torch
from torch import Tensor

from caption_node.datasets.alike import groups_of
from caption_node.datasets.items import Item
from caption_node.description import Field, Value
from caption_node.image_codec import read_image
from caption_node.preprocess import letterbox
from caption_node.training.data import build_vocabulary, encode_sentence
from caption_node.training.own.config import OwnConfig


@dataclass
class OwnBatch:
    """
    One training batch.

    :param image: (B, H, W, 3) uint8 RGB, letterboxed.
    :param tokens: (B, T + 1) int64 from BOS to EOS, PAD behind.
    :param targets: (B, fields) int64; -1 where a value is not known.
    """

    image: Tensor
    tokens: Tensor
    targets: Tensor
    ids: list[str]


class OwnData:
    """
    The pictures that can be learnt from.

    :param items: Checked; pictures that cannot be used or have no caption are left out.
    :param pairs: Pictures that are all but the same, by their numbers in ``items``.
    :param cache: File for the scaled pictures.
    :ivar train: Numbers of the pictures that train.
    :ivar held_out: Numbers of those that calibrate; no picture of a training one's group is there.
    """

    def __init__(
        self,
        config: OwnConfig,
        items: Sequence[Item],
        pairs: Sequence[tuple[int, int]],
        cache: Path,
    ) -> None:
        groups = groups_of(len(items), pairs)
        # A copy of a picture that never trains does not train either: it would give that one away.
        apart = {groups[k] for k, i in enumerate(items) if i.split in config.hold_splits}
        kept = [
            k for k, i in enumerate(items) if i.usable and i.captions and groups[k] not in apart
        ]
        self.config = config
        self.items = [items[k] for k in kept]
        names = [items[groups[k]].id for k in kept]
        limit = round(config.held_out * 10_000)
        held = [zlib.crc32(name.encode('utf-8', 'replace')) % 10_000 < limit for name in names]
        self.train = np.flatnonzero(~np.array(held, dtype=bool))
        self.held_out = np.flatnonzero(np.array(held, dtype=bool))
        self.targets = torch.tensor(
            [targets_of(i.values, config.fields) for i in self.items], dtype=torch.int64
        ).reshape(len(self.items), len(config.fields))
        said = [c.text for k in self.train for c in self.items[k].captions]
        self.vocabulary = build_vocabulary(said, config.min_count, config.tokenizer)
        self.tokens = [
            torch.stack(
                [encode_sentence(self.vocabulary, c.text, config.tokens) for c in i.captions]
            )
            for i in self.items
        ]
        self.pictures = self._scale(cache)

    def _scale(self, cache: Path) -> np.ndarray:
        """Write all pictures as the network takes them; memory would not hold every data set."""
        shape = (len(self.items), self.config.height, self.config.width, 3)
        out = np.lib.format.open_memmap(cache, mode='w+', dtype=np.uint8, shape=shape)
        for k, item in enumerate(self.items):
            letterbox(read_image(item.path), self.config.height, self.config.width, out[k])
        out.flush()
        return out

    def take(self, chosen: Sequence[int], rng: np.random.Generator | None = None) -> OwnBatch:
        """
        Return pictures as one batch.

        :param rng: Varies the pictures and picks one of several captions; None does neither.
        """
        image = np.stack([self._picture(k, rng) for k in chosen])
        which = [0 if rng is None else int(rng.integers(len(self.tokens[k]))) for k in chosen]
        tokens = [self.tokens[k][n] for k, n in zip(chosen, which, strict=True)]
        return OwnBatch(
            torch.from_numpy(image),
            torch.stack(tokens),
            self.targets[torch.as_tensor(np.array(chosen))],
            [self.items[k].id for k in chosen],
        )

    def _picture(self, k: int, rng: np.random.Generator | None) -> np.ndarray:
        picture = np.asarray(self.pictures[k])
        if rng is None:
            return picture
        reach = np.array(picture.shape[:2]) * self.config.shift
        down, right = rng.uniform(-reach, reach).round().astype(int)
        moved = np.roll(picture, (down, right), (0, 1))
        gain = 1 + rng.uniform(-1, 1) * self.config.brightness
        return np.clip(moved * gain, 0, 255).astype(np.uint8)


def targets_of(values: Mapping[str, Value], table: Mapping[str, Field]) -> list[int]:
    """Return one class number a field; -1 where the value is not known."""
    numbers = []
    for name, spec in table.items():
        value = values.get(name)
        if value is None:
            numbers.append(-1)
        elif spec.kind == 'categorical':
            numbers.append(spec.values.index(str(value)))
        else:
            numbers.append(int(value))
    return numbers
