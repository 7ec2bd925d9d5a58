# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Processes, a listener, and a DDS domain of its own for every test."""

from collections.abc import Callable, Iterator
from itertools import count
import os
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
from time import monotonic
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: run scripts/setup.sh')
pytest.importorskip('caption_msgs.msg', reason='caption_msgs is not built: run scripts/setup.sh')

from caption_msgs.msg import SceneDescription
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CompressedImage, Image

from tests.drawn import jpeg
from tests.ros.picture_messages import compressed, header, raw
from tests.tiny_model import colour, write_tiny_model

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / 'launch' / 'config' / 'fastdds_large_images.xml'
START_S = 60.0
"""Deadline for whatever has to start first: processes and their discovery, on a busy machine."""
_numbers = count()


@pytest.fixture(scope='module')
def domain() -> int:
    """A DDS domain that no other test uses; above 100 its ports would be ephemeral ones."""
    return 1 + (os.getpid() * 13 + next(_numbers)) % 100


@pytest.fixture(scope='module')
def environment(domain: int) -> dict[str, str]:
    """The environment of every process of one test module."""
    return {
        **os.environ,
        'ROS_DOMAIN_ID': str(domain),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'PYTHONUNBUFFERED': '1',
        # Without it Fast DDS loses most of the images of a camera in another process.
        'FASTRTPS_DEFAULT_PROFILES_FILE': str(PROFILE),
    }


class Process:
    """
    A child process whose output is kept in a file, and which never outlives its test.

    :param line: Command line.
    :param environment: Environment of the process.
    """

    def __init__(self, line: list[str], environment: dict[str, str]) -> None:
        self._log = tempfile.TemporaryFile(mode='w+b')  # noqa: SIM115
        self._child = subprocess.Popen(
            line,
            cwd=ROOT,
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        """Everything that it has written so far."""
        return os.pread(self._log.fileno(), 1 << 20, 0).decode(errors='replace')

    def signal(self, number: int) -> None:
        """Send a signal to the process alone."""
        self._child.send_signal(number)

    def wait(self, timeout_s: float = START_S) -> int:
        """Wait for its end, and return its exit status."""
        return self._child.wait(timeout_s)

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._child.poll() is None

    def end(self) -> None:
        """End the process, and whatever it has started."""
        for number in (signal.SIGINT, signal.SIGKILL):
            if self._child.poll() is None:
                os.killpg(self._child.pid, number)
                try:
                    self._child.wait(5)
                except subprocess.TimeoutExpired:
                    continue
        self._log.close()


Start = Callable[..., Process]


def _starter(environment: dict[str, str]) -> Iterator[Start]:
    started: list[Process] = []

    def start(*line: str, **extra: str) -> Process:
        started.append(Process([sys.executable, *line], {**environment, **extra}))
        return started[-1]

    yield start
    for process in started:
        process.end()


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Start a Python process; it ends with the test."""
    yield from _starter(environment)


@pytest.fixture(scope='module')
def start_for_module(environment: dict[str, str]) -> Iterator[Start]:
    """Start a Python process; it ends with the module's last test."""
    yield from _starter(environment)


@pytest.fixture(scope='session')
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder that opens in milliseconds and sees colours only."""
    return write_tiny_model(tmp_path_factory.mktemp('models') / 'tiny')


def node_line(*ros_arguments: str) -> list[str]:
    """Return the arguments of Python that start the node as its console script does."""
    script = 'from caption_node.ros.program import main; main()'
    return ['-c', script, *(['--ros-args', *ros_arguments] if ros_arguments else [])]


class Listener:
    """
    A node of the test's own that keeps what it hears, in the test's domain.

    :param domain: DDS domain.
    """

    def __init__(self, domain: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = rclpy.create_node('listener', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def listen(self, topic: str, kind: type[Any] = SceneDescription, qos: Any = 100) -> list[Any]:
        """Subscribe; returns the list that fills while :meth:`wait` runs."""
        heard: list[Any] = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def wait(self, condition: Callable[[], object], timeout_s: float = START_S) -> bool:
        """Receive until the condition holds; whether it did before the deadline."""
        deadline_s = monotonic() + timeout_s
        while monotonic() < deadline_s:
            if condition():
                return True
            self._executor.spin_once(timeout_sec=0.05)
        return bool(condition())

    def shown(self, camera: 'ColourCamera', colour: str, condition: Callable[[], object]) -> bool:
        """Publish a colour at about 20 Hz until the condition holds; whether it did in time."""
        deadline_s = monotonic() + START_S
        while monotonic() < deadline_s and not condition():
            camera.publish(colour)
            self.wait(condition, 0.05)
        return bool(condition())

    def call(self, kind: type[Any], name: str, request: Any, timeout_s: float = START_S) -> Any:
        """Call a service, and return its response."""
        client = self.node.create_client(kind, name)
        assert self.wait(client.service_is_ready, timeout_s), f'no service {name}'
        future = client.call_async(request)
        assert self.wait(future.done, timeout_s), f'no response from {name}'
        self.node.destroy_client(client)
        return future.result()

    def settle(self, quiet_s: float = 0.25, limit_s: float = 5.0) -> None:
        """
        Wait until nobody has come or gone for a while.

        Fast DDS 2.14 waits for ever where a peer leaves while a node is taken apart.
        """
        seen: list[str] = []
        begun_s = since_s = monotonic()
        while monotonic() - since_s < quiet_s and monotonic() - begun_s < limit_s:
            topics = self.node.get_topic_names_and_types()
            now = [*self.node.get_node_names(), *(name for name, _ in topics)]
            if now != seen:
                seen, since_s = now, monotonic()
            self._executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        """Leave the domain."""
        self.settle()
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)


class ColourCamera:
    """
    A camera of the test's own, for the tiny model; sensor noise makes every picture a new one.

    :param listener: Its node publishes.
    :param topic: Image topic; with ``/compressed`` behind it, JPEG is sent.
    """

    def __init__(self, listener: Listener, topic: str = '/image', qos: Any = 10) -> None:
        self._rng = np.random.default_rng(1)
        self._clock = listener.node.get_clock()
        kind = CompressedImage if topic.endswith('/compressed') else Image
        self.publisher = listener.node.create_publisher(kind, topic, qos)
        self.sent = 0

    def publish(self, name: str, stamp_ns: int | None = None) -> None:
        """Publish one picture, stamped with now if nothing else is said."""
        noise = self._rng.integers(-2, 3, (192, 320, 3))
        rgb = np.clip(colour(name) + noise, 0, 255).astype(np.uint8)
        now_ns = int(self._clock.now().nanoseconds)
        head = header('lens', now_ns if stamp_ns is None else stamp_ns)
        self.sent += 1
        if self.publisher.msg_type is Image:
            self.publisher.publish(raw(rgb, 'rgb8', head))
        else:
            self.publisher.publish(compressed(jpeg(rgb), 'jpeg', head))


@pytest.fixture
def listener(domain: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """A listener in the test's domain."""
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    made = Listener(domain)
    yield made
    made.close()


@pytest.fixture(scope='module')
def module_listener(domain: int) -> Iterator[Listener]:
    """A listener for all tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        made = Listener(domain)
        yield made
        made.close()
