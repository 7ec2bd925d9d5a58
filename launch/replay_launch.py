# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Replay a recording with simulated time, and describe it; ends with the recording.

    ros2 launch caption_node replay_launch.py bag:=drive.mcap image_topic:=/front/image_raw

Takes the arguments of caption_launch.py too.
"""

import os

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetLaunchConfiguration,
    Shutdown,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, ThisLaunchFileDir
from launch_ros.substitutions import ExecutableInPackage

OPTIONS = {
    'rate': 'How many times as fast as recorded.',
    'start_offset': 'Begin so many seconds after the start.',
    'loop': 'true: begin again at the end.',
}
WAIT_FOR_NODE_S = '60'
PROFILE = 'FASTRTPS_DEFAULT_PROFILES_FILE'


def start_replay(context: LaunchContext) -> list[ExecuteProcess]:
    """Make the replay with those options that were given."""
    given = {name: LaunchConfiguration(name).perform(context) for name in OPTIONS}
    command = [
        ExecutableInPackage('caption', 'caption_node'),
        'replay',
        LaunchConfiguration('bag'),
    ]
    command += ['--clock', '--wait-for-subscriber', WAIT_FOR_NODE_S]
    for name in ('rate', 'start_offset'):
        if given[name]:
            command += [f'--{name.replace("_", "-")}', given[name]]
    if given['loop'] == 'true':
        command.append('--loop')
    # Large raw images need room in shared memory where they are published.
    large = PathJoinSubstitution([ThisLaunchFileDir(), 'config', 'fastdds_large_images.xml'])
    return [
        ExecuteProcess(
            cmd=command,
            additional_env={} if PROFILE in os.environ else {PROFILE: large},
            output='screen',
            on_exit=Shutdown(reason='end of bag'),
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, the node and the replay."""
    node = PythonLaunchDescriptionSource(
        PathJoinSubstitution([ThisLaunchFileDir(), 'caption_launch.py'])
    )
    options = [
        DeclareLaunchArgument(name, default_value='', description=text)
        for name, text in OPTIONS.items()
    ]
    return LaunchDescription(
        [
            DeclareLaunchArgument('bag', description='A rosbag2 folder, or one storage file.'),
            *options,
            SetLaunchConfiguration('use_sim_time', 'true'),
            IncludeLaunchDescription(node),
            OpaqueFunction(function=start_replay),
        ]
    )
