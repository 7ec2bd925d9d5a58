# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A process leaves even where a library holds it, and the interpreter, for ever."""

import signal

import pytest

from tests.ros.conftest import Start

pytestmark = pytest.mark.ros
# PyDLL keeps the interpreter's lock during the call, as rclpy does while it destroys a node.
SCRIPT = """
import ctypes, sys
from caption_node.ros.context import ended_if_stuck
with ended_if_stuck(0.5):
    ctypes.PyDLL(None).sleep(int(sys.argv[1]))
ctypes.PyDLL(None).usleep(800_000)
print('left as usual')
"""


def test_a_process_that_is_stuck_in_a_library_is_ended(start: Start) -> None:
    process = start('-c', SCRIPT, '60')
    assert process.wait(30) == -signal.SIGALRM
    assert 'left' not in process.output


def test_a_process_that_is_not_goes_on_undisturbed(start: Start) -> None:
    process = start('-c', SCRIPT, '0')
    assert process.wait(30) == 0, process.output
    assert 'left as usual' in process.output
