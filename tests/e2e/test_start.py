# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What a start of the command loads: only what it needs."""

import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tests.drawn import draw_street, jpeg

HEAVY = ('torch', 'rclpy', 'onnx', 'tensorrt', 'ray')
LISTING = """
import sys
from caption_node.cli import main
status = main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(status)
"""


def loaded(*arguments: object) -> set[str]:
    """Run a command and return the modules that it has loaded at its end."""
    done = subprocess.run(
        [sys.executable, '-c', LISTING, *(str(a) for a in arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_image_loads_neither_torch_nor_ros_nor_bags(tmp_path: object) -> None:
    path = tmp_path / 'a.jpg'  # type: ignore[operator]
    path.write_bytes(jpeg(draw_street()))
    modules = loaded('image', path)
    assert {'caption_node.pipeline', 'onnxruntime', 'cv2'} <= modules
    assert not modules & {*HEAVY, 'rosbags', 'mcap', 'rich'}


ONLY_NUMPY = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition('.')[0]
        if top not in sys.stdlib_module_names and top not in ('numpy', 'caption_node'):
            raise ImportError(f'{name} is not NumPy')
        return None

sys.meta_path.insert(0, Refuse())
import caption_node
print(caption_node.__version__)
"""


def test_package_itself_needs_numpy_alone() -> None:
    done = subprocess.run(
        [sys.executable, '-c', ONLY_NUMPY], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('0.')


@pytest.mark.parametrize(
    'module', ['caption_node.cli', 'caption_node.ros.replay', 'caption_node.doctor']
)
def test_command_line_itself_loads_nothing_heavy(module: str) -> None:
    program = f'import sys, {module}; print(*{{m.split(".")[0] for m in sys.modules}})'
    done = subprocess.run(
        [sys.executable, '-c', program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=True,
    )
    assert not set(done.stdout.split()) & {*HEAVY, 'cv2', 'onnxruntime', 'rosbags', 'mcap', 'rich'}


def test_help_comes_within_two_seconds() -> None:
    times_s = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, '-m', 'caption_node', '--help'],
            capture_output=True,
            cwd=ROOT,
            check=True,
        )
        times_s.append(time.perf_counter() - begun)
    assert min(times_s) < 2
