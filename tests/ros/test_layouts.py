# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The layouts for RViz and Foxglove name plugins, panels, settings, topics and fields that exist.

Names of plugins and properties are those of rviz (rviz_default_plugins/plugins_description.xml,
rviz_common's qos_profile_property.cpp and image_display.cpp of Jazzy and later), names of panels
and settings those of Foxglove Studio 1.x (packages/studio-base/src/panels).
Neither program runs here.
"""

from collections.abc import Iterator, Mapping
import json
from typing import Any

from caption_msgs.msg import SceneDescription, SceneEvent
from diagnostic_msgs.msg import DiagnosticArray
import pytest
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from sensor_msgs.msg import CompressedImage
import yaml

from caption_node.ros.cameras import read_cameras
from caption_node.ros.parameters import PARAMETERS
from tests.ros.conftest import ROOT, ColourCamera, Listener, Start, node_line

pytestmark = pytest.mark.ros
CONFIG = ROOT / 'launch' / 'config'
TOPICS = {
    '/caption_node/description': SceneDescription,
    '/caption_node/events': SceneEvent,
    '/caption_node/overlay/compressed': CompressedImage,
    '/diagnostics': DiagnosticArray,
}
TITLE = 'foxglovePanelTitle'
PATH_KEYS = {'value', 'enabled', 'timestampMethod', 'label', 'color'}
PANELS = {
    'Image': {TITLE, 'imageMode'},
    'RawMessages': {
        TITLE, 'topicPath', 'diffEnabled', 'diffMethod', 'diffTopicPath',
        'showFullMessageForDiff', 'expansion',
    },
    'DiagnosticSummary': {
        TITLE, 'topicToRender', 'minLevel', 'pinnedIds', 'hardwareIdFilter', 'sortByLevel',
    },
    'Plot': {
        TITLE, 'paths', 'showLegend', 'legendDisplay', 'showPlotValuesInLegend', 'isSynced',
        'showXAxisLabels', 'showYAxisLabels', 'xAxisVal', 'followingViewWidth', 'sidebarDimension',
    },
    'StateTransitions': {TITLE, 'paths', 'isSynced'},
}  # fmt: skip
RVIZ_CLASSES = {
    'Panels': {'rviz_common/Displays', 'rviz_common/Time', 'rviz_common/Views'},
    'Displays': {'rviz_default_plugins/Image'},
    'Tools': {'rviz_default_plugins/MoveCamera', 'rviz_default_plugins/Interact'},
    'Views': {'rviz_default_plugins/Orbit'},
}
RVIZ_IMAGE_KEYS = {
    'Class', 'Enabled', 'Max Value', 'Median window', 'Min Value', 'Name', 'Normalize Range',
    'Topic', 'Value',
}  # fmt: skip
RVIZ_TOPIC_VALUES = {
    'History Policy': {'Keep Last'},
    'Reliability Policy': {'Best Effort', 'Reliable'},
    'Durability Policy': {'Volatile'},
}


def read_foxglove() -> dict[str, Any]:
    """Read the layout for Foxglove."""
    return dict(json.loads((CONFIG / 'caption_node.foxglove.json').read_text(encoding='utf-8')))


def read_rviz() -> dict[str, Any]:
    """Read the layout for RViz."""
    return dict(yaml.safe_load((CONFIG / 'caption_node.rviz').read_text(encoding='utf-8')))


def subscription_of(topic: Mapping[str, Any]) -> QoSProfile:
    """Return how RViz subscribes with the settings of a display."""
    reliability = topic['Reliability Policy'].upper().replace(' ', '_')
    return QoSProfile(
        depth=topic['Depth'],
        reliability=ReliabilityPolicy[reliability],
        durability=DurabilityPolicy[topic['Durability Policy'].upper()],
    )


def foxglove_paths() -> Iterator[str]:
    """Give every topic or message path of the layout for Foxglove."""
    for panel in read_foxglove()['configById'].values():
        yield from (panel[key] for key in ('topicPath', 'topicToRender') if key in panel)
        yield from (path['value'] for path in panel.get('paths', ()))
        if 'imageMode' in panel:
            yield panel['imageMode']['imageTopic']


def leaves(layout: Any) -> list[str]:
    """Return the panels of a mosaic, left to right."""
    if isinstance(layout, str):
        return [layout]
    assert set(layout) == {'direction', 'first', 'second', 'splitPercentage'}
    assert layout['direction'] in ('row', 'column')
    assert 0 < layout['splitPercentage'] < 100
    return [*leaves(layout['first']), *leaves(layout['second'])]


def test_every_panel_of_foxglove_exists_and_is_shown_once() -> None:
    layout = read_foxglove()
    assert set(layout) == {
        'configById', 'globalVariables', 'userNodes', 'playbackConfig', 'layout',
    }  # fmt: skip
    assert sorted(leaves(layout['layout'])) == sorted(layout['configById'])
    for name, settings in layout['configById'].items():
        kind = name.partition('!')[0]
        assert set(settings) <= PANELS[kind], name
        for path in settings.get('paths', ()):
            assert set(path) <= PATH_KEYS
            assert path['timestampMethod'] in ('receiveTime', 'headerStamp')


def test_every_path_of_foxglove_is_a_field_of_our_messages() -> None:
    paths = list(foxglove_paths())
    assert len(paths) > 8
    for path in paths:
        topic, _, field = path.partition('.')
        kind = TOPICS[topic]
        assert not field or field in kind.get_fields_and_field_types(), path


def test_what_is_plotted_is_a_number_and_pictures_are_images() -> None:
    for name, settings in read_foxglove()['configById'].items():
        kind = name.partition('!')[0]
        for path in settings.get('paths', ()):
            topic, _, field = path['value'].partition('.')
            found = TOPICS[topic].get_fields_and_field_types()[field]
            assert found in ({'float', 'double'} if kind == 'Plot' else {'boolean', 'uint8'}), path
        if kind == 'Image':
            assert TOPICS[settings['imageMode']['imageTopic']] is CompressedImage
        if kind == 'DiagnosticSummary':
            assert TOPICS[settings['topicToRender']] is DiagnosticArray


def test_every_class_and_property_of_rviz_exists() -> None:
    layout = read_rviz()
    manager = layout['Visualization Manager']
    assert {panel['Class'] for panel in layout['Panels']} <= RVIZ_CLASSES['Panels']
    assert {tool['Class'] for tool in manager['Tools']} <= RVIZ_CLASSES['Tools']
    assert manager['Views']['Current']['Class'] in RVIZ_CLASSES['Views']
    topics = set()
    for display in manager['Displays']:
        assert display['Class'] in RVIZ_CLASSES['Displays']
        assert set(display) <= RVIZ_IMAGE_KEYS
        assert display['Enabled'] == display['Value'], 'RViz writes both'
        topic = display['Topic']
        assert set(topic) <= {'Depth', 'Filter size', 'Value', *RVIZ_TOPIC_VALUES}
        for key, values in RVIZ_TOPIC_VALUES.items():
            assert topic[key] in values
        topics.add(topic['Value'])
        assert display['Name'] in layout['Window Geometry']
    camera = read_cameras(PARAMETERS['cameras'].default)
    assert topics == {
        '/caption_node/overlay/compressed',
        *(f'/{c.topic}' for c in camera.values()),
    }


def test_the_running_node_offers_what_the_layouts_show(
    start: Start, listener: Listener, tiny_model: Any
) -> None:
    heard = listener.listen('/caption_node/description')
    node = start(*node_line('-p', f'model:={tiny_model}'))
    assert listener.shown(ColourCamera(listener), 'grey', lambda: len(heard) > 1), node.output
    offered = dict(listener.node.get_topic_names_and_types())
    wanted = {path.partition('.')[0] for path in foxglove_paths()}
    assert wanted == set(TOPICS)
    for topic, kind in TOPICS.items():
        package, name = kind.__module__.partition('.')[0], kind.__name__
        assert offered[topic] == [f'{package}/msg/{name}']
    for display in read_rviz()['Visualization Manager']['Displays']:
        name = display['Topic']['Value']
        for info in listener.node.get_publishers_info_by_topic(name):
            compatible, why = qos_check_compatible(
                info.qos_profile, subscription_of(display['Topic'])
            )
            # A warning is of what RViz leaves to the system, such as liveliness.
            assert compatible != QoSCompatibility.ERROR, f'{name}: {why}'
