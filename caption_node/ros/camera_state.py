# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""One camera of the active node: its newest image, whether it still sends, what it lost."""

import threading
from typing import Any, Literal

from caption_node.ros.cameras import Camera
from caption_node.ros.conversions import Arrival, stamp_to_ns
from caption_node.ros.inputs import CameraInput, Message
from caption_node.ros.losses import LateWatch, LossWatch
from caption_node.stream import SceneStream, StreamSettings

REPLAY_AGE_NS = 60_000_000_000
"""No camera is a minute late, or early: such stamps come from a recording."""
Turn = Literal['', 'stale', 'lost']


class CameraState:
    """
    What the node knows of one camera.

    The executor's thread receives and ticks; the worker reads, and takes ``lock`` for the stream.
    """

    def __init__(self, camera: Camera, settings: StreamSettings) -> None:
        self.camera = camera
        self.stream = SceneStream(camera.name, settings)
        self.lock = threading.Lock()
        self.input: CameraInput | None = None
        self.losses = LossWatch()
        self.lateness = LateWatch()
        self.published = 0
        self.newest: Arrival | None = None
        self.silent_s = 0.0
        self.is_stale = False
        self.is_lost = False
        self.looks_replayed = False
        self.times_stale = 0
        self.late = 0
        self.limited = 0
        self._taken_s = float('-inf')
        self._stale_from_s = float('-inf')

    def receive(
        self, message: Message, now_ns: int, now_s: float, max_rate_hz: float
    ) -> Arrival | None:
        """
        Take an image message.

        :param now_ns: The node's clock, nanoseconds.
        :param now_s: The clock of :func:`time.perf_counter`, seconds.
        :param max_rate_hz: Most images a second; 0 takes all.
        :returns: The arrival, or None if it comes too soon after the last one.
        """
        self.silent_s = 0.0
        self.is_lost = False
        # A tenth less than the period: a camera's own jitter must not cost every second image.
        if max_rate_hz > 0 and now_s - self._taken_s < 0.9 / max_rate_hz:
            self.limited += 1
            return None
        self._taken_s = now_s
        self.is_stale = False
        stamp_ns = stamp_to_ns(message.header.stamp)
        self.looks_replayed = stamp_ns != 0 and abs(now_ns - stamp_ns) > REPLAY_AGE_NS
        if self.camera.frame_id:
            message.header.frame_id = self.camera.frame_id
        self.newest = Arrival(message, now_ns, now_s)
        return self.newest

    def tick(self, elapsed_s: float, now_s: float, stale_s: float, lost_s: float) -> Turn:
        """
        Let time pass; call it regularly.

        :returns: What the camera has turned into just now: ``stale``, ``lost`` or nothing new.
        """
        self.silent_s += elapsed_s
        if self.silent_s >= lost_s and not self.is_lost:
            self.is_lost = True
            if self.is_stale or self.newest is None:
                return 'lost'
        if self.silent_s >= stale_s and not self.is_stale and self.newest is not None:
            self.is_stale = True
            self.times_stale += 1
            self._stale_from_s = now_s
            return 'stale'
        return ''

    def watch_losses(self, now_s: float, max_age_ms: float) -> list[str]:
        """Return lines for the log about images that never came, or are dropped; mostly none."""
        if self.input is None or self.newest is None:
            return []
        size = len(self.newest.message.data)
        lines = (
            self.losses.update(self.input.received, self.input.lost, now_s, size),
            self.lateness.update(self.published, self.late, now_s, max_age_ms),
        )
        return [line for line in lines if line]

    def warning(self) -> str:
        """Return what /diagnostics warns of; empty if all is well."""
        return '; '.join(filter(None, (self.losses.warning, self.lateness.warning)))

    def came_too_late(self, arrival: Arrival) -> bool:
        """Whether the camera was declared stale after this image had come."""
        return arrival.received_s < self._stale_from_s

    def counts(self) -> dict[str, Any]:
        """Return what /diagnostics shows of it."""
        return {
            'late': self.late,
            'rate_limited': self.limited,
            'times_stale': self.times_stale,
            'silent_s': round(self.silent_s, 1),
            'stamps_look_replayed': self.looks_replayed,
            'lost_in_transport': self.input.lost if self.input else 0,
            'duplicates': self.input.duplicates if self.input else 0,
            'topics': ', '.join(part.topic for part in self.input.topics) if self.input else '',
            'frame_id': self.newest.message.header.frame_id if self.newest else '',
        }
