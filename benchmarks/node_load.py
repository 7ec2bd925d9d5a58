# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The node under load through real DDS, beside a bare rclpy subscriber of the same topics.

    python benchmarks/node_load.py [--cameras 1,2,4,8] [--hz 10,30] [--sizes 640x480,1280x720]
                                   [--transports raw,jpeg] [--seconds S] [--model DIR] [--no-model]
                                   [--pictures DIR] [--no-profile]

Cameras are processes of their own, one each; node, bare subscriber and cameras stay for all rows
of one number of cameras, so all 48 rows take some ten minutes; each is printed when it is done.
Each row of the table, which is
Markdown, shows for one camera: images sent a second, the share of them that the bare subscriber
received, descriptions a second, and how old they were; for the node: CPU (100 % is one core),
memory, images that DDS lost and images that a newer one replaced, of those that were sent; CPU of
the bare subscriber; what the model takes for one image alone, run after run, just before and just
after; what it takes inside the node, where caches are cold; and the node's own cost of a
description, which is its CPU time less that of the bare subscriber and of the model inside it, in
milliseconds and as a share of what the model takes alone.

``--no-model`` puts a graph of a few operators in the model's place in the node, so that next to
nothing but the node's own cost is left, and every image is described; ``of model`` stays the share
of the real model's time, measured in the same minute. That is the figure to trust on a machine
that is busy with other things. ``--no-profile`` leaves Fast DDS its own 512 KiB of shared memory.
"""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
import itertools
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
from rclpy.executors import SingleThreadedExecutor

from caption_node.frame import Frame
from caption_node.pipeline import CaptionPipeline
from caption_node.ros.diagnostics import percentile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.load_peers import topic_of  # noqa: E402
from tests.drawn import draw_street  # noqa: E402
from tests.tiny_model import write_tiny_model  # noqa: E402

PROFILE = ROOT / 'launch' / 'config' / 'fastdds_large_images.xml'
START_S = 120.0
SETTLE_S = 1.0
TICKS_PER_S = os.sysconf('SC_CLK_TCK')
Child = subprocess.Popen[str]
COLUMNS = (
    'cameras', 'image', 'sent', 'bare got', 'described', 'age p50/p95/p99', 'CPU node', 'CPU bare',
    'memory', 'lost', 'replaced', 'model alone', 'model inside', 'own cost', 'of model',
    'decode + letterbox + postprocess',
)  # fmt: skip


@contextmanager
def process(*words: str, **environment: str) -> Iterator[Child]:
    """Run a Python process until the end of the block."""
    child = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()


def tell(child: Child, *words: object) -> None:
    """Send a line to a process."""
    if child.stdin is not None:
        child.stdin.write(' '.join(map(str, words)) + '\n')
        child.stdin.flush()


def ask(child: Child) -> int:
    """Send an empty line to a process, and return the number that it answers."""
    tell(child)
    return int(child.stdout.readline() or 0) if child.stdout is not None else 0


def cpu_s(child: Child) -> float:
    """Return the CPU time of a process so far."""
    fields = Path(f'/proc/{child.pid}/stat').read_text(encoding='ascii').rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def memory_mb(child: Child) -> float:
    """Return what of a process lies in memory."""
    pages = int(Path(f'/proc/{child.pid}/statm').read_text(encoding='ascii').split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6


def model_cost_ms(pipeline: CaptionPipeline, cameras: int) -> float:
    """Return the CPU time of the model alone for one image, in batches of all cameras."""
    bundle = pipeline.bundle
    frames = [
        Frame(draw_street(seed, bundle.width, bundle.height))
        for seed in range(min(cameras, bundle.max_batch))
    ]
    images = np.stack([frame.pixels_rgb for frame in frames])
    repeats = max(2, 10 // len(frames))
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
        self._counts: dict[str, dict[str, int]] = {}
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
        return sum(values[key] for values in self._counts.values())

    def close(self) -> None:
        """Leave."""
        self._executor.shutdown()
        self.node.destroy_node()

    def _diagnose(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if ': camera ' in status.name:
                values = {v.key: v.value for v in status.values}
                self._counts[status.name] = {
                    k: int(values[k]) for k in ('received', 'dropped', 'lost_in_transport')
                }


@dataclass(frozen=True)
class Row:
    """What one row is about."""

    transport: str
    size: tuple[int, int]
    hz: float


@dataclass
class Bench:
    """All processes for one number of cameras."""

    node: Child
    bare: Child
    cameras: list[Child]
    listener: Listener
    yardstick: CaptionPipeline

    def start(self) -> None:
        """Wait until every camera is described."""
        self._send(Row('raw', (320, 192), 5.0))
        limit_s = monotonic() + START_S
        heard = self.listener.heard
        while len({m.camera for m in heard}) < len(self.cameras) and monotonic() < limit_s:
            self.listener.spin(0.2)
        self._stop()

    def measure(self, row: Row, seconds: float) -> list[str]:
        """Measure one row; returns its cells."""
        costs_ms = [model_cost_ms(self.yardstick, len(self.cameras))]
        self._send(row)
        self.listener.spin(SETTLE_S)
        self._stop()
        self.listener.spin(SETTLE_S)
        self.listener.heard.clear()
        before = self._figures()
        begin_s = monotonic()
        self._send(row)
        self.listener.spin(seconds)
        sent = self._stop()
        elapsed_s = monotonic() - begin_s
        # What is under way belongs to this row; the last report on it comes half a second later.
        self.listener.spin(SETTLE_S)
        change = {k: v - before[k] for k, v in self._figures().items()}
        costs_ms.append(model_cost_ms(self.yardstick, len(self.cameras)))
        alone_ms = statistics.fmean(costs_ms)
        heard = self.listener.heard
        count = len(self.cameras)
        inside_ms = change['model_us'] / max(1, len(heard)) / 1e3
        own_ms = (change['node_s'] - change['bare_s']) / max(1, len(heard)) * 1e3 - inside_ms
        ages = [m.age_ms for m in heard]
        stages = [
            statistics.median(getattr(m, f'latency_{stage}_ms') for m in heard) if heard else 0.0
            for stage in ('decode', 'preprocess', 'postprocess')
        ]
        return [
            f'{count} x {row.hz:g} Hz',
            f'{row.size[0]} x {row.size[1]} {row.transport}',
            f'{sent / elapsed_s / count:.1f} Hz',
            f'{change["bare"] / max(1, sent):.0%}',
            f'{len(heard) / elapsed_s / count:.1f} Hz',
            '/'.join(f'{percentile(ages, p):.0f}' for p in (50, 95, 99)) + ' ms',
            f'{change["node_s"] / elapsed_s:.0%}',
            f'{change["bare_s"] / elapsed_s:.0%}',
            f'{memory_mb(self.node):.0f} MB',
            f'{change["lost"] / max(1, sent):.0%}',
            f'{max(0, sent - change["lost"] - len(heard)) / max(1, sent):.0%}',
            f'{alone_ms:.1f} ms',
            f'{inside_ms:.1f} ms',
            f'{own_ms:.1f} ms',
            f'{own_ms / alone_ms:.0%}',
            ' + '.join(f'{value:.1f}' for value in stages) + ' ms',
        ]

    def _send(self, row: Row) -> None:
        for camera in self.cameras:
            tell(camera, row.transport, *row.size, row.hz)

    def _stop(self) -> int:
        return sum(ask(camera) for camera in self.cameras)

    def _figures(self) -> dict[str, float]:
        return {
            'node_s': cpu_s(self.node),
            'model_us': ask(self.node),
            'bare_s': cpu_s(self.bare),
            'bare': ask(self.bare),
            'lost': self.listener.total('lost_in_transport'),
        }


@contextmanager
def bench(
    cameras: int, model: Path, real: Path, profile: bool, pictures: str = ''
) -> Iterator[Bench]:
    """Start node, bare subscriber and cameras."""
    names = ','.join(f'camera_{n}={topic_of(n)}' for n in range(cameras))
    this = str(ROOT / 'benchmarks' / 'load_peers.py')
    sender = {'FASTRTPS_DEFAULT_PROFILES_FILE': str(PROFILE)} if profile else {}
    with ExitStack() as stack:
        listener = Listener()
        stack.callback(listener.close)
        yardstick = stack.enter_context(CaptionPipeline.open(real, threads=1))
        node = stack.enter_context(
            process(
                this, 'node', '--ros-args', '-p', f'cameras:=[{names}]',
                '-p', f'model:={model}', '-p', 'threads:=1', '-p', 'diagnostics_period_s:=0.5',
                '-p', 'stale_after_s:=3600.0', '--log-level', 'fatal',
            )
        )  # fmt: skip
        bare = stack.enter_context(process(this, 'bare', str(cameras)))
        children = [
            stack.enter_context(process(this, 'camera', str(n), pictures, **sender))
            for n in range(cameras)
        ]
        made = Bench(node, bare, children, listener, yardstick)
        made.start()
        yield made


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--cameras', default='1,2,4,8')
    parser.add_argument('--hz', default='10,30')
    parser.add_argument('--sizes', default='640x480,1280x720,1920x1080')
    parser.add_argument('--transports', default='raw,jpeg')
    parser.add_argument('--seconds', type=float, default=5.0)
    parser.add_argument('--model', type=Path, default=ROOT / 'models' / 'drive_small')
    parser.add_argument('--pictures', default='', help='folder of frames to send')
    parser.add_argument('--no-model', action='store_true')
    parser.add_argument('--no-profile', action='store_true')
    return parser.parse_args()


def main() -> None:
    """Measure all rows and print them."""
    options = read_options()
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
    rclpy.init()
    print(f'| {" | ".join(COLUMNS)} |\n|{"---|" * len(COLUMNS)}', flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        model = write_tiny_model(Path(scratch) / 'tiny') if options.no_model else options.model
        for cameras in map(int, options.cameras.split(',')):
            profile = not options.no_profile
            with bench(cameras, model, options.model, profile, options.pictures) as made:
                for size, transport, hz in itertools.product(
                    options.sizes.split(','), options.transports.split(','), options.hz.split(',')
                ):
                    width, _, height = size.partition('x')
                    row = Row(transport, (int(width), int(height)), float(hz))
                    print(f'| {" | ".join(made.measure(row, options.seconds))} |', flush=True)
    rclpy.shutdown()


if __name__ == '__main__':
    main()
