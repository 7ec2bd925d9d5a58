# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Which cameras a node has: the parameter ``cameras``, entry by entry; needs no ROS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import re

from caption_node.errors import ConfigError

MAX_CAMERAS = 8
DEFAULT_CAMERAS = ('image',)
FORM = 'write NAME=TOPIC@FRAME_ID, where NAME= and @FRAME_ID may be left out'
_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*\Z')
_TOPIC = re.compile(r'[~/]?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*\Z|~/.+\Z')
_FRAME = re.compile(r'[A-Za-z_][A-Za-z0-9_/]*\Z')
# Last parts of a topic that say what it carries, not whose it is.
_GENERIC = re.compile(r'(image|compressed|color|colour|rgb|raw|rect|mono)(_[a-z]+)*\Z')
# What the node publishes under ~/ itself.
_TAKEN = frozenset(
    ('debug', 'overlay', 'caption', 'description', 'events', 'describe', 'model_info')
)


@dataclass(frozen=True, slots=True)
class Camera:
    """
    One camera of the node.

    :param topic: Image topic, before remapping.
    :param frame_id: Replaces the one in the header of its images; empty leaves the header alone.
    """

    name: str
    topic: str
    frame_id: str = ''


def read_cameras(
    entries: Sequence[str], resolve: Callable[[str], str] = lambda topic: topic
) -> dict[str, Camera]:
    """
    Read the parameter; returns the cameras by name.

    :param entries: ``NAME=TOPIC@FRAME_ID`` each, name and frame optional.
    :param resolve: Remaps and expands a topic, so that a camera without a name is named by where
        it really is.
    :raises ConfigError: If an entry is malformed, or a name or topic occurs twice.
    """
    entries = [entry for entry in entries if entry]
    if not 1 <= len(entries) <= MAX_CAMERAS:
        raise ConfigError(
            f'parameter cameras has {len(entries)} entries, allowed is 1 to {MAX_CAMERAS}', FORM
        )
    found = [_read_entry(entry) for entry in entries]
    telling = names_from_topics([resolve(camera.topic) for camera in found])
    found = [
        Camera(camera.name or name, camera.topic, camera.frame_id)
        for camera, name in zip(found, telling, strict=True)
    ]
    for what, words in (
        ('topic', [camera.topic for camera in found]),
        ('name', [camera.name for camera in found]),
    ):
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            raise ConfigError(f'parameter cameras: {what} {", ".join(twice)} occurs twice', FORM)
    return {camera.name: camera for camera in found}


def names_from_topics(topics: Sequence[str]) -> list[str]:
    """Name each camera after the last telling part of its topic: ``front`` of ``/front/image``."""
    names = []
    for number, topic in enumerate(topics):
        parts = [p for p in topic.strip('~/').split('/') if p and not _GENERIC.match(p)]
        names.append(
            parts[-1] if parts else ('camera' if len(topics) == 1 else f'camera_{number}')
        )
    if len(set(names)) < len(names) or _TAKEN & set(names):
        return [f'camera_{number}' for number in range(len(topics))]
    return names


def _read_entry(entry: str) -> Camera:
    head, _, frame_id = entry.partition('@')
    name, equals, topic = head.rpartition('=')
    name, topic, frame_id = name.strip(), topic.strip(), frame_id.strip()
    if not _TOPIC.match(topic):
        raise ConfigError(f'parameter cameras: {topic!r} is not a topic name', FORM)
    if equals and (not _NAME.match(name) or name in _TAKEN):
        why = 'is a topic of the node itself' if name in _TAKEN else 'cannot be part of a topic'
        raise ConfigError(f'parameter cameras: the name {name!r} {why}', FORM)
    if '@' in entry and not _FRAME.match(frame_id):
        raise ConfigError(f'parameter cameras: {frame_id!r} is not a frame_id', FORM)
    return Camera(name, topic, frame_id)
