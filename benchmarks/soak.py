# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Endurance: the node under full load while everything around it misbehaves at random.

    python benchmarks/soak.py [--seconds 1800] [--model DIR] [--seed N] [--growth PERCENT]

Two cameras send as fast as they can. They vanish and come back, change size and encoding in
mid-stream, send corrupt frames (one in ten), and stamps that jump an hour forward or back; their
DDS participants are restarted, and subscribers come and go. A third camera is a process that is
killed and started again. At first every size and encoding is shown once, so that memory is where
it stays. Ends with status 0 if the node did not crash or log a traceback, its memory did not grow
by more than ``--growth`` after that, every OK description is that of an image that was sent just
before, none is older than ``max_age_ms``, and nothing OK came of a camera that was silent.
"""

import argparse
from collections import Counter, deque
from dataclasses import dataclass, field
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import tempfile
from time import monotonic

from caption_msgs.msg import SceneDescription
from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.drawn import jpeg  # noqa: E402
from tests.ros.picture_messages import bad_messages, compressed, header, raw  # noqa: E402
from tests.tiny_model import colour, write_tiny_model  # noqa: E402

NS_PER_S = 1_000_000_000
HOUR_NS = 3600 * NS_PER_S
STALE_S = 1.0
ROUNDING_NS = 2_000_000
"""An hour in milliseconds as float32 is exact to a quarter of one."""
MAX_AGE_S = 2.0
LATEST_S = 5.0
"""An OK description may come so long after its image was sent, on a busy machine."""
STALL_S = 0.5
"""This process was held up if it was away for so long: whatever comes then says nothing."""
PROFILE = ROOT / 'launch' / 'config' / 'fastdds_large_images.xml'
SIZES = ((320, 192), (640, 480), (1280, 720))
ENCODINGS = ('rgb8', 'bgr8', 'mono8', 'yuv422', 'bayer_rggb8', 'bgra8')


@dataclass
class Camera:
    """One camera with what it is up to."""

    name: str
    domain: int
    rng: random.Random
    sent: 'deque[tuple[int, float]]' = field(default_factory=lambda: deque(maxlen=2000))
    silent_until_s: float = 0.0
    shift_ns: int = 0
    size: tuple[int, int] = SIZES[0]
    encoding: str = 'rgb8'
    context: Context | None = None

    def __post_init__(self) -> None:
        self.pictures = {
            (size, name): colour(name, *size) for size in SIZES for name in ('grey', 'red', 'blue')
        }
        self.bad = list(bad_messages(colour('grey')).values())
        self.restart()

    def restart(self) -> None:
        """Leave DDS, and come back as another participant."""
        if self.context is not None:
            self.node.destroy_node()
            rclpy.shutdown(context=self.context)
        self.context = Context()
        rclpy.init(context=self.context, domain_id=self.domain)
        self.node = Node(f'camera_{self.name}', context=self.context, enable_rosout=False)
        topic = f'/{self.name}/image'
        self.raw = self.node.create_publisher(Image, topic, qos_profile_sensor_data)
        self.compressed = self.node.create_publisher(
            CompressedImage, f'{topic}/compressed', qos_profile_sensor_data
        )

    def misbehave(self) -> str:
        """Do one thing that a camera should not do; returns what."""
        fault = self.rng.choice(('vanish', 'size', 'encoding', 'clock', 'restart'))
        if fault == 'vanish':
            self.silent_until_s = monotonic() + self.rng.uniform(0.5, 4.0)
        elif fault == 'size':
            self.size = self.rng.choice(SIZES)
        elif fault == 'encoding':
            self.encoding = self.rng.choice((*ENCODINGS, 'jpeg', 'jpeg'))
        elif fault == 'clock':
            self.shift_ns = self.rng.choice((0, HOUR_NS, -HOUR_NS))
        else:
            self.restart()
        return fault

    def send(self) -> None:
        """Send one image, one in ten of them corrupt."""
        if monotonic() < self.silent_until_s:
            return
        stamp_ns = int(self.node.get_clock().now().nanoseconds) + self.shift_ns
        head = header(self.name, stamp_ns)
        self.sent.append((stamp_ns, monotonic()))
        if self.rng.random() < 0.1:
            message = self.rng.choice(self.bad)
            message.header = head
        else:
            rgb = self.pictures[self.size, self.rng.choice(('grey', 'grey', 'red', 'blue'))].copy()
            rgb[:8] = np.frombuffer(self.rng.randbytes(8 * rgb.shape[1] * 3), np.uint8).reshape(
                8, -1, 3
            )
            message = (
                compressed(jpeg(rgb), 'jpeg', head)
                if self.encoding == 'jpeg'
                else raw(rgb, self.encoding, head)
            )
        (self.raw if isinstance(message, Image) else self.compressed).publish(message)


class Watch:
    """Hears what the node says, and keeps book of what is wrong with it."""

    def __init__(self, domain: int, cameras: dict[str, Camera]) -> None:
        self.cameras = cameras
        self.wrong: list[str] = []
        self.heard: Counter[tuple[str, int]] = Counter()
        self.memory_mb: list[float] = []
        self._stale_ns: dict[str, int] = {}
        self._stalls_s: deque[tuple[float, float]] = deque(maxlen=1000)
        self._here_s = monotonic()
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node('watch', context=self._context, enable_rosout=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.node.create_subscription(
            SceneDescription, '/caption_node/description', self._hear, 50
        )
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._diagnose, 10)
        self._passing = None

    def spin(self, seconds: float) -> None:
        """Receive for a while."""
        end_s = monotonic() + seconds
        while (left_s := end_s - monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)
            self.note_presence()

    def note_presence(self) -> None:
        """Note that this process runs; where it did not, the machine was busy elsewhere."""
        now_s = monotonic()
        if now_s - self._here_s > STALL_S:
            self._stalls_s.append((self._here_s, now_s))
        self._here_s = now_s

    def come_or_go(self) -> str:
        """Subscribe to the overlay, or stop watching it."""
        if self._passing is None:
            self._passing = self.node.create_subscription(
                CompressedImage, '/caption_node/one/overlay/compressed', lambda _: None, 5
            )
            return 'subscriber comes'
        self.node.destroy_subscription(self._passing)
        self._passing = None
        return 'subscriber goes'

    def _hear(self, message: SceneDescription) -> None:
        now_s = monotonic()
        self.heard[message.camera, message.status] += 1
        stamp = message.header.stamp
        stamp_ns = stamp.sec * NS_PER_S + stamp.nanosec
        if message.status == SceneDescription.STALE:
            completed = message.completed
            self._stale_ns[message.camera] = completed.sec * NS_PER_S + completed.nanosec
            return
        if message.status not in (SceneDescription.OK, SceneDescription.ABSTAIN):
            return
        if message.camera not in self.cameras:
            self._judge_age(message, now_s)
            return
        sent_s = next(
            (s for n, s in reversed(self.cameras[message.camera].sent) if n == stamp_ns), None
        )
        received_ns = stamp_ns + int(message.age_received_ms * 1e6)
        if sent_s is None:
            self.wrong.append(f'{message.camera}: a description of an image that nobody sent')
        elif (late_s := self._running_s(sent_s, now_s)) > STALE_S + LATEST_S:
            self.wrong.append(f'{message.camera}: marked OK {late_s:.1f} s after its image')
        elif received_ns < self._stale_ns.get(message.camera, 0) - ROUNDING_NS:
            self.wrong.append(f'{message.camera}: OK for an image that came before it was stale')
        self._judge_age(message, now_s)

    def _judge_age(self, message: SceneDescription, now_s: float) -> None:
        # Stamps that are an hour off are no matter of age: the node says that they look replayed.
        age_s = message.age_ms / 1e3
        if age_s < 60 and self._running_s(now_s - age_s, now_s) > MAX_AGE_S + 1:
            self.wrong.append(f'{message.camera}: {age_s:.1f} s old, in spite of max_age_ms')

    def _running_s(self, from_s: float, to_s: float) -> float:
        """Return how much of a time this process was running."""
        stalls = [*self._stalls_s, (self._here_s, to_s)]
        away_s = (min(e, to_s) - max(b, from_s) for b, e in stalls if e - b > STALL_S)
        return to_s - from_s - sum(max(0.0, s) for s in away_s)

    def _diagnose(self, message: DiagnosticArray) -> None:
        for status in message.status:
            for value in status.values:
                if value.key == 'memory_mb':
                    self.memory_mb.append(float(value.value))


def start_node(model: Path, domain: int, log: Path) -> 'subprocess.Popen[bytes]':
    """Start the node with both cameras."""
    line = [
        sys.executable, '-m', 'caption_node.ros.program', '--ros-args', '-p', f'model:={model}',
        '-p', 'cameras:=[one=/one/image, two=/two/image, three=/camera_3/image]',
        '-p', f'stale_after_s:={STALE_S}', '-p', f'max_age_ms:={MAX_AGE_S * 1e3}',
        '-p', 'diagnostics_period_s:=0.2',
    ]  # fmt: skip
    environment = {**os.environ, 'ROS_DOMAIN_ID': str(domain)}
    with log.open('wb') as file:
        return subprocess.Popen(line, env=environment, cwd=ROOT, stdout=file, stderr=file)


class Crasher:
    """A camera of another process, which is killed without a farewell and started again."""

    def __init__(self, domain: int) -> None:
        self._environment = {**os.environ, 'ROS_DOMAIN_ID': str(domain)}
        self._start()

    def crash(self) -> str:
        """Kill it, and start it again."""
        self.close()
        self._start()
        return 'crash'

    def close(self) -> None:
        """Kill it."""
        self._child.kill()
        self._child.communicate()

    def _start(self) -> None:
        line = [sys.executable, 'benchmarks/load_peers.py', 'camera', '3']
        self._child = subprocess.Popen(
            line,
            env=self._environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if self._child.stdin is not None:
            self._child.stdin.write(b'raw 640 480 10\n')
            self._child.stdin.flush()


def warm_up(watch: Watch) -> None:
    """Show every size in every encoding, all that is corrupt, and what an overlay takes."""
    watch.come_or_go()
    for camera in watch.cameras.values():
        for size in SIZES:
            for encoding in (*ENCODINGS, 'jpeg'):
                camera.size, camera.encoding = size, encoding
                for _ in range(8):
                    camera.send()
                    watch.spin(0.03)
    watch.memory_mb.clear()


def run(
    watch: Watch, node: 'subprocess.Popen[bytes]', crasher: Crasher, seconds: float, seed: int
) -> Counter[str]:
    """Send and misbehave until the time is over; returns how often what was done."""
    rng = random.Random(seed)
    done: Counter[str] = Counter()
    end_s = monotonic() + seconds
    next_fault_s = monotonic() + 1.0
    shown_s = monotonic()
    while monotonic() < end_s and node.poll() is None:
        for camera in watch.cameras.values():
            camera.send()
        watch.spin(0.015)
        if monotonic() > next_fault_s:
            next_fault_s = monotonic() + rng.uniform(0.1, 0.8)
            chance = rng.random()
            if chance < 0.02:
                done[crasher.crash()] += 1
            elif chance < 0.2:
                done[watch.come_or_go()] += 1
            else:
                done[rng.choice(list(watch.cameras.values())).misbehave()] += 1
        if monotonic() - shown_s > 60:
            shown_s = monotonic()
            print(f'{end_s - shown_s:.0f} s left, {watch.memory_mb[-1:]} MB, {dict(watch.heard)}')
    return done


def growth_percent(memory_mb: list[float]) -> float:
    """
    Return by how much the last two fifths lie above the second and third, lower quartiles each.

    In the first fifth memory settles. A leak lifts its floor; a burst of large images, which ends,
    does not.
    """
    fifth = max(1, len(memory_mb) // 5)
    before, after = memory_mb[fifth : 3 * fifth], memory_mb[-2 * fifth :]
    return (_lower_quartile(after) / _lower_quartile(before) - 1) * 100


def _lower_quartile(values: list[float]) -> float:
    return sorted(values)[len(values) // 4]


def main() -> int:
    """Run it; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--seconds', type=float, default=1800.0)
    parser.add_argument('--model', type=Path, help='model folder (default: one that is made up)')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--growth', type=float, default=2.0, help='most growth of memory, percent')
    options = parser.parse_args()
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['FASTRTPS_DEFAULT_PROFILES_FILE'] = str(PROFILE)
    domain = 1 + os.getpid() % 100
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        model = options.model or write_tiny_model(Path(scratch) / 'tiny')
        cameras = {name: Camera(name, domain, rng) for name in ('one', 'two')}
        watch = Watch(domain, cameras)
        log = Path(scratch) / 'node.log'
        node = start_node(model, domain, log)
        crasher = Crasher(domain)
        try:
            limit_s = monotonic() + 90
            while not watch.heard and monotonic() < limit_s and node.poll() is None:
                cameras['one'].send()
                watch.spin(0.1)
            warm_up(watch)
            done = run(watch, node, crasher, options.seconds, options.seed)
            alive = node.poll() is None
        finally:
            crasher.close()
            if node.poll() is None:
                node.send_signal(signal.SIGINT)
            status = node.wait(10)
        text = log.read_text(encoding='utf-8', errors='replace')
    return report(watch, done, options.growth, alive and status == 0, text)


def report(watch: Watch, done: Counter[str], most: float, survived: bool, log: str) -> int:
    """Print what happened; returns the exit status."""
    growth = growth_percent(watch.memory_mb) if len(watch.memory_mb) >= 5 else float('nan')
    described = sum(watch.heard.values())
    print(f'faults: {dict(done)}')
    print(f'descriptions by camera and status: {dict(watch.heard)}')
    course = watch.memory_mb[:: max(1, len(watch.memory_mb) // 10)]
    print(f'memory: {growth:+.2f} % growth, at most {most} %; MB: {[round(mb) for mb in course]}')
    wrong = [*watch.wrong[:10]]
    if not survived or 'Traceback' in log:
        wrong.append('the node crashed, or logged a traceback:\n' + log[-3000:])
    if not growth <= most:
        wrong.append(f'memory grew by {growth:.2f} %')
    if described < 10:
        wrong.append('next to nothing was described:\n' + log[-3000:])
    print('\n'.join(wrong) or 'nothing is wrong')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
