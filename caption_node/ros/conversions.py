# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""ROS messages to frames, and scene descriptions to ROS messages."""

from collections.abc import Callable
import math
from time import perf_counter
from typing import Any

from builtin_interfaces.msg import Time
from caption_msgs.msg import SceneDescription as DescriptionMessage
from caption_msgs.msg import SceneObject as ObjectMessage
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header, String

from caption_node.description import SceneDescription
from caption_node.errors import FrameError, UnsupportedEncodingError
from caption_node.frame import Frame, rgb_from_raw
from caption_node.image_codec import decode_image
from caption_node.message_fields import description_from, description_values, object_values

NS_PER_S = 1_000_000_000
COMPRESSED_FORMATS = ('jpeg', 'png')


def stamp_to_ns(stamp: Time) -> int:
    """Return a stamp as nanoseconds since its clock's epoch."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def frame_from_message(message: Image | CompressedImage, camera: str) -> Frame:
    """
    Turn an image message into a frame.

    :param message: Kept alive by the frame: ``rgb8`` and ``bgr8`` pixels are views of its data.
    :raises FrameError: If the encoding is not supported, sizes disagree, or it cannot be decoded.
    """
    begin_s = perf_counter()
    convert = _rgb_from_image if isinstance(message, Image) else _rgb_from_compressed
    pixels_rgb = convert(message, camera)
    return Frame(
        pixels_rgb=pixels_rgb,
        stamp_ns=stamp_to_ns(message.header.stamp),
        frame_id=message.header.frame_id,
        camera=camera,
        decode_ms=(perf_counter() - begin_s) * 1e3,
    )


def description_to_message(
    description: SceneDescription,
    header: Header,
    now_ns: Callable[[], int],
    queue_ms: float = 0.0,
) -> DescriptionMessage:
    """
    Turn a description into its message.

    :param header: The image's header, used as it is.
    :param now_ns: The node's clock, nanoseconds; asked last, so that ``age_ms`` covers the
        conversion too.
    :param queue_ms: How long the image lay in the mailbox.
    """
    objects = [ObjectMessage(**object_values(item, ObjectMessage)) for item in description.objects]
    message = DescriptionMessage(
        header=header,
        objects=objects,
        latency_queue_ms=float(queue_ms),
        **description_values(description, DescriptionMessage),
    )
    completed_ns = now_ns()
    message.completed = Time(sec=completed_ns // NS_PER_S, nanosec=completed_ns % NS_PER_S)
    message.age_ms = age_ms(header.stamp, completed_ns)
    return message


def message_to_description(message: DescriptionMessage) -> SceneDescription:
    """Turn a message back into a description; numbers come back rounded to float32."""
    return description_from(message)


def age_ms(stamp: Time, now_ns: int) -> float:
    """Return how old a stamp is in milliseconds; NaN for a stamp of 0: there is none."""
    stamp_ns = stamp_to_ns(stamp)
    return math.nan if stamp_ns == 0 else (now_ns - stamp_ns) / 1e6


def caption_to_message(description: SceneDescription, with_camera: bool = False) -> String:
    """
    Turn a description into one line for people; any status but ok stands in front of it.

    :param with_camera: Begin with the camera's name.
    """
    parts = [f'{description.camera}:'] if with_camera else []
    if description.status != 'ok':
        why = description.error or description.reason
        parts.append(f'[{description.status}: {why}]' if why else f'[{description.status}]')
    if description.caption:
        parts.append(description.caption)
    return String(data=' '.join(parts))


def _rgb_from_image(message: Any, camera: str) -> NDArray[np.uint8]:
    return rgb_from_raw(
        message.data,
        message.height,
        message.width,
        message.step,
        message.encoding,
        bool(message.is_bigendian),
    )


def _rgb_from_compressed(message: Any, camera: str) -> NDArray[np.uint8]:
    # The format is free text such as "bgr8; jpeg compressed bgr8"; the data says what it is. Only
    # depth images must be told by the format: they are a PNG behind a header of their own.
    if 'compresseddepth' in message.format.lower().replace(' ', ''):
        raise UnsupportedEncodingError(message.format, COMPRESSED_FORMATS)
    if len(message.data) == 0:
        raise FrameError(f'{camera}: the compressed image is empty (0 bytes)')
    return decode_image(memoryview(message.data), camera)
