# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Starting rclpy, with what may go wrong there said in words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import gc
import os
import signal
import sys
from threading import Event, Thread, current_thread, main_thread
from typing import NoReturn

import rclpy
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.utilities import remove_ros_args

from caption_node.errors import ConfigError

RCLError = rclpy_implementation.RCLError
MAX_DOMAIN_ID = 232
"""Above it the UDP ports of DDS would be over 65535, and Fast DDS ends the process."""


LEAVE_LIMIT_S = 0.8
"""Nodes have to leave within 2 s of a signal."""
STUCK_LIMIT_S = 1.5
"""Destroying a node takes less than a tenth of that, or most of it on a very busy machine."""


def init_ros(arguments: Sequence[str]) -> None:
    """
    Initialise rclpy; from here on SIGINT shuts ROS down as SIGTERM does, and raises nothing.

    :param arguments: Command line, ``--ros-args`` included.
    :raises ConfigError: If the ROS arguments or the domain id are malformed.
    """
    domain = os.environ.get('ROS_DOMAIN_ID', '')
    if domain and not (domain.isdecimal() and int(domain) <= MAX_DOMAIN_ID):
        raise ConfigError(
            f'ROS_DOMAIN_ID is {domain!r}, allowed is 0 to {MAX_DOMAIN_ID}',
            'export ROS_DOMAIN_ID=0, or whatever your other nodes use',
        )
    if current_thread() is main_thread():
        # A KeyboardInterrupt comes up anywhere, in destructors too, where it only makes noise.
        signal.signal(signal.SIGINT, lambda number, frame: None)
    with _malformed_arguments():
        rclpy.init(args=list(arguments))


@contextmanager
def leaving_on_time(limit_s: float = LEAVE_LIMIT_S) -> Iterator[None]:
    """
    End the process if it is interrupted inside the block and has not left the block soon after.

    Loading a model or building an engine is one long call into a library; no signal interrupts it.
    Nothing is written meanwhile that could be left half done.

    :param limit_s: How long the block may go on after the interruption, seconds.
    """
    left = Event()

    def watch() -> None:
        while rclpy.ok():
            if left.wait(0.1):
                return
        if not left.wait(limit_s):
            sys.stderr.flush()
            os._exit(0)

    Thread(target=watch, name='leave-on-time', daemon=True).start()
    try:
        yield
    finally:
        left.set()


@contextmanager
def ended_if_stuck(limit_s: float = STUCK_LIMIT_S) -> Iterator[None]:
    """
    Let the kernel end the process where the block takes too long.

    Fast DDS 2.14 waits for ever for its own listener when a peer leaves in the instant in which a
    node is destroyed, and rclpy holds the interpreter's lock meanwhile: no thread of ours could do
    anything. Such a process ends by SIGALRM.

    :param limit_s: How long the block may take, seconds; without effect outside the main thread.
    """
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def end_process(status: int) -> NoReturn:
    """
    End the process without taking the interpreter apart.

    That costs a third of a second, or several on a busy machine, and would tear down a thread that
    is still inside a library, loading a model for instance, in the midst of foreign code.

    :param status: Exit status.
    """
    # The last handles lie in cycles: peers hear of the end when they are freed.
    gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def without_ros_arguments(arguments: Sequence[str]) -> list[str]:
    """
    Return the command line without what stands behind ``--ros-args``.

    :raises ConfigError: If the ROS arguments are malformed.
    """
    with _malformed_arguments():
        return list(remove_ros_args(list(arguments)))


@contextmanager
def _malformed_arguments() -> Iterator[None]:
    try:
        yield
    except RuntimeError as err:
        # rcl adds the places in its own sources: they say nothing to a user.
        reason = str(err).split(', at ')[0].strip()
        raise ConfigError(
            f'ROS could not start: {reason}',
            'parameters are set with --ros-args -p name:=value, topics with -r from:=to, '
            'files with --params-file FILE',
        ) from err
