# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The message types of recordings, ``caption_msgs`` among them, without ROS."""

from functools import cache
import os
from pathlib import Path
import sys
from typing import Any

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from caption_node.description import SceneDescription
from caption_node.errors import BagError
from caption_node.message_fields import description_values, object_values, own_facts

DESCRIPTION_TYPE = 'caption_msgs/msg/SceneDescription'
OBJECT_TYPE = 'caption_msgs/msg/SceneObject'
FACT_TYPE = 'caption_msgs/msg/SceneFact'
TEXT_TYPE = 'std_msgs/msg/String'
_DEFINITIONS = ('SceneFact.msg', 'SceneObject.msg', 'SceneDescription.msg')
_NANOSECONDS = 1_000_000_000


def message_folder() -> Path:
    """
    Return the folder with the .msg files of caption_msgs.

    Looked for in the source tree, then under ``share/`` of every installation prefix.

    :raises BagError: If they are not installed; the message lists where they were looked for.
    """
    places = [Path(__file__).resolve().parents[2] / 'ros_ws' / 'src' / 'caption_msgs' / 'msg']
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    for prefix in filter(None, prefixes):
        share = Path(prefix) / 'share'
        places += [share / 'caption_node' / 'msg', share / 'caption_msgs' / 'msg']
    for place in places:
        if all((place / name).is_file() for name in _DEFINITIONS):
            return place
    raise BagError(
        'the definitions of caption_msgs are missing: no SceneDescription.msg in '
        + ', '.join(str(p) for p in places),
        'install caption_node again',
    )


@cache
def caption_types() -> Typestore:
    """
    Return the types of a plain ROS 2 installation with caption_msgs; the same object every time.

    :raises BagError: If the definitions are not installed.
    """
    types = get_typestore(Stores.ROS2_JAZZY)
    folder = message_folder()
    found = {}
    for name in _DEFINITIONS:
        text = (folder / name).read_text(encoding='utf-8')
        found.update(get_types_from_msg(text, f'caption_msgs/msg/{Path(name).stem}'))
    types.register(found)
    return types


def serialize_description(
    description: SceneDescription, completed_ns: int = 0, age_ms: float = float('nan')
) -> bytes:
    """
    Write a description as ``caption_msgs/SceneDescription``, serialised (CDR).

    :param completed_ns: When it was complete, on the clock of the recording; 0 if unknown.
    :param age_ms: Age of the image at publication; not a number if it was never published.
    """
    types = caption_types()
    message_type: Any = types.types[DESCRIPTION_TYPE]
    object_type: Any = types.types[OBJECT_TYPE]
    fact_type: Any = types.types[FACT_TYPE]
    message = message_type(
        header=types.types['std_msgs/msg/Header'](
            stamp=make_time(description.stamp_ns), frame_id=description.frame_id
        ),
        objects=[object_type(**object_values(o, object_type)) for o in description.objects],
        facts=[fact_type(**fact) for fact in own_facts(description.scene, fact_type)],
        completed=make_time(completed_ns),
        age_ms=age_ms,
        latency_queue_ms=0.0,
        **description_values(description, message_type),
    )
    return bytes(types.serialize_cdr(message, DESCRIPTION_TYPE))


def make_time(time_ns: int) -> Any:
    """Return a ``builtin_interfaces/Time``."""
    second, nanosecond = divmod(time_ns, _NANOSECONDS)
    return caption_types().types['builtin_interfaces/msg/Time'](sec=second, nanosec=nanosecond)
