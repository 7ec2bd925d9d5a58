# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The active node: what exists between activation and deactivation, and no longer.

    subscriptions -> mailbox (newest wins) -> worker -> stream of the camera -> topics
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from time import perf_counter
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode

from caption_node.description import SceneDescription
from caption_node.frame import Frame
from caption_node.mailbox import Mailbox
from caption_node.pipeline import CaptionPipeline
from caption_node.ros.camera_state import CameraState
from caption_node.ros.cameras import Camera
from caption_node.ros.conversions import (
    Arrival,
    age_ms,
    description_to_message,
    event_to_message,
    stamp_to_ns,
)
from caption_node.ros.diagnostics import Circumstances, Limits, Statistics
from caption_node.ros.inputs import CameraInput, Message, Wishes
from caption_node.ros.outputs import Outputs
from caption_node.ros.overlays import OverlayPainter, Sketch
from caption_node.ros.worker import FrameWorker, Taken
from caption_node.sampling import Wish
from caption_node.stream import Moment, StreamSettings

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
_FOLLOW_PERIOD_S = 0.5
_LONGEST_TICK_S = 0.25


class Describing:
    """
    Subscriptions, worker and watch of the active node.

    :param cameras: The cameras by name.
    :param value: Returns what a parameter is now.
    """

    def __init__(
        self,
        node: LifecycleNode,
        pipeline: CaptionPipeline,
        outputs: Outputs,
        cameras: Mapping[str, Camera],
        value: Callable[[str], Any],
    ) -> None:
        self._node = node
        self._outputs = outputs
        self._value = value
        self._logger = node.get_logger()
        self._pipeline = pipeline
        self._ticked_s = self._followed_s = perf_counter()
        self._clock_ns = 0
        self._states = {
            name: CameraState(camera, self._settings()) for name, camera in cameras.items()
        }
        self.statistics = Statistics(self._states)
        self.mailbox: Mailbox[Arrival] = Mailbox(list(self._states))
        self._painter = OverlayPainter(
            list(self._states),
            outputs.overlay_of,
            lambda: int(value('overlay_width')),
            lambda: float(value('overlay_rate_hz')),
            self._logger,
        )
        self._worker = FrameWorker(pipeline, self.mailbox, self, len(self._states), node)
        self._worker.start()
        try:
            self._subscribe()
        except Exception:
            self.close()
            raise

    def close(self) -> bool:
        """
        Unsubscribe, and stop all threads.

        :returns: Whether the worker has ended.
        """
        for state in self._states.values():
            if state.input is not None:
                state.input.close()
        self.mailbox.close()
        self._painter.close()
        return self._worker.stop()

    def apply_settings(self) -> None:
        """Let the streams know that parameters have changed."""
        for state in self._states.values():
            state.stream.settings = self._settings()

    def newest(self, camera: str) -> tuple[str, Message | None, str]:
        """
        Return a camera's name and newest image, or why there is none.

        :param camera: Name; empty is the first one.
        """
        name = camera or next(iter(self._states))
        state = self._states.get(name)
        if state is None:
            return name, None, f'no camera {name!r}; cameras: {", ".join(self._states)}'
        if state.newest is None:
            return name, None, f'no image has come from camera {name} yet'
        if state.is_stale:
            why = f'camera {name} is stale: no image for {state.silent_s:.1f} s'
            return name, None, why
        return name, state.newest.message, ''

    def ask(
        self, message: Message, camera: str, wish: Wish | None = None
    ) -> 'Future[SceneDescription]':
        """Have one image described out of turn; ``wish`` is for several sentences."""
        return self._worker.ask(message, camera, wish)

    def tick(self) -> None:
        """Watch the cameras: who has stopped, and who offers what; call it ten times a second."""
        now_s = perf_counter()
        # While the executor was held up itself, no camera was silent: its images lie waiting.
        elapsed_s, self._ticked_s = min(now_s - self._ticked_s, _LONGEST_TICK_S), now_s
        clock_ns, self._clock_ns = self._clock_ns, self.now_ns()
        if self._is_simulated() and clock_ns == self._clock_ns:
            # Simulated time stands still, and so do the cameras in it.
            elapsed_s = 0.0
        follow = now_s - self._followed_s >= _FOLLOW_PERIOD_S
        if follow:
            self._followed_s = now_s
        stale_s, lost_s = self._value('stale_after_s'), self._value('lost_after_s')
        for state in self._states.values():
            if follow and state.input is not None:
                state.input.follow_publishers()
                for line in state.watch_losses(now_s, self._value('max_age_ms')):
                    self._logger.warning(f'camera {state.camera.name}: {line}')
            turn = state.tick(elapsed_s, now_s, stale_s, max(lost_s, stale_s))
            if turn == 'stale':
                self._publish_stale(state)
            elif turn == 'lost':
                self._report_lost(state)

    def statuses(self, prefix: str) -> list[DiagnosticStatus]:
        """Return the status of every camera."""
        limits = Limits(
            stale_s=self._value('stale_after_s'),
            lost_s=self._value('lost_after_s'),
            least_rate_hz=self._value('least_rate_hz'),
            age_warning_ms=self._value('age_warning_ms'),
        )
        found = []
        for name, state in self._states.items():
            counts = self.mailbox.counts(name)
            extra = {
                'received': counts.received + state.limited,
                'dropped': counts.dropped,
                'backend': self._pipeline.model.backend,
                **state.counts(),
            }
            now = Circumstances(
                silent_s=state.silent_s,
                fault=state.input.incompatible() if state.input else '',
                warning=state.warning(),
                idle='' if self.is_wanted() else 'nobody subscribes, and lazy is on',
            )
            found.append(self.statistics.camera_status(prefix, name, extra, limits, now))
        return found

    def is_wanted(self) -> bool:
        """Whether anybody wants descriptions now."""
        return not self._value('lazy') or self._outputs.is_wanted()

    def is_late(self, taken: Taken) -> bool:
        """Whether an image is over the limit of age; counts it if so."""
        state = self._states[taken.camera]
        if state.came_too_late(taken.arrival):
            state.late += 1
            return True
        limit_ms = self._value('max_age_ms')
        if limit_ms <= 0 or self._is_simulated() or state.looks_replayed:
            return False
        age = age_ms(taken.arrival.message.header.stamp, self.now_ns())
        if age != age:  # no stamp: at least the time that it has spent here is known
            age = (perf_counter() - taken.arrival.received_s) * 1e3
        if age <= limit_ms:
            return False
        state.late += 1
        return True

    def max_pixels(self) -> int:
        """Return how large an image may be."""
        return int(self._value('max_image_pixels'))

    def now_ns(self) -> int:
        """Return the node's clock, nanoseconds."""
        return int(self._node.get_clock().now().nanoseconds)

    def try_reuse(self, taken: Taken, frame: Frame) -> bool:
        """Publish what holds anyway, if nothing has moved in this image; whether it was so."""
        state = self._states[taken.camera]
        with state.lock:
            if state.came_too_late(taken.arrival):
                return False
            moment = state.stream.reuse(frame, _time_s(taken))
            if moment is not None:
                self._publish_moment(taken, frame, moment, taken.taken_ns)
        return moment is not None

    def publish(
        self, taken: Taken, frame: Frame | None, described: SceneDescription, inferred_ns: int
    ) -> None:
        """Pass a description through its camera's stream, and publish what comes of it."""
        state = self._states[taken.camera]
        # Under the lock, so that nothing older follows the description that says stale.
        with state.lock:
            if not self.is_late(taken):
                moment = state.stream.update(described, _time_s(taken), frame)
                self._publish_moment(taken, frame, moment, inferred_ns)

    def _publish_moment(
        self, taken: Taken, frame: Frame | None, moment: Moment, inferred_ns: int
    ) -> None:
        header = taken.arrival.message.header
        passage = taken.passage(inferred_ns, moment.caption_age_s * 1e3, moment.reused)
        message = description_to_message(moment.description, header, self.now_ns, passage)
        self._states[taken.camera].published += 1
        if moment.changed or self._value('publish') == 'every_frame':
            self._outputs.publish_description(moment.description, message)
        for event in moment.events:
            self._outputs.publish_event(event_to_message(event))
        # Both at one instant, the image's age last: it was taken after its stamp.
        processing_ms = (perf_counter() - taken.taken_s) * 1e3
        now_ns = self.now_ns()
        self._outputs.publish_times(now_ns, processing_ms, age_ms(header.stamp, now_ns))
        self.statistics.record(moment.description, message)
        if frame is not None:
            self._painter.offer(Sketch(frame, moment.description, header, message.age_ms))

    def _subscribe(self) -> None:
        value = self._value
        wishes = Wishes(value('transport'), value('reliability'), value('durability'))
        for name, state in self._states.items():
            topic = state.camera.topic
            state.input = CameraInput(self._node, name, topic, wishes, self._receive)
            listens = ', '.join(part.topic for part in state.input.topics)
            self._logger.info(f'camera {name}: listening to {listens}')

    def _receive(self, camera: str, message: Message) -> None:
        state = self._states[camera]
        was_stale, was_replayed = state.is_stale, state.looks_replayed
        now_s = perf_counter()
        arrival = state.receive(message, self.now_ns(), now_s, self._value('max_rate_hz'))
        if arrival is None:
            return
        self.mailbox.put(camera, arrival)
        if was_stale:
            self._logger.info(f'camera {camera} sends again')
        if state.looks_replayed and not was_replayed and not self._is_simulated():
            age_s = age_ms(message.header.stamp, arrival.received_ns) / 1e3
            self._logger.warning(
                f'camera {camera}: the stamps are {abs(age_s):.0f} s '
                f'{"old" if age_s > 0 else "ahead"}: they look replayed, but use_sim_time is off. '
                'Nothing is dropped for it, but ages say little. For a recording set '
                'use_sim_time:=true and publish /clock; for a camera set its clock right.'
            )

    def _publish_stale(self, state: CameraState) -> None:
        if state.newest is None:
            return
        header = state.newest.message.header
        name = state.camera.name
        stamp_ns = stamp_to_ns(header.stamp)
        why = f'no image for {state.silent_s:.1f} s'
        self._logger.warning(f'camera {name} is stale: {why}')
        description = SceneDescription(
            stamp_ns=stamp_ns,
            frame_id=header.frame_id,
            camera=name,
            status='stale',
            reason=why,
            model=self._pipeline.model,
        )
        with state.lock:
            message = description_to_message(description, header, self.now_ns)
            self._outputs.publish_description(description, message)
            for event in state.stream.stop(stamp_ns, header.frame_id):
                self._outputs.publish_event(event_to_message(event))

    def _report_lost(self, state: CameraState) -> None:
        if state.input is None:
            return
        topics = ' or '.join(part.topic for part in state.input.topics)
        text = f'camera {state.camera.name}: no image for {state.silent_s:.0f} s'
        if state.input.publisher_count():
            text += f', although {topics} has a publisher; does it send, and does its QoS match?'
        else:
            others = sorted(
                name
                for name, types in self._node.get_topic_names_and_types()
                if set(types) & set(IMAGE_TYPES)
                and self._node.count_publishers(name)
                and not name.startswith(f'{self._node.get_fully_qualified_name()}/')
            )
            seen = (
                f'images are published on {", ".join(others)}'
                if others
                else 'nobody publishes images'
            )
            text += f': {topics} has no publisher; {seen}. Remap image, or set cameras.'
        self._logger.error(text)

    def _settings(self) -> StreamSettings:
        return StreamSettings(
            smoothing_s=self._value('smoothing_s'),
            sentence_hold_s=self._value('sentence_hold_s'),
            same_scene=self._value('same_scene'),
            gate_s=self._value('motion_gate_s'),
            repeat_s=self._value('repeat_after_s'),
        )

    def _is_simulated(self) -> bool:
        return bool(self._node.get_clock().ros_time_is_active)


def _time_s(taken: Taken) -> float:
    """When an image was taken: its stamp, or its arrival if it carries none."""
    stamp_ns = stamp_to_ns(taken.arrival.message.header.stamp)
    return stamp_ns / 1e9 if stamp_ns else taken.arrival.received_s
