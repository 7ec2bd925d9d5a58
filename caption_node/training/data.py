# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of cached features with targets and sentences."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
import zlib

import numpy as np
import torch
from torch import Tensor

from caption_node.preprocess import letterbox
from caption_node.training.augment import augment
from caption_node.training.cache import FeatureCache, Sample
from caption_node.training.labels import Label, Record
from caption_node.training.model.scene import Features
from caption_node.vocabulary import BOS, EOS, PAD, SPECIAL, Vocabulary, split_words

RENDER_SOURCE = 'render'
HELD_OUT_OF = 10
"""One frame in ten trains nothing: it calibrates confidences and picks the checkpoint."""


@dataclass
class Batch:
    """
    One training batch.

    :param targets: (B, fields) int64.
    :param tokens: (B, T + 1) int64 from BOS to EOS, PAD behind; all PAD without a sentence.
    :param said: (B,) bool: whether there is a sentence.
    """

    features: Features
    targets: Tensor
    tokens: Tensor
    said: Tensor
    ids: list[str]


def is_held_out(frame_id: str) -> bool:
    """Tell whether a frame is kept from training; the same on every machine."""
    return zlib.crc32(frame_id.encode()) % HELD_OUT_OF == 0


def build_vocabulary(sentences: Sequence[str], min_count: int) -> Vocabulary:
    """Collect the words that enough sentences use."""
    counts = Counter(w for s in sentences for w in set(split_words(s)))
    return Vocabulary([*SPECIAL, *sorted(w for w, n in counts.items() if n >= min_count)])


def plain_samples(records: Sequence[Record], height: int, width: int) -> Iterator[Sample]:
    """Yield the frames as they are, letterboxed."""
    from caption_node.image_codec import read_image

    for r in records:
        image, _ = letterbox(read_image(r.path), height, width)
        yield Sample(image, r.labels[0], r.source, r.id)


def varied_samples(
    records: Sequence[Record], variant: int, height: int, width: int
) -> Iterator[Sample]:
    """Yield one augmented variant of every frame; the same for the same variant number."""
    from caption_node.image_codec import read_image

    for k, r in enumerate(records):
        rng = np.random.default_rng([variant, k])
        image, label = augment(read_image(r.path), r.labels[0], rng, height, width)
        yield Sample(image, label, r.source, r.id)


def rendered_samples(first: int, count: int, height: int, width: int) -> Iterator[Sample]:
    """Yield scenes of our own renderer, half of them seen through a worse camera."""
    from caption_node.scenes import render_scene

    for seed in range(first, first + count):
        rgb, truth = render_scene(seed, width=960, height=540)
        label = Label(truth.fields, truth.caption)
        rng = np.random.default_rng([7, seed])
        image, label = augment(rgb, label, rng, height, width, weather=False)
        yield Sample(image, label, RENDER_SOURCE, f'render{seed}')


class Batches:
    """
    Draws batches from a cache.

    :param indices: Samples that may be drawn.
    :param weights: How often each is drawn, relative.
    """

    def __init__(
        self,
        cache: FeatureCache,
        vocabulary: Vocabulary,
        indices: Sequence[int],
        length: int,
    ) -> None:
        self.cache = cache
        self.indices = np.array(indices)
        self.length = length
        self.targets = torch.tensor(
            [Label(row['fields'], None).targets() for row in cache.info], dtype=torch.int64
        )
        self.tokens = torch.stack([self._encode(vocabulary, row) for row in cache.info])
        first: dict[str, str] = {}
        weathers = [(row['id'], row['fields']['weather']) for row in cache.info]
        for name, weather in weathers:
            first.setdefault(name, weather)
        self.made = torch.tensor(
            [
                row['source'] == RENDER_SOURCE
                or (weather != first[name] and row['fields']['time'] != 'night')
                for row, (name, weather) in zip(cache.info, weathers, strict=True)
            ]
        )

    def _encode(self, vocabulary: Vocabulary, row: dict[str, Any]) -> Tensor:
        tokens = torch.full((self.length + 1,), PAD, dtype=torch.int64)
        if row['caption']:
            ids = vocabulary.encode(row['caption'])
            # The full stop is put back when the sentence is written.
            ids = [BOS, *ids[: self.length - 1], EOS]
            tokens[: len(ids)] = torch.tensor(ids)
        return tokens

    def take(
        self, chosen: Sequence[int], device: torch.device, written_only: bool = False
    ) -> Batch:
        """
        Return the samples of these indices as one batch.

        :param written_only: Leave out sentences that the grammar wrote for renders, and those
            that were changed for simulated weather.
        """
        index = torch.as_tensor(np.array(chosen))
        tokens = self.tokens[index].to(device)
        if written_only:
            tokens[self.made[index].to(device)] = PAD
        return Batch(
            features=self.cache.features(list(chosen), device),
            targets=self.targets[index].to(device),
            tokens=tokens,
            said=tokens[:, 0] == BOS,
            ids=[self.cache.info[i]['id'] for i in chosen],
        )

    def draw(self, size: int, render_share: float, rng: np.random.Generator) -> list[int]:
        """Draw indices at random, a share of them renders where there are any."""
        if not hasattr(self, '_split'):
            render = np.array(
                [self.cache.info[i]['source'] == RENDER_SOURCE for i in self.indices]
            )
            self._split = (self.indices[~render], self.indices[render])
        real, rendered = self._split
        count = round(size * render_share) if len(rendered) and len(real) else 0
        count = size if not len(real) else count
        return [
            *rng.choice(real, size - count).tolist(),
            *(rng.choice(rendered, count).tolist() if count else []),
        ]


def shard_folders(work: Path) -> Path:
    """Return the folder that holds the shards of a run."""
    return work / 'cache'
