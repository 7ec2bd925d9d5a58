# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
One camera's subscriptions: raw and compressed, with the quality of service that is offered.

A best effort, volatile subscription is compatible with every publisher, so that is where each
begins (REP 2003). Where all publishers offer more, the subscription is renewed to ask for it: then
large images survive a lossy network, and a latched image reaches a node that starts later.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CompressedImage, Image

from caption_node.ros.event_group import EventGroup, SubscriptionEvents

Message: TypeAlias = Any
"""``Image`` or ``CompressedImage``; message classes have no static types."""
Deliver = Callable[[Message], None]

_RELIABILITY = {
    'best_effort': ReliabilityPolicy.BEST_EFFORT,
    'reliable': ReliabilityPolicy.RELIABLE,
}
_DURABILITY = {
    'volatile': DurabilityPolicy.VOLATILE,
    'transient_local': DurabilityPolicy.TRANSIENT_LOCAL,
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """
    How images are to be received.

    :param transport: ``auto``, ``raw`` or ``compressed``.
    :param reliability: ``auto``, ``best_effort`` or ``reliable``.
    :param durability: ``auto``, ``volatile`` or ``transient_local``.
    """

    transport: str = 'auto'
    reliability: str = 'auto'
    durability: str = 'auto'


class TopicInput:
    """
    A subscription to one topic that follows the quality of service of its publishers.

    :param topic: Name as it is given to rclpy, before remapping.
    :param message_type: ``Image`` or ``CompressedImage``.
    :param deliver: Called in the executor's thread with every message.
    """

    def __init__(
        self,
        node: LifecycleNode,
        topic: str,
        message_type: type[Any],
        wishes: Wishes,
        deliver: Deliver,
    ) -> None:
        self.topic = node.resolve_topic_name(topic)
        self.type_name = f'sensor_msgs/msg/{message_type.__name__}'
        self._node = node
        self._name = topic
        self._message_type = message_type
        self._wishes = wishes
        self.incompatible = ''
        self.lost = 0
        self._deliver = deliver
        self._events = EventGroup()
        self._seen: deque[int] = deque(maxlen=16)
        self._warned: set[str] = set()
        self._retired: Subscription | None = None
        self._qos = self._wanted_qos(self._publishers())
        self._subscription = self._subscribe()

    def follow_publishers(self) -> None:
        """Renew the subscription if its publishers offer something else now; call it regularly."""
        publishers = self._publishers()
        qos = self._wanted_qos(publishers)
        if publishers and (qos.reliability, qos.durability) != (
            self._qos.reliability,
            self._qos.durability,
        ):
            self._drop_retired()
            self._qos = qos
            # The old one stays until the new one delivers, or the frames between would be lost.
            self._retired = self._subscription
            self._subscription = self._subscribe()

    def publisher_count(self) -> int:
        """Return how many publishers of the right type there are, compatible or not."""
        return len(self._publishers())

    def close(self) -> None:
        """Unsubscribe."""
        self._drop_retired()
        self._node.destroy_subscription(self._subscription)

    def _publishers(self) -> list[TopicEndpointInfo]:
        publishers = []
        for info in self._node.get_publishers_info_by_topic(self.topic):
            if info.topic_type == self.type_name:
                publishers.append(info)
            else:
                self._warn_once(
                    f'topic {self.topic} carries {info.topic_type}, expected is {self.type_name}; '
                    'remap the topic, or set cameras'
                )
        return publishers

    def _wanted_qos(self, publishers: list[TopicEndpointInfo]) -> QoSProfile:
        offered = [info.qos_profile for info in publishers]
        reliable = bool(offered) and all(
            qos.reliability == ReliabilityPolicy.RELIABLE for qos in offered
        )
        latched = reliable and all(
            qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for qos in offered
        )
        matched = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        reliability = _RELIABILITY.get(self._wishes.reliability, matched)
        latched = latched and reliability == ReliabilityPolicy.RELIABLE
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        return QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=1,
            reliability=reliability,
            durability=_DURABILITY.get(self._wishes.durability, durability),
        )

    def _subscribe(self) -> Subscription:
        def received(message: Message, info: dict[str, Any]) -> None:
            self._receive(subscription, message, info)

        subscription = self._node.create_subscription(
            self._message_type,
            self._name,
            received,
            self._qos,
            event_callbacks=SubscriptionEvents(
                self._events,
                incompatible_qos=self._report_incompatible_qos,
                message_lost=self._count_lost,
                use_default_callbacks=False,
            ),
        )
        return subscription

    def _receive(self, subscription: Subscription, message: Message, info: dict[str, Any]) -> None:
        if self._retired is not None:
            if subscription is self._subscription:
                self._drop_retired()
            if info['source_timestamp'] in self._seen:
                return
        self._seen.append(info['source_timestamp'])
        self.incompatible = ''
        self._deliver(message)

    def _drop_retired(self) -> None:
        if self._retired is not None:
            self._node.destroy_subscription(self._retired)
            self._retired = None

    def _count_lost(self, event: Any) -> None:
        self.lost += event.total_count_change

    def _report_incompatible_qos(self, event: Any) -> None:
        policy = str(event.last_policy_kind).rsplit('.', 1)[-1].lower()
        name = 'durability' if 'durability' in policy else 'reliability'
        self.incompatible = (
            f'a publisher of {self.topic} offers a quality of service that does not match '
            f'({policy}): nothing is received from it'
        )
        self._node.get_logger().error(
            f"{self.incompatible}. Set the parameter {name} to 'auto', or change the publisher.",
            throttle_duration_sec=10.0,
        )

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._node.get_logger().warning(text)


