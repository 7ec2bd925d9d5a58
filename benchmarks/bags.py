# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
How fast recordings are described with one process and with several, in one run.

    python benchmarks/bags.py [--frames 192] [--jobs 1 2] [--repeats 3] [--width 1280]

Workers are warmed up first. Every repeat measures all sides one after another; the figure is the
best of the repeats, and the check at the end is that all sides said the same.
"""

import argparse
from dataclasses import replace
from itertools import chain
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
        sides = {jobs: Workers(work, jobs) for jobs in options.jobs}
        said = {jobs: describe(bag, side)[1] for jobs, side in sides.items()}
        times_s: dict[int, list[float]] = {jobs: [] for jobs in sides}
        for _ in range(options.repeats):
            for jobs, side in sides.items():
                times_s[jobs].append(describe(bag, side)[0])
        for side in sides.values():
            side.close()
    first = min(times_s[options.jobs[0]])
    for jobs, times in times_s.items():
        rate = options.frames / min(times)
        print(
            f'{jobs} processes: {rate:.1f} frames/s, {rate / CAMERA_HZ:.1f}x real time at '
            f'{CAMERA_HZ:.0f} Hz, {first / min(times):.2f}x the first'
        )
    same = len({tuple(s) for s in said.values()}) == 1
    print('all said the same, byte for byte' if same else 'they did NOT say the same')


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
