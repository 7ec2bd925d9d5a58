# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of a run on one's own data; every one has a default."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from caption_node.datasets.fields import read_table
from caption_node.description import Field
from caption_node.errors import ConfigError
from caption_node.training.config import CHOICES, DENSE_SIDE, RANDOM, objective_settings
from caption_node.training.limits import check_settings
from caption_node.vocabulary import TOKENIZERS

SMALL = 'small'
DENSE = 'dense'
PLAIN = (SMALL, DENSE)
"""Encoders that begin at random and bring no detector."""
_CHOICES = {
    'tokenizer': tuple(TOKENIZERS),
    'encoder_kind': (*PLAIN, *CHOICES['encoder_kind']),
    'decoder': CHOICES['decoder'],
    'objective': ('mle', 'gan', 'vae', 'vae_gan'),
}


@dataclass(frozen=True)
class OwnConfig:
    """
    What a run needs to be repeated, beside its data.

    :param name: Name of the bundle.
    :param licence: Terms of the weights, for the manifest.
    :param tokenizer: ``words``, or ``characters`` for writing without spaces.
    :param fields: Table of fields; empty: sentences only.
    :param encoder_kind: ``small``, a plain CNN, ``dense``, dense layers over 64 x 64 pixels, or
        one of ``training.model.encoders.ENCODERS``.
    :param encoder: File that the encoder begins with, see ``docs/networks.md``; ``random``: none,
        and always so for ``small`` and ``dense``.
    :param encoder_rate: Peak learning rate of an encoder from a file; 0 takes its features as
        they are. A random one learns at ``learning_rate`` unless this says otherwise.
    :param decoder: ``transformer`` or ``lstm``.
    :param objective: ``mle``, or what sentences are learnt by behind it: ``gan``, ``vae``,
        ``vae_gan``; see ``docs/objectives.md``.
    :param objective_settings: Settings of the objective, by the names that
        :class:`~caption_node.training.config.TrainConfig` gives them.
    :param height: Height of the input, pixels, a multiple of 32, with NanoDet of 64.
    :param width: Width of the input, pixels, as ``height``.
    :param tokens: T, tokens and marks of one sentence at most.
    :param min_count: Words said fewer times in the training sentences are unknown.
    :param held_out: Share of the training pictures that train nothing and calibrate confidences.
    :param hold_splits: Splits that train nothing at all.
    :param shift: Pictures are moved by up to this share of their size while training.
    :param brightness: And made brighter or darker by up to this share.
    :param pretrain_steps: Steps in which the encoder puts spoilt pictures right, before captions.
    :param unlabelled: Folder of further pictures for them, without captions; empty: none.
    :param hidden_share: Share of a picture's squares that are hidden in them.
    """

    name: str = 'own'
    licence: str = 'unstated'
    tokenizer: str = 'words'
    fields: Mapping[str, Field] = field(default_factory=dict)
    encoder_kind: str = 'small'
    encoder: str = RANDOM
    encoder_rate: float = 0.0
    decoder: str = 'transformer'
    objective: str = 'mle'
    objective_settings: dict[str, Any] = field(default_factory=dict)
    height: int = 128
    width: int = 128
    tokens: int = 32
    min_count: int = 2
    held_out: float = 0.1
    hold_splits: tuple[str, ...] = ('val', 'test', 'validation', 'held_out')
    steps: int = 1500
    batch: int = 32
    learning_rate: float = 2.0e-3
    weight_decay: float = 0.02
    warmup: int = 100
    dropout: float = 0.1
    label_smoothing: float = 0.05
    field_weight: float = 1.0
    contrast_weight: float = 0.1
    shift: float = 0.04
    brightness: float = 0.15
    pretrain_steps: int = 0
    unlabelled: str = ''
    hidden_share: float = 0.5
    average: float = 0.995
    seed: int = 1
    device: str = 'cpu'
    threads: int = 2


def load_own_config(path: Path | None) -> OwnConfig:
    """
    Read a YAML file.

    :param path: None is all defaults.
    :raises ConfigError: If the file is missing, or a key is unknown or of a wrong value.
    """
    if path is None:
        return OwnConfig()
    try:
        data = yaml.safe_load(path.read_text(encoding='utf-8')) or {}
    except (OSError, ValueError, yaml.YAMLError) as err:
        raise ConfigError(f'configuration {path}: {err}') from err
    known = {f.name: f for f in fields(OwnConfig)}
    if not isinstance(data, dict) or set(data) - set(known):
        what = (
            ', '.join(sorted(map(str, set(data) - set(known)))) if isinstance(data, dict) else ''
        )
        raise ConfigError(f'{path}: unknown keys {what}', 'known: ' + ', '.join(known))
    values: dict[str, Any] = {}
    for name, value in data.items():
        try:
            values[name] = _convert(str(known[name].type), value)
        except (TypeError, ValueError, OverflowError) as err:
            raise ConfigError(f'{path}: {name} cannot be {value!r}') from err
    config = OwnConfig(**values)
    _check(path, config)
    return config


def _check(path: Path, config: OwnConfig) -> None:
    for name, choices in _CHOICES.items():
        if getattr(config, name) not in choices:
            raise ConfigError(
                f'{path}: no {name} {getattr(config, name)!r}', 'there are: ' + ', '.join(choices)
            )
    if config.encoder_kind in PLAIN and config.encoder != RANDOM:
        raise ConfigError(
            f'{path}: encoder {config.encoder!r} needs its encoder_kind',
            'there are: ' + ', '.join(CHOICES['encoder_kind']) + '; others begin at random',
        )
    if config.encoder_kind == DENSE and (config.height, config.width) != (DENSE_SIDE, DENSE_SIDE):
        raise ConfigError(f'{path}: dense takes height and width of {DENSE_SIDE}')
    for side in ('height', 'width'):
        step = 64 if config.encoder_kind == 'nanodet' else 32
        if not 64 <= getattr(config, side) <= 2048 or getattr(config, side) % step:
            raise ConfigError(f'{path}: {side} should be a multiple of {step}, 64 to 2048')
    check_settings(path, vars(config))
    if config.unlabelled and not config.pretrain_steps:
        raise ConfigError(f'{path}: unlabelled is for pre-training', 'set pretrain_steps, too')
    if config.encoder_kind in PLAIN and config.encoder_rate:
        raise ConfigError(f'{path}: {config.encoder_kind} learns at learning_rate, with all else')
    if not config.held_out < 0.9:
        raise ConfigError(f'{path}: held_out lies in 0..0.9')


def _convert(kind: str, value: Any) -> Any:
    if 'dict' in kind:
        if not isinstance(value, dict):
            raise TypeError(kind)
        return objective_settings(value)
    if 'Mapping' in kind or 'tuple' in kind:
        if not isinstance(value, list):
            raise TypeError(kind)
        return read_table(value) if 'Mapping' in kind else tuple(str(v) for v in value)
    if 'str' in kind:
        if not isinstance(value, str):
            raise TypeError(kind)
        return value
    if isinstance(value, bool):
        raise TypeError(kind)
    if 'int' in kind and int(value) != value:
        raise ValueError(kind)
    return int(value) if 'int' in kind else float(value)
