# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Fifty times through the life cycle in one process, and the end in the middle of a build."""

from collections.abc import Iterator
from contextlib import suppress
import os
from pathlib import Path
import signal
import threading
from time import monotonic

from diagnostic_msgs.msg import DiagnosticArray
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from caption_node.ros.diagnostics import memory_mb
from caption_node.ros.node import CaptionNode
from caption_node.ros.program import spin
from tests.ros.conftest import ColourCamera, Listener, Start

pytestmark = pytest.mark.ros
CYCLES = 50
WARM_UP = 15
MOST_GROWTH_MB = 8.0
SUCCESS = TransitionCallbackReturn.SUCCESS


class Managed:
    """A node of this process with what spins it."""

    def __init__(self, domain: int, model: Path) -> None:
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = CaptionNode(
            context=self.context,
            parameter_overrides=[
                Parameter('model', value=str(model)),
                Parameter('cameras', value=['front=/image', 'rear=/rear']),
            ],
        )
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def close(self) -> None:
        """Leave the domain."""
        self.node.stop()
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def managed(domain: int, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Managed]:
    """A node with two cameras."""
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    made = Managed(domain, tiny_model)
    yield made
    made.close()


def test_fifty_cycles_leave_nothing_behind(managed: Managed, listener: Listener) -> None:
    node, executor = managed.node, managed.executor
    heard = listener.listen('/caption_node/description')
    camera = ColourCamera(listener)
    threads = {thread.name for thread in threading.enumerate()}
    tasks, memory = 0, 0.0
    for cycle in range(CYCLES):
        assert node.trigger_configure() == SUCCESS
        assert node.trigger_activate() == SUCCESS
        count = len(heard)

        def described(before: int = count) -> bool:
            executor.spin_once(timeout_sec=0.01)
            return len(heard) > before

        # Discovery takes its time: every tenth cycle is one in which pictures are described.
        if cycle % 10 == 0:
            assert listener.shown(camera, 'grey', described)
        assert node.trigger_deactivate() == SUCCESS
        assert node.trigger_cleanup() == SUCCESS
        assert {thread.name for thread in threading.enumerate()} == threads
        if cycle == WARM_UP:
            tasks, memory = len(os.listdir('/proc/self/task')), memory_mb()
    assert len(os.listdir('/proc/self/task')) <= tasks
    assert memory_mb() - memory < MOST_GROWTH_MB
    names = [name for name, _ in node.get_publisher_names_and_types_by_node('caption_node', '/')]
    assert not [name for name in names if name.startswith('/caption_node/desc')]


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_in_the_middle_of_an_engine_build(
    start: Start, listener: Listener, tmp_path: Path, number: int
) -> None:
    pytest.importorskip('tensorrt_rtx', reason='TensorRT for RTX is not installed')
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    node = start(
        '-m', 'tests.ros.building_node', '--ros-args', '-p', 'backend:=ahead',
        '-p', f'engines:={tmp_path}', '-p', 'diagnostics_period_s:=0.1',
    )  # fmt: skip

    def is_building() -> bool:
        values = [v.value for a in diagnostics[-1:] for s in a.status for v in s.values]
        return any('%' in value and 'after' in value for value in values)

    # Progress is on the log and on /diagnostics while the transition lasts.
    assert listener.wait(is_building), node.output
    assert 'engine: ' in node.output

    begin_s = monotonic()
    node.signal(number)
    assert node.wait(10) == 0
    assert monotonic() - begin_s < 2
    assert 'Traceback' not in node.output
    assert not [path for path in tmp_path.rglob('*') if path.suffix in ('.engine', '.part')]


def test_a_callback_that_fails_does_not_end_the_node(
    domain: int, capfd: pytest.CaptureFixture[str]
) -> None:
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node = rclpy.create_node('clumsy', context=context)
    calls = []

    def stumble() -> None:
        calls.append(len(calls))
        if len(calls) < 3:
            raise ValueError('a fault of our own')
        rclpy.shutdown(context=context)

    node.create_timer(0.01, stumble)
    with suppress(ExternalShutdownException):
        spin(node)
    assert calls == [0, 1, 2]
    assert 'a fault of our own' in capfd.readouterr().err
