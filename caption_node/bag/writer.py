# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
MCAP recordings with descriptions, as ``ros2 bag play`` and Foxglove open them.

Profile ``ros2``, every schema embedded with all it depends on. A recording is written under a
temporary name and gets its own name when it is whole.
"""

from collections.abc import Callable
from contextlib import suppress
from io import StringIO
import os
from pathlib import Path
import shutil
from typing import Any, TypeVar

from mcap.writer import CompressionType
from mcap.writer import Writer as McapFileWriter
import numpy as np

from caption_node.bag.message_types import (
    DESCRIPTION_TYPE,
    TEXT_TYPE,
    caption_types,
    make_time,
    serialize_description,
)
from caption_node.bag.storage import Message, Topic
from caption_node.closing import ClosedOrAbandoned
from caption_node.description import SceneDescription
from caption_node.errors import BagError

DESCRIPTION_TOPIC = '/caption_node/description'
CAPTION_TOPIC = '/caption_node/caption'
TRUTH_TOPIC = '/ground_truth/description'
"""Descriptions by somebody who knows, beside the images that they are true of."""
_METADATA_VERSION = 9
_CHUNK_BYTES = 1 << 20
_T = TypeVar('_T')


class BagWriter(ClosedOrAbandoned):
    """
    Writes one recording: a single file if the name ends in ``.mcap``, else a rosbag2 folder.

    Use it as a context manager. After an error or an interruption what was written is kept beside
    the final name, with ``.partial`` in it, as a whole MCAP file if the disk allows.

    :param path: Where the recording goes; must not exist.
    :raises BagError: If it exists already or cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.is_folder = self.path.suffix != '.mcap'
        self.message_count = 0
        if self.path.exists():
            raise BagError(f'{self.path} exists already', 'remove it, or give another name')
        if not self.path.name:
            raise BagError(f'{str(path)!r} is not a file name', 'give one such as drive.mcap')
        self.partial = partial_path(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.partial.open('wb')
        except OSError as err:
            raise BagError(f'{self.path} cannot be written: {err.strerror or err}') from err
        self._writer = McapFileWriter(
            self._file, chunk_size=_CHUNK_BYTES, compression=CompressionType.ZSTD
        )
        self._schemas: dict[tuple[str, str], int] = {}
        self._channels: dict[tuple[str, str], int] = {}
        self._topics: dict[int, tuple[Topic, int]] = {}
        self._start_ns: int | None = None
        self._end_ns = 0
        self._is_open = True
        self._guard(lambda: self._writer.start(profile='ros2', library='caption_node'))

    def write_description(
        self,
        description: SceneDescription,
        log_time_ns: int | None = None,
        completed_ns: int = 0,
        age_ms: float = float('nan'),
    ) -> None:
        """
        Write a description, and its sentence for people, stamped as the image was.

        :param log_time_ns: Log time; None means the image's stamp.
        :param completed_ns: When the description was complete; 0 if unknown.
        :param age_ms: Age of the image when the description was published, if it was.
        :raises BagError: If the disk is full or fails.
        """
        time_ns = description.stamp_ns if log_time_ns is None else log_time_ns
        cdr = serialize_description(description, completed_ns, age_ms)
        self.write_serialized(cdr, description.caption, time_ns)

    def write_serialized(self, cdr: bytes, caption: str, log_time_ns: int) -> None:
        """
        Write a description that is serialised already, and its sentence unless that is empty.

        :raises BagError: If the disk is full or fails.
        """
        self.write(self._own_topic(DESCRIPTION_TOPIC, DESCRIPTION_TYPE), log_time_ns, cdr)
        if caption:
            self.write_text(CAPTION_TOPIC, log_time_ns, caption)

    def write_truth(self, description: SceneDescription) -> None:
        """
        Write what is true of an image, at its stamp, on the topic of labels.

        :raises BagError: If the disk is full or fails.
        """
        topic = self._own_topic(TRUTH_TOPIC, DESCRIPTION_TYPE)
        self.write(topic, description.stamp_ns, serialize_description(description))

    def write_text(self, topic: str, time_ns: int, text: str) -> None:
        """
        Write a ``std_msgs/String``.

        :raises BagError: If the disk is full or fails.
        """
        types = caption_types()
        cdr = types.serialize_cdr(types.types[TEXT_TYPE](data=text), TEXT_TYPE)
        self.write(self._own_topic(topic, TEXT_TYPE), time_ns, bytes(cdr))

    def write_compressed_image(
        self, topic: str, stamp_ns: int, frame_id: str, jpeg: bytes
    ) -> None:
        """
        Write a JPEG as ``sensor_msgs/CompressedImage``.

        :raises BagError: If the disk is full or fails.
        """
        kind = 'sensor_msgs/msg/CompressedImage'
        types = caption_types()
        header = types.types['std_msgs/msg/Header'](stamp=make_time(stamp_ns), frame_id=frame_id)
        data: Any = np.frombuffer(jpeg, dtype=np.uint8)
        message = types.types[kind](header=header, format='jpeg', data=data)
        self.write(
            self._own_topic(topic, kind), stamp_ns, bytes(types.serialize_cdr(message, kind))
        )

    def copy(self, message: Message, topic: Topic) -> None:
        """
        Write a message of another recording, bytes untouched.

        :param topic: The topic as the other recording describes it.
        :raises BagError: If the disk is full or fails.
        """
        self.write(topic, message.log_time_ns, message.cdr)

    def write(self, topic: Topic, log_time_ns: int, data: bytes) -> None:
        """
        Write one serialised message.

        :raises BagError: If the disk is full or fails.
        """
        channel = self._channels.get((topic.name, topic.type))
        if channel is None:
            channel = self._add_channel(topic)
        self._guard(lambda: self._writer.add_message(channel, log_time_ns, data, log_time_ns))
        known, count = self._topics[channel]
        self._topics[channel] = (known, count + 1)
        first = log_time_ns if self._start_ns is None else self._start_ns
        self._start_ns = min(first, log_time_ns)
        self._end_ns = max(self._end_ns, log_time_ns)
        self.message_count += 1

    def close(self) -> None:
        """
        Finish the recording and give it its name.

        :raises BagError: If the disk is full or fails; what was written stays in :attr:`partial`.
        """
        self._finish()
        try:
            if self.is_folder:
                self._make_folder()
            else:
                self.partial.rename(self.path)
        except OSError as err:
            raise BagError(
                f'{self.path} cannot be written: {err.strerror or err}',
                f'the recording is in {self.partial}',
            ) from err

    def abandon(self) -> None:
        """Finish what was written so far under the name :attr:`partial`; raises nothing."""
        try:
            self._finish()
        except BagError:
            # The disk is full: readers can still walk through the records that are there.
            with suppress(OSError):
                self._file.close()
        if not self.message_count:
            self.partial.unlink(missing_ok=True)

    def _own_topic(self, name: str, kind: str) -> Topic:
        known = self._channels.get((name, kind))
        if known is not None:
            return self._topics[known][0]
        types = caption_types()
        definition, _ = types.generate_msgdef(kind, ros_version=2)
        return Topic(name, kind, 0, definition=definition, type_hash=types.hash_rihs01(kind))

    def _add_channel(self, topic: Topic) -> int:
        schema = self._schemas.get((topic.type, topic.definition))
        if schema is None:
            definition, encoding = topic.definition, topic.definition_encoding
            if not definition and topic.type in caption_types().fielddefs:
                # sqlite3 recordings before Iron carry no definitions: use those that all share.
                definition, _ = caption_types().generate_msgdef(topic.type, ros_version=2)
                encoding = 'ros2msg'
            schema = self._guard(
                lambda: self._writer.register_schema(
                    topic.type, encoding if definition else '', definition.encode()
                )
            )
            self._schemas[topic.type, topic.definition] = schema
        metadata = {'topic_type_hash': topic.type_hash} if topic.type_hash else {}
        qos = _string_qos(topic.qos)
        if qos:
            metadata['offered_qos_profiles'] = qos
        channel: int = self._guard(
            lambda: self._writer.register_channel(topic.name, topic.encoding, schema, metadata)
        )
        self._channels[topic.name, topic.type] = channel
        self._topics[channel] = (topic, 0)
        return channel

    def _finish(self) -> None:
        if not self._is_open:
            return
        self._guard(self._writer.finish)
        self._guard(self._flush_to_disk)
        self._is_open = False

    def _flush_to_disk(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _guard(self, action: Callable[[], _T]) -> _T:
        try:
            return action()
        except OSError as err:
            raise BagError(
                f'{self.path} cannot be written: {err.strerror or err}',
                f'what was written so far is in {self.partial}',
            ) from err

    def _make_folder(self) -> None:
        from ruamel.yaml import YAML

        scratch = self.path.with_name(f'{self.path.name}.partial')
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        name = f'{self.path.name}_0.mcap'
        yaml = YAML(typ='safe')
        yaml.default_flow_style = False
        text = StringIO()
        yaml.dump({'rosbag2_bagfile_information': self._metadata(name)}, text)
        (scratch / 'metadata.yaml').write_text(text.getvalue(), encoding='utf-8')
        self.partial.rename(scratch / name)
        scratch.rename(self.path)

    def _metadata(self, file: str) -> dict[str, Any]:
        start_ns = self._start_ns or 0
        times = {
            'duration': {'nanoseconds': self._end_ns - start_ns},
            'starting_time': {'nanoseconds_since_epoch': start_ns},
            'message_count': self.message_count,
        }
        return {
            'version': _METADATA_VERSION,
            'storage_identifier': 'mcap',
            'relative_file_paths': [file],
            **times,
            'topics_with_message_count': [
                {
                    'topic_metadata': {
                        'name': topic.name,
                        'type': topic.type,
                        'serialization_format': topic.encoding,
                        'offered_qos_profiles': _read_yaml(_string_qos(topic.qos)) or [],
                        'type_description_hash': topic.type_hash,
                    },
                    'message_count': count,
                }
                for topic, count in self._topics.values()
            ],
            'compression_format': '',
            'compression_mode': '',
            'files': [{'path': file, **times}],
            'custom_data': None,
            'ros_distro': 'jazzy',
        }


def partial_path(path: Path) -> Path:
    """Return the name that a recording has while it is written."""
    return path.with_name(f'{path.stem}.partial.mcap')


def _read_yaml(text: str) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ='safe').load(text) if text else None


def _string_qos(recorded: str) -> str:
    """
    Write QoS profiles with the policies as words.

    Recorders before Jazzy wrote numbers. A reader tells the two by the version of the metadata,
    and takes a single MCAP file to be of the newest.
    """
    from rosbags.rosbag2.metadata import dump_qos_v9, parse_qos
    from ruamel.yaml import YAML

    try:
        profiles = parse_qos(recorded)
    except Exception:  # garbled by whoever recorded it; without it the defaults hold
        return ''
    if not profiles:
        return ''
    yaml = YAML(typ='safe')
    yaml.default_flow_style = False
    text = StringIO()
    yaml.dump(dump_qos_v9(profiles), text)
    return text.getvalue().strip()
