# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of cached features with targets and sentences."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import zlib

import numpy as np
import torch
from torch import Tensor

from caption_node.preprocess import letterbox
from caption_node.training.augment import augment
from caption_node.training.cache import FeatureCache, Sample
from caption_node.training.labels import Label, Record
from caption_node.training.model.scene import Features
from caption_node.training.render_store import RENDER_SOURCE
from caption_node.vocabulary import BOS, EOS, PAD, SPECIAL, Vocabulary, split_words

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


def build_vocabulary(
    sentences: Sequence[str], min_count: int, tokenizer: str = 'words'
) -> Vocabulary:
    """Collect the words that enough sentences use."""
    counts = Counter(w for s in sentences for w in set(split_words(s, tokenizer)))
    said = sorted(w for w, n in counts.items() if n >= min_count)
    return Vocabulary([*SPECIAL, *said], tokenizer)


def encode_sentence(vocabulary: Vocabulary, caption: str | None, length: int) -> Tensor:
    """Return (length + 1,) int64 from BOS to EOS, PAD behind; all PAD without a sentence."""
    tokens = torch.full((length + 1,), PAD, dtype=torch.int64)
    if caption:
        # The full stop is put back when the sentence is written.
        ids = [BOS, *vocabulary.encode(caption)[: length - 1], EOS]
        tokens[: len(ids)] = torch.tensor(ids)
    return tokens


def plain_samples(records: Sequence[Record], height: int, width: int) -> Iterator[Sample]:
    """Yield the frames as they are, letterboxed."""
    from caption_node.image_codec import read_image

    for r in records:
        image, fit = letterbox(read_image(r.path), height, width)
        label = r.labels[0].scaled(fit.scale, fit.left, fit.top)
        yield Sample(image, label, r.source, r.id)


def varied_samples(
    records: Sequence[Record], variant: int, height: int, width: int
) -> Iterator[Sample]:
    """Yield one augmented variant of every frame; the same for the same variant number."""
    from caption_node.image_codec import read_image

    for k, r in enumerate(records):
        rng = np.random.default_rng([variant, k])
        weather = r.source != RENDER_SOURCE  # renders have their own
        image, label = augment(read_image(r.path), r.labels[0], rng, height, width, weather)
        yield Sample(image, label, r.source, r.id)


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
        self.tokens = torch.stack(
            [encode_sentence(vocabulary, row['caption'], length) for row in cache.info]
        )
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
