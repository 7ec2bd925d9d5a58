# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The launch files under the real ``ros2 launch``, and the node under the real ``ros2`` command line.

launch, launch_ros and ros2cli come with a ROS 2 installation, not from PyPI: without them these
tests skip, or fail where CAPTION_REQUIRE_ROS_TOOLS=1 is set.
"""

import importlib.util
import os
from pathlib import Path
import shutil

from lifecycle_msgs.srv import GetState
import pytest
from rcl_interfaces.srv import GetParameters
from rosgraph_msgs.msg import Clock
import yaml

from tests.recordings import CAMERA, write_rosbag2
from tests.ros.conftest import ROOT, ColourCamera, Listener, Process, Start

pytestmark = pytest.mark.ros
ARGUMENTS = (
    'namespace',
    'params_file',
    'image_topic',
    'cameras',
    'use_sim_time',
    'autostart',
    'log_level',
)


def is_installed(name: str) -> bool:
    """Whether a package can be imported; the repository's own folder ``launch`` does not count."""
    found = importlib.util.find_spec(name)
    return found is not None and found.origin is not None


@pytest.fixture
def ros2(start: Start) -> Start:
    """Run the real ``ros2`` command; everything that it starts ends with the test."""
    command = shutil.which('ros2')
    modules = ('launch', 'launch_ros', 'ros2cli', 'ros2launch')
    missing = [name for name in modules if not is_installed(name)]
    if command is None or missing:
        reason = f'not installed: {", ".join(missing) or "ros2"}'
        if os.environ.get('CAPTION_REQUIRE_ROS_TOOLS') == '1':
            pytest.fail(reason)
        pytest.skip(reason)

    def run(*words: str) -> Process:
        return start(command, *words)

    return run


def answer(ros2: Start, *words: str) -> str:
    """Run a ``ros2`` command to its end, and return what it printed."""
    if words[0] != 'launch':
        # Without a daemon, which would outlive the test; so it has to look around for itself.
        words = (*words, '--no-daemon', '--spin-time', '6')
    process = ros2(*words)
    status = process.wait(60)
    assert status == 0, process.output
    return process.output


def write_parameters(folder: Path, **values: object) -> Path:
    """Write a file of parameters for every node."""
    file = folder / 'params.yaml'
    file.write_text(yaml.safe_dump({'/**': {'ros__parameters': values}}), encoding='utf-8')
    return file


def parameter(listener: Listener, node: str, name: str) -> object:
    """Return the value message of a node's parameter."""
    request = GetParameters.Request(names=[name])
    return listener.call(GetParameters, f'{node}/get_parameters', request, 60).values[0]


def state(listener: Listener, node: str) -> str:
    """Return the lifecycle state of a node."""
    return str(
        listener.call(GetState, f'{node}/get_state', GetState.Request(), 60).current_state.label
    )


def test_the_launch_file_shows_its_arguments_without_defaults(ros2: Start) -> None:
    shown = answer(ros2, 'launch', 'caption_node', 'caption_launch.py', '--show-args')
    for name in ARGUMENTS:
        assert f"'{name}':" in shown
    assert shown.count("(default: '')") == len(ARGUMENTS)


def test_the_launched_node_describes_and_answers_the_ros2_command_line(
    ros2: Start, start: Start, listener: Listener
) -> None:
    heard = listener.listen('/car/caption_node/description')
    launched = ros2(
        'launch',
        'caption_node',
        'caption_launch.py',
        'namespace:=car',
        'image_topic:=/front/image_raw',
    )
    start('-m', 'tests.ros.publish', 'fast', '/front/image_raw')
    assert listener.wait(lambda: len(heard) > 3, 60), launched.output
    assert heard[0].camera == 'front'

    caption = answer(ros2, 'topic', 'echo', '--once', '/car/caption_node/caption')
    assert caption.startswith('data: ')
    described = answer(ros2, 'topic', 'echo', '--once', '/car/caption_node/description')
    assert 'time_confidence: ' in described
    names = answer(ros2, 'param', 'list', '/car/caption_node')
    assert 'cameras' in names
    assert 'active' in answer(ros2, 'lifecycle', 'get', '/car/caption_node')
    assert '/car/caption_node' in answer(ros2, 'node', 'list')


def test_two_launched_nodes_with_several_cameras_live_side_by_side(
    ros2: Start, listener: Listener, tiny_model: Path, tmp_path: Path
) -> None:
    file = write_parameters(tmp_path, model=str(tiny_model))
    names = ('front', 'rear')
    heard = {
        (space, name): listener.listen(f'/{space}/caption_node/{name}/description')
        for space in ('car', 'truck')
        for name in names
    }
    cameras = [ColourCamera(listener, f'/{space}/{name}/image') for space, name in heard]
    launched = [
        ros2(
            'launch', 'caption_node', 'caption_launch.py', f'namespace:={space}',
            f'params_file:={file}', 'cameras:=front=front/image@front_lens, rear=rear/image',
        )
        for space in ('car', 'truck')
    ]  # fmt: skip

    def all_heard() -> bool:
        for camera in cameras:
            camera.publish('grey')
        return all(len(h) > 1 for h in heard.values())

    assert listener.wait(all_heard, 90), [process.output for process in launched]
    assert {m.header.frame_id for m in heard['car', 'front']} == {'front_lens'}
    assert {m.header.frame_id for m in heard['truck', 'rear']} == {'lens'}


def test_arguments_overrule_the_parameters_file_only_where_given(
    ros2: Start, listener: Listener, tmp_path: Path
) -> None:
    file = write_parameters(tmp_path, autostart=False, lazy=True, use_sim_time=False)
    launched = ros2(
        'launch', 'caption_node', 'caption_launch.py', f'params_file:={file}', 'use_sim_time:=true'
    )
    assert listener.wait(lambda: 'process started' in launched.output), launched.output
    assert parameter(listener, '/caption_node', 'lazy').bool_value is True
    assert parameter(listener, '/caption_node', 'use_sim_time').bool_value is True
    assert parameter(listener, '/caption_node', 'autostart').bool_value is False
    assert state(listener, '/caption_node') == 'unconfigured'


def test_the_shipped_parameters_file_is_valid(ros2: Start, listener: Listener) -> None:
    file = ROOT / 'launch' / 'config' / 'caption_node.params.yaml'
    launched = ros2('launch', 'caption_node', 'caption_launch.py', f'params_file:={file}')
    assert listener.wait(lambda: 'active after' in launched.output, 60), launched.output


def test_a_recording_is_replayed_and_described_in_simulated_time(
    ros2: Start, listener: Listener, tiny_model: Path, tmp_path: Path
) -> None:
    bag = write_rosbag2(tmp_path / 'bag', frames=40)
    heard = listener.listen('/caption_node/description')
    clocks = listener.listen('/clock', Clock)
    launched = ros2(
        'launch',
        'caption_node',
        'replay_launch.py',
        f'bag:={bag}',
        f'image_topic:={CAMERA}',
        f'params_file:={write_parameters(tmp_path, model=str(tiny_model))}',
    )
    assert launched.wait(90) == 0, launched.output
    assert 'replayed' in launched.output
    assert listener.wait(lambda: len(heard) > 5), launched.output
    assert clocks
    # Simulated time: an image is not years old, although the recording is.
    assert max(m.age_ms for m in heard[2:]) < 5000
