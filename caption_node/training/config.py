# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""One flat configuration for a training run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from caption_node.description import FIELDS
from caption_node.errors import ConfigError
from caption_node.training.limits import check_settings

RANDOM = 'random'
"""In place of an encoder's file: begin with random weights."""
DENSE_SIDE = 64
"""Pixels of a picture's side for the dense encoder."""
CHOICES = {
    'encoder_kind': ('nanodet', 'resnet18', 'resnet34', 'resnet50', 'mobilenet_v2'),
    'decoder': ('transformer', 'lstm'),
    'objective': ('self_critical', 'mle', 'gan', 'vae', 'vae_gan'),
}
_AS_RARE = ('time', 'weather', 'surface', 'intersection', 'parked', 'oncoming')


@dataclass(frozen=True)
class TrainConfig:
    """
    What a run needs to be repeated.

    :param name: Name of the bundle.
    :param licence: Terms of the weights, for the manifest.
    :param labels: Label file, JSON lines.
    :param frames: Folder that the label file's paths are relative to.
    :param encoder: File that the encoder begins with, see ``docs/networks.md``; ``random``: none.
    :param begin: Trained networks to go on from, as runs leave them in their model folders: sizes
        and words are then theirs, and several are averaged. Empty to begin with the encoder alone.
    :param output: Model folder to write.
    :param work: Folder for caches, checkpoints and logs.
    :param splits: Splits that train.
    :param variants: Augmented variants of every frame.
    :param renders: Rendered scenes that train beside the frames.
    :param render_share: Share of renders in a batch.
    :param grammar_until: Part of the run, 0..1, in which the grammar's sentences about renders
        train the words; after it only annotators' sentences do, so that their tone remains.
    :param min_count: Words said fewer times in the training sentences are unknown.
    :param steps: Optimiser steps.
    :param encoder_steps: Steps of the first stage, in which the encoder learns; 0 leaves it out.
    :param encoder_rate: Peak learning rate of the encoder in it.
    :param encoder_mix: Share of the tuned encoder in the average of it and the published one.
    :param balance: 0 draws all frames alike, 1 all sources alike.
    :param workers: Processes that prepare pictures.
    :param height: Height of the input, pixels, a multiple of 128.
    :param width: Width of the input, pixels, a multiple of 128.
    :param tokens: T, words and marks of one sentence at most.
    :param derived_share: How much of a field is read from the objects rather than learnt, 0..1;
        half where a field that can be is not named.
    :param implied_share: How much of what the other fields say of a field is added to its logits;
        see ``training/implied.py``.
    :param prior_corrected: Fields whose rare values are published as rare as they were among
        the training samples, although training weighed them up.
    :param night_share: How many pictures in use are taken to be by night; training simulates more.
    :param flag_share: The same of flags, by field; fewer than in training where unknown cameras
        make the model claim one too often.
    :param sentence_layouts: Synthetic layouts that the second stage makes up; 0 leaves them out.
    :param layout_steps: Steps on layouts alone; then on frames, on both mixed, and for rewards.
    :param memory_drop: Share of the memory's tokens that are hidden from the decoder at random.
    :param memory_noise: Standard deviation of the noise that is added to the memory.
    :param consensus_share: Share of the mixed targets that may come from frames that are alike.
    :param consensus_warmth: CIDEr-D over which the share of such a sentence falls to 1 / e.
    :param reward_samples: Sentences that are drawn for every frame.
    :param reward_keep: Weight of the likelihood beside the reward.
    :param reward_neighbours: Sentences about like frames that a sentence is also judged by.
    :param reward_own: Share of the reward that the frame's own sentence decides.
    :param claim_penalty: Taken off the reward for every claim that the labels deny.
    :param form_penalty: Taken off the reward for every fault of form.
    :param encoder_kind: ``nanodet``, ``resnet18``, ``resnet34``, ``resnet50`` or ``mobilenet_v2``.
    :param decoder: ``transformer`` or ``lstm``.
    :param objective: What the last part of the sentence stage learns by, behind likelihood:
        ``self_critical``, ``mle``, ``gan``, ``vae`` or ``vae_gan``.
    :param objective_steps: Its steps; ``self_critical`` goes by ``reward_steps``.
    :param scheduled_share: Share of the words read that are the model's own at its end (``mle``).
    :param latent: Z, dimensions of the latent (``vae``, ``vae_gan``).
    :param latent_rate: Peak rate of what is new beside the decoder for it: reader and prior.
    :param kl_start: Share of the steps in which the divergence from the prior does not count.
    :param kl_ramp: Share of the steps behind them over which it comes to count.
    :param free_bits: Nats of every dimension that cost nothing.
    :param word_drop: Share of the words that the decoder may not read, so that it reads z; in
        half of the sentences.
    :param school_steps: Steps that the discriminator takes before the writer has to please it
        (``gan``, ``vae_gan``), with batches and a peak rate of their own.
    :param adversarial_weight: Weight of the discriminator's opinion (``gan``).
    :param adversarial_gradient: How it reaches the words: ``gumbel`` or ``policy``.
    :param gumbel_temperature: Of the straight-through Gumbel-softmax.
    :param likelihood_keep: Weight of the likelihood beside it (``gan``).
    :param beta: Weight of the adversarial divergence beside the reconstruction (``vae_gan``).
    :param beta_ramp: Share of the steps over which it rises from 0 to ``beta``.
    """

    name: str
    licence: str
    labels: Path
    frames: Path
    encoder: Path
    output: Path
    work: Path
    begin: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=lambda: ['train'])
    variants: int = 8
    renders: int = 0
    render_share: float = 0.25
    grammar_until: float = 0.45
    min_count: int = 2
    steps: int = 6000
    batch: int = 32
    learning_rate: float = 1.0e-3
    weight_decay: float = 0.03
    warmup: int = 300
    dropout: float = 0.15
    label_smoothing: float = 0.1
    field_weight: float = 2.0
    contrast_weight: float = 0.2
    hide_boxes: float = 0.1
    prior_corrected: list[str] = field(default_factory=lambda: list(_AS_RARE))
    night_share: float = 0.2
    flag_share: dict[str, float] = field(default_factory=dict)
    average: float = 0.998
    encoder_steps: int = 0
    encoder_batch: int = 16
    encoder_rate: float = 2.0e-4
    encoder_average: float = 0.995
    encoder_mix: float = 1.0
    box_weight: float = 0.7
    balance: float = 0.3
    workers: int = 1
    derived_share: dict[str, float] = field(default_factory=dict)
    implied_share: dict[str, float] = field(default_factory=dict)
    height: int = 384
    width: int = 640
    tokens: int = 32
    seed: int = 1
    device: str = 'cpu'
    threads: int = 2
    sentence_layouts: int = 3000
    layout_steps: int = 300
    written_steps: int = 400
    mixed_steps: int = 500
    reward_steps: int = 1000
    sentence_batch: int = 32
    sentence_rate: float = 1.0e-3
    memory_drop: float = 0.1
    memory_noise: float = 0.1
    consensus_share: float = 0.5
    consensus_warmth: float = 0.15
    reward_batch: int = 16
    reward_samples: int = 5
    reward_rate: float = 3.0e-4
    reward_keep: float = 0.3
    reward_neighbours: int = 8
    reward_own: float = 0.5
    claim_penalty: float = 0.3
    form_penalty: float = 0.3
    encoder_kind: str = 'nanodet'
    decoder: str = 'transformer'
    objective: str = 'self_critical'
    objective_steps: int = 600
    objective_batch: int = 24
    objective_rate: float = 3.0e-4
    discriminator_rate: float = 5.0e-4
    school_steps: int = 200
    school_batch: int = 64
    school_rate: float = 2.0e-3
    scheduled_share: float = 0.0
    latent: int = 16
    latent_rate: float = 1.0e-3
    kl_start: float = 0.3
    kl_ramp: float = 0.7
    free_bits: float = 0.5
    word_drop: float = 0.8
    adversarial_weight: float = 1.0
    adversarial_gradient: str = 'gumbel'
    gumbel_temperature: float = 1.0
    likelihood_keep: float = 0.5
    beta: float = 1.0
    beta_ramp: float = 0.5


