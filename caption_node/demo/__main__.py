# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m caption_node.demo``: the whole way of a frame, to look at."""

import argparse
from collections.abc import Sequence
from pathlib import Path
import signal
import sys
from types import FrameType

from caption_node.errors import BackendUnavailableError, CaptionError, ConfigError

_RENDER_S = 30.0
_INPUT_S = 60.0
_LONGEST_S = 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the demo.

    :returns: Exit status: 0, 1 after an error, 130 when interrupted.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    # A terminated demo ends its processes as an interrupted one does.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _run(options)
    except CaptionError as err:
        sys.stderr.write(f'error: {err}\n')
        if err.hint:
            sys.stderr.write(f'hint: {err.hint}\n')
        return 1
    except KeyboardInterrupt:
        sys.stderr.write('\ninterrupted: node and replay have been ended\n')
        return 130
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='caption_node.demo',
        description='Play a drive through ROS 2 into the node, and show what it says.',
    )
    parser.add_argument(
        '--input',
        type=Path,
        metavar='PATH',
        help='a bag, a video, or a folder of images; default: a rendered drive',
    )
    parser.add_argument('--out', type=Path, default=Path('out'), help='folder for the results')
    parser.add_argument(
        '--seconds',
        type=float,
        help=f'length; default: {_RENDER_S:g}, of an input at most {_INPUT_S:g}',
    )
    parser.add_argument('--seed', type=int, default=7, help='another number, another drive')
    parser.add_argument('--model', metavar='DIR', help='model folder, or name of a shipped model')
    return parser


def _run(options: argparse.Namespace) -> None:
    """Prepare, play, write, report."""
    seconds = options.seconds
    if seconds is None:
        seconds = _RENDER_S if options.input is None else _INPUT_S
    if not 0.2 <= seconds <= _LONGEST_S:
        raise ConfigError(f'--seconds is {seconds:g}, allowed is 0.2 to {_LONGEST_S:g}')
    if options.seed < 0:
        raise ConfigError(f'--seed is {options.seed}, allowed is 0 or more')
    try:
        # First of all: nobody should wait for a render to learn that ROS is missing.
        from caption_node.ros.session import Play, play
    except ImportError as err:
        raise BackendUnavailableError(
            f'the demo needs ROS 2 and caption_msgs ({err})',
            'run scripts/setup.sh, then make demo',
        ) from err
    from caption_node.demo.outputs import write_bag, write_video
    from caption_node.demo.report import agreement_rows, rows_of
    from caption_node.demo.screen import Screen
    from caption_node.demo.source import open_recording, render_recording

    screen = Screen()
    out: Path = options.out
    if options.input is None:
        recording = render_recording(out, seconds, options.seed, screen.note)
    else:
        _make_folder(out)
        recording = open_recording(options.input, out, seconds, screen.note)
    screen.say(
        f'{recording.bag}: {recording.frames} images in {recording.duration_s:.1f} s '
        f'on {", ".join(recording.topics)}'
    )
    screen.note('starting the node')
    what = Play(
        recording.bag,
        recording.topics,
        recording.cameras,
        recording.duration_s,
        model=options.model,
    )
    result = play(what, out, screen.show)
    write_bag(recording, result.heard, out / 'demo.mcap', screen.note)
    write_video(recording, result.heard, out / 'demo.mp4', screen.note)
    screen.table('The play', rows_of(len(result.sent_s), result.heard))
    rows = agreement_rows(result.heard, recording.truth)
    if rows:
        screen.table('Agreement with the ground truth of the render', rows)
    screen.say(f"\n{out / 'demo.mcap'}  images and descriptions, with the images' stamps")
    screen.say(f'{out / "demo.mp4"}   the same to look at')


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigError(
            f'{out} cannot be made: {err.strerror or err}', 'give another folder with --out'
        ) from err


if __name__ == '__main__':
    sys.exit(main())
