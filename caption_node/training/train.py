# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Train a captioner from a configuration, and export it: ``caption train`` calls this.

Features of every augmented frame are cached once; heads and decoder then train from the cache.
Killed at any point, the same command goes on where it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
import hashlib
import math
from pathlib import Path
import time

import numpy as np
import torch
from torch import nn

from caption_node.description import FIELDS
from caption_node.errors import ConfigError
from caption_node.training.cache import FeatureCache, Sample, finished_shards, write_shard
from caption_node.training.calibrate import calibrate
from caption_node.training.config import TrainConfig
from caption_node.training.data import (
    Batch,
    Batches,
    build_vocabulary,
    is_held_out,
    plain_samples,
    varied_samples,
)
from caption_node.training.end_to_end import EncoderRun
from caption_node.training.export import DEFAULT_THRESHOLDS, write_bundle
from caption_node.training.field_loss import field_loss, field_weights
from caption_node.training.implied import implied_by_labels
from caption_node.training.labels import Record, read_labels
from caption_node.training.limits import check_device, check_output
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.encoders import load_detector
from caption_node.training.model.roles import DERIVED
from caption_node.training.model.scene import SCENE_WIDTH, Features, SceneConfig, field_starts
from caption_node.training.objectives.mle import SentenceEncoder, contrast_loss, word_loss
from caption_node.training.prior import prior_for
from caption_node.training.progress import Journal, log
from caption_node.training.render_store import stored_renders
from caption_node.training.sentences import train_sentences
from caption_node.training.stage import Stage
from caption_node.training.street_picture import CONDITIONS
from caption_node.training.weights import NETWORK, load_average, save_network
from caption_node.training.works import SAID, WORKS
from caption_node.vocabulary import Vocabulary

RENDERS_PER_SHARD = 300


@dataclass
class Frames:
    """What trains: labelled frames, and our own renders beside them."""

    real: list[Record]
    renders: list[Record]


def read_frames(config: TrainConfig) -> Frames:
    """
    Read the frames of a configuration and make the renders that are missing.

    :raises ConfigError: If the labels or frames cannot be read.
    """
    real = read_labels(config.labels, config.frames, config.splits)
    if not real:
        raise ConfigError(f'{config.labels} has no frames of the splits {config.splits}')
    if not any(is_held_out(r.id) for r in real):
        raise ConfigError(
            f'{config.labels}: none of {len(real)} frames is held out to calibrate confidences',
            'about one in ten is, by its id: label more frames',
        )
    folder = config.work / 'renders'
    return Frames(real, stored_renders(folder, config.renders) if config.renders else [])


def vocabulary_of(frames: Frames, min_count: int) -> Vocabulary:
    """Collect the words that sentences of training frames use."""
    used = [r for r in frames.real if not is_held_out(r.id)]
    captions = [r.labels[0].caption or '' for r in (*used, *frames.renders)]
    works = [SAID.format(prop, side) for prop in WORKS for side in ('left', 'right')]
    return build_vocabulary([*captions, *CONDITIONS * min_count, *works], min_count)


def fill_cache(config: TrainConfig, model: Captioner, frames: Frames) -> FeatureCache:
    """Write the shards that are missing for this encoder and open them all."""
    height, width = model.config.height, model.config.width_px
    real, count = frames.real, len(frames.real)
    jobs: list[tuple[str, int, Iterator[Sample]]] = [
        ('plain', count, plain_samples(real, height, width))
    ]
    for v in range(config.variants):
        jobs.append((f'variant{v:02d}', count, varied_samples(real, v, height, width)))
    for first in range(0, len(frames.renders), RENDERS_PER_SHARD):
        part = frames.renders[first : first + RENDERS_PER_SHARD]
        samples = varied_samples(part, first, height, width)
        jobs.append((f'render{first:05d}', len(part), samples))
    root = cache_folder(config.work, model)
    for name, size, samples in jobs:
        folder = root / name
        if folder not in finished_shards(root):
            begun = time.perf_counter()
            write_shard(folder, samples, size, model)
            log(f'cached {size} frames as {name} in {time.perf_counter() - begun:.0f} s')
    return FeatureCache([root / name for name, _, _ in jobs])


