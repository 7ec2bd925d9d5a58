# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What programs about training share: how they end, and the trained network they look at."""

import argparse
from collections.abc import Callable
from pathlib import Path

from caption_node.errors import CaptionError
from caption_node.training.config import TrainConfig, load_config
from caption_node.training.data import is_held_out
from caption_node.training.labels import Record, read_labels
from caption_node.training.model.captioner import Captioner
from caption_node.training.progress import log
from caption_node.training.weights import load_network, network_of

HELD_OUT = 'held-out'
INTERRUPTED = 130


def run_program(run: Callable[[], None], interrupted: str = '') -> int:
    """
    Run to the end.

    :param interrupted: What to say where Ctrl-C ends it.
    :returns: The exit status: 1 on an error that the user can mend, which is said.
    """
    try:
        run()
    except CaptionError as err:
        log(f'error: {err}')
        if err.hint:
            log(f'hint: {err.hint}')
        return 1
    except KeyboardInterrupt:
        if interrupted:
            log(interrupted)
        return INTERRUPTED
    return 0


def trained_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser for what :func:`open_trained` needs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('config', type=Path)
    parser.add_argument('--split', default='val', help=f'split of the labels, or {HELD_OUT}')
    parser.add_argument(
        '--network',
        type=Path,
        help='default: the one that the configuration trained or begins with',
    )
    return parser


def open_trained(options: argparse.Namespace) -> tuple[TrainConfig, Captioner, list[Record]]:
    """
    Return the configuration, its trained network and the labelled frames of the split.

    :raises CaptionError: If any of them cannot be read.
    """
    config = load_config(options.config)
    model, _ = load_network(options.network or network_of(config))
    wanted = config.splits if options.split == HELD_OUT else [options.split]
    records = read_labels(config.labels, config.frames, wanted)
    if options.split == HELD_OUT:
        records = [r for r in records if is_held_out(r.id)]
    return config, model, records
