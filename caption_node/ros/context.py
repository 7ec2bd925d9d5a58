# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Starting rclpy, with what may go wrong there said in words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import os

import rclpy
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.utilities import remove_ros_args

from caption_node.errors import ConfigError

RCLError = rclpy_implementation.RCLError
MAX_DOMAIN_ID = 232
"""Above it the UDP ports of DDS would be over 65535, and Fast DDS ends the process."""


def init_ros(arguments: Sequence[str]) -> None:
    """
    Initialise rclpy.

    :param arguments: Command line, ``--ros-args`` included.
    :raises ConfigError: If the ROS arguments or the domain id are malformed.
    """
    domain = os.environ.get('ROS_DOMAIN_ID', '')
    if domain and not (domain.isdecimal() and int(domain) <= MAX_DOMAIN_ID):
        raise ConfigError(
            f'ROS_DOMAIN_ID is {domain!r}, allowed is 0 to {MAX_DOMAIN_ID}',
            'export ROS_DOMAIN_ID=0, or whatever your other nodes use',
        )
    with _malformed_arguments():
        rclpy.init(args=list(arguments))


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
