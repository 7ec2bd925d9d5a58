# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption evaluate --streaming``: a rendered drive through the real node, over DDS."""

import json
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

from caption_node.bag.reader import BagReader
from caption_node.cli import main

pytestmark = pytest.mark.ros

SECONDS, RATE_HZ = 8.0, 3.0
IMAGES = 24
DEADLINE_S = 240.0


@pytest.fixture(scope='module')
def drive(tmp_path_factory):
    """A short rendered drive with its truth."""
    path = tmp_path_factory.mktemp('streaming') / 'a drive.mcap'
    line = ['render', str(path), '--seconds', str(SECONDS), '--rate', str(RATE_HZ)]
    assert main([*line, '--size', '320x180', '-q']) == 0
    return path


def evaluate(*options, expect=0):
    line = [sys.executable, '-m', 'caption_node', 'evaluate', *(str(o) for o in options)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    assert 'Traceback' not in done.stderr
    return done


def test_rendered_drive_is_scored_as_it_is_heard_and_at_leisure(drive, tmp_path):
    out = tmp_path / 'out'
    done = evaluate('--streaming', drive, '--rate', 1, '--json', '-q', '-o', out)
    figures = json.loads(done.stdout)
    assert figures == json.loads((out / 'streaming.json').read_text())
    assert figures['instants'] == IMAGES
    assert 0 < figures['described']['count'] <= IMAGES
    assert figures['described']['of'] == IMAGES
    assert 0 < figures['coverage']['count'] <= IMAGES
    # No description can be there at the very instant of its image.
    assert figures['age_ms']['p50'] >= 1000 / RATE_HZ - 1
    assert 0 < figures['latency_ms']['p50'] <= figures['latency_ms']['most']
    for side in ('streaming', 'offline'):
        assert 0 < figures[side]['field_f1'] <= 1
        assert figures[side]['cider_d'] is not None
    assert figures['offline']['missing'] == 0
    gap = figures['streaming']['field_f1'] - figures['offline']['field_f1']
    assert figures['gap']['field_f1'] == pytest.approx(gap, abs=1e-5)
    assert set(figures['events']) >= {'light', 'person_on_road', 'lead_near'}
    assert figures['flicker']['field_changes_per_s']['truth'] > 0
    assert '**Changes a second**' in (out / 'streaming.md').read_text()


def test_offline_side_is_what_evaluate_says_of_the_same_frames(drive, tmp_path):
    """The scores at leisure are those of the ordinary evaluation, computed apart."""
    from caption_node.evaluation.measure import evaluate as measure
    from caption_node.evaluation.streaming import Instant, score
    from caption_node.labelling.labelled_images import read_labelled_images
    from tests.unit.evaluation.examples import prediction

    with BagReader(drive) as reader:
        known = read_labelled_images(reader, None, None)
    frames = list(known.frames.values())
    said = [prediction(f'A street with {i} cars.', vehicles=i % 9) for i in range(len(frames))]
    instants = [Instant(f, 'camera', float(i), float(i)) for i, f in enumerate(frames)]
    ours = score(instants, said)
    theirs = measure(frames, {f.id: s for f, s in zip(frames, said, strict=True)}, ())
    assert ours.field_f1 == pytest.approx(theirs.field_f1.system, abs=1e-9)
    assert ours.cider_d == pytest.approx(
        theirs.sentences['cider_d_one_reference'].system, abs=1e-9
    )
    assert ours.claims == theirs.claims


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['--rate', '0'], 'allowed is'),
        (['--rate', 'nan'], 'allowed is'),
        (['--labels', 'x.jsonl', '--labels-topic', '/x'], 'not from both'),
        (['--labels', 'missing.jsonl'], 'cannot be read'),
        (['--labels-topic', '/nothing'], 'no such topic'),
        (['--topics', '/nothing'], 'no topic /nothing'),
        (['--split', 'val'], 'do not go with --streaming'),
    ],
)
def test_what_cannot_be_played_is_refused(drive, options, words, capsys):
    assert main(['evaluate', '--streaming', str(drive), *options]) == 1
    said = capsys.readouterr().err
    assert 'error:' in said
    assert words in said


def test_node_that_does_not_come_up_is_named(drive):
    done = evaluate('--streaming', drive, '--model', 'missing_model', expect=1)
    assert 'error: caption_node has ended with status 1' in done.stderr
    assert 'missing_model' in done.stderr
    log = Path(done.stderr.rpartition('hint: see ')[2].strip())
    assert 'missing_model' in log.read_text()
    shutil.rmtree(log.parent)


def test_without_ros_it_says_what_is_missing(drive):
    script = (
        'import sys; sys.modules["rclpy"] = None; '
        'from caption_node.cli import main; sys.exit(main(sys.argv[1:]))'
    )
    done = subprocess.run(
        [sys.executable, '-c', script, 'evaluate', '--streaming', str(drive)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 1
    assert 'error: ROS 2 or caption_msgs is not importable' in done.stderr
    assert 'hint: run scripts/setup.sh' in done.stderr
