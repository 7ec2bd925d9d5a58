# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Hears images, descriptions and events as any node would, and notes when by its own clock."""

from collections.abc import Mapping
import contextlib
from dataclasses import dataclass
from queue import Empty, SimpleQueue
import struct
from threading import Thread
from time import monotonic
from typing import Any

from caption_msgs.msg import SceneDescription as DescriptionMessage
from caption_msgs.msg import SceneEvent as EventMessage
import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.utilities import try_shutdown
from sensor_msgs.msg import CompressedImage, Image

from caption_node.closing import Closed
from caption_node.description import SceneDescription
from caption_node.events import SceneEvent
from caption_node.ros.conversions import (
    NS_PER_S,
    event_from_message,
    message_to_description,
    stamp_to_ns,
)

DESCRIPTION_TOPIC = '/caption_node/description'
EVENT_TOPIC = '/caption_node/events'
_TYPES = {'sensor_msgs/msg/Image': Image, 'sensor_msgs/msg/CompressedImage': CompressedImage}
_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Heard:
    """
    A description that has arrived.

    :param age_ms: From the arrival of its image here to the arrival of the description;
        NaN if the image was not heard.
    :param completed_ns: When the node had it ready, by the node's clock.
    :param heard_s: When it arrived, on the clock of :func:`time.monotonic`, seconds.
    """

    description: SceneDescription
    age_ms: float
    completed_ns: int
    heard_s: float


@dataclass(frozen=True, slots=True)
class HeardEvent:
    """
    An event that has arrived.

    :param heard_s: When, on the clock of :func:`time.monotonic`, seconds.
    """

    event: SceneEvent
    heard_s: float


class Listener(Closed):
    """
    A node in a thread of its own. Use it as a context manager.

    :param topics: Image topics with the name of their message type.
    :param domain_id: DDS domain.
    :param hears_images: Receive the images too; without, descriptions have no ``age_ms``.
    """

    def __init__(
        self, topics: Mapping[str, str], domain_id: int, hears_images: bool = True
    ) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self._node = Node('caption_listener', context=self._context, enable_rosout=False)
        self._heard: SimpleQueue[Heard] = SimpleQueue()
        self._arrivals_s: dict[int, float] = {}
        self._topics = tuple(topics)
        self._own = int(hears_images)
        self.events: list[HeardEvent] = []
        best_effort = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=_DEPTH,
            reliability=ReliabilityPolicy.BEST_EFFORT,
        )
        for name, kind in topics.items() if hears_images else ():
            # Raw: only the stamp is of interest, so the pixels are never deserialised.
            self._node.create_subscription(
                _TYPES[kind], name, self._receive_image, best_effort, raw=True
            )
        self._node.create_subscription(
            DescriptionMessage, DESCRIPTION_TOPIC, self._receive_description, _DEPTH
        )
        self._node.create_subscription(EventMessage, EVENT_TOPIC, self._receive_event, _DEPTH)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = Thread(target=self._spin, name='listener', daemon=True)
        self._thread.start()

    def is_ready(self) -> bool:
        """Whether the node offers descriptions and has subscribed to every image topic."""
        return self._node.count_publishers(DESCRIPTION_TOPIC) > 0 and all(
            self._node.count_subscribers(name) > self._own for name in self._topics
        )

    def next(self, timeout_s: float) -> Heard | None:
        """Return the next description, or None if none comes in time."""
        try:
            return self._heard.get(timeout=timeout_s)
        except Empty:
            return None

    def close(self) -> None:
        """End the thread and leave the domain."""
        self._executor.shutdown(timeout_sec=2)
        try_shutdown(context=self._context)
        self._thread.join(timeout=2)

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def _receive_image(self, data: bytes) -> None:
        # CDR: four bytes of encapsulation, then header.stamp as int32 seconds, uint32 nanoseconds.
        order = '<' if data[1] & 1 else '>'
        sec, nanosec = struct.unpack_from(f'{order}iI', data, 4)
        self._arrivals_s.setdefault(sec * NS_PER_S + nanosec, monotonic())

    def _receive_description(self, message: Any) -> None:
        now_s = monotonic()
        begin_s = self._arrivals_s.get(stamp_to_ns(message.header.stamp))
        age_ms = float('nan') if begin_s is None else (now_s - begin_s) * 1e3
        description = message_to_description(message)
        self._heard.put(Heard(description, age_ms, stamp_to_ns(message.completed), now_s))

    def _receive_event(self, message: Any) -> None:
        self.events.append(HeardEvent(event_from_message(message), monotonic()))
