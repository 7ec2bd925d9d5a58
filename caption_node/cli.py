# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The ``caption`` command: options here, one module a command in :mod:`caption_node.commands`.

Exit status: 0 all was described; 1 something failed, and its own line says what; 2 wrong usage;
130 interrupted by Ctrl-C; 141 the reader of standard output has gone.
"""

import argparse
from collections.abc import Sequence
import importlib
from itertools import pairwise
from pathlib import Path
import sys

from caption_node import __version__
from caption_node.commands.bag_options import add_bags
from caption_node.commands.data_options import add_data
from caption_node.commands.engine_options import add_engine
from caption_node.commands.evaluate_options import add_evaluate
from caption_node.commands.lines import OutputClosedError, say
from caption_node.commands.option_values import (
    add_samples,
    add_sentences,
    count,
    duration_s,
    positive,
)
from caption_node.commands.tool_options import add_tools
from caption_node.errors import CaptionError, ConfigError
from caption_node.ros.replay import add_replay_arguments

INTERRUPTED = 130
PIPE_CLOSED = 141
_MAY_BE_EMPTY = ('--where', '--camera', '--address')


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    :param arguments: Without the program's name; None takes those of the process.
    :returns: The exit status.
    """
    given = sys.argv[1:] if arguments is None else arguments
    options = build_parser().parse_args(given)
    try:
        _refuse_empty(given)
        command = importlib.import_module(options.module)
        return int(getattr(command, options.function)(options))
    except CaptionError as err:
        print_error(err)
        return 1
    except OutputClosedError:
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED


def _refuse_empty(given: Sequence[str]) -> None:
    """
    Refuse empty arguments: as a path they would mean the working folder.

    :raises ConfigError: If there is one where a value belongs.
    """
    for before, argument in pairwise(['', *given]):
        option, sign, value = argument.partition('=')
        is_text = before in _MAY_BE_EMPTY or (given[0] == 'search' and before[:1] != '-')
        if (not argument and not is_text) or (
            sign and not value and option[:2] == '--' and option not in _MAY_BE_EMPTY
        ):
            name = option or (before if before[:2] == '--' else '')
            raise ConfigError(
                f'{name} is empty' if name else 'an argument is empty',
                'name a file or folder; "." is this one. Was a variable of the shell not set?',
            )


def print_error(err: CaptionError) -> None:
    """Say on standard error what is wrong, and what to do about it."""
    say(f'error: {err}')
    if err.hint:
        say(f'hint: {err.hint}')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog='caption', description='Describe what a vehicle camera sees: one sentence plus facts.'
    )
    parser.add_argument('--version', action='version', version=f'caption {__version__}')
    commands = parser.add_subparsers(title='commands', metavar='COMMAND', required=True)
    _add_image(commands)
    _add_video(commands)
    add_bags(commands)
    add_engine(commands)
    add_evaluate(commands)
    _add_train(commands)
    add_tools(commands)
    add_data(commands)
    replay = commands.add_parser('replay', help='publish a recording over ROS 2, in real time')
    add_replay_arguments(replay)
    replay.set_defaults(module='caption_node.ros.replay', function='run_replay')
    doctor = commands.add_parser('doctor', help='say what this machine has, and what to do')
    doctor.add_argument('--json', action='store_true', help='print one JSON object')
    doctor.add_argument('--model', metavar='DIR', help='model folder, or name of a shipped model')
    doctor.set_defaults(module='caption_node.doctor', function='run_doctor')
    return parser


def _add_train(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser(
        'train', help='train a model from labelled frames, or from pictures of your own'
    )
    parser.add_argument('--config', type=Path, metavar='FILE', help='YAML, see configs/')
    parser.add_argument(
        '--data',
        type=Path,
        metavar='FILE',
        help='your own captions: COCO captions (.json), or a table with file and caption (.csv)',
    )
    parser.add_argument(
        '--images', type=Path, metavar='DIR', help='folder of their pictures (default: beside it)'
    )
    parser.add_argument('--output', type=Path, metavar='DIR', help='model folder to write')
    parser.add_argument('--work', type=Path, metavar='DIR', help='caches, checkpoints and logs')
    parser.add_argument('--device', metavar='NAME', help='cpu, cuda or cuda:1')
    parser.add_argument('--threads', type=int, metavar='N', help='CPU threads')
    parser.set_defaults(module='caption_node.commands.train', function='run_train')


def _add_image(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser('image', help='describe picture files')
    parser.add_argument(
        'paths', nargs='+', metavar='PATH', help='pictures, folders (searched whole) or globs'
    )
    parser.add_argument('--camera', default='', metavar='NAME', help='camera name in the output')
    _add_common(parser, 'write pictures with caption and boxes there')
    add_samples(parser)
    parser.set_defaults(module='caption_node.commands.image', function='run')


def _add_video(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser('video', help='describe the frames of a video file')
    parser.add_argument('file', metavar='FILE', help='an mp4, avi, mkv, mov or webm file')
    parser.add_argument('--camera', default='', metavar='NAME', help='camera name in the output')
    _add_every(parser)
    _add_common(parser, 'write an .mp4, or pictures into a folder')
    parser.set_defaults(module='caption_node.commands.video', function='run')


def _add_every(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--every',
        type=duration_s,
        default=0.0,
        metavar='S',
        help='one frame in so many seconds, for instance 0.5s (default: every frame)',
    )


def _add_common(parser: argparse.ArgumentParser, overlay: str) -> None:
    parser.add_argument('--model', metavar='DIR', help='model folder, or name of a shipped model')
    parser.add_argument(
        '--backend',
        default='auto',
        metavar='NAME',
        help='auto, tensorrt, onnxruntime-cuda, onnxruntime',
    )
    parser.add_argument(
        '--threads', type=count, default=0, metavar='N', help='threads of the model (default: all)'
    )
    parser.add_argument(
        '--batch', type=positive, default=4, metavar='N', help='frames per run (default: 4)'
    )
    add_sentences(parser)
    parser.add_argument('--overlay', metavar='DIR|FILE', help=overlay)
    parser.add_argument('-q', '--quiet', action='store_true', help='no progress')
