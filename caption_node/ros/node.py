# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The managed node: camera topics in, scene descriptions out. Wiring only.

    subscriptions -> mailbox (newest wins) -> worker: pipeline, one batch of all cameras -> topics
"""

import argparse
from collections.abc import Sequence
import sys
from typing import Any

from caption_msgs.msg import SceneDescription as DescriptionMessage
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, Publisher, TransitionCallbackReturn
from rclpy.parameter import Parameter as RosParameter
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.utilities import try_shutdown
from std_msgs.msg import String

from caption_node.description import SceneDescription
from caption_node.errors import CaptionError, ConfigError
from caption_node.mailbox import Mailbox
from caption_node.pipeline import CaptionPipeline
from caption_node.ros.context import RCLError, init_ros, leaving_on_time, without_ros_arguments
from caption_node.ros.conversions import caption_to_message, description_to_message
from caption_node.ros.declaration import declare_parameters, unknown_overrides
from caption_node.ros.diagnostics import Statistics, make_array, make_node_status
from caption_node.ros.inputs import CameraInput, Message
from caption_node.ros.parameters import PARAMETERS, cameras, check
from caption_node.ros.transitions import transition
from caption_node.ros.worker import FrameWorker

OUTPUT_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.RELIABLE
)
IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
WATCH_PERIOD_S = 0.5


class CaptionNode(LifecycleNode):  # type: ignore[misc]
    """
    Describes the images of one or several cameras.

    :param kwargs: As for :class:`rclpy.node.Node`: ``namespace``, ``parameter_overrides``, ...
    :raises ConfigError: If a parameter was set to something that the table does not allow.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('caption_node', **kwargs)
        self._pipeline: CaptionPipeline | None = None
        self._built_with: dict[str, Any] = {}
        self._active = False
        self._state = 'unconfigured'
        self._last_error = ''
        self._mailbox: Mailbox[Message] = Mailbox(())
        self._worker: FrameWorker | None = None
        self._inputs: list[CameraInput] = []
        self._statistics = Statistics(())
        self._outputs: dict[str, list[Publisher]] = {}
        self._reported: set[str] = set()
        declare_parameters(self)
        for name in unknown_overrides(self):
            self.get_logger().warning(f'there is no parameter {name!r}: it is ignored')
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._apply_parameters)
        # Watching and reporting go on while simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', OUTPUT_QOS)
        self._diagnostics_timer = self.create_timer(
            self._value('diagnostics_period_s'), self._publish_diagnostics, clock=steady
        )
        self._watch_timer = self.create_timer(WATCH_PERIOD_S, self._watch_inputs, clock=steady)

    def start(self) -> bool:
        """
        Configure and activate, as a lifecycle manager would.

        :returns: Whether the node is active now; if not, the reason was logged.
        """
        for step in (self.trigger_configure, self.trigger_activate):
            if step() != TransitionCallbackReturn.SUCCESS or not self.context.ok():
                return False
        return True

    def stop(self) -> None:
        """Stop the worker and free the model, in whatever state the node is."""
        self._stop_describing()
        self._free()

    @transition('unconfigured')
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and offer the topics."""
        self._build()
        return super().on_configure(state)

    @transition('inactive')
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and describe; what was set while inactive takes effect first."""
        if self._values('inactive') != self._built_with:
            self._free()
            self._build()
        self._start_describing()
        return super().on_activate(state)

    @transition('active')
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop the worker; the model stays loaded."""
        self._stop_describing()
        return super().on_deactivate(state)

    @transition('inactive')
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and the topics."""
        self._free()
        return super().on_cleanup(state)

    @transition('active')
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, from any state."""
        self.stop()
        return super().on_shutdown(state)

    @transition('inactive')
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything after a transition that failed unforeseen; back to unconfigured."""
        self.stop()
        return super().on_error(state)

    def note_state(self, state: str, error: str = '') -> None:
        """
        Keep what a transition led to, for /diagnostics.

        :param error: Why it failed; empty if it did not.
        """
        self._state, self._last_error = state, error

    def _build(self) -> None:
        values = self._values('inactive')
        names = list(cameras(values, self.resolve_topic_name))
        # Topics first: loading takes seconds, and others may look for them meanwhile.
        self._outputs = {name: self._create_outputs('~') for name in names[:1]}
        if len(names) > 1:
            shared = self._outputs[names[0]]
            self._outputs = {name: shared + self._create_outputs(f'~/{name}') for name in names}
        self.get_logger().info(f'loading the model {values["model"] or "that is shipped"}')
        try:
            self._pipeline = CaptionPipeline.open(
                values['model'] or None, values['backend'], values['threads']
            )
        except CaptionError:
            self._free()
            raise
        self._built_with = values
        model = self._pipeline.model
        self.get_logger().info(
            f'model {model.name} ({model.sha256[:12]}) on {model.backend}, {model.precision}'
        )

    def _create_outputs(self, prefix: str) -> list[Publisher]:
        return [
            self.create_lifecycle_publisher(
                DescriptionMessage, f'{prefix}/description', OUTPUT_QOS
            ),
            self.create_lifecycle_publisher(String, f'{prefix}/caption', OUTPUT_QOS),
        ]

    def _free(self) -> None:
        for publisher in {id(p): p for row in self._outputs.values() for p in row}.values():
            self.destroy_lifecycle_publisher(publisher)
        self._outputs = {}
        self._built_with = {}
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

    def _start_describing(self) -> None:
        if self._pipeline is None:
            raise ConfigError('there is no model loaded', 'configure the node first')
        values = self._built_with
        topics = cameras(values, self.resolve_topic_name)
        self._statistics = Statistics(topics)
        self._mailbox = Mailbox(list(topics))
        self._worker = FrameWorker(
            self._pipeline, self._mailbox, self._publish, self._is_wanted, self
        )
        self._worker.start()
        self._active = True
        for camera, topic in topics.items():
            camera_input = CameraInput(
                self, camera, topic, values['transport'], values['reliability'], self._receive
            )
            self._inputs.append(camera_input)
            listens = ', '.join(part.topic for part in camera_input.topics)
            self.get_logger().info(f'camera {camera}: listening to {listens}')

    def _stop_describing(self) -> None:
        self._active = False
        for camera_input in self._inputs:
            camera_input.close()
        self._inputs = []
        self._reported.clear()
        if self._worker is not None:
            if not self._worker.stop():
                self.get_logger().error(
                    'the frame worker does not stop: its batch is still running'
                )
            self._worker = None

    def _receive(self, camera: str, message: Message) -> None:
        self._statistics.record_image(camera)
        self._mailbox.put(camera, message)

    def _publish(self, description: SceneDescription, image: Message, queue_ms: float) -> None:
        outputs = self._outputs[description.camera]
        message = description_to_message(
            description, image.header, lambda: int(self.get_clock().now().nanoseconds), queue_ms
        )
        several = len(self._outputs) > 1
        for number, publisher in enumerate(outputs):
            if publisher.msg_type is DescriptionMessage:
                publisher.publish(message)
            else:
                publisher.publish(caption_to_message(description, several and number < 2))
        self._statistics.record(description, message.age_ms, queue_ms)

    def _is_wanted(self) -> bool:
        if not self._value('lazy'):
            return True
        return any(p.get_subscription_count() for row in self._outputs.values() for p in row)

    def _watch_inputs(self) -> None:
        for camera_input in self._inputs:
            camera_input.follow_publishers()
            camera = camera_input.camera
            if self._statistics.silent_s(camera) <= self._value('silence_warning_s'):
                self._reported.discard(camera)
            elif camera not in self._reported:
                self._reported.add(camera)
                self._report_silence(camera_input)

    def _report_silence(self, camera_input: CameraInput) -> None:
        topics = ' or '.join(part.topic for part in camera_input.topics)
        text = f'camera {camera_input.camera}: no image has come for a while'
        if camera_input.publisher_count():
            text += f', although {topics} has a publisher; does it send, and does its QoS match?'
        else:
            others = sorted(
                name
                for name, types in self.get_topic_names_and_types()
                if set(types) & set(IMAGE_TYPES) and self.count_publishers(name)
            )
            seen = (
                f'images are published on {", ".join(others)}'
                if others
                else 'nobody publishes images'
            )
            text += f': {topics} has no publisher; {seen}. Remap image, or set image_topics.'
        self.get_logger().warning(text)

    def _publish_diagnostics(self) -> None:
        model = self._pipeline.model if self._pipeline else None
        statuses = [make_node_status(self._state, model, self._last_error)]
        for camera_input in self._inputs:
            counts = self._mailbox.counts(camera_input.camera)
            extra = {
                'received': counts.received,
                'dropped': counts.dropped,
                'duplicates': camera_input.duplicates,
                'topics': ', '.join(part.topic for part in camera_input.topics),
                'backend': model.backend if model else '',
            }
            statuses.append(
                self._statistics.camera_status(
                    camera_input.camera, extra, self._value('silence_warning_s')
                )
            )
        self._diagnostics.publish(make_array(statuses, self.get_clock().now().to_msg()))

    def _check_parameters(self, parameters: Sequence[RosParameter]) -> SetParametersResult:
        try:
            for parameter in parameters:
                spec = PARAMETERS.get(parameter.name)
                check(parameter.name, parameter.value)
                if spec is not None and spec.when == 'start':
                    raise ConfigError(f'parameter {parameter.name} is read at start only')
                if spec is not None and spec.when == 'inactive' and self._active:
                    raise ConfigError(
                        f'parameter {parameter.name} cannot change while the node is active: '
                        'deactivate it first'
                    )
            changed = {p.name: p.value for p in parameters}
            cameras({**self._values('inactive'), **changed}, self.resolve_topic_name)
        except ConfigError as err:
            hint = f' ({err.hint})' if err.hint else ''
            return SetParametersResult(successful=False, reason=f'{err}{hint}')
        return SetParametersResult(successful=True)

    def _apply_parameters(self, parameters: Sequence[RosParameter]) -> None:
        for parameter in parameters:
            if parameter.name == 'diagnostics_period_s':
                self._diagnostics_timer.timer_period_ns = int(parameter.value * 1e9)

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _values(self, when: str) -> dict[str, Any]:
        return {name: self._value(name) for name, spec in PARAMETERS.items() if spec.when == when}


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the node until it is interrupted or terminated.

    :param arguments: Command line with the program's name in front; None takes the process's own.
    :returns: Exit status: 0, 1 if it could not start, 2 for unknown options.
    """
    line = list(sys.argv if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog='caption_node',
        description='Describe camera images. Everything is set by ROS arguments, for instance '
        '--ros-args -r image:=/front/image_raw -p lazy:=true',
    )
    try:
        parser.parse_args(without_ros_arguments(line)[1:])
        return _run(line)
    except CaptionError as err:
        sys.stderr.write(f'error: {err}\n')
        if err.hint:
            sys.stderr.write(f'hint: {err.hint}\n')
        return 1


def _run(line: list[str]) -> int:
    node: CaptionNode | None = None
    try:
        init_ros(line)
        node = CaptionNode()
        with leaving_on_time():
            if node.get_parameter('autostart').value and not node.start():
                # Whoever starts it without a lifecycle manager has nobody who would try again.
                return 1 if rclpy.ok() else 0
            executor = SingleThreadedExecutor()
            executor.add_node(node)
            executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RCLError as err:
        if rclpy.ok():
            raise ConfigError(f'ROS failed: {err}') from err
    finally:
        if node is not None:
            node.stop()
            node.destroy_node()
        try_shutdown()
    return 0
