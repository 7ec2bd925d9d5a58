# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The node under load through real DDS, beside a bare rclpy subscriber of the same topics.

    python benchmarks/node_load.py [--cameras 1,2,4,8] [--hz 10,30] [--sizes 640x480,1280x720]
                                   [--transports raw,jpeg] [--seconds S] [--model DIR] [--no-model]

Cameras are processes of their own. For each row: descriptions a second of one camera, ages, CPU
(100 % is one core), memory and drops of the node; CPU of the bare subscriber in the same run; what
the model alone takes on this machine, measured just before; and the node's own cost of a
description, which is its CPU time less that of the bare subscriber and of the model.

``--no-model`` puts a graph of a few operators in the model's place, so that next to nothing but
the node's own cost is left.
"""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
import itertools
import math
import os
from pathlib import Path
import signal
import statistics
import subprocess
import sys
import tempfile
from time import monotonic, process_time

from caption_msgs.msg import SceneDescription
from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from caption_node.frame import Frame
from caption_node.pipeline import CaptionPipeline
from caption_node.ros.diagnostics import percentile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.drawn import draw_street, jpeg  # noqa: E402
from tests.ros.picture_messages import compressed, header, raw  # noqa: E402
from tests.tiny_model import write_tiny_model  # noqa: E402

QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)
PICTURES = 4
START_S = 120.0
TICKS_PER_S = os.sysconf('SC_CLK_TCK')


def topic_of(number: int, transport: str) -> str:
    """Return the topic of one camera."""
    return f'/camera_{number}/image' + ('/compressed' if transport == 'jpeg' else '')


def be_camera(number: int, hz: float, width: int, height: int, transport: str) -> None:
    """Publish at a steady rate until interrupted."""
    rclpy.init()
    node = rclpy.create_node(f'camera_{number}', enable_rosout=False)
    kind = CompressedImage if transport == 'jpeg' else Image
    publisher = node.create_publisher(kind, topic_of(number, transport), QOS)
    messages = []
    for seed in range(PICTURES):
        rgb = draw_street(seed, width, height)
        head = header('camera', 0)
        messages.append(
            compressed(jpeg(rgb), 'jpeg', head) if transport == 'jpeg' else raw(rgb, 'bgr8', head)
        )
    clock = node.get_clock()
    turn = itertools.cycle(messages)

    def send() -> None:
        message = next(turn)
        message.header.stamp = clock.now().to_msg()
        publisher.publish(message)

    node.create_timer(1.0 / hz, send)
    spin(node)


def be_bare(cameras: int, transport: str) -> None:
    """Receive all topics, and do nothing with them."""
    rclpy.init()
    node = rclpy.create_node('bare', enable_rosout=False)
    kind = CompressedImage if transport == 'jpeg' else Image
    for number in range(cameras):
        node.create_subscription(kind, topic_of(number, transport), lambda _: None, QOS)
    spin(node)


def spin(node: Node) -> None:
    """Spin until interrupted."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        executor.spin()


