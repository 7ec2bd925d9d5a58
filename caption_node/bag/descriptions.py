# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Descriptions that a recording holds already, whichever version of the message wrote them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.base import TypesysError
from rosbags.typesys.store import Typestore

from caption_node.bag.message_types import DESCRIPTION_TYPE, caption_types
from caption_node.bag.reader import BagReader, Topic
from caption_node.bag.writer import TRUTH_TOPIC
from caption_node.description import SceneDescription
from caption_node.errors import BagError
from caption_node.message_fields import description_from


class RecordedDescription(NamedTuple):
    """
    A description with the time of its record.

    :param log_time_ns: Log time of the message, nanoseconds.
    """

    log_time_ns: int
    description: SceneDescription


def description_topics(reader: BagReader) -> list[Topic]:
    """Return the topics that carry descriptions and have any; labels are none."""
    return [
        t
        for t in reader.topics
        if t.type == DESCRIPTION_TYPE and t.count and t.name != TRUTH_TOPIC
    ]


def read_descriptions(
    reader: BagReader, topics: Sequence[Topic] | None = None
) -> Iterator[RecordedDescription]:
    """
    Yield the descriptions of a recording in the order of their log time.

    :param topics: Those on these topics; None takes all of :func:`description_topics`.
    :raises BagError: If a message is not what its topic says.
    """
    topics = description_topics(reader) if topics is None else topics
    types = {t.name: _types_of(t) for t in topics}
    for message in reader.messages([t.name for t in topics]) if topics else ():
        try:
            found: Any = types[message.topic].deserialize_cdr(message.cdr, DESCRIPTION_TYPE)
            yield RecordedDescription(message.log_time_ns, description_from(found))
        except (SerdeError, AssertionError, IndexError, AttributeError, UnicodeDecodeError) as err:
            raise BagError(
                f'{reader.path}: the description at {message.log_time_ns} ns on {message.topic} '
                f'cannot be read ({err})'
            ) from err


def _types_of(topic: Topic) -> Typestore:
    """Take the definition in the recording: ours may have grown since."""
    if topic.definition_encoding != 'ros2msg' or not topic.definition:
        return caption_types()
    types = get_typestore(Stores.ROS2_JAZZY)
    try:
        found = get_types_from_msg(topic.definition, DESCRIPTION_TYPE)
        types.register({k: v for k, v in found.items() if k not in types.types})
    except TypesysError as err:
        raise BagError(f'the definition of {topic.name} cannot be read ({err})') from err
    return types
