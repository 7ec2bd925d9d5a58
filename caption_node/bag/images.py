# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``sensor_msgs/Image`` and ``sensor_msgs/CompressedImage`` of a recording, without ROS."""

from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any

from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from caption_node.bag.storage import Message
from caption_node.errors import FrameError
from caption_node.frame import Frame, rgb_from_raw
from caption_node.image_codec import decode_image

RAW_TYPE = 'sensor_msgs/msg/Image'
COMPRESSED_TYPE = 'sensor_msgs/msg/CompressedImage'
IMAGE_TYPES = (RAW_TYPE, COMPRESSED_TYPE)
_STAMP_END_NS = 2**31 * 1_000_000_000


@cache
def standard_types() -> Typestore:
    """Return the message types of a plain ROS 2 installation; the same object every time."""
    return get_typestore(Stores.ROS2_JAZZY)


@dataclass(frozen=True, slots=True)
class RecordedImage:
    """
    An image message: header read, pixels not yet decoded.

    :param stamp_ns: The header's stamp; the log time if the message cannot be read at all.
    :param frame_id: The header's frame.
    :param camera: Topic it was recorded on.
    :param log_time_ns: When it was recorded.
    :param message: The deserialised message, or the error that came of trying.
    :param file: The recording.
    """

    stamp_ns: int
    frame_id: str
    camera: str
    log_time_ns: int
    message: Any
    file: str

    def decode(self) -> Frame:
        """
        Decode the pixels; may be called from any thread.

        :raises FrameError: If the image cannot be used.
        """
        if isinstance(self.message, FrameError):
            raise self.message
        begun = perf_counter()
        image = self.message
        if image.__msgtype__ == COMPRESSED_TYPE:
            pixels = decode_image(image.data.data, self.camera)
        else:
            pixels = rgb_from_raw(
                image.data,
                int(image.height),
                int(image.width),
                int(image.step),
                str(image.encoding),
                bool(image.is_bigendian),
            )
        return Frame(
            pixels,
            stamp_ns=self.stamp_ns,
            frame_id=self.frame_id,
            camera=self.camera,
            file=self.file,
            decode_ms=(perf_counter() - begun) * 1e3,
        )


def read_image_message(message: Message, file: str) -> RecordedImage:
    """
    Read the header of an image message; one that cannot be read raises when it is decoded.

    :param file: What to call the recording in the frame.
    """
    try:
        if message.type not in IMAGE_TYPES:
            raise SerdeError('the topic carries images and something else')
        image: Any = standard_types().deserialize_cdr(message.cdr, message.type)
    except (SerdeError, AssertionError, IndexError) as err:
        time_ns = message.log_time_ns
        error = FrameError(
            f'{message.topic}: the message at {time_ns} ns is not a {message.type} ({err})'
        )
        # A garbled message may carry a time that no header can hold.
        stamp_ns = time_ns if time_ns < _STAMP_END_NS else 0
        return RecordedImage(stamp_ns, '', message.topic, time_ns, error, file)
    stamp = image.header.stamp
    return RecordedImage(
        int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec),
        str(image.header.frame_id),
        message.topic,
        message.log_time_ns,
        image,
        file,
    )
