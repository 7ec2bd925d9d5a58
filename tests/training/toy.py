# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Ten frames with ten sentences, and what a run over them needs."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from caption_node.description import FIELDS, Value
from caption_node.training.cache import FeatureCache, Sample, finished_shards, write_shard
from caption_node.training.config import TrainConfig
from caption_node.training.data import Batches
from caption_node.training.labels import Label
from caption_node.training.model.captioner import Captioner
from caption_node.training.sentence_run import SentenceRun
from caption_node.vocabulary import Vocabulary

SENTENCES = tuple(
    f'The {thing} is {place}'
    for thing in ('car', 'signal', 'light', 'road', 'left')
    for place in ('ahead', 'on the right')
)


def toy_config(work: Path, **changes: object) -> TrainConfig:
    """Configure short runs without anything that would blur ten frames."""
    none = Path()
    config = TrainConfig(
        'toy', 'none', none, none, none, none, work, sentence_layouts=0, layout_steps=0,
        written_steps=0, mixed_steps=0, reward_steps=0, memory_drop=0.0, memory_noise=0.0,
        label_smoothing=0.0, weight_decay=0.0, consensus_share=0.0, claim_penalty=0.0,
        reward_neighbours=0, reward_samples=2, objective_batch=10, objective_rate=1e-2, latent=4,
        word_drop=0.0, school_steps=6, school_batch=10,
    )  # fmt: skip
    return replace(config, **changes)  # type: ignore[arg-type]


def quiet(_phase: str, _step: int, _figures: Mapping[str, float]) -> None:
    """Take figures and tell nobody."""


def toy_shard(folder: Path, model: Captioner) -> Path:
    """Write a cache of ten frames that look alike."""
    shape = (model.config.height, model.config.width_px, 3)
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    fields: dict[str, Value] = {
        n: f.values[0] if f.values else f.kind == 'count' and 0 for n, f in FIELDS.items()
    }
    samples = [
        Sample(image, Label(fields, text), 'toy', f'frame{k}') for k, text in enumerate(SENTENCES)
    ]
    write_shard(folder / 'plain', iter(samples), len(samples), model)
    return folder


def toy_material(
    config: TrainConfig, shards: Path, captioner: Captioner, vocabulary: Vocabulary
) -> SentenceRun:
    """Return a new decoder with ten frames; each frame's memory is a noise of its own."""
    torch.manual_seed(5)
    torch.set_num_threads(1)
    model = Captioner(replace(captioner.config, dropout=0.0), vocabulary, captioner.detector)
    model.scene = captioner.scene
    cache = FeatureCache(finished_shards(shards))
    batches = Batches(cache, vocabulary, range(len(SENTENCES)), model.config.tokens)
    run = SentenceRun(config, model, vocabulary, batches, quiet)
    noise = torch.Generator().manual_seed(1)
    run.memories.memory.copy_(torch.randn(run.memories.memory.shape, generator=noise))
    run.memories.hidden.fill_(False)
    run.memories.evidence.fill_(1)
    return run
