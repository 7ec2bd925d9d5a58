# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
How long it takes from nothing: `caption image one.jpg`, and the node until it is active.

    python benchmarks/start.py [--repeats N]

Each start is a process of its own; the file cache is warm, nothing else is. Bars, on two quiet
cores: 1.5 s for the picture, 2 s for the node.
"""

import argparse
from collections.abc import Callable
import os
from pathlib import Path
import signal
import statistics
import subprocess
import sys
import tempfile
from threading import Timer
from time import perf_counter

import cv2

from caption_node.scenes import render_scene

DEADLINE_S = 120
ACTIVE = 'listening to'
"""What the node logs of each camera when it has become active."""


def start_command(picture: Path) -> float:
    """Describe one picture; return seconds."""
    begun = perf_counter()
    subprocess.run(
        [sys.executable, '-m', 'caption_node', 'image', str(picture), '-q'],
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=DEADLINE_S,
    )
    return perf_counter() - begun


def start_node(_: Path) -> float:
    """Start the node; return seconds until it is configured and active."""
    program = Path(sys.executable).parent / 'caption_node'
    environment = {
        **os.environ,
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_DOMAIN_ID': '87',
        'RCUTILS_LOGGING_USE_STDOUT': '1',
        'RCUTILS_LOGGING_BUFFERED_STREAM': '0',
    }
    begun = perf_counter()
    node = subprocess.Popen(
        [str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert node.stdout is not None
    # A node that never becomes active must not outlive this, nor keep it waiting for ever.
    guard = Timer(DEADLINE_S, os.killpg, (node.pid, signal.SIGKILL))
    guard.start()
    took_s = float('nan')
    try:
        for line in node.stdout:
            if ACTIVE in line:
                took_s = perf_counter() - begun
                break
    finally:
        if node.poll() is None:
            os.killpg(node.pid, signal.SIGINT)
        node.communicate()
        guard.cancel()
    return took_s


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--repeats', type=int, default=5)
    options = parser.parse_args()
    sides: dict[str, Callable[[Path], float]] = {'caption image one.jpg': start_command}
    if (Path(sys.executable).parent / 'caption_node').exists():
        sides['node, until active'] = start_node
    with tempfile.TemporaryDirectory() as scratch:
        picture = Path(scratch) / 'one.jpg'
        cv2.imwrite(str(picture), render_scene(1)[0][:, :, ::-1])
        times: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(options.repeats + 1):
            for name, run in sides.items():
                took_s = run(picture)
                if turn:  # the first turn warms the file cache
                    times[name].append(took_s)
    print(f'{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}')
    for name, values in times.items():
        print(f'{name:24s} median {statistics.median(values):5.2f} s, best {min(values):5.2f} s')


if __name__ == '__main__':
    main()