class CameraInput:
    """
    All topics that one camera may come by; of two messages with equal stamps one is dropped.

    :param camera: Name of the camera.
    :param topic: Its image topic; compressed only if, after remapping, it ends in ``/compressed``.
    :param deliver: Called in the executor's thread with every message that is no duplicate.
    """

    def __init__(
        self,
        node: LifecycleNode,
        camera: str,
        topic: str,
        wishes: Wishes,
        deliver: Callable[[str, Message], None],
    ) -> None:
        self.camera = camera
        self.received = 0
        self.duplicates = 0
        self._deliver = deliver
        self._last: tuple[int, int, type[Any]] | None = None
        wanted = {'raw': (Image,), 'compressed': (CompressedImage,)}.get(
            wishes.transport, (Image, CompressedImage)
        )
        if node.resolve_topic_name(topic).endswith('/compressed'):
            names: list[tuple[str, type[Any]]] = [(topic, CompressedImage)]
        else:
            names = [(topic, Image), (compressed_topic(node, topic), CompressedImage)]
            names = [(name, kind) for name, kind in names if kind in wanted]
        self.topics = [TopicInput(node, name, kind, wishes, self._receive) for name, kind in names]

    def follow_publishers(self) -> None:
        """Let every subscription follow its publishers."""
        for topic in self.topics:
            topic.follow_publishers()

    def publisher_count(self) -> int:
        """Return how many publishers this camera has."""
        return sum(topic.publisher_count() for topic in self.topics)

    def incompatible(self) -> str:
        """Say which publisher cannot be heard, or return an empty text."""
        return next((topic.incompatible for topic in self.topics if topic.incompatible), '')

    @property
    def lost(self) -> int:
        """How many images DDS has lost on the way here."""
        return sum(topic.lost for topic in self.topics)

    def close(self) -> None:
        """Unsubscribe from everything."""
        for topic in self.topics:
            topic.close()

    def _receive(self, message: Message) -> None:
        self.received += 1
        # image_transport publishes every image raw and compressed: once is enough.
        stamp = message.header.stamp
        this = (stamp.sec, stamp.nanosec, type(message))
        last, self._last = self._last, this
        if last and last[:2] == this[:2] != (0, 0) and last[2] is not this[2]:
            self.duplicates += 1
            return
        self._deliver(self.camera, message)


def compressed_topic(node: LifecycleNode, topic: str) -> str:
    """
    Return where a topic's compressed images come from, as image_transport names it.

    A rule that remaps ``image/compressed`` itself wins; otherwise it follows ``image``.
    """
    name = f'{topic}/compressed'
    if node.resolve_topic_name(name) != node.resolve_topic_name(name, only_expand=True):
        return name
    return f'{node.resolve_topic_name(topic)}/compressed'
