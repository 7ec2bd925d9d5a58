# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The demo from a drive to a bag, a video and a table, over real DDS."""

import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
from time import monotonic

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: run scripts/setup.sh')
pytest.importorskip('caption_msgs.msg', reason='caption_msgs is not built: run scripts/setup.sh')

from caption_node.bag.reader import BagReader
from tests.e2e.command import heed_interrupts

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 240.0


def demo(*options, expect=0):
    """Run the demo as a process, and return what it printed."""
    line = [sys.executable, '-m', 'caption_node.demo', *(str(o) for o in options)]
    done = subprocess.run(
        line, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert 'Traceback' not in done.stderr
    return done.stdout + done.stderr


def children_of(out):
    """Processes that still work for a demo, by their command lines."""
    found = []
    for entry in Path('/proc').iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            line = (entry / 'cmdline').read_bytes().decode(errors='replace')
        except OSError:
            continue
        if str(out) in line:
            found.append(line.replace('\0', ' '))
    return found


def picture_count(video):
    capture = cv2.VideoCapture(str(video))
    count = 0
    while True:
        done, picture = capture.read()
        if not done:
            break
        assert picture.std() > 2
        count += 1
    capture.release()
    return count


def test_short_demo_leaves_bag_video_and_table(tmp_path):
    text = demo('--seconds', 3, '--out', tmp_path)
    assert re.search(r'frames sent +30\b', text), text
    described = int(re.search(r'described +(\d+)', text)[1])
    assert described >= 1  # few of them on a machine with much else to do
    assert re.search(r'age p50 / p95 +\d+ / \d+ ms', text)
    assert re.search(r'lead_range +\d+ %', text)
    with BagReader(tmp_path / 'demo.mcap') as reader:
        counts = {t.name: t.count for t in reader.topics}
        assert counts['/camera/image/compressed'] == 30
        assert counts['/caption_node/description'] == described
        images = {i.stamp_ns for i in reader.images()}
        assert not reader.damage
    assert len(images) == 30
    assert picture_count(tmp_path / 'demo.mp4') == 30
    assert children_of(tmp_path) == []


def test_demo_plays_a_folder_of_pictures(tmp_path):
    folder = tmp_path / 'pictures'
    folder.mkdir()
    rng = np.random.default_rng(1)
    for i, size in enumerate(((640, 360), (800, 450), (320, 240))):
        noise = rng.integers(0, 255, (size[1], size[0], 3), np.uint8)
        cv2.imwrite(str(folder / f'{i}.{"png" if i else "jpg"}'), noise)
    (folder / 'empty.jpg').write_bytes(b'')
    text = demo('--input', folder, '--out', tmp_path / 'out')
    assert 'left out' in text
    assert 'empty.jpg' in text
    assert re.search(r'frames sent +3\b', text), text
    assert 'ground truth' not in text
    assert (tmp_path / 'out' / 'demo.mp4').stat().st_size > 1000


def test_interrupted_demo_ends_its_processes(tmp_path):
    line = [sys.executable, '-m', 'caption_node.demo', '--seconds', '20', '--out', str(tmp_path)]
    log = (tmp_path / 'log').open('w+b')
    process = subprocess.Popen(
        line,
        cwd=ROOT,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    try:
        deadline_s = monotonic() + DEADLINE_S
        while not re.search(rb's  age', os.pread(log.fileno(), 1 << 20, 0)):
            assert process.poll() is None, os.pread(log.fileno(), 1 << 20, 0).decode()
            assert monotonic() < deadline_s
            # Waits for the process, so that nothing spins.
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 130
    finally:
        process.kill()
        process.wait(10)
        log.close()
    assert children_of(tmp_path) == []


@pytest.mark.parametrize(
    ('make', 'words'),
    [
        (lambda p: p / 'missing.mcap', 'does not exist'),
        (lambda p: _file(p / 'drive.mcap', b''), 'drive.mcap'),
        (lambda p: _file(p / 'drive.mp4', b'no video'), 'not a video'),
        (lambda p: _file(p / 'notes.txt', b'hello'), 'no bag, video or picture'),
        (lambda p: _file(p / 'broken.jpg', b'\xff\xd8\xff'), 'broken.jpg'),
        (lambda p: p, 'holds no pictures'),
    ],
)
def test_demo_refuses_what_it_cannot_play(tmp_path, make, words):
    folder = tmp_path / 'input'
    folder.mkdir()
    text = demo('--input', make(folder), '--out', tmp_path / 'out', expect=1)
    assert 'error:' in text
    assert words in text


@pytest.mark.parametrize('seconds', ['0', '-3', 'nan', '1e9'])
def test_demo_refuses_odd_lengths(tmp_path, seconds):
    assert 'allowed is' in demo('--seconds', seconds, '--out', tmp_path, expect=1)


def test_demo_names_a_model_that_is_not_there(tmp_path):
    text = demo('--seconds', 1, '--out', tmp_path, '--model', tmp_path / 'nothing', expect=1)
    assert 'error:' in text
    assert 'nothing' in text


def _file(path, data):
    path.write_bytes(data)
    return path


def test_report_counts_agreement_within_one():
    from caption_node.demo.report import agreement
    from caption_node.description import FIELDS, FieldValue, SceneDescription
    from caption_node.scenes import render_scene

    _, truth = render_scene(3, 320, 180)
    scene = {name: FieldValue(value, 1.0) for name, value in truth.fields.items()}
    scene['vehicles'] = FieldValue(int(truth.fields['vehicles']) + 2, 1.0)
    totals = agreement([(SceneDescription(scene=scene), truth)])
    assert json.dumps(totals)
    assert totals['vehicles'] == (0, 1)
    assert all(totals[name] == (1, 1) for name in FIELDS if name != 'vehicles')
