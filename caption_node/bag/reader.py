# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of any kind as one stream of messages, or of camera frames."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from caption_node.bag.images import IMAGE_TYPES, RecordedImage, read_image_message
from caption_node.bag.layout import Layout, read_layout, unpack
from caption_node.bag.storage import Message, Storage, Topic, open_storage
from caption_node.closing import Closed
from caption_node.errors import BagError, FrameError
from caption_node.frame import Frame

__all__ = ['BagReader', 'Message', 'Topic']

ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'


class BagReader(Closed):
    """
    One recording: a rosbag2 folder, or a single .mcap, .db3 or .bag file.

    Damaged recordings give what can be read. The rest is named in :attr:`damage`, which is
    complete only when reading has come to its end. For one thread at a time.

    :param path: The recording.
    :raises BagError: If there is none, or nothing of it can be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._scratch: TemporaryDirectory[str] | None = None
        self._storages: list[Storage] = []
        self._damage: list[BagError] = []
        try:
            layout = read_layout(self.path)
        except OSError as err:
            raise BagError(f'{self.path} cannot be read: {err.strerror or err}') from err
        self._damage.extend(layout.damage)
        self._unpacked: dict[str, str] = {}
        try:
            self._open_all(layout)
        except BaseException:
            self.close()
            raise
        self.topics = self._merge_topics()
        listed = layout.message_count or 0
        if self.message_count < listed:
            lost = listed - self.message_count
            self._damage.append(
                BagError(f'{self.path}: {lost} of {listed} recorded messages cannot be read')
            )

    @property
    def damage(self) -> list[BagError]:
        """What could not be read so far, each naming file and place; every fault once."""
        found: dict[str, BagError] = {}
        for error in self._damage + [d for s in self._storages for d in s.damage]:
            text = str(error)
            for plain, file in self._unpacked.items():
                text = text.replace(plain, file)
            found.setdefault(text, BagError(text, error.hint))
        return list(found.values())

    @property
    def start_ns(self) -> int:
        """Log time of the first message, nanoseconds; 0 if there is none."""
        return min((s.start_ns for s in self._storages if s.start_ns), default=0)

    @property
    def end_ns(self) -> int:
        """Log time of the last message, nanoseconds; 0 if there is none."""
        return max((s.end_ns for s in self._storages), default=0)

    @property
    def duration_s(self) -> float:
        """Time from the first to the last message, seconds."""
        return (self.end_ns - self.start_ns) / 1e9

    @property
    def message_count(self) -> int:
        """All readable messages."""
        return sum(t.count for t in self.topics)

    def image_topics(self, names: Collection[str] = ()) -> list[Topic]:
        """
        Return the topics that carry camera images.

        :param names: Only these; none means all.
        :raises BagError: If there is no such topic, or it does not carry images.
        """
        images = [t for t in self.topics if t.type in IMAGE_TYPES and t.encoding == 'cdr']
        if not names:
            if not images:
                raise BagError(f'{self.path} has no image topic', self._topics_found())
            return images
        by_name = {t.name: t for t in self.topics}
        for name in names:
            if name not in by_name:
                raise BagError(f'{self.path} has no topic {name}', self._topics_found())
            if by_name[name] not in images:
                raise BagError(
                    f'topic {name} of {self.path} carries {by_name[name].type}, not images',
                    'images are ' + ' and '.join(IMAGE_TYPES),
                )
        return [t for t in images if t.name in names]

    def messages(
        self, topics: Collection[str] = (), start_offset_s: float = 0.0
    ) -> Iterator[Message]:
        """
        Yield messages in the order of their log time, file by file.

        :param topics: Names of the wanted topics; none means all that are ROS 2 messages (CDR).
        :param start_offset_s: Leave out what comes earlier than this after the start, seconds.
        """
        wanted = set(topics) or {t.name for t in self.topics if t.encoding == 'cdr'}
        start_ns = self.start_ns + round(start_offset_s * 1e9) if start_offset_s > 0 else 0
        for storage in self._storages:
            if storage.end_ns < start_ns:
                continue
            for message in storage.messages(wanted, start_ns):
                # CDR begins with 0x00: a message that begins so was compressed by the recorder.
                plain = self._decompress(message) if message.cdr[:4] == ZSTD_MAGIC else message
                if plain is not None:
                    yield plain

    def images(
        self, topics: Collection[str] = (), start_offset_s: float = 0.0
    ) -> Iterator[RecordedImage]:
        """
        Yield image messages with their headers read and their pixels not yet decoded.

        :param topics: Names of image topics; none means all image topics.
        :raises BagError: If a topic is not there or does not carry images.
        """
        names = [t.name for t in self.image_topics(topics)]
        for message in self.messages(names, start_offset_s):
            yield read_image_message(message, str(self.path))

    def frames(self, topics: Collection[str] = (), start_offset_s: float = 0.0) -> Iterator[Frame]:
        """
        Yield decoded frames with the images' own stamps; frames that cannot be decoded are damage.

        :param topics: Names of image topics; none means all image topics.
        :raises BagError: If a topic is not there or does not carry images.
        """
        for image in self.images(topics, start_offset_s):
            try:
                yield image.decode()
            except FrameError as err:
                self._damage.append(
                    BagError(f'{self.path}: image at {image.stamp_ns} ns: {err}', err.hint)
                )

    def close(self) -> None:
        """Close all files."""
        for storage in self._storages:
            storage.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def _open_all(self, layout: Layout) -> None:
        for file in layout.files:
            try:
                self._storages.append(open_storage(self._plain_file(file)))
            except BagError as err:
                self._damage.append(err)
            except OSError as err:
                self._damage.append(BagError(f'{file} cannot be read: {err.strerror or err}'))
        if not self._storages:
            if self.damage:
                raise self.damage[-1]
            raise BagError(f'{self.path} names no storage file', 'the recording holds no messages')

    def _plain_file(self, file: Path) -> Path:
        if file.suffix != '.zstd':
            return file
        if self._scratch is None:
            self._scratch = TemporaryDirectory(prefix='caption_bag_')
        plain, damage = unpack(file, self._scratch)
        self._unpacked[str(plain)] = str(file)
        if damage is not None:
            self._damage.append(damage)
        return plain

    def _merge_topics(self) -> list[Topic]:
        merged: dict[str, Topic] = {}
        for topic in (t for s in self._storages for t in s.topics):
            before = merged.get(topic.name)
            count = topic.count + (before.count if before else 0)
            # Where one name stands for two types, images are what is looked for.
            chosen = topic
            if before and (topic.type not in IMAGE_TYPES or before.type in IMAGE_TYPES):
                chosen = before
            merged[topic.name] = replace(chosen, count=count)
        return sorted(merged.values(), key=lambda t: t.name)

    def _decompress(self, message: Message) -> Message | None:
        import zstandard

        try:
            # Some writers leave the size out of the frame: the stream reader does without it.
            data = zstandard.ZstdDecompressor().stream_reader(message.cdr).read()
        except zstandard.ZstdError as err:
            self._damage.append(
                BagError(
                    f'{self.path}: a message on {message.topic} at {message.log_time_ns} ns '
                    f'cannot be decompressed ({err})'
                )
            )
            return None
        return message._replace(cdr=data)

    def _topics_found(self) -> str:
        if not self.topics:
            return 'the recording holds no topics'
        shown = [f'{t.name} ({t.type}, {t.count})' for t in self.topics[:20]]
        rest = len(self.topics) - len(shown)
        return 'it holds ' + ', '.join(shown) + (f' and {rest} more' if rest > 0 else '')
