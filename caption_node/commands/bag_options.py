# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Options of the commands that read recordings: bag, index, search, clip."""

import argparse

from caption_node.commands.option_values import add_sentences, count, duration_s, positive

_BAG = 'rosbag2 folder, or .mcap, .db3 or .bag file'


def add_bags(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the commands."""
    _add_bag(commands)
    _add_index(commands)
    _add_search(commands)
    _add_clip(commands)


def _add_bag(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser('bag', help='describe recordings, no ROS needed')
    parser.add_argument('bags', nargs='+', metavar='BAG', help=_BAG)
    parser.add_argument(
        '-o',
        '--output',
        metavar='OUT',
        help='write descriptions to OUT.mcap, or a rosbag2 folder; with several BAGs, a folder '
        'that gets a file for each',
    )
    parser.add_argument(
        '--merge', action='store_true', help='also copy the original messages to the output'
    )
    parser.add_argument(
        '--jsonl', action='store_true', help='print JSON lines (the default without --output)'
    )
    _add_choice(parser, 0.0, 'every frame')
    _add_model(parser)
    _add_work(parser)
    parser.add_argument(
        '--overlay',
        metavar='DIR|FILE',
        help='write an .mp4 for each camera, or pictures into a folder',
    )
    parser.set_defaults(module='caption_node.commands.bag', function='run')


def _add_index(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser(
        'index', help='describe recordings into an index that `caption search` looks through'
    )
    parser.add_argument('bags', nargs='*', metavar='BAG', help=_BAG)
    _add_place(parser)
    parser.add_argument('--list', action='store_true', help='list the recordings of the index')
    parser.add_argument(
        '--remove', action='store_true', help='take the recordings out of the index'
    )
    parser.add_argument(
        '--no-thumbnails', action='store_true', help='keep no small pictures in the index'
    )
    _add_choice(parser, 0.5, '0.5s')
    _add_model(parser)
    _add_work(parser)
    parser.set_defaults(module='caption_node.commands.index', function='run')


def _add_search(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser(
        'search',
        help='find moments in indexed recordings',
        description='Find moments by words, by fields and by likeness; all that is given must '
        'hold. "not", "without" or, in quotes, a minus before a word exclude it.',
    )
    parser.add_argument('text', nargs='*', metavar='WORDS', help='for instance person crossing')
    _add_place(parser)
    parser.add_argument(
        '--where', default='', metavar='FILTER', help="for instance 'lead=truck and people>=2'"
    )
    parser.add_argument('--like', metavar='IMAGE', help='moments that look like this picture')
    parser.add_argument(
        '--limit', type=positive, default=10, metavar='N', help='the best N moments (default: 10)'
    )
    parser.add_argument('--last', type=positive, default=0, metavar='N', help='the newest N')
    parser.add_argument(
        '--gap',
        type=duration_s,
        default=2.5,
        metavar='S',
        help='frames further apart are different moments (default: 2.5s)',
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object a line')
    _add_model(parser)
    parser.add_argument(
        '--threads', type=count, default=0, metavar='N', help='threads of the model (default: all)'
    )
    parser.set_defaults(module='caption_node.commands.search', function='run')


def _add_clip(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser('clip', help='cut a moment out of a recording')
    parser.add_argument('bag', metavar='BAG', help=_BAG)
    parser.add_argument(
        '--start-offset',
        type=duration_s,
        default=0.0,
        metavar='S',
        help='begin so many seconds after the start (default: 0)',
    )
    parser.add_argument(
        '--playback-duration',
        type=duration_s,
        default=None,
        metavar='S',
        help='length in seconds (default: to the end)',
    )
    parser.add_argument(
        '--topics', nargs='+', default=[], metavar='TOPIC', help='these topics only'
    )
    parser.add_argument(
        '-o', '--output', required=True, metavar='OUT', help='OUT.mcap, or a rosbag2 folder'
    )
    parser.set_defaults(module='caption_node.commands.clip', function='run')


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--index',
        metavar='FILE',
        help='the index (default: $CAPTION_INDEX, or drives.index in the data folder of the user)',
    )


def _add_choice(parser: argparse.ArgumentParser, every_s: float, every: str) -> None:
    parser.add_argument(
        '--topics', nargs='+', default=[], metavar='TOPIC', help='these image topics only'
    )
    parser.add_argument(
        '--every',
        type=duration_s,
        default=every_s,
        metavar='S',
        help=f'one frame in so many seconds of each camera; 0 is every frame (default: {every})',
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--model', metavar='DIR', help='model folder, or name of a shipped model')
    parser.add_argument('--backend', default='auto', metavar='NAME', help='auto, onnxruntime')


def _add_work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--jobs',
        type=positive,
        default=None,
        metavar='N',
        help='processes (default: one a core on the CPU, if there are enough frames)',
    )
    parser.add_argument(
        '--threads',
        type=count,
        default=0,
        metavar='N',
        help='threads of the model in each process (default: all cores, or 1 with several)',
    )
    parser.add_argument(
        '--batch', type=positive, default=4, metavar='N', help='frames per run (default: 4)'
    )
    add_sentences(parser)
    parser.add_argument('-q', '--quiet', action='store_true', help='no progress')
