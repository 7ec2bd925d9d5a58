# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Events of DDS wait for their part of a second, and lose nothing by it."""

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

from caption_node.ros.event_group import EventGroup, SubscriptionEvents
from tests.ros.conftest import Listener

pytestmark = pytest.mark.ros


def test_an_event_waits_until_the_group_is_open(domain: int, listener: Listener) -> None:
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node = rclpy.create_node('asks', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    now_s = 10.5
    events: list[object] = []
    heard: list[String] = []
    callbacks = SubscriptionEvents(
        EventGroup(lambda: now_s), incompatible_qos=events.append, use_default_callbacks=False
    )
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(String, 'words', lambda _: None, latched, event_callbacks=callbacks)
    node.create_subscription(String, 'other', heard.append, 10)
    listener.node.create_publisher(String, 'words', 10)
    other = listener.node.create_publisher(String, 'other', 10)

    def come_round(until: object) -> bool:
        def turn() -> bool:
            other.publish(String(data='a'))
            executor.spin_once(timeout_sec=0.02)
            return len(heard) > 20 if until is heard else bool(events)

        return listener.wait(turn)

    try:
        # Messages come meanwhile, so discovery is over, and the event lies waiting.
        assert come_round(heard)
        assert not events
        now_s = 11.1
        assert come_round(events)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
