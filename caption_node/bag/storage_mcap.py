# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
MCAP files, whole or cut off.

A whole file is read by the chunk index of its summary. Where that is missing, because the recorder
was killed or the file was cut, the index is made by walking through the records once.
Specification: https://mcap.dev/spec
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
import heapq
from io import BytesIO
from pathlib import Path
import struct
from typing import IO

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.reader import SeekingReader
from mcap.records import Channel, Chunk, McapRecord, Schema
from mcap.records import Message as McapMessage
from mcap.stream_reader import breakup_chunk

from caption_node.bag.storage import Message, Topic
from caption_node.errors import BagError

MAGIC = b'\x89MCAP0\r\n'
_RECORD_HEAD_BYTES = 9
_MESSAGE_HEAD_BYTES = 22


@dataclass(frozen=True, slots=True)
class _Block:
    """A chunk, or a message outside of chunks, and where it lies in the file."""

    start_ns: int
    end_ns: int
    offset: int
    length: int
    channels: frozenset[int]
    is_cut: bool = False


class McapStorage:
    """
    One MCAP file; see :class:`~caption_node.bag.storage.Storage`.

    :raises BagError: If the file is empty or not MCAP.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: list[BagError] = []
        self._file: IO[bytes] = path.open('rb')
        self._size = path.stat().st_size
        self._schemas: dict[int, Schema] = {}
        self._channels: dict[int, Channel] = {}
        self._blocks: list[_Block] = []
        self._counts: Counter[int] = Counter()
        try:
            self._check_magic()
            if not self._read_summary():
                self._walk()
        except BaseException:
            self._file.close()
            raise
        self._blocks.sort(key=lambda b: (b.start_ns, b.offset))
        self.start_ns = min((b.start_ns for b in self._blocks), default=0)
        self.end_ns = max((b.end_ns for b in self._blocks), default=0)
        self.topics = self._list_topics()

    def messages(self, topics: Collection[str], start_ns: int) -> Iterator[Message]:
        """See :meth:`caption_node.bag.storage.Storage.messages`."""
        wanted = {i for i, c in self._channels.items() if c.topic in topics}
        names = {i: (c.topic, self._type_of(c)) for i, c in self._channels.items()}
        pending: list[tuple[int, int, McapMessage]] = []
        order = 0
        for block in self._blocks:
            if block.end_ns < start_ns or not (block.channels & wanted):
                continue
            # Chunks may overlap in time: hold back what a later chunk could still precede.
            while pending and pending[0][0] < block.start_ns:
                yield _message(heapq.heappop(pending)[2], names)
            for record in self._load(block):
                if record.channel_id in wanted and record.log_time >= start_ns:
                    heapq.heappush(pending, (record.log_time, order, record))
                    order += 1
        while pending:
            yield _message(heapq.heappop(pending)[2], names)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _check_magic(self) -> None:
        magic = self._file.read(len(MAGIC))
        if not magic:
            raise BagError(f'{self.path} is empty (0 bytes)')
        if magic != MAGIC:
            raise BagError(f'{self.path} is not an MCAP file')

    def _read_summary(self) -> bool:
        self._file.seek(0)
        try:
            summary = SeekingReader(self._file).get_summary()
        except Exception:  # cut or garbled: mcap raises whatever the bytes lead it to
            return False
        if summary is None or summary.statistics is None or not summary.channels:
            return bool(summary and summary.statistics and not summary.statistics.message_count)
        self._schemas, self._channels = dict(summary.schemas), dict(summary.channels)
        if summary.statistics.message_count and not summary.chunk_indexes:
            return False
        self._counts.update(summary.statistics.channel_message_counts)
        for index in summary.chunk_indexes:
            if index.message_start_time > index.message_end_time:
                continue  # how some writers mark a chunk of definitions alone
            # Without message indexes it is unknown what a chunk holds: anything, then.
            inside = frozenset(index.message_index_offsets) or frozenset(self._channels)
            self._blocks.append(
                _Block(
                    index.message_start_time,
                    index.message_end_time,
                    index.chunk_start_offset,
                    index.chunk_length,
                    inside,
                )
            )
        return True

    def _walk(self) -> None:
        """Make the index from the records themselves, as far as the file goes."""
        self._schemas, self._channels, self._blocks = {}, {}, []
        position, has_end = len(MAGIC), False
        while position + _RECORD_HEAD_BYTES <= self._size and not has_end:
            self._file.seek(position)
            opcode, length = struct.unpack('<BQ', self._file.read(_RECORD_HEAD_BYTES))
            is_cut = position + _RECORD_HEAD_BYTES + length > self._size
            if opcode == Opcode.CHUNK or (opcode == Opcode.MESSAGE and not is_cut):
                self._add_block(position, _RECORD_HEAD_BYTES + length, is_cut)
            elif opcode == Opcode.SCHEMA and not is_cut:
                self._add_definition(Schema.read(self._stream(length)))
            elif opcode == Opcode.CHANNEL and not is_cut:
                self._add_definition(Channel.read(self._stream(length)))
            if is_cut or opcode == 0:  # opcode 0 does not exist: a block that was never written
                break
            has_end = opcode == Opcode.DATA_END
            position += _RECORD_HEAD_BYTES + length
        if not has_end:
            self.damage.append(
                BagError(
                    f'{self.path} is cut off: it has {self._size} bytes, and the record at byte '
                    f'{min(position, self._size)} has no end; '
                    f'{sum(self._counts.values())} messages can be read'
                )
            )

    def _stream(self, length: int) -> ReadDataStream:
        return ReadDataStream(BytesIO(self._file.read(length)))

    def _add_definition(self, record: Schema | Channel) -> None:
        if isinstance(record, Schema):
            self._schemas[record.id] = record
        else:
            self._channels[record.id] = record

    def _add_block(self, offset: int, length: int, is_cut: bool) -> None:
        whole = _Block(0, 0, offset, length, frozenset(), is_cut)
        messages = self._load(whole, define=True)
        if not messages:
            return
        times = [m.log_time for m in messages]
        inside = Counter(m.channel_id for m in messages)
        self._counts.update(inside)
        self._blocks.append(
            _Block(min(times), max(times), offset, length, frozenset(inside), is_cut)
        )

    def _load(self, block: _Block, define: bool = False) -> list[McapMessage]:
        """Read the messages of a block; what is damaged is noted once, by place."""
        try:
            self._file.seek(block.offset)
            # A garbled length must not make us ask for more memory than there is file.
            data = self._file.read(min(block.length, max(self._size - block.offset, 0)))
            if data[:1] == bytes([Opcode.MESSAGE]):
                body = ReadDataStream(BytesIO(data[_RECORD_HEAD_BYTES:]))
                return [McapMessage.read(body, len(data) - _RECORD_HEAD_BYTES)]
            if data[:1] != bytes([Opcode.CHUNK]):
                raise ValueError('no chunk where the index says')
            if block.is_cut:
                records = _salvage(data[_RECORD_HEAD_BYTES:])
            else:
                chunk = Chunk.read(ReadDataStream(BytesIO(data[_RECORD_HEAD_BYTES:])))
                records = breakup_chunk(chunk, validate_crc=True)
        except Exception as err:  # decompressors and mcap raise whatever the bytes lead them to
            text = (
                f'{self.path}: the chunk at byte {block.offset} is damaged ({err}); '
                'its messages are lost'
            )
            if all(str(d) != text for d in self.damage):
                self.damage.append(BagError(text))
            return []
        if define:
            for record in records:
                if isinstance(record, Schema | Channel):
                    self._add_definition(record)
        return [r for r in records if isinstance(r, McapMessage) and self._is_known(r)]

    def _is_known(self, message: McapMessage) -> bool:
        return message.channel_id in self._channels

    def _type_of(self, channel: Channel) -> str:
        schema = self._schemas.get(channel.schema_id)
        return schema.name if schema else ''

    def _list_topics(self) -> list[Topic]:
        """Return one topic a channel: two publishers may use one name for two types."""
        topics = []
        for number, channel in self._channels.items():
            schema = self._schemas.get(channel.schema_id)
            topics.append(
                Topic(
                    name=channel.topic,
                    type=self._type_of(channel),
                    count=self._counts[number],
                    definition=schema.data.decode('utf-8', 'replace') if schema else '',
                    definition_encoding=schema.encoding if schema else '',
                    type_hash=channel.metadata.get('topic_type_hash', ''),
                    qos=channel.metadata.get('offered_qos_profiles', ''),
                    encoding=channel.message_encoding,
                )
            )
        return topics


def _message(record: McapMessage, names: dict[int, tuple[str, str]]) -> Message:
    topic, type_name = names[record.channel_id]
    return Message(topic, type_name, record.log_time, record.data)


def _salvage(data: bytes) -> list[McapRecord]:
    """Read what there is of a chunk whose end is missing."""
    name_length = int.from_bytes(data[28:32], 'little')
    compression = data[32 : 32 + name_length].decode()
    content = _decompress_start(data[32 + name_length + 8 :], compression)
    found: list[McapRecord] = []
    position = 0
    while position + _RECORD_HEAD_BYTES <= len(content):
        opcode, length = struct.unpack_from('<BQ', content, position)
        position += _RECORD_HEAD_BYTES
        if position + length > len(content):
            break
        stream = ReadDataStream(BytesIO(content[position : position + length]))
        if opcode == Opcode.SCHEMA:
            found.append(Schema.read(stream))
        elif opcode == Opcode.CHANNEL:
            found.append(Channel.read(stream))
        elif opcode == Opcode.MESSAGE and length >= _MESSAGE_HEAD_BYTES:
            found.append(McapMessage.read(stream, length))
        position += length
    return found


def _decompress_start(data: bytes, compression: str) -> bytes:
    if compression == 'zstd':
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if compression == 'lz4':
        import lz4.frame  # type: ignore[import-untyped]

        return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data))
    return data