OBJECTIVE_KEYS = (
    'objective_steps', 'objective_batch', 'objective_rate', 'discriminator_rate', 'school_steps',
    'school_batch', 'school_rate', 'scheduled_share', 'latent', 'latent_rate', 'kl_start',
    'kl_ramp', 'free_bits', 'word_drop', 'adversarial_weight', 'adversarial_gradient',
    'gumbel_temperature', 'likelihood_keep', 'beta', 'beta_ramp',
)  # fmt: skip
"""Settings of objectives, which a run on one's own data takes, too."""


def objective_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """
    Check settings of an objective.

    :raises ConfigError: If one is unknown, or of a wrong type.
    """
    kinds = {f.name: str(f.type) for f in fields(TrainConfig) if f.name in OBJECTIVE_KEYS}
    found = {}
    for name, value in values.items():
        if name not in kinds:
            raise ConfigError(f'objective_settings: no {name}', 'known: ' + ', '.join(kinds))
        try:
            found[name] = _convert(kinds[name], value)
        except (TypeError, ValueError, OverflowError) as err:
            raise ConfigError(
                f'objective_settings: {name} should be {kinds[name]}, not {value!r}'
            ) from err
    check_settings('objective_settings', found)
    return found


def load_config(path: Path) -> TrainConfig:
    """
    Read a YAML file; relative paths in it are relative to the working folder.

    :raises ConfigError: If the file is missing, or a key is unknown, missing or of a wrong type.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, yaml.YAMLError) as err:
        raise ConfigError(f'configuration {path}: {err}') from err
    if not isinstance(data, dict):
        raise ConfigError(f'configuration {path} is not a mapping')
    known = {f.name: f for f in fields(TrainConfig)}
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise ConfigError(
            f'{path}: unknown keys {", ".join(unknown)}', 'known: ' + ', '.join(known)
        )
    values: dict[str, Any] = {}
    for name, value in data.items():
        kind = str(known[name].type)
        try:
            values[name] = _convert(kind, value)
        except (TypeError, ValueError, OverflowError) as err:
            raise ConfigError(f'{path}: {name} should be {kind}, not {value!r}') from err
    try:
        config = TrainConfig(**values)
    except TypeError as err:
        raise ConfigError(f'{path}: {err}') from err
    for side in ('height', 'width'):
        if getattr(config, side) <= 0 or getattr(config, side) % 128:
            raise ConfigError(f'{path}: {side} should be a multiple of 128')
    check_settings(path, vars(config))
    _check_shares(config, path)
    for name, kinds in CHOICES.items():
        if getattr(config, name) not in kinds:
            raise ConfigError(
                f'{path}: no {name} {getattr(config, name)!r}', 'there are: ' + ', '.join(kinds)
            )
    return config


def _check_shares(config: TrainConfig, path: Path) -> None:
    """Find out now what would stop a run only after hours of caching."""
    flags = [n for n, f in FIELDS.items() if f.kind == 'boolean']
    if unknown := sorted(set(config.flag_share) - set(flags)):
        raise ConfigError(
            f'{path}: flag_share: {", ".join(unknown)} is no flag', 'flags: ' + ', '.join(flags)
        )
    for name, share in {'night_share': config.night_share, **config.flag_share}.items():
        if not 0 < share < 1:
            raise ConfigError(f'{path}: {name} should be between 0 and 1, not {share}')
    spoken = [n for n, f in FIELDS.items() if f.kind != 'count']
    strange = sorted(set(config.implied_share) - set(spoken))
    if strange:
        raise ConfigError(
            f'{path}: implied_share: nothing is implied of {", ".join(strange)}',
            'fields of words or flags: ' + ', '.join(spoken),
        )


def _convert(kind: str, value: Any) -> Any:
    if 'Path' in kind:
        return Path(str(value))
    if 'dict' in kind:
        if not isinstance(value, dict):
            raise TypeError(kind)
        return {str(k): float(v) for k, v in value.items()}
    if 'list' in kind:
        if not isinstance(value, list):
            raise TypeError(kind)
        return [str(v) for v in value]
    if 'float' in kind:
        return float(value)
    if 'int' in kind:
        if isinstance(value, bool) or int(value) != value:
            raise TypeError(kind)
        return int(value)
    return str(value)
