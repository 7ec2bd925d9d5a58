# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Train a captioner from a configuration, and export it.

    python -m caption_node.training.train configs/drive_small.yaml

Features of every augmented frame are cached once; heads and decoder then train from the cache.
Killed at any point, the same command goes on where it was.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
import os
from pathlib import Path
import sys
import time

import numpy as np
import torch
from torch import nn

from caption_node.description import FIELDS
from caption_node.errors import CaptionError, ConfigError
from caption_node.training.cache import FeatureCache, Sample, finished_shards, write_shard
from caption_node.training.calibrate import calibrate
from caption_node.training.config import TrainConfig, load_config
from caption_node.training.data import (
    RENDER_SOURCE,
    Batch,
    Batches,
    build_vocabulary,
    is_held_out,
    plain_samples,
    rendered_samples,
    shard_folders,
    varied_samples,
)
from caption_node.training.export import write_bundle
from caption_node.training.labels import read_labels
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.nanodet import load_nanodet
from caption_node.training.model.scene import SCENE_WIDTH, Features, SceneConfig, field_starts
from caption_node.training.objectives.mle import (
    SentenceEncoder,
    contrast_loss,
    field_loss,
    field_weights,
    word_loss,
)
from caption_node.vocabulary import SPECIAL, Vocabulary

RENDERS_PER_SHARD = 300


def fill_cache(config: TrainConfig, model: Captioner) -> FeatureCache:
    """
    Write the shards that are missing and open them all.

    :raises ConfigError: If the labels or frames cannot be read.
    """
    records = read_labels(config.labels, config.frames, config.splits)
    if not records:
        raise ConfigError(f'{config.labels} has no frames of the splits {config.splits}')
    height, width = model.config.height, model.config.width_px
    jobs: list[tuple[str, int, Iterator[Sample]]] = [
        ('plain', len(records), plain_samples(records, height, width))
    ]
    for v in range(config.variants):
        samples = varied_samples(records, v, height, width)
        jobs.append((f'variant{v:02d}', len(records), samples))
    for first in range(0, config.renders, RENDERS_PER_SHARD):
        count = min(RENDERS_PER_SHARD, config.renders - first)
        samples = rendered_samples(first, count, height, width)
        jobs.append((f'render{first:05d}', count, samples))
    root = shard_folders(config.work)
    for name, count, samples in jobs:
        folder = root / name
        if folder not in finished_shards(root):
            begun = time.perf_counter()
            write_shard(folder, samples, count, model)
            log(f'cached {count} frames as {name} in {time.perf_counter() - begun:.0f} s')
    return FeatureCache([root / name for name, _, _ in jobs])


def log(text: str) -> None:
    """Write one line of progress."""
    print(text, file=sys.stderr, flush=True)


def hide_boxes(features: Features, share: float) -> Features:
    """Take boxes away at random, as a detector does that misses them."""
    keep = (torch.rand_like(features.scores) >= share).float()
    return replace(features, scores=features.scores * keep)


def losses(
    model: Captioner,
    sentences: SentenceEncoder,
    batch: Batch,
    weights: dict[str, torch.Tensor],
    config: TrainConfig,
) -> tuple[torch.Tensor, dict[str, float]]:
    """Return the loss of a batch and its parts."""
    features = hide_boxes(batch.features, config.hide_boxes) if model.training else batch.features
    raw, _, embedding, memory, bias = model.scene(features)
    fields = field_loss(raw, batch.targets, weights)
    inputs, following = batch.tokens[:, :-1], batch.tokens[:, 1:]
    words = word_loss(model.decoder(inputs, memory, bias), following, config.label_smoothing)
    contrast = contrast_loss(embedding, sentences(batch.tokens), batch.said, batch.ids)
    total = words + config.field_weight * fields + config.contrast_weight * contrast
    parts = {
        'fields': float(fields.detach()),
        'words': float(words.detach()),
        'contrast': float(contrast.detach()),
    }
    return total, parts


def prior_of(weights: dict[str, torch.Tensor], corrected: Sequence[str]) -> torch.Tensor:
    """
    Return what undoes the weights of rare values in the logits.

    Source: Long-tail learning via logit adjustment, arXiv 2007.07314.

    :param weights: As :func:`~caption_node.training.objectives.mle.field_weights` gives them.
    :param corrected: Categorical fields that are to be as rare as they were in training.
    :returns: (S,), 0 for all other fields.
    """
    prior = torch.zeros(SCENE_WIDTH)
    for name in corrected:
        start = field_starts()[name]
        prior[start : start + FIELDS[name].width] = -weights[name].log()
    return prior


