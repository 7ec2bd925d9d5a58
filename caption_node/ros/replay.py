# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
``caption replay``: its options, named as those of ``ros2 bag play``, and what runs them.

Importing this module needs no ROS; running it does.
"""

import argparse
from dataclasses import dataclass
import math
from pathlib import Path

from caption_node.errors import BackendUnavailableError, ConfigError

DEFAULT_CLOCK_HZ = 40.0


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """
    How a recording is published again.

    :param bag: A rosbag2 folder, or one storage file.
    :param rate: How many times as fast as it was recorded.
    :param loop: Begin again at the end, until interrupted.
    :param clock_hz: Rate of /clock; None publishes no clock.
    :param start_offset_s: Leave out what comes earlier than this after the start, seconds.
    :param duration_s: Stop after so many seconds of the recording; None plays to its end.
    :param topics: Only these; none means all whose type is installed.
    :param remap: Rules ``from:=to``.
    :param wait_for_subscriber_s: Wait so long at most for a subscriber; None does not wait.
    :param times: File that gets when each message was published; None writes none.
    """

    bag: Path
    rate: float = 1.0
    loop: bool = False
    clock_hz: float | None = None
    start_offset_s: float = 0.0
    duration_s: float | None = None
    topics: tuple[str, ...] = ()
    remap: tuple[str, ...] = ()
    wait_for_subscriber_s: float | None = None
    times: Path | None = None

    def __post_init__(self) -> None:
        for name, value, least in (
            ('--rate', self.rate, 1e-3),
            ('--clock', self.clock_hz, 1e-3),
            ('--start-offset', self.start_offset_s, 0.0),
            ('--playback-duration', self.duration_s, 0.0),
            ('--wait-for-subscriber', self.wait_for_subscriber_s, 0.0),
        ):
            if value is not None and not (math.isfinite(value) and value >= least):
                raise ConfigError(f'{name} is {value:g}, allowed is {least:g} or more')
        for rule in self.remap:
            if ':=' not in rule:
                raise ConfigError(f'--remap {rule} is not a rule', 'write it as /from:=/to')


def add_replay_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser; :func:`run_replay` takes what it parsed."""
    parser.add_argument('bag', type=Path, help='a rosbag2 folder, or an .mcap, .db3 or .bag file')
    parser.add_argument(
        '-r', '--rate', type=float, default=1.0, help='times as fast as recorded (default: 1)'
    )
    parser.add_argument('-l', '--loop', action='store_true', help='begin again at the end')
    parser.add_argument(
        '--clock',
        type=float,
        nargs='?',
        const=DEFAULT_CLOCK_HZ,
        metavar='HZ',
        help=f'publish the time of the recording on /clock (default: {DEFAULT_CLOCK_HZ:g} Hz)',
    )
    parser.add_argument(
        '--start-offset', type=float, default=0.0, metavar='S', help='begin so many seconds later'
    )
    parser.add_argument(
        '--playback-duration', type=float, metavar='S', help='stop after so many seconds'
    )
    parser.add_argument(
        '--topics', nargs='+', default=[], metavar='TOPIC', help='publish these topics only'
    )
    parser.add_argument(
        '-m',
        '--remap',
        nargs='+',
        default=[],
        metavar='FROM:=TO',
        help='publish topics under other names',
    )
    parser.add_argument(
        '--wait-for-subscriber',
        type=float,
        metavar='S',
        help='wait until somebody listens, at most so many seconds',
    )
    parser.add_argument(
        '--times',
        type=Path,
        metavar='FILE',
        help='write when each message was published: JSON lines with topic, log_time_ns and '
        'monotonic_s, the clock of this machine since it was started',
    )


def run_replay(arguments: argparse.Namespace) -> int:
    """
    Publish a recording as the parsed options say.

    :returns: Exit status: 0, or 1 if parts of the recording could not be read.
    :raises CaptionError: If the recording, the options or ROS cannot be used.
    """
    options = ReplayOptions(
        bag=arguments.bag,
        rate=arguments.rate,
        loop=arguments.loop,
        clock_hz=arguments.clock,
        start_offset_s=arguments.start_offset,
        duration_s=arguments.playback_duration,
        topics=tuple(arguments.topics),
        remap=tuple(arguments.remap),
        wait_for_subscriber_s=arguments.wait_for_subscriber,
        times=arguments.times,
    )
    return replay(options)


def replay(options: ReplayOptions) -> int:
    """
    Publish a recording; returns at its end, or when interrupted.

    :returns: As :func:`run_replay`.
    """
    try:
        from caption_node.ros.player import play
    except ImportError as err:
        raise BackendUnavailableError(
            f'ROS 2 is not importable ({err})',
            'run scripts/setup.sh, or source the setup file of your ROS 2 installation',
        ) from err
    return play(options)
