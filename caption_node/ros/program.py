# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The program ``caption_node``: the node in a process of its own."""

import argparse
from collections.abc import Sequence
import sys
import traceback
from typing import NoReturn

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import try_shutdown

from caption_node.errors import CaptionError, ConfigError
from caption_node.ros.context import (
    RCLError,
    end_process,
    ended_if_stuck,
    init_ros,
    leaving_on_time,
    without_ros_arguments,
)
from caption_node.ros.heap import keep_images_in_heap
from caption_node.ros.node import CaptionNode


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """
    Run the node until it is interrupted or terminated, and end the process.

    The exit status is 0, 1 if it could not start, 2 for unknown options.

    :param arguments: Command line with the program's name in front; None takes the process's own.
    """
    keep_images_in_heap()
    line = list(sys.argv if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog='caption_node',
        description='Describe camera images. Everything is set by ROS arguments, for instance '
        '--ros-args -r image:=/front/image_raw -p lazy:=true',
    )
    try:
        parser.parse_args(without_ros_arguments(line)[1:])
        status = _run(line)
    except CaptionError as err:
        sys.stderr.write(f'error: {err}\n')
        if err.hint:
            sys.stderr.write(f'hint: {err.hint}\n')
        status = 1
    end_process(status)
    return status


def _run(line: list[str]) -> int:
    init_ros(line)
    try:
        # Around the end too: freeing a model may take as long as loading it.
        with leaving_on_time():
            return _live()
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except RCLError as err:
        if rclpy.ok():
            raise ConfigError(f'ROS failed: {err}') from err
        return 0
    finally:
        try_shutdown()


def _live() -> int:
    node = CaptionNode()
    try:
        if node.get_parameter('autostart').value and not node.start():
            # Whoever starts it without a lifecycle manager has nobody who would try again.
            return 1 if rclpy.ok() else 0
        spin(node)
        return 0
    finally:
        node.stop()
        with ended_if_stuck():
            node.destroy_node()


def spin(node: Node) -> None:
    """Run a node's callbacks until its context goes down; one that fails is logged, no more."""
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    while node.context.ok():
        try:
            executor.spin()
        except (KeyboardInterrupt, ExternalShutdownException, RCLError):
            raise
        except Exception:
            # Our own fault, in one callback: whoever listens to the others still wants them.
            node.get_logger().error(
                f'a callback failed, and the node goes on:\n{traceback.format_exc()}',
                throttle_duration_sec=5.0,
            )


if __name__ == '__main__':
    main()
