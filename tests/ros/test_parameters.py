# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The one table of parameters: checks, cameras, and the files that are written from it."""

import pytest
import yaml

from caption_node.errors import ConfigError
from caption_node.ros.parameters import (
    PARAMETERS,
    cameras,
    check,
    markdown_table,
    names_from_topics,
    yaml_file,
)
from tests.ros.conftest import ROOT

pytestmark = pytest.mark.ros


def test_the_yaml_file_is_the_one_that_the_table_gives() -> None:
    file = ROOT / 'launch' / 'config' / 'caption_node.params.yaml'
    assert file.read_text(encoding='utf-8') == yaml_file()


def test_the_yaml_file_holds_every_default() -> None:
    values = yaml.safe_load(yaml_file())['/**']['ros__parameters']
    assert values == {name: spec.default for name, spec in PARAMETERS.items()}


def test_the_documentation_holds_the_table() -> None:
    assert markdown_table() in (ROOT / 'docs' / 'ros.md').read_text(encoding='utf-8')


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
        ('silence_warning_s', float('nan'), '0.5 to 3600'),
        ('image_topics', 'image', 'must be string array'),
    ],
)
def test_a_value_outside_the_table_is_refused_with_what_is_allowed(
    name: str, value: object, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        check(name, value)


@pytest.mark.parametrize(
    ('topics', 'names', 'says'),
    [
        ([], [''], '0 topics'),
        (['image'] * 9, [''], '9 topics'),
        (['a b'], [''], 'not a topic name'),
        (['image', 'image'], ['a', 'b'], 'occurs twice'),
        (['a', 'b'], ['same', 'same'], 'occurs twice'),
        (['a', 'b'], ['one'], '1 names for 2'),
        (['a'], ['front camera'], 'part of a topic name'),
    ],
)
def test_cameras_that_do_not_go_together_are_refused(
    topics: list[str], names: list[str], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        cameras({'image_topics': topics, 'camera_names': names})


@pytest.mark.parametrize(
    ('topics', 'names'),
    [
        (['/front/image_raw'], ['front']),
        (['/sensing/camera/camera0/image_rect_color/compressed'], ['camera0']),
        (['image'], ['camera']),
        (['/front/image_raw', '/rear/image_raw'], ['front', 'rear']),
        (['/a/left/image', '/b/left/image'], ['camera_0', 'camera_1']),
    ],
)
def test_cameras_are_named_after_their_topics(topics: list[str], names: list[str]) -> None:
    assert names_from_topics(topics) == names
