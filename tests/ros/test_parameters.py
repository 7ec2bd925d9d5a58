# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The one table of parameters: checks, cameras, and the files that are written from it."""

import pytest
import yaml

from caption_node.errors import ConfigError
from caption_node.ros.cameras import Camera, names_from_topics, read_cameras
from caption_node.ros.parameter_files import document, markdown_table, stale_files, yaml_file
from caption_node.ros.parameters import PARAMETERS, check

pytestmark = pytest.mark.ros


def test_the_generated_files_are_current() -> None:
    assert stale_files() == {}


def test_an_outdated_table_in_the_documentation_is_replaced() -> None:
    old = '# Head\n\n| parameter | type | x |\n|---|---|---|\n| `old` | bool | 1 |\n\nTail\n'
    assert document(old) == f'# Head\n\n{markdown_table()}\nTail\n'


def test_the_yaml_file_holds_every_default() -> None:
    values = yaml.safe_load(yaml_file())['/**']['ros__parameters']
    assert values == {name: spec.default for name, spec in PARAMETERS.items()}


@pytest.mark.parametrize('name', PARAMETERS)
def test_every_default_is_allowed(name: str) -> None:
    check(name, PARAMETERS[name].default)


@pytest.mark.parametrize(
    ('name', 'value', 'says'),
    [
        ('threads', -1, '0 to 256'),
        ('threads', 2.0, 'must be integer'),
        ('threads', True, 'must be integer'),
        ('lazy', 'yes', 'must be bool'),
        ('transport', 'pigeon', 'auto, raw, compressed'),
        ('stale_after_s', float('nan'), '0.1 to 3600'),
        ('publish', 'sometimes', 'every_frame, on_change'),
        ('cameras', 'image', 'must be string array'),
    ],
)
def test_a_value_outside_the_table_is_refused_with_what_is_allowed(
    name: str, value: object, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        check(name, value)


@pytest.mark.parametrize(
    ('entries', 'says'),
    [
        ([], '0 entries'),
        (['image'] * 9, '9 entries'),
        (['a b'], 'not a topic name'),
        (['image', 'image'], 'occurs twice'),
        (['a=image', 'b=image'], 'topic image occurs twice'),
        (['same=a', 'same=b'], 'name same occurs twice'),
        (['front camera=a'], 'part of a topic'),
        (['=a'], 'part of a topic'),
        (['debug=a'], 'of the node itself'),
        (['a=/x@'], 'not a frame_id'),
        (['a=/x@two words'], 'not a frame_id'),
    ],
)
def test_cameras_that_do_not_go_together_are_refused(entries: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_cameras(entries)


def test_a_camera_has_a_name_a_topic_and_perhaps_a_frame() -> None:
    found = read_cameras(['/front/image_raw', 'rear=/b/image_raw@rear_optical', ''])
    assert found == {
        'front': Camera('front', '/front/image_raw'),
        'rear': Camera('rear', '/b/image_raw', 'rear_optical'),
    }


@pytest.mark.parametrize(
    ('topics', 'names'),
    [
        (['/front/image_raw'], ['front']),
        (['/sensing/camera/camera0/image_rect_color/compressed'], ['camera0']),
        (['image'], ['camera']),
        (['/front/image_raw', '/rear/image_raw'], ['front', 'rear']),
        (['/a/left/image', '/b/left/image'], ['camera_0', 'camera_1']),
        (['/debug/image'], ['camera_0']),
    ],
)
def test_cameras_are_named_after_their_topics(topics: list[str], names: list[str]) -> None:
    assert names_from_topics(topics) == names
