# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""ROS messages to frames, and scene descriptions to ROS messages."""

from collections.abc import Callable
from dataclasses import dataclass
import math
from time import perf_counter
from typing import Any

from builtin_interfaces.msg import Time
from caption_msgs.msg import Float64Stamped
from caption_msgs.msg import ModelInfo as ModelMessage
from caption_msgs.msg import SceneDescription as DescriptionMessage
from caption_msgs.msg import SceneEvent as EventMessage
from caption_msgs.msg import SceneFact as FactMessage
from caption_msgs.msg import SceneObject as ObjectMessage
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header, String

from caption_node.bundle import Bundle
from caption_node.description import ModelInfo, SceneDescription
from caption_node.errors import FrameError, FrameShapeError, UnsupportedEncodingError
from caption_node.events import SceneEvent
from caption_node.frame import MAX_PIXELS, Frame, rgb_from_raw
from caption_node.image_codec import decode_image, image_size
from caption_node.message_fields import (
    description_from,
    description_values,
    object_values,
    own_facts,
)

NS_PER_S = 1_000_000_000
COMPRESSED_FORMATS = ('jpeg', 'png')


@dataclass(frozen=True, slots=True)
class Arrival:
    """
    An image message that has arrived.

    :param received_ns: When, on the node's clock, nanoseconds.
    :param received_s: When, on the clock of :func:`time.perf_counter`, seconds.
    """

    message: Any
    received_ns: int
    received_s: float


@dataclass(frozen=True, slots=True)
class Passage:
    """
    When an image passed the stages before publication, on the node's clock.

    :param queue_ms: How long it lay in the mailbox.
    :param caption_age_ms: How long ago its sentence was first said.
    :param reused: Whether the model did not look at it.
    """

    received_ns: int
    taken_ns: int
    inferred_ns: int
    queue_ms: float = 0.0
    caption_age_ms: float = 0.0
    reused: bool = False


def stamp_to_ns(stamp: Time) -> int:
    """Return a stamp as nanoseconds since its clock's epoch."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def frame_from_message(
    message: Image | CompressedImage, camera: str, max_pixels: int = MAX_PIXELS
) -> Frame:
    """
    Turn an image message into a frame.

    :param message: Kept alive by the frame: ``rgb8`` and ``bgr8`` pixels are views of its data.
    :param max_pixels: Larger images are refused before memory is taken for them.
    :raises FrameError: If the encoding is not supported, sizes disagree, or it cannot be decoded.
    """
    begin_s = perf_counter()
    _check_pixels(message, camera, max_pixels)
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
    passage: Passage | None = None,
) -> DescriptionMessage:
    """
    Turn a description into its message.

    :param header: The image's header, used as it is.
    :param now_ns: The node's clock, nanoseconds; asked last, so that ``age_ms`` covers the
        conversion too.
    :param passage: When the image passed the stages before; None if it did not pass them.
    """
    objects = [ObjectMessage(**object_values(item, ObjectMessage)) for item in description.objects]
    facts = [FactMessage(**fact) for fact in own_facts(description.scene, FactMessage)]
    values = description_values(description, DescriptionMessage)
    if passage is not None:
        values |= {
            'age_received_ms': age_ms(header.stamp, passage.received_ns),
            'age_taken_ms': age_ms(header.stamp, passage.taken_ns),
            'age_inferred_ms': age_ms(header.stamp, passage.inferred_ns),
            'latency_queue_ms': float(passage.queue_ms),
            'caption_age_ms': float(passage.caption_age_ms),
            'reused': passage.reused,
        }
    message = DescriptionMessage(header=header, objects=objects, facts=facts, **values)
    completed_ns = now_ns()
    message.completed = time_message(completed_ns)
    message.age_ms = age_ms(header.stamp, completed_ns)
    return message


def event_to_message(event: SceneEvent) -> EventMessage:
    """Turn an event into its message."""
    kind = int(getattr(EventMessage, event.kind.upper()))
    phase = int(getattr(EventMessage, event.phase.upper()))
    header = Header(stamp=time_message(event.stamp_ns), frame_id=event.frame_id)
    return EventMessage(
        header=header,
        camera=event.camera,
        kind=kind,
        name=event.kind,
        phase=phase,
        value=event.value,
        previous=event.previous,
        confidence=float(event.confidence),
        duration_s=float(event.duration_s),
    )


def event_from_message(message: EventMessage) -> SceneEvent:
    """Read an event back; its confidence comes back rounded to float32."""
    return SceneEvent(
        kind=message.name,
        phase='begin' if message.phase == EventMessage.BEGIN else 'end',
        stamp_ns=stamp_to_ns(message.header.stamp),
        frame_id=message.header.frame_id,
        camera=message.camera,
        value=message.value,
        previous=message.previous,
        confidence=float(message.confidence),
        duration_s=float(message.duration_s),
    )


def model_to_message(bundle: Bundle, model: ModelInfo, reason: str) -> ModelMessage:
    """
    Return what ``~/model_info`` says.

    :param reason: Why the model runs where it runs.
    """
    rule = bundle.caption_confidence
    return ModelMessage(
        name=model.name,
        sha256=model.sha256,
        licence=bundle.licence,
        backend=model.backend,
        backend_reason=reason,
        precision=model.precision,
        input_width=bundle.width,
        input_height=bundle.height,
        max_batch=bundle.max_batch,
        classes=list(bundle.classes),
        score_thresholds=[float(bundle.score_thresholds[name]) for name in bundle.classes],
        fields=list(bundle.fields),
        temperatures=[float(piece.temperature) for piece in bundle.fields.values()],
        caption_confidence_weight=float(rule.weight),
        caption_confidence_bias=float(rule.bias),
        caption_confidence_support=float(rule.support),
        abstain_names=[name for name, limit in bundle.abstain.items() if _is_number(limit)],
        abstain_limits=[float(limit) for limit in bundle.abstain.values() if _is_number(limit)],
    )


def number_message(value: float, now_ns: int) -> Float64Stamped:
    """Return one measured number with the time of its measurement."""
    return Float64Stamped(stamp=time_message(now_ns), data=float(value))


def time_message(time_ns: int) -> Time:
    """Return nanoseconds since the epoch as a stamp."""
    return Time(sec=time_ns // NS_PER_S, nanosec=time_ns % NS_PER_S)


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


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


def _check_pixels(message: Any, camera: str, max_pixels: int) -> None:
    if isinstance(message, Image):
        size = (message.width, message.height)
    else:
        size = image_size(memoryview(message.data)) or (0, 0)
    if size[0] * size[1] > max_pixels:
        raise FrameShapeError(
            f'{camera}: image of {size[0]} x {size[1]} pixels is over the limit of '
            f'{max_pixels} pixels',
            'scale it down before it is described, or set max_image_pixels',
        )


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
