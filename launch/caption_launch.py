# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Start the node, for one camera or for several.

    ros2 launch caption_node caption_launch.py image_topic:=/front/image_raw
    ros2 launch caption_node caption_launch.py cameras:=front=/front/image_raw,rear=/rear/image_raw

An argument that is left empty is not passed on, so that the defaults of parameters stand in the
node alone and a parameters file is not overruled by a default of this file.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

ARGUMENTS = {
    'namespace': 'Namespace of the node.',
    'params_file': 'YAML file of parameters; config/caption_node.params.yaml shows all of them.',
    'image_topic': 'Topic of raw images, in place of image; compressed ones are taken from it '
    'with /compressed behind it.',
    'cameras': 'Several cameras, as NAME=TOPIC@FRAME_ID,... where NAME= and @FRAME_ID may be left '
    'out; in place of image_topic.',
    'use_sim_time': 'true: take the time from /clock.',
    'autostart': 'true: configure and activate at start; false: wait for a lifecycle manager.',
    'log_level': 'Least level that is logged: debug, info, warn, error or fatal.',
}
FLAGS = ('use_sim_time', 'autostart')


def start_node(context: LaunchContext) -> list[Node]:
    """Make the node with those arguments that were given."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    parameters: list[ParameterFile | dict[str, ParameterValue | list[str]]] = []
    if given['params_file']:
        parameters.append(ParameterFile(given['params_file']))
    for name in FLAGS:
        if given[name]:
            parameters.append({name: ParameterValue(LaunchConfiguration(name), value_type=bool)})
    if given['cameras']:
        parameters.append({'cameras': [part.strip() for part in given['cameras'].split(',')]})
    return [
        Node(
            package='caption_node',
            executable='caption_node',
            name='caption_node',
            namespace=given['namespace'],
            parameters=parameters,
            remappings=[('image', given['image_topic'])] if given['image_topic'] else [],
            ros_arguments=['--log-level', given['log_level']] if given['log_level'] else [],
            output='screen',
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and the node."""
    declared = [
        DeclareLaunchArgument(
            name,
            default_value='',
            description=text,
            **({'choices': ['', 'true', 'false']} if name in FLAGS else {}),
        )
        for name, text in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start_node)])
