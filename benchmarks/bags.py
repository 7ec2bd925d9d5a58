# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
How fast recordings are described with one process and with several, in one run.

    python benchmarks/bags.py [--frames 192] [--jobs 1 2] [--repeats 3] [--width 1280]

A side with N processes may use N cores and no more, whatever it does beside the model: otherwise
one process would decode and write on the cores of the others. Workers are warmed up first. Every
repeat measures all sides one after another; the figure is the best of the repeats, and the check
at the end is that all sides said the same. The processor's own time a frame depends little on what
else the machine does: what it grows by from one side to the next is what the processes cost.
"""

import argparse
from contextlib import suppress
from dataclasses import replace
from itertools import chain
import multiprocessing
import os
from pathlib import Path
import tempfile
from time import perf_counter

import cv2

from caption_node.bag.message_types import serialize_description
from caption_node.bag.reader import BagReader
from caption_node.bag.workers import Work, Workers
from caption_node.bag.writer import BagWriter
from caption_node.scenes import render_scene

CAMERA_HZ = 10.0


def main() -> None:
    """Write a recording, describe it, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--frames', type=int, default=192)
    parser.add_argument('--jobs', nargs='+', type=int, default=[1, 2])
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--width', type=int, default=1280)
    parser.add_argument('--model', help='model folder or name')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bag = Path(folder) / 'drive.mcap'
        write(bag, options.frames, options.width)
        # One thread a process on every side: the ratio is that of the processes.
        work = Work(options.model, threads=1, batch=options.batch)
        sides = {jobs: Side(bag, Workers(work, jobs), jobs) for jobs in options.jobs}
        for _ in range(options.repeats):
            for side in sides.values():
                side.measure()
        for side in sides.values():
            side.workers.close()
    first = min(sides[options.jobs[0]].times_s)
    for jobs, side in sides.items():
        rate = options.frames / min(side.times_s)
        print(
            f'{jobs} processes on {side.cores} cores: {rate:.1f} frames/s, '
            f'{rate / CAMERA_HZ:.1f}x real time at {CAMERA_HZ:.0f} Hz, '
            f'{first / min(side.times_s):.2f}x the first; '
            f'{min(side.busy_s) / options.frames * 1e3:.1f} ms of processor a frame'
        )
    said = {jobs: side.said for jobs, side in sides.items()}
    same = len({tuple(s) for s in said.values()}) == 1
    print('all said the same, byte for byte' if same else 'they did NOT say the same')


class Side:
    """
    One number of processes, on as many cores.

    :param workers: Loaded on all cores; confined when it is measured.
    """

    def __init__(self, bag: Path, workers: Workers, jobs: int) -> None:
        self.workers = workers
        self.cores = min(jobs, len(os.sched_getaffinity(0)))
        self.times_s: list[float] = []
        self.busy_s: list[float] = []
        self._bag = bag
        self.said = describe(bag, workers)[1]

    def measure(self) -> None:
        """Describe the recording once more."""
        everywhere = os.sched_getaffinity(0)
        cores = set(sorted(everywhere)[: self.cores])
        threads = [int(t.name) for p in self._processes() for t in p.glob('task/*')]
        for thread in threads:
            os.sched_setaffinity(thread, cores)
        before_s = self._processor_s()
        self.times_s.append(describe(self._bag, self.workers)[0])
        self.busy_s.append(self._processor_s() - before_s)
        for thread in threads:
            with suppress(ProcessLookupError):
                os.sched_setaffinity(thread, everywhere)

    def _processes(self) -> list[Path]:
        """This process, and those of all sides: those that wait take no time."""
        pids = (os.getpid(), *(p.pid for p in multiprocessing.active_children()))
        return [Path('/proc', str(pid)) for pid in pids]

    def _processor_s(self) -> float:
        """Time that the processor has spent on them, user and system."""
        ticks = 0
        for process in self._processes():
            after_name = (process / 'stat').read_text().rpartition(')')[2].split()
            ticks += int(after_name[11]) + int(after_name[12])
        return ticks / os.sysconf('SC_CLK_TCK')


def write(path: Path, frames: int, width: int) -> None:
    """Write a recording of a few rendered scenes, again and again."""
    pictures = []
    for seed in range(8):
        rgb, _ = render_scene(seed, width=width, height=width * 9 // 16)
        pictures.append(cv2.imencode('.jpg', rgb[:, :, ::-1])[1].tobytes())
    with BagWriter(path) as writer:
        for i in range(frames):
            stamp_ns = 1_700_000_000_000_000_000 + round(i / CAMERA_HZ * 1e9)
            writer.write_compressed_image('/camera/front', stamp_ns, 'camera', pictures[i % 8])


def describe(bag: Path, workers: Workers) -> tuple[float, list[bytes]]:
    """Return how long it takes, seconds, and what was said."""
    begun = perf_counter()
    with BagReader(bag) as reader:
        images = list(chain.from_iterable(workers.describe(reader)))
    took_s = perf_counter() - begun
    return took_s, [serialize_description(replace(i.description, latency_ms={})) for i in images]


if __name__ == '__main__':
    main()
