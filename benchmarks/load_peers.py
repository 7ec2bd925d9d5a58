# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What stands around the node in benchmarks/node_load.py: cameras, and a bare subscriber.

    python benchmarks/load_peers.py camera NUMBER    # lines: TRANSPORT WIDTH HEIGHT HZ, or none
    python benchmarks/load_peers.py bare CAMERAS     # any line: how many images have come so far

Each is a process of its own, and told what to do on standard input.
"""

from collections.abc import Sequence
from contextlib import suppress
import itertools
from pathlib import Path
import sys
from threading import Thread
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.drawn import draw_street, jpeg  # noqa: E402
from tests.ros.picture_messages import compressed, header, raw  # noqa: E402

QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)
PICTURES = 4


def topic_of(number: int) -> str:
    """Return the topic of one camera."""
    return f'/camera_{number}/image'


class Sender:
    """A camera that sends what it is told; says how much that was when it is told otherwise."""

    def __init__(self, number: int) -> None:
        self.node = rclpy.create_node(f'camera_{number}', enable_rosout=False)
        topic = topic_of(number)
        self._publishers = {
            'raw': self.node.create_publisher(Image, topic, QOS),
            'jpeg': self.node.create_publisher(CompressedImage, f'{topic}/compressed', QOS),
        }
        self._timer: Any = None
        self._sent = 0

    def obey(self, words: Sequence[str]) -> None:
        """Begin to send (transport, width, height, hz) or stop (no words)."""
        if self._timer is not None:
            self.node.destroy_timer(self._timer)
            self._timer = None
        if not words:
            print(self._sent, flush=True)
            return
        transport, width, height, hz = words
        messages = []
        for seed in range(PICTURES):
            rgb = draw_street(seed, int(width), int(height))
            head = header('camera', 0)
            messages.append(
                compressed(jpeg(rgb), 'jpeg', head)
                if transport == 'jpeg'
                else raw(rgb, 'bgr8', head)
            )
        self._sent = 0
        turn = itertools.cycle(messages)
        publisher, clock = self._publishers[transport], self.node.get_clock()

        def send() -> None:
            message = next(turn)
            message.header.stamp = clock.now().to_msg()
            publisher.publish(message)
            self._sent += 1

        self._timer = self.node.create_timer(1.0 / float(hz), send)


def be_camera(number: int) -> None:
    """Be one camera, told what to do on standard input."""
    sender = Sender(number)
    spin(sender.node, sender.obey)


def be_bare(cameras: int) -> None:
    """Receive all topics, and only count; says how many on every line of standard input."""
    node = rclpy.create_node('bare', enable_rosout=False)
    count = 0

    def receive(_: Any) -> None:
        nonlocal count
        count += 1

    for number in range(cameras):
        topic = topic_of(number)
        node.create_subscription(Image, topic, receive, QOS)
        node.create_subscription(CompressedImage, f'{topic}/compressed', receive, QOS)
    spin(node, lambda _: print(count, flush=True))


def spin(node: Node, obey: Any) -> None:
    """Spin until interrupted; lines of standard input are obeyed in the executor's thread."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def read() -> None:
        for line in sys.stdin:
            executor.create_task(obey, line.split())

    Thread(target=read, daemon=True).start()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        executor.spin()


if __name__ == '__main__':
    rclpy.init()
    {'camera': be_camera, 'bare': be_bare}[sys.argv[1]](int(sys.argv[2]))
