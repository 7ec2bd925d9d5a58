# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""ROS 1 .bag files; messages come out as ROS 2 writes them (CDR)."""

from collections.abc import Collection, Iterator
from pathlib import Path

from rosbags.interfaces import Connection
from rosbags.rosbag1 import Reader, ReaderError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from caption_node.bag.storage import Message, Topic
from caption_node.errors import BagError


class Ros1Storage:
    """
    One ROS 1 bag; see :class:`~caption_node.bag.storage.Storage`.

    :raises BagError: If it is empty, encrypted, has no index or is not a bag.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: list[BagError] = []
        self._reader = Reader(path)
        try:
            self._reader.open()
        except ReaderError as err:
            hint = 'run `rosbag reindex` on it' if 'indexed' in str(err) else ''
            raise BagError(f'{path} cannot be read: {err}', hint) from err
        except Exception as err:  # cut or garbled: rosbags raises whatever the bytes lead it to
            raise BagError(
                f'{path} cannot be read: its index is damaged ({type(err).__name__})',
                'run `rosbag reindex` on it',
            ) from err
        has_messages = self._reader.message_count > 0
        self.start_ns = self._reader.start_time if has_messages else 0
        self.end_ns = self._reader.end_time - 1 if has_messages else 0
        # ROS 2 definitions drop the field `seq` of ROS 1; the bag's own ones fill the gaps.
        self._types = get_typestore(Stores.ROS2_JAZZY)
        known = {c.topic for c in self._reader.connections if self._learn(c)}
        self.topics = [self._describe(name) for name in sorted(known)]

    def messages(self, topics: Collection[str], start_ns: int) -> Iterator[Message]:
        """See :meth:`caption_node.bag.storage.Storage.messages`."""
        connections = [c for c in self._reader.connections if c.topic in topics]
        if not connections:
            return
        unreadable = 0
        try:
            for connection, log_time_ns, data in self._reader.messages(connections, start_ns):
                try:
                    cdr = bytes(self._types.ros1_to_cdr(data, connection.msgtype))
                except Exception:  # a message that is not of the type that its connection names
                    unreadable += 1
                    continue
                yield Message(connection.topic, connection.msgtype, log_time_ns, cdr)
        except Exception as err:  # decompressors and rosbags raise whatever the bytes lead them to
            self.damage.append(
                BagError(f'{self.path}: a chunk is damaged ({err}); the rest is lost')
            )
        if unreadable:
            self.damage.append(
                BagError(f'{self.path}: {unreadable} messages do not fit the type they claim')
            )

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _learn(self, connection: Connection) -> bool:
        """Take over the definition of a type; False if it cannot be read."""
        kind = connection.msgtype
        if kind in self._types.fielddefs:
            return True
        try:
            found = get_types_from_msg(connection.msgdef.data, kind)
            new = {k: v for k, v in found.items() if k not in self._types.fielddefs}
            self._types.register(new)
            self._types.generate_msgdef(kind, ros_version=2)
        except Exception as err:  # rosbags raises whatever the text leads it to
            reason = str(err).splitlines()[0]
            self.damage.append(
                BagError(
                    f'{self.path}: the definition of {kind!r} cannot be read ({reason}); '
                    f'the messages on {connection.topic} are lost'
                )
            )
            return False
        return True

    def _describe(self, name: str) -> Topic:
        info = self._reader.topics[name]
        kind = info.connections[0].msgtype
        definition, _ = self._types.generate_msgdef(kind, ros_version=2)
        return Topic(
            name,
            kind,
            info.msgcount,
            definition=definition,
            type_hash=self._types.hash_rihs01(kind),
        )
