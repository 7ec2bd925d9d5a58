# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What the values of options may be."""

import argparse
import math
import re

_DURATION = re.compile(r'(?P<number>[0-9]+(\.[0-9]*)?|\.[0-9]+) ?(?P<unit>ms|s|min|)')
_UNIT_S = {'ms': 1e-3, 's': 1.0, 'min': 60.0, '': 1.0}


def duration_s(text: str) -> float:
    """
    Read a duration such as ``0.5``, ``0.5s``, ``500ms`` or ``2min``.

    :returns: Seconds.
    :raises argparse.ArgumentTypeError: If it is not a duration.
    """
    match = _DURATION.fullmatch(text.strip())
    value = float(match['number']) * _UNIT_S[match['unit']] if match else math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f'{text!r} is not a duration such as 0.5s or 500ms')
    return value


def count(text: str) -> int:
    """
    Read a whole number from 0 up.

    :raises argparse.ArgumentTypeError: If it is not one.
    """
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number from 0 up')
    return int(text)


def positive(text: str) -> int:
    """
    Read a whole number from 1 up.

    :raises argparse.ArgumentTypeError: If it is not one.
    """
    value = count(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number from 1 up')
    return value


def add_sentences(parser: argparse.ArgumentParser) -> None:
    """Add the choice of who words the sentences."""
    parser.add_argument(
        '--sentences',
        choices=('model', 'rules'),
        default='model',
        help='worded by the model (default), or by rules from its fields and boxes',
    )


def not_negative(text: str) -> float:
    """
    Read a number from 0 up.

    :raises argparse.ArgumentTypeError: If it is not one.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number from 0 up')
    return value


def add_samples(parser: argparse.ArgumentParser) -> None:
    """Add the wish for several sentences about a frame."""
    parser.add_argument(
        '--samples',
        type=count,
        default=0,
        metavar='N',
        help='give so many different sentences beside the likeliest one, 1 to 32',
    )
    parser.add_argument(
        '--temperature',
        type=not_negative,
        metavar='X',
        help='how far they may stray: 0 to 5, where 1 draws words as likely as the model holds '
        'them (default: 0.5; 1 for a model with a latent)',
    )
    parser.add_argument(
        '--seed', type=count, default=0, metavar='N', help='another one, other sentences'
    )
