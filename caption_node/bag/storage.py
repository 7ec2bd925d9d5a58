# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What a storage file gives, whatever its format, and which class reads which format."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
import importlib
from pathlib import Path
from typing import NamedTuple, Protocol

from caption_node.errors import BagError

STORAGES = {
    '.mcap': ('caption_node.bag.storage_mcap', 'McapStorage'),
    '.db3': ('caption_node.bag.storage_sqlite', 'SqliteStorage'),
    '.bag': ('caption_node.bag.storage_ros1', 'Ros1Storage'),
}
"""Module and class by suffix; imported when a file of that kind is opened."""


@dataclass(frozen=True, slots=True)
class Topic:
    """
    One topic of a recording.

    :param name: Topic name.
    :param type: Message type, for example ``sensor_msgs/msg/Image``.
    :param count: Readable messages.
    :param definition: Message definition with its dependencies, empty if the file has none.
    :param definition_encoding: ``ros2msg`` or ``ros2idl``.
    :param type_hash: RIHS01 hash of the type, empty if not recorded.
    :param qos: Offered QoS profiles as recorded, in YAML; may be empty.
    :param encoding: How messages are serialised; anything but ``cdr`` is not ROS 2.
    """

    name: str
    type: str
    count: int
    definition: str = ''
    definition_encoding: str = 'ros2msg'
    type_hash: str = ''
    qos: str = ''
    encoding: str = 'cdr'


class Message(NamedTuple):
    """
    One message as recorded.

    :param log_time_ns: Time of recording, nanoseconds since the epoch.
    :param cdr: Serialised message: CDR with its four bytes of encapsulation, for ROS 2 topics.
    """

    topic: str
    type: str
    log_time_ns: int
    cdr: bytes


class Storage(Protocol):
    """
    One open storage file.

    What cannot be read is never raised while reading: it is put in ``damage`` as a
    :class:`BagError` that names the place, and reading goes on behind it.

    :param damage: What could not be read so far.
    :param start_ns: Log time of the first message, 0 if there is none.
    :param end_ns: Log time of the last message, 0 if there is none.
    """

    topics: list[Topic]
    damage: list[BagError]
    start_ns: int
    end_ns: int

    def messages(self, topics: Collection[str], start_ns: int) -> Iterator[Message]:
        """
        Yield messages in the order of their log time.

        :param topics: Names of the wanted topics.
        :param start_ns: Leave out messages before this log time.
        """
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def open_storage(path: Path) -> Storage:
    """
    Open one storage file by its suffix.

    :raises BagError: If the format is unknown or nothing in the file can be read.
    """
    entry = STORAGES.get(path.suffix)
    if entry is None:
        raise BagError(
            f'{path} is not a recording', 'recordings end in ' + ', '.join(sorted(STORAGES))
        )
    module, name = entry
    try:
        storage: Storage = getattr(importlib.import_module(module), name)(path)
    except OSError as err:
        raise BagError(f'{path} cannot be opened: {err.strerror or err}') from err
    return storage
