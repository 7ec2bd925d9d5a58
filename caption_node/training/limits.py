# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What values settings of a training run may have; found out when they are read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caption_node.errors import ConfigError

_SHARES = (
    'render_share', 'grammar_until', 'dropout', 'label_smoothing', 'hide_boxes', 'encoder_mix',
    'balance', 'memory_drop', 'consensus_share', 'reward_own', 'scheduled_share', 'kl_start',
    'kl_ramp', 'word_drop', 'beta_ramp', 'average', 'encoder_average', 'shift', 'brightness',
    'hidden_share',
)  # fmt: skip
_BELOW_ONE = (
    'hidden_share', 'dropout', 'label_smoothing', 'memory_drop', 'average', 'encoder_average',
)  # fmt: skip
_ABOVE_ZERO = ('gumbel_temperature', 'consensus_warmth')
_FROM_ONE = (
    'batch', 'encoder_batch', 'sentence_batch', 'reward_batch', 'reward_samples',
    'objective_batch', 'school_batch', 'tokens', 'threads', 'min_count', 'latent',
)  # fmt: skip
_MOST = 2.0**32
_CHOICES = {'adversarial_gradient': ('gumbel', 'policy')}


def check_settings(where: object, settings: Mapping[str, Any]) -> None:
    """
    Refuse values that make no sense; names that nothing is known of pass.

    Rates, weights and penalties are 0 or more, numbers of steps and seeds too, shares lie in 0..1.

    :param where: File or key, for the message.
    :raises ConfigError: If one does not.
    """
    for name, value in settings.items():
        if name in _CHOICES and value not in _CHOICES[name]:
            wanted = ' or '.join(_CHOICES[name])
            raise ConfigError(f'{where}: {name} should be {wanted}, not {value!r}')
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if wanted := _fault(name, value):
            raise ConfigError(f'{where}: {name} should be {wanted}, not {value}')


def _fault(name: str, value: float) -> str:
    """Say what a number should be, or return an empty text."""
    if not abs(value) < _MOST:  # nor is NaN
        return 'a number of ordinary size'
    if name in _FROM_ONE and value < 1:
        return '1 or more'
    if name in _ABOVE_ZERO or name == 'learning_rate':
        return '' if value > 0 else 'above 0'
    if name in _BELOW_ONE:
        return '' if 0 <= value < 1 else '0 or more and below 1'
    if name in _SHARES:
        return '' if 0 <= value <= 1 else 'in 0..1'
    return '' if value >= 0 else '0 or more'


def check_device(where: object, name: str) -> None:
    """
    Refuse a device that this machine does not have.

    :param name: As PyTorch names them: ``cpu``, ``cuda``, ``cuda:1``.
    :raises ConfigError: If there is none.
    """
    import torch

    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as err:
        first = (str(err) or type(err).__name__).splitlines()[0]
        raise ConfigError(
            f'{where}: device {name!r} cannot be used: {first}', '"cpu" always can'
        ) from err


def check_output(folder: Path) -> None:
    """
    Refuse a model folder that cannot be one, before hours are spent.

    :raises ConfigError: If it, or a folder that it would lie in, is a file.
    """
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise ConfigError(f'{folder} cannot be a folder: {place} is a file')
