# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""How memory for images is kept: no fresh pages for every one, and none held for nothing."""

from collections.abc import Sequence
import ctypes
import json
import subprocess
import sys

import pytest

from caption_node.ros.heap import RETURN_PERIOD_S, PageReturner

IMAGE_BYTES = 1280 * 720 * 3
PAGE_BYTES = 4096

TAKE_TURNS = f"""
import json, resource, sys
import numpy as np
from caption_node.ros.heap import keep_images_in_heap

assert keep_images_in_heap()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for turn in range(40):
    if turn == 20:
        before = faults()
    # As decoding does: two blocks of an image's size at a time.
    decoded = np.ones({IMAGE_BYTES}, np.uint8)
    copied = decoded.copy()
    del decoded, copied
print(json.dumps(faults() - before))
"""

LEAVE_HOLES = f"""
import json
from caption_node.ros.diagnostics import memory_mb
from caption_node.ros.heap import keep_images_in_heap, return_free_pages

assert keep_images_in_heap()
begin = memory_mb()
images, rest = [], []
for _ in range(40):
    images.append(bytearray(b'1') * {IMAGE_BYTES})
    rest.append(bytearray(b'2') * 20_000)  # stays, and holds the end of the heap up
filled = memory_mb()
images.clear()
returned = return_free_pages()
print(json.dumps([begin, filled, memory_mb(), returned]))
"""

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), 'mallopt'), reason='the C library has no mallopt'
)


def run(script: str) -> Sequence[float] | float:
    line = [sys.executable, '-c', script]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
    value: Sequence[float] | float = json.loads(done.stdout)
    return value


def test_images_one_after_the_other_take_no_fresh_pages() -> None:
    faults = run(TAKE_TURNS)
    assert isinstance(faults, int)
    assert faults < IMAGE_BYTES / PAGE_BYTES, f'{faults} page faults in 20 turns'


def test_pages_between_small_blocks_go_back() -> None:
    measured = run(LEAVE_HOLES)
    assert isinstance(measured, list)
    begin_mb, filled_mb, after_mb, returned = measured
    assert returned
    assert filled_mb - begin_mb > 100
    assert after_mb - begin_mb < 0.1 * (filled_mb - begin_mb)


def test_pages_go_back_from_time_to_time() -> None:
    given_back_s: list[float] = []
    now_s = 1000.0
    pages = PageReturner(lambda: given_back_s.append(now_s))
    for _ in range(round(RETURN_PERIOD_S * 30)):
        pages.tick(now_s)
        now_s += 0.1
    assert len(given_back_s) == 3