def learning_rate(step: int, config: TrainConfig) -> float:
    """Warm up linearly, then fall as a half cosine."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * (0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * progress))))


class Run:
    """A training run that can be stopped and resumed."""

    def __init__(self, config: TrainConfig, model: Captioner, batches: Batches) -> None:
        self.config = config
        self.model = model
        self.batches = batches
        words = model.decoder.embedding.num_embeddings
        self.sentences = SentenceEncoder(words, model.config.embedding)
        self.trained = nn.ModuleDict(
            {'scene': model.scene, 'decoder': model.decoder, 'sentences': self.sentences}
        )
        self.optimiser = torch.optim.AdamW(
            self.trained.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.average = {k: v.detach().clone() for k, v in self.trained.state_dict().items()}
        self.step = 0
        self.checkpoint = config.work / 'checkpoint.pt'

    def resume(self) -> None:
        """Take up the last checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        self.trained.load_state_dict(state['trained'])
        self.average = state['average']
        self.optimiser.load_state_dict(state['optimiser'])
        self.step = int(state['step'])
        log(f'resumed at step {self.step}')

    def save(self) -> None:
        """Write a checkpoint beside its name and rename it."""
        scratch = self.checkpoint.with_suffix('.tmp')
        state = {
            'trained': self.trained.state_dict(),
            'average': self.average,
            'optimiser': self.optimiser.state_dict(),
            'step': self.step,
        }
        torch.save(state, scratch)
        os.replace(scratch, self.checkpoint)

    def train(self, held_out: Sequence[int]) -> None:
        """Take all steps that remain; then put the averaged weights in place."""
        config = self.config
        device = torch.device(config.device)
        weights = field_weights(self.batches.targets[self.batches.indices])
        begun = time.perf_counter()
        first = self.step
        while self.step < config.steps:
            # A generator per step: a resumed run draws what an uninterrupted one would.
            rng = np.random.default_rng([config.seed, self.step])
            torch.manual_seed(config.seed * 1_000_003 + self.step)
            chosen = self.batches.draw(config.batch, config.render_share, rng)
            self.trained.train()
            for group in self.optimiser.param_groups:
                group['lr'] = learning_rate(self.step, config)
            written_only = self.step >= config.grammar_until * config.steps
            batch = self.batches.take(chosen, device, written_only)
            loss, parts = losses(self.model, self.sentences, batch, weights, config)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.trained.parameters(), 1.0)
            self.optimiser.step()
            self._update_average()
            self.step += 1
            if self.step % 50 == 0:
                rate = (self.step - first) / (time.perf_counter() - begun)
                text = ' '.join(f'{k} {v:.3f}' for k, v in parts.items())
                log(f'step {self.step}/{config.steps} {text} {rate:.2f} steps/s')
            if self.step % 500 == 0:
                self.save()
                log(self.check(held_out, weights))
        self.save()
        self.trained.load_state_dict(self.average)

    def _update_average(self) -> None:
        keep = min(self.config.average, (1 + self.step) / (10 + self.step))
        for name, value in self.trained.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value.detach(), 1 - keep)

    def check(self, held_out: Sequence[int], weights: dict[str, torch.Tensor]) -> str:
        """Return the averaged weights' losses on held-out frames as text."""
        current = {k: v.detach().clone() for k, v in self.trained.state_dict().items()}
        self.trained.load_state_dict(self.average)
        self.trained.eval()
        sums: dict[str, float] = {}
        device = torch.device(self.config.device)
        with torch.no_grad():
            for start in range(0, len(held_out), 32):
                chosen = held_out[start : start + 32]
                batch = self.batches.take(chosen, device)
                _, parts = losses(self.model, self.sentences, batch, weights, self.config)
                for k, v in parts.items():
                    sums[k] = sums.get(k, 0.0) + v * len(chosen) / len(held_out)
        self.trained.load_state_dict(current)
        return 'held out: ' + ' '.join(f'{k} {v:.3f}' for k, v in sums.items())


def vocabulary_of(cache: FeatureCache, min_count: int) -> Vocabulary:
    """Collect the words of all sentences in the cache that train, each frame once a wording."""
    said = {
        (row['id'], row['caption'])
        for row in cache.info
        if row['caption'] and not is_held_out(row['id'])
    }
    return build_vocabulary([caption for _, caption in sorted(said)], min_count)


def train(config: TrainConfig) -> None:
    """
    Run a configuration from frames to a written bundle.

    :raises CaptionError: If the data, the encoder or the configuration are not usable.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    config.work.mkdir(parents=True, exist_ok=True)
    sizes = SceneConfig(dropout=config.dropout)
    eyes = Captioner(sizes, Vocabulary(SPECIAL), load_nanodet(config.encoder))
    cache = fill_cache(config, eyes.to(config.device))
    vocabulary = vocabulary_of(cache, config.min_count)
    log(f'{len(cache)} samples, {len(vocabulary)} words')
    torch.manual_seed(config.seed)
    model = Captioner(sizes, vocabulary, eyes.detector)
    model.to(config.device)
    used = [i for i, row in enumerate(cache.info) if not is_held_out(row['id'])]
    kept = [
        i
        for i, row in enumerate(cache.info)
        if is_held_out(row['id']) and row['source'] != RENDER_SOURCE
    ]
    batches = Batches(cache, vocabulary, used, sizes.tokens)
    weights = field_weights(batches.targets[batches.indices])
    model.scene.prior.copy_(prior_of(weights, config.prior_corrected))
    run = Run(config, model, batches)
    run.resume()
    run.train(kept)
    settings = calibrate(model, batches, kept)
    settings['training'] = {
        'steps': config.steps,
        'seed': config.seed,
        'splits': config.splits,
        'variants': config.variants,
        'renders': config.renders,
        'held_out_frames': len({cache.info[i]['id'] for i in kept}),
    }
    write_bundle(config.output, model, vocabulary, config.name, config.licence, settings)
    log(f'wrote {config.output}')


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train; 1 on an error that the user can mend."""
    parser = argparse.ArgumentParser(prog='train', description='Train a captioner and export it.')
    parser.add_argument(
        'config', type=Path, help='YAML file, for example configs/drive_small.yaml'
    )
    parser.add_argument('--steps', type=int, help="take this many steps instead of the file's")
    parser.add_argument('--work', type=Path, help='folder for caches and checkpoints')
    parser.add_argument('--output', type=Path, help='model folder to write')
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config)
        changes = {k: v for k, v in vars(options).items() if k != 'config' and v is not None}
        train(replace(config, **changes))
    except CaptionError as err:
        log(f'error: {err}')
        if err.hint:
            log(f'hint: {err.hint}')
        return 1
    except KeyboardInterrupt:
        log('interrupted; the same command goes on from the last checkpoint')
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
