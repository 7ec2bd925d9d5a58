# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""All that the node publishes but /diagnostics: topics, quality of service, who asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from caption_msgs.msg import Float64Stamped
from caption_msgs.msg import ModelInfo as ModelMessage
from caption_msgs.msg import SceneDescription as DescriptionMessage
from caption_msgs.msg import SceneEvent as EventMessage
from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.lifecycle import LifecycleNode, Publisher
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
)
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import String

from caption_node.description import SceneDescription
from caption_node.ros.conversions import caption_to_message, number_message
from caption_node.ros.event_group import EventGroup

OUTPUT_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.RELIABLE
)
_LATCHED_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_PICTURE_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=2, reliability=ReliabilityPolicy.RELIABLE
)


@dataclass(frozen=True, slots=True)
class Offer:
    """
    What the description topics offer beyond reliability.

    :param deadline_ms: Longest time between two descriptions; 0 offers none.
    :param liveliness_ms: Lease of automatic liveliness; 0 offers none.
    """

    deadline_ms: float = 0.0
    liveliness_ms: float = 0.0

    def profile(self) -> QoSProfile:
        """Return the quality of service of a description topic."""
        more: dict[str, Any] = {}
        if self.deadline_ms > 0:
            more['deadline'] = Duration(nanoseconds=int(self.deadline_ms * 1e6))
        if self.liveliness_ms > 0:
            more['liveliness'] = LivelinessPolicy.AUTOMATIC
            more['liveliness_lease_duration'] = Duration(nanoseconds=int(self.liveliness_ms * 1e6))
        return QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=10,
            reliability=ReliabilityPolicy.RELIABLE,
            **more,
        )


@dataclass(frozen=True, slots=True)
class _CameraTopics:
    """Where one camera's descriptions, sentences and pictures go."""

    descriptions: tuple[Publisher, ...]
    captions: tuple[Publisher, ...]
    overlay: Publisher


class Outputs:
    """
    The node's topics: shared ones under ``~/``, and with several cameras also those of each.

    Publishing is silent until the node is active; any thread may publish.

    :param cameras: Names of the cameras.
    """

    def __init__(self, node: LifecycleNode, cameras: Sequence[str], offer: Offer) -> None:
        self._node = node
        self._made: list[Publisher] = []
        self._events_group = EventGroup()
        self.missed_deadlines = 0
        self._several = len(cameras) > 1
        shared = self._create_pair('~', offer)
        self._topics: dict[str, _CameraTopics] = {}
        for name in cameras:
            own = self._create_pair(f'~/{name}', offer) if self._several else None
            place = f'~/{name}/overlay' if self._several else '~/overlay'
            self._topics[name] = _CameraTopics(
                descriptions=tuple(pair[0] for pair in (shared, own) if pair),
                captions=tuple(pair[1] for pair in (shared, own) if pair),
                overlay=self._create(CompressedImage, f'{place}/compressed', _PICTURE_QOS),
            )
        self._events = self._create(EventMessage, '~/events', OUTPUT_QOS)
        self._processing = self._create(Float64Stamped, '~/debug/processing_time_ms', OUTPUT_QOS)
        self._latency = self._create(Float64Stamped, '~/debug/pipeline_latency_ms', OUTPUT_QOS)
        # No lifecycle publisher: it is latched when the model is loaded, before activation.
        self._model = node.create_publisher(
            ModelMessage, '~/model_info', _LATCHED_QOS, callback_group=self._events_group
        )

    def publish_description(
        self, description: SceneDescription, message: DescriptionMessage
    ) -> None:
        """Publish a description, and its sentence where anybody reads that."""
        topics = self._topics[description.camera]
        for publisher in topics.descriptions:
            publisher.publish(message)
        for number, publisher in enumerate(topics.captions):
            publisher.publish(caption_to_message(description, self._several and number == 0))

    def publish_event(self, message: EventMessage) -> None:
        """Publish that something has begun or ended."""
        self._events.publish(message)

    def publish_times(self, now_ns: int, processing_ms: float, latency_ms: float) -> None:
        """Publish the two numbers that monitors of other stacks read, where anybody does."""
        if self._processing.get_subscription_count():
            self._processing.publish(number_message(processing_ms, now_ns))
        if self._latency.get_subscription_count():
            self._latency.publish(number_message(latency_ms, now_ns))

    def publish_model(self, message: ModelMessage) -> None:
        """Publish which model speaks, for whoever asks later too."""
        self._model.publish(message)

    def overlay_of(self, camera: str) -> Publisher:
        """Return where a camera's pictures go."""
        return self._topics[camera].overlay

    def is_wanted(self) -> bool:
        """Whether anybody subscribes to anything that takes a description."""
        return any(publisher.get_subscription_count() for publisher in self._made)

    def close(self) -> None:
        """Take all topics back."""
        for publisher in self._made:
            self._node.destroy_lifecycle_publisher(publisher)
        self._made = []
        self._node.destroy_publisher(self._model)

    def _create_pair(self, prefix: str, offer: Offer) -> tuple[Publisher, Publisher]:
        return (
            self._create(DescriptionMessage, f'{prefix}/description', offer.profile()),
            self._create(String, f'{prefix}/caption', OUTPUT_QOS),
        )

    def _create(self, kind: type[Any], name: str, qos: QoSProfile) -> Publisher:
        def report_incompatible(event: Any) -> None:
            policy = str(event.last_policy_kind).rsplit('.', 1)[-1].lower()
            self._node.get_logger().error(
                f'a subscriber of {publisher.topic_name} asks for a quality of service that is '
                f'not offered ({policy}): it receives nothing. Let it ask for reliable or best '
                'effort, volatile; deadline and liveliness are offered by the parameters '
                'output_deadline_ms and output_liveliness_ms.',
                throttle_duration_sec=10.0,
            )

        def count_missed(event: Any) -> None:
            self.missed_deadlines = event.total_count

        publisher = self._node.create_lifecycle_publisher(
            kind,
            name,
            qos,
            callback_group=self._events_group,
            event_callbacks=PublisherEventCallbacks(
                incompatible_qos=report_incompatible,
                deadline=count_missed if qos.deadline.nanoseconds else None,
                use_default_callbacks=False,
            ),
        )
        self._made.append(publisher)
        return publisher