@contextmanager
def process(*words: str) -> Iterator['subprocess.Popen[bytes]']:
    """Run a Python process until the end of the block."""
    child = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def cpu_s(child: 'subprocess.Popen[bytes]') -> float:
    """Return the CPU time of a process so far."""
    fields = Path(f'/proc/{child.pid}/stat').read_text(encoding='ascii').rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def memory_mb(child: 'subprocess.Popen[bytes]') -> float:
    """Return what of a process lies in memory."""
    pages = int(Path(f'/proc/{child.pid}/statm').read_text(encoding='ascii').split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6


def model_cost_ms(model: Path | None, cameras: int) -> float:
    """Return the CPU time of the model alone for one image, in batches of all cameras."""
    with CaptionPipeline.open(model, threads=1) as pipeline:
        bundle = pipeline.bundle
        frames = [
            Frame(draw_street(seed, bundle.width, bundle.height))
            for seed in range(min(cameras, bundle.max_batch))
        ]
        images = np.stack([frame.pixels_rgb for frame in frames])
        pipeline.backend.run(images)
        repeats = max(3, 20 // len(frames))
        begin_s = process_time()
        for _ in range(repeats):
            pipeline.backend.run(images)
        return (process_time() - begin_s) / repeats / len(frames) * 1e3


class Listener:
    """Hears descriptions and diagnostics."""

    def __init__(self) -> None:
        self.node = rclpy.create_node('listener', enable_rosout=False)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self.heard: list[SceneDescription] = []
        self.counts: dict[str, dict[str, int]] = {}
        self.node.create_subscription(
            SceneDescription, '/caption_node/description', self.heard.append, 100
        )
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._diagnose, 10)

    def spin(self, seconds: float) -> None:
        """Receive for a while."""
        end_s = monotonic() + seconds
        while (left_s := end_s - monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)

    def total(self, key: str) -> int:
        """Return the sum of a count over all cameras."""
        return sum(values[key] for values in self.counts.values())

    def close(self) -> None:
        """Leave."""
        self._executor.shutdown()
        self.node.destroy_node()

    def _diagnose(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if ': camera ' in status.name:
                values = {v.key: v.value for v in status.values}
                self.counts[status.name] = {k: int(values[k]) for k in ('received', 'dropped')}


def measure(
    cameras: int, hz: float, size: tuple[int, int], transport: str, seconds: float, model: Path
) -> str:
    """Run one row; returns it as text."""
    alone_ms = model_cost_ms(model, cameras)
    names = ','.join(f'camera_{n}=/camera_{n}/image' for n in range(cameras))
    listener = Listener()
    this = str(Path(__file__))
    with ExitStack() as stack:
        node = stack.enter_context(
            process(
                '-m', 'caption_node.ros.program', '--ros-args', '-p', f'cameras:=[{names}]',
                '-p', f'model:={model}', '-p', 'threads:=1', '-p', 'diagnostics_period_s:=0.5',
            )
        )  # fmt: skip
        bare = stack.enter_context(process(this, '--as-bare', str(cameras), transport))
        for number in range(cameras):
            words = (str(number), str(hz), str(size[0]), str(size[1]), transport)
            stack.enter_context(process(this, '--as-camera', *words))
        limit_s = monotonic() + START_S
        while len({m.camera for m in listener.heard}) < cameras and monotonic() < limit_s:
            listener.spin(0.2)
        listener.spin(2.0)
        listener.heard.clear()
        received, dropped = listener.total('received'), listener.total('dropped')
        begin_s, node_s, bare_s = monotonic(), cpu_s(node), cpu_s(bare)
        listener.spin(seconds)
        elapsed_s = monotonic() - begin_s
        node_s, bare_s = cpu_s(node) - node_s, cpu_s(bare) - bare_s
        received, dropped = (
            listener.total('received') - received,
            listener.total('dropped') - dropped,
        )
        memory = memory_mb(node)
    heard = listener.heard
    listener.close()
    described = max(1, len(heard))
    own_ms = (node_s - bare_s) / described * 1e3 - alone_ms
    ages = [m.age_ms for m in heard]
    shown = '/'.join(f'{percentile(ages, p):.0f}' for p in (50, 95, 99)) if ages else '-'
    stages = (
        '+'.join(
            f'{statistics.median(getattr(m, f"latency_{stage}_ms") for m in heard):.1f}'
            for stage in ('decode', 'preprocess', 'postprocess')
        )
        if heard
        else '-'
    )
    return (
        f'{cameras:2d} x {hz:3.0f} Hz {size[0]:4d}x{size[1]:<4d} {transport:4s} '
        f'{len(heard) / elapsed_s / cameras:6.1f} Hz  {shown:>14s} ms '
        f'{node_s / elapsed_s:6.0%} {bare_s / elapsed_s:6.0%} {memory:5.0f} MB '
        f'{dropped / max(1, received):5.0%}  {alone_ms:7.1f} ms {own_ms:7.1f} ms '
        f'{own_ms / alone_ms if alone_ms > 0 else math.nan:6.0%}  {stages}'
    )


def main() -> None:
    """Measure all rows and print them."""
    if '--as-camera' in sys.argv:
        number, hz, width, height, transport = sys.argv[2:]
        be_camera(int(number), float(hz), int(width), int(height), transport)
        return
    if '--as-bare' in sys.argv:
        be_bare(int(sys.argv[2]), sys.argv[3])
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--cameras', default='1,2,4,8')
    parser.add_argument('--hz', default='10,30')
    parser.add_argument('--sizes', default='640x480,1280x720,1920x1080')
    parser.add_argument('--transports', default='raw,jpeg')
    parser.add_argument('--seconds', type=float, default=10.0)
    parser.add_argument('--model', type=Path, default=ROOT / 'models' / 'drive_small')
    parser.add_argument('--no-model', action='store_true')
    options = parser.parse_args()
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
    rclpy.init()
    print(
        'cameras       size     sent  of each   age p50/95/99      node   bare  memory  drop  '
        'model alone   own cost  of model  decode+letterbox+postprocess, ms'
    )
    with tempfile.TemporaryDirectory() as scratch:
        model = write_tiny_model(Path(scratch) / 'tiny') if options.no_model else options.model
        for transport, size, cameras, hz in itertools.product(
            options.transports.split(','),
            options.sizes.split(','),
            options.cameras.split(','),
            options.hz.split(','),
        ):
            width, _, height = size.partition('x')
            row = measure(
                int(cameras), float(hz), (int(width), int(height)), transport,
                options.seconds, model,
            )  # fmt: skip
            print(row, flush=True)
    rclpy.shutdown()


if __name__ == '__main__':
    main()
