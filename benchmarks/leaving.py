# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
How long the node takes to leave after SIGINT and SIGTERM; 2 s are allowed.

    python benchmarks/leaving.py [--repeats N] [--load N]

``describing``: a camera of 30 Hz, the shipped model busy; ``loading``: while the model is loaded;
``building``: while a TensorRT engine of the shipped model is built (for sm86, which needs no GPU).
``--load`` adds so many processes that only burn time: what a busy machine makes of it.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
import os
from pathlib import Path
import signal
import statistics
import subprocess
import sys
import tempfile
from threading import Timer
from time import perf_counter, sleep

ROOT = Path(__file__).resolve().parents[1]
DEADLINE_S = 120.0
LIMIT_S = 2.0
CAMERA = ('-m', 'tests.ros.publish', 'large', 'image')
NODE = ('-m', 'caption_node.ros.program', '--ros-args')
BUILDER = ('-m', 'tests.ros.building_node', '--ros-args', '-p', 'backend:=ahead')
MOMENTS = {
    'describing': (NODE, 'listening to', 2.0),
    'loading': (NODE, 'loading the model', 0.2),
    'building': (BUILDER, 'engine: ', 3.0),
}
"""What is started, the line of its log to wait for, and seconds from there to the signal."""
Child = subprocess.Popen[str]


@contextmanager
def process(line: Sequence[str]) -> Iterator[Child]:
    """Run Python, and end it and what it has started in any case."""
    child = subprocess.Popen(
        [sys.executable, *line],
        cwd=ROOT,
        env={
            **os.environ,
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'ROS_DOMAIN_ID': '88',
            'PYTHONUNBUFFERED': '1',
            'RCUTILS_LOGGING_USE_STDOUT': '1',
            'RCUTILS_LOGGING_BUFFERED_STREAM': '0',
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    guard = Timer(DEADLINE_S, os.killpg, (child.pid, signal.SIGKILL))
    guard.start()
    try:
        yield child
    finally:
        guard.cancel()
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def leave(moment: str, number: int) -> float:
    """Start the node, send it a signal; return the seconds until the process is gone."""
    line, sign, later_s = MOMENTS[moment]
    with ExitStack() as stack:
        if moment == 'describing':
            stack.enter_context(process(CAMERA))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        more = ('-p', f'engines:={folder}') if moment == 'building' else ()
        node = stack.enter_context(process((*line, *more, '--log-level', 'info')))
        assert node.stdout is not None
        if not any(sign in text for text in node.stdout):
            raise SystemExit(f'error: the node ended before it was {moment}')
        sleep(later_s)
        begin_s = perf_counter()
        node.send_signal(number)
        status = node.wait()
        took_s = perf_counter() - begin_s
        if status != 0:
            raise SystemExit(f'error: {moment}: exit status {status}\n{node.stdout.read()}')
    return took_s


def main() -> int:
    """Measure and print; returns 1 if any took too long."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--load', type=int, default=0)
    options = parser.parse_args()
    # So that the end of the stack ends what was started, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    worst_s = 0.0
    with ExitStack() as stack:
        for _ in range(options.load):
            stack.enter_context(process(('-c', 'while True: pass')))
        for moment in MOMENTS:
            if moment == 'building' and find_spec('tensorrt_rtx') is None:
                print('building    TensorRT for RTX is not installed')
                continue
            for name in ('SIGINT', 'SIGTERM'):
                times = [leave(moment, signal.Signals[name]) for _ in range(options.repeats)]
                worst_s = max(worst_s, *times)
                print(
                    f'{moment:11s} {name:8s} median {statistics.median(times):.2f} s, '
                    f'worst {max(times):.2f} s',
                    flush=True,
                )
    print(f'{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}')
    return int(worst_s > LIMIT_S)


if __name__ == '__main__':
    sys.exit(main())
