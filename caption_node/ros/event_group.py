# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Events of DDS, looked at once a second.

rclpy's executor builds its wait set anew for every callback, entity by entity in Python. Events of
quality of service are most of them (39 of 61 with four cameras), and none is in a hurry.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any

from rclpy.callback_groups import CallbackGroup, ReentrantCallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks

PERIOD_S = 1.0
OPEN_S = 0.25
"""The executor has to come round in that time; the node's own timer sees to it."""


class EventGroup(ReentrantCallbackGroup):  # type: ignore[misc]
    """
    Lets callbacks through for a part of every second; what has happened before waits for them.

    :param now_s: A clock that runs on, seconds.
    """

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._now_s = now_s

    def can_execute(self, entity: Any) -> bool:
        """Whether it is time; the executor leaves out what may not be executed."""
        return self._now_s() % PERIOD_S < OPEN_S


class SubscriptionEvents(SubscriptionEventCallbacks):  # type: ignore[misc]
    """
    Callbacks for a subscription's events in a group other than that of its messages.

    :param group: The group.
    :param callbacks: As for the base class.
    """

    def __init__(self, group: EventGroup, **callbacks: Any) -> None:
        super().__init__(**callbacks)
        self._group = group

    def create_event_handlers(
        self, callback_group: CallbackGroup, *subscription: Any
    ) -> list[Any]:
        """Create the handlers in the group for events; called by rclpy."""
        return list(super().create_event_handlers(self._group, *subscription))
