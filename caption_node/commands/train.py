# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption train``: from labelled frames to a model folder."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
import importlib.util
import os
from pathlib import Path
from typing import Any, TypeVar

from caption_node.commands.lines import say
from caption_node.errors import ConfigError

INTERRUPTED = 130
Config = TypeVar('Config')


def run_train(options: argparse.Namespace) -> int:
    """
    Train what a configuration says, or go on where an earlier run stopped.

    :returns: Exit status; 130 if interrupted.
    :raises CaptionError: If the configuration, the data or the encoder are not usable.
    """
    for package in ('torch', 'onnx'):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f'training needs {package}, which is not installed',
                'run scripts/setup.sh --with-training',
            )
    # Threads that spin while they wait take the cores from those that prepare pictures.
    os.environ.setdefault('OMP_WAIT_POLICY', 'passive')
    if options.data is not None:
        return _interruptible(lambda: _train_own(options))
    if options.images is not None:
        raise ConfigError('--images goes with --data only')
    if options.config is None:
        raise ConfigError(
            '--config is missing', 'see configs/; for pictures of your own give --data'
        )
    from caption_node.training.config import load_config
    from caption_node.training.train import train

    config = load_config(options.config)
    wanted = {name: getattr(options, name) for name in ('output', 'work', 'device', 'threads')}
    config = _overruled(config, wanted)
    return _interruptible(lambda: train(config))


def _train_own(options: argparse.Namespace) -> None:
    from caption_node.commands.data import checked
    from caption_node.training.own.config import load_own_config
    from caption_node.training.own.run import train_own

    config = load_own_config(options.config)
    wanted = {name: getattr(options, name) for name in ('device', 'threads')}
    config = _overruled(config, wanted)
    data, pairs = checked(options.data, options.images, config)
    for problem in data.problems:
        say(str(problem))
    if errors := data.count('error'):
        say(f'{errors} errors in {data.file}: what they are about does not train')
    output = options.output or Path('models') / config.name
    train_own(config, data.items, pairs, output, options.work or Path('runs') / config.name)


def _overruled(config: Config, wanted: Mapping[str, Any]) -> Config:
    """Return a configuration with what the command line says."""
    from caption_node.training.limits import check_settings

    given = {k: v for k, v in wanted.items() if v is not None}
    check_settings('command line', given)
    return replace(config, **given)  # type: ignore[type-var]


def _interruptible(run: Callable[[], None]) -> int:
    try:
        run()
    except KeyboardInterrupt:
        say('interrupted; the same command goes on from the last checkpoint')
        return INTERRUPTED
    return 0
