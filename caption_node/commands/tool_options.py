# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Options of the commands that work on described recordings: report."""

import argparse

from caption_node.commands.option_values import count, duration_s, positive


def add_tools(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the commands."""
    _add_report(commands)


def _add_report(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser(
        'report', help='write one HTML page of a recording: timeline, pictures, search'
    )
    parser.add_argument('bag', metavar='BAG', help='recording with descriptions, images or both')
    parser.add_argument(
        '-o', '--output', metavar='PAGE', help='page to write (default: NAME.report.html here)'
    )
    parser.add_argument(
        '--images', metavar='BAG', help='recording with the images, where BAG has none'
    )
    parser.add_argument(
        '--thumbnails',
        type=count,
        default=500,
        metavar='N',
        help='at most so many pictures on the page (default: 500)',
    )
    _add_describing(parser)
    parser.set_defaults(module='caption_node.commands.report', function='run')


def _add_describing(parser: argparse.ArgumentParser) -> None:
    """Add what holds where images have no descriptions yet."""
    parser.add_argument('--model', metavar='DIR', help='model folder, or name of a shipped model')
    parser.add_argument('--backend', default='auto', metavar='NAME', help='auto, onnxruntime')
    parser.add_argument(
        '--threads', type=count, default=0, metavar='N', help='threads of the model (default: all)'
    )
    parser.add_argument(
        '--batch', type=positive, default=4, metavar='N', help='frames per run (default: 4)'
    )
    parser.add_argument(
        '--every',
        type=duration_s,
        default=0.0,
        metavar='S',
        help='one frame in so many seconds (default: every frame)',
    )
    parser.add_argument('-q', '--quiet', action='store_true', help='no progress')
