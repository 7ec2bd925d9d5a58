# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Options of ``caption data``."""

import argparse
from pathlib import Path

from caption_node.commands.option_values import count, positive
from caption_node.vocabulary import TOKENIZERS


def add_data(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command."""
    parser = commands.add_parser('data', help='check captions and pictures of your own')
    actions = parser.add_subparsers(title='actions', metavar='ACTION', required=True)
    _add_check(actions)
    _add_phantoms(actions)


def _add_check(actions: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = actions.add_parser('check', help='name every problem of a data set with its line')
    parser.add_argument(
        'file', type=Path, metavar='FILE', help='COCO captions (.json), or a table (.csv, .tsv)'
    )
    parser.add_argument(
        '--images', type=Path, metavar='DIR', help='folder of the pictures (default: beside it)'
    )
    parser.add_argument(
        '--config', type=Path, metavar='FILE', help='YAML of the training, with its field table'
    )
    parser.add_argument(
        '--tokenizer',
        choices=TOKENIZERS,
        help='characters: for Chinese and other writing without spaces (default: of the config)',
    )
    parser.add_argument(
        '--against',
        type=Path,
        nargs='+',
        default=[],
        metavar='FILE',
        help='other label files, of data that are to judge the model: no picture may be in both',
    )
    parser.add_argument(
        '--against-images', type=Path, metavar='DIR', help='folder of their pictures'
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument('-q', '--quiet', action='store_true', help='no progress')
    parser.set_defaults(module='caption_node.commands.data', function='run_check')


def _add_phantoms(actions: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = actions.add_parser(
        'phantoms', help='render radiograph-like phantoms with captions, to try training with'
    )
    parser.add_argument('-o', '--output', type=Path, required=True, metavar='DIR')
    parser.add_argument(
        '--count', type=positive, default=2000, metavar='N', help='that train (default: 2000)'
    )
    parser.add_argument(
        '--held-out', type=count, default=200, metavar='N', help='of split test (default: 200)'
    )
    parser.add_argument('--seed', type=count, default=0, metavar='N', help='of the first phantom')
    parser.set_defaults(module='caption_node.commands.data', function='run_phantoms')
