# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The managed node: camera topics in, scene descriptions out. Life cycle and parameters only.

What exists while the node is active stands in ``describing.py``.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter as RosParameter

from caption_node.description import ModelInfo
from caption_node.errors import CaptionError, ConfigError
from caption_node.pipeline import CaptionPipeline
from caption_node.ros.cameras import Camera, read_cameras
from caption_node.ros.conversions import model_to_message
from caption_node.ros.declaration import declare_parameters, unknown_overrides
from caption_node.ros.describing import Describing
from caption_node.ros.diagnostics import make_array, make_node_status
from caption_node.ros.heap import PageReturner, return_free_pages
from caption_node.ros.on_demand import DescribeService
from caption_node.ros.opening import Opening, OpeningCancelled
from caption_node.ros.outputs import OUTPUT_QOS, Offer, Outputs
from caption_node.ros.parameters import PARAMETERS, check
from caption_node.ros.transitions import transition

TICK_S = 0.1


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
        self._cameras: dict[str, Camera] = {}
        self._outputs: Outputs | None = None
        self._service: DescribeService | None = None
        self._describing: Describing | None = None
        self._opening: Opening | None = None
        self._told = ModelInfo()
        self._state = 'unconfigured'
        self._last_error = ''
        self._reported_s = perf_counter()
        self._pages = PageReturner()
        declare_parameters(self)
        # Asked for every frame: rclpy's own look-up takes locks and makes objects.
        self._now = {name: self.get_parameter(name).value for name in PARAMETERS}
        for name in unknown_overrides(self):
            self.get_logger().warning(f'there is no parameter {name!r}: it is ignored')
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._apply_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', OUTPUT_QOS)
        # Watching and reporting go on while simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(TICK_S, self._tick, clock=steady)

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
        # Enabled first: the worker may have a description before this ends.
        result = super().on_activate(state)
        self._start_describing()
        return result

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
        self._cameras = read_cameras(values['cameras'], self.resolve_topic_name)
        # Topics first: loading takes seconds, and others may look for them meanwhile.
        offer = Offer(values['output_deadline_ms'], values['output_liveliness_ms'])
        self._outputs = Outputs(self, list(self._cameras), offer)
        self._service = DescribeService(self, lambda: self._describing)
        logger = self.get_logger()
        logger.info(f'loading the model {values["model"] or "that is shipped"}')
        try:
            self._opening = Opening(values, logger.info)
            self._pipeline = self._opening.wait(self.context.ok, self._report_now_and_then)
        except (CaptionError, OpeningCancelled):
            self._free()
            raise
        self._built_with = values
        self._tell_model()

    def _tell_model(self) -> None:
        """Say which model speaks, and where it runs, if that is news."""
        pipeline, outputs = self._pipeline, self._outputs
        if pipeline is None or outputs is None or pipeline.model == self._told:
            return
        self._told = model = pipeline.model
        outputs.publish_model(model_to_message(pipeline.bundle, model, self._backend_reason()))
        self.get_logger().info(
            f'model {model.name} ({model.sha256[:12]}) on {model.backend}, {model.precision}'
        )

    def _free(self) -> None:
        if self._service is not None:
            self._service.close()
            self._service = None
        if self._outputs is not None:
            self._outputs.close()
            self._outputs = None
        self._built_with = {}
        self._told = ModelInfo()
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None
            return_free_pages()

    def _start_describing(self) -> None:
        if self._pipeline is None or self._outputs is None:
            raise ConfigError('there is no model loaded', 'configure the node first')
        self._describing = Describing(
            self, self._pipeline, self._outputs, self._cameras, self._value
        )

    def _stop_describing(self) -> None:
        active, self._describing = self._describing, None
        if active is not None and not active.close():
            self.get_logger().error('the frame worker does not stop: its batch is still running')

    def _tick(self) -> None:
        if self._describing is not None:
            self._describing.tick()
            self._tell_model()
        self._pages.tick(perf_counter())
        self._report_now_and_then()

    def _report_now_and_then(self) -> None:
        now_s = perf_counter()
        if now_s - self._reported_s >= self._value('diagnostics_period_s') - TICK_S / 2:
            self._reported_s = now_s
            self._publish_diagnostics()

    def _publish_diagnostics(self) -> None:
        prefix = self.get_fully_qualified_name().lstrip('/')
        active = self._describing
        cameras = active.statuses(prefix) if active is not None else []
        model = self._pipeline.model if self._pipeline else None
        values: dict[str, object] = {
            'state': self._state,
            'model': model.name if model else '',
            'model_sha256': model.sha256 if model else '',
            'backend': model.backend if model else '',
            'backend_reason': self._backend_reason(),
            'precision': model.precision if model else '',
            'engine_state': self._engine_state(),
            'queue_depth': active.mailbox.depth if active is not None else 0,
            'missed_deadlines': self._outputs.missed_deadlines if self._outputs else 0,
        }
        node = make_node_status(prefix, values, self._last_error, cameras)
        now = self.get_clock().now().to_msg()
        self._diagnostics.publish(make_array([node, *cameras], now))

    def _backend_reason(self) -> str:
        asked = self._value('backend')
        return (self._opening.reason if self._opening else '') or f'backend {asked} was asked for'

    def _engine_state(self) -> str:
        if self._opening is None:
            return ''
        if self._pipeline is None:
            return self._opening.engine or 'loading'
        if getattr(self._pipeline.backend, 'is_preparing', False):
            return self._opening.engine or 'preparing'
        return 'ready' if self._pipeline.model.backend.startswith('tensorrt') else 'none'

    def _check_parameters(self, parameters: Sequence[RosParameter]) -> SetParametersResult:
        try:
            for parameter in parameters:
                spec = PARAMETERS.get(parameter.name)
                check(parameter.name, parameter.value)
                if spec is not None and spec.when == 'start':
                    raise ConfigError(f'parameter {parameter.name} is read at start only')
                active = self._describing is not None
                if spec is not None and spec.when == 'inactive' and active:
                    raise ConfigError(
                        f'parameter {parameter.name} cannot change while the node is active: '
                        'deactivate it first; the next activation configures it anew'
                    )
            changed = {p.name: p.value for p in parameters}
            if 'cameras' in changed:
                read_cameras(changed['cameras'], self.resolve_topic_name)
        except ConfigError as err:
            hint = f' ({err.hint})' if err.hint else ''
            return SetParametersResult(successful=False, reason=f'{err}{hint}')
        return SetParametersResult(successful=True)

    def _apply_parameters(self, parameters: Sequence[RosParameter]) -> None:
        self._now.update({p.name: p.value for p in parameters if p.name in PARAMETERS})
        if self._describing is not None:
            self._describing.apply_settings()

    def _value(self, name: str) -> Any:
        return self._now[name]

    def _values(self, when: str) -> dict[str, Any]:
        return {name: self._value(name) for name, spec in PARAMETERS.items() if spec.when == when}
