# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The processes of benchmarks/node_load.py: cameras, a bare subscriber, and the node itself.

    python benchmarks/load_peers.py camera NUMBER [FOLDER]  # TRANSPORT WIDTH HEIGHT HZ, or nothing
    python benchmarks/load_peers.py bare CAMERAS            # any line: how many images came so far
    python benchmarks/load_peers.py node --ros-args ...     # any line: CPU time of the model, us

A camera shows drawn streets, or the frames of a folder. The node is the real one; what its thread
spends inside the backend is added up.
Each is a process of its own, and told what to do on standard input.
"""

from collections.abc import Sequence
from contextlib import suppress
import itertools
from pathlib import Path
import sys
from threading import Thread
from time import thread_time_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from caption_node.backends.onnx_runtime import OnnxRuntimeBackend
from caption_node.backends.protocol import Outputs
from caption_node.image_codec import IMAGE_SUFFIXES, read_image
from caption_node.preprocess import rescale
from caption_node.ros import program

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


def picture(number: int, width: int, height: int, folder: str) -> NDArray[np.uint8]:
    """Return one RGB picture of a size: drawn, or a frame of a folder."""
    if not folder:
        return draw_street(number, width, height)
    files = sorted(p for p in Path(folder).rglob('*') if p.suffix in IMAGE_SUFFIXES)
    if not files:
        raise SystemExit(f'error: no images in {folder}')
    # Neighbours are often frames of one drive: take them from all over.
    return rescale(read_image(files[number * len(files) // PICTURES]), width, height)


class Sender:
    """A camera that sends what it is told; says how much that was when it is told otherwise."""

    def __init__(self, number: int, folder: str = '') -> None:
        self._folder = folder
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
            rgb = picture(seed, int(width), int(height), self._folder)
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


def be_camera(number: int, folder: str = '') -> None:
    """Be one camera, told what to do on standard input."""
    sender = Sender(number, folder)
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


def be_node(*arguments: str) -> None:
    """Be the node, and say on every line of standard input what the model has taken so far."""
    run = OnnxRuntimeBackend.run
    spent_ns = 0

    def timed(backend: OnnxRuntimeBackend, images: NDArray[np.uint8]) -> Outputs:
        nonlocal spent_ns
        begin_ns = thread_time_ns()
        try:
            return run(backend, images)
        finally:
            spent_ns += thread_time_ns() - begin_ns

    def answer() -> None:
        for _ in sys.stdin:
            print(spent_ns // 1000, flush=True)

    OnnxRuntimeBackend.run = timed  # type: ignore[method-assign]
    Thread(target=answer, daemon=True).start()
    program.main(['caption_node', *arguments])


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
    role, *words = sys.argv[1:]
    if role == 'node':
        be_node(*words)
    rclpy.init()
    {'camera': be_camera, 'bare': be_bare}[role](int(words[0]), *words[1:])