def cache_folder(work: Path, model: Captioner) -> Path:
    """Return where features of this very encoder are kept."""
    digest = hashlib.sha256()
    for name, value in sorted(model.detector.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return work / f'cache-{digest.hexdigest()[:12]}'


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
    scene = model.scene(features)
    fields = field_loss(scene.learnt, batch.targets, weights)
    fields = fields + field_loss(scene.derived, batch.targets, weights, DERIVED)
    inputs, following = batch.tokens[:, :-1], batch.tokens[:, 1:]
    words = word_loss(
        model.decoder(inputs, scene.memory, scene.bias), following, config.label_smoothing
    )
    contrast = contrast_loss(scene.embedding, sentences(batch.tokens), batch.said, batch.ids)
    total = words + config.field_weight * fields + config.contrast_weight * contrast
    parts = {
        'fields': float(fields.detach()),
        'words': float(words.detach()),
        'contrast': float(contrast.detach()),
    }
    return total, parts


def share_of(named: Mapping[str, float]) -> torch.Tensor:
    """
    Return how much of each logit is read from the objects, (S,).

    :param named: By field; a half for those of ``DERIVED`` that are not named.
    :raises ConfigError: If a field cannot be read from the objects.
    """
    unknown = sorted(set(named) - set(DERIVED))
    if unknown:
        raise ConfigError(
            f'derived_share: {", ".join(unknown)} cannot be read from objects',
            'these can: ' + ', '.join(DERIVED),
        )
    share = torch.zeros(SCENE_WIDTH)
    for name in DERIVED:
        start = field_starts()[name]
        share[start : start + FIELDS[name].width] = named.get(name, 0.5)
    return share


def count_what_is_published(model: Captioner) -> None:
    """
    Let a vehicle count from the score at which its box is published.

    The detector's scores change while it learns, and on cameras that it never saw; how boxes
    count follows too slowly, and surplus of many unsure boxes adds up.
    """
    least = DEFAULT_THRESHOLDS['car']
    steep = 4.0
    with torch.no_grad():
        gate = model.scene.roles.gate
        gate[0] = gate.new_tensor([steep, 0.0, -steep * math.log(least / (1 - least))])


def learning_rate(step: int, config: TrainConfig) -> float:
    """Warm up linearly, then fall as a half cosine."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * (0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * progress))))


class Run(Stage):
    """The second stage: heads, and a decoder beside them, over cached features."""

    def __init__(self, config: TrainConfig, model: Captioner, batches: Batches) -> None:
        self.config = config
        self.model = model
        self.batches = batches
        words = model.decoder.embedding.num_embeddings
        self.sentences = SentenceEncoder(words, model.config.embedding)
        trained = nn.ModuleDict(
            {'scene': model.scene, 'decoder': model.decoder, 'sentences': self.sentences}
        )
        optimiser = torch.optim.AdamW(
            trained.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        file = config.work / 'checkpoint.pt'
        super().__init__('heads', trained, optimiser, file, config.average)

    def train(self, held_out: Sequence[int]) -> None:
        """Take all steps that remain; then put the averaged weights in place."""
        config = self.config
        device = torch.device(config.device)
        weights = field_weights(self.batches.targets[self.batches.indices])
        folder = config.work / 'tensorboard'
        with Journal(folder, 'heads', config.steps, self.step) as journal:
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
                self.descend(loss, 1.0)
                journal.step(self.step, parts)
                if self.step % 500 == 0:
                    self.save()
                    journal.note(self.step, self.check(held_out, weights), 'held-out')
        self.finish()

    def check(self, held_out: Sequence[int], weights: dict[str, torch.Tensor]) -> dict[str, float]:
        """Return the averaged weights' losses on held-out frames."""
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
        return sums


def train(config: TrainConfig) -> None:
    """
    Run a configuration from frames to a written bundle.

    :raises CaptionError: If the data, the encoder or the configuration are not usable.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    check_device(config.name, config.device)
    check_output(config.output)
    if not config.begin:
        # A file that is not the encoder's is found out now, not after hours of rendering.
        load_detector(config.encoder_kind, config.encoder)
    config.work.mkdir(parents=True, exist_ok=True)
    frames = read_frames(config)
    model, vocabulary = begin(config, frames)
    log(f'{len(frames.real)} frames, {len(frames.renders)} renders, {len(vocabulary)} words')
    if config.encoder_steps:
        first = EncoderRun(config, model, vocabulary, frames.real, frames.renders)
        first.resume()
        first.train()
    cache = fill_cache(config, model, frames)
    info = cache.info
    used = [i for i, row in enumerate(info) if not is_held_out(row['id'])]
    own = {r.id for r in frames.real}
    kept = [i for i, row in enumerate(info) if is_held_out(row['id']) and row['id'] in own]
    batches = Batches(cache, vocabulary, used, model.config.tokens)
    model.scene.prior.copy_(prior_for(config, batches.targets[batches.indices]))
    model.scene.share.copy_(share_of(config.derived_share))
    # Each frame once: variants of it are no further evidence.
    once = list({info[i]['id']: i for i in used if info[i]['id'] in own}.values())
    model.scene.implies.copy_(implied_by_labels(batches.targets[once], config.implied_share))
    if config.steps:
        run = Run(config, model, batches)
        run.resume()
        run.train(kept)
    count_what_is_published(model)
    train_sentences(config, model, vocabulary, batches, kept)
    save_network(config.work / NETWORK, model, vocabulary)
    settings = calibrate(model, vocabulary, batches, kept)
    settings['training'] = {
        'encoder_steps': config.encoder_steps,
        'steps': config.steps,
        'seed': config.seed,
        'splits': config.splits,
        'variants': config.variants,
        'renders': config.renders,
        'held_out_frames': len({info[i]['id'] for i in kept}),
    }
    write_bundle(config.output, model, vocabulary, config.name, config.licence, settings)
    save_network(config.output / NETWORK, model, vocabulary)
    log(f'wrote {config.output}')


def begin(config: TrainConfig, frames: Frames) -> tuple[Captioner, Vocabulary]:
    """
    Return the network that a run begins with, and its words.

    :raises BundleError: If a file that it begins with is missing, or is another network.
    """
    if config.begin:
        model, vocabulary = load_average([Path(name) for name in config.begin])
        return model.to(config.device), vocabulary
    vocabulary = vocabulary_of(frames, config.min_count)
    return new_model(config, vocabulary), vocabulary


def new_model(config: TrainConfig, vocabulary: Vocabulary) -> Captioner:
    """
    Return the network as it begins: published encoder, all else random.

    :raises BundleError: If the encoder's file is missing, or is another network.
    """
    torch.manual_seed(config.seed)
    sizes = SceneConfig(
        height=config.height,
        width_px=config.width,
        tokens=config.tokens,
        dropout=config.dropout,
        encoder=config.encoder_kind,
        decoder=config.decoder,
    )
    detector = load_detector(config.encoder_kind, config.encoder)
    if config.encoder_kind != 'nanodet' and not config.encoder_steps:
        log('encoder_steps is 0: the detector behind this encoder is random, and finds nothing')
    return Captioner(sizes, vocabulary, detector).to(config.device)
