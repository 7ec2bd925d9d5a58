# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
A stretch of a recording, copied bit by bit with its message definitions.

What latched topics (``/tf_static``, ``/robot_description``) said before the stretch goes to its
beginning: without it the rest could not be used.
"""

from collections.abc import Collection

from caption_node.bag.captioning import topic_of
from caption_node.bag.reader import BagReader, Topic
from caption_node.bag.writer import BagWriter
from caption_node.errors import BagError

_LATCHED = ('transient_local', 'durability: 1')
_MOST_LATCHED = 100
"""Messages kept of a latched topic: as many as its publisher could have in its history."""


def write_clip(
    reader: BagReader,
    writer: BagWriter,
    start_offset_s: float,
    duration_s: float | None,
    topics: Collection[str] = (),
) -> int:
    """
    Copy the messages of a stretch.

    :param start_offset_s: From the start of the recording, seconds.
    :param duration_s: Length; None goes to the end of the recording.
    :param topics: Only these; none means all.
    :returns: How many messages were copied.
    :raises BagError: If a topic is not there, nothing lies in the stretch, or the output fails.
    """
    by_name = {t.name: t for t in reader.topics}
    for name in topics:
        if name not in by_name:
            raise BagError(
                f'{reader.path} has no topic {name}', 'it holds ' + ', '.join(sorted(by_name)[:20])
            )
    wanted = [n for n in by_name if not topics or n in topics]
    start_ns = reader.start_ns + round(start_offset_s * 1e9)
    end_ns = reader.end_ns if duration_s is None else start_ns + round(duration_s * 1e9)
    _copy_latched(reader, writer, [by_name[n] for n in wanted], start_ns)
    count = 0
    for message in reader.messages(wanted, start_offset_s):
        if message.log_time_ns > end_ns:
            # Recordings of several files may step back in time: look on.
            continue
        writer.copy(message, topic_of(message, by_name))
        count += 1
    if not count:
        raise BagError(
            f'nothing was recorded from {start_offset_s:g} s on'
            + ('' if duration_s is None else f' for {duration_s:g} s')
            + f' in {reader.path}',
            f'it is {reader.duration_s:.1f} s long',
        )
    return writer.message_count


def _copy_latched(
    reader: BagReader, writer: BagWriter, topics: Collection[Topic], start_ns: int
) -> None:
    latched = {t.name: t for t in topics if any(word in t.qos for word in _LATCHED)}
    kept: dict[str, list[bytes]] = {}
    if latched and start_ns > reader.start_ns:
        for message in reader.messages(list(latched)):
            if message.log_time_ns >= start_ns:
                continue
            history = kept.setdefault(message.topic, [])
            history.append(message.cdr)
            del history[:-_MOST_LATCHED]
    for name, history in kept.items():
        for cdr in history:
            writer.write(latched[name], start_ns, cdr)
