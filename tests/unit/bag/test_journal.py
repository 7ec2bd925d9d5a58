# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The journal: taken up by the same job only, and by one process at a time."""

from dataclasses import replace
from pathlib import Path

import pytest

from caption_node.bag.journal import Job, Journal, journal_path
from caption_node.bag.workers import DescribedImage, choose_jobs
from caption_node.description import SceneDescription
from caption_node.errors import BagError

JOB = Job('recording', 'model', ('/camera',), 0.5, 4)
IMAGES = [
    DescribedImage(
        SceneDescription(
            stamp_ns=i, camera='/camera', file='a bag', caption=f'Road {i}.', confidence=0.5,
            latency_ms={'decode': 1.5},
        ),
        i + 100,
    )
    for i in range(3)
]  # fmt: skip


def test_what_was_added_comes_back(tmp_path: Path) -> None:
    out = tmp_path / 'out.mcap'
    with Journal(out, JOB) as journal:
        journal.add(IMAGES)
    with Journal(out, JOB) as journal:
        assert journal.count == 3
        assert [(d.stamp_ns, d.caption, d.file, d.latency_ms) for d in journal.descriptions()] == [
            (i, f'Road {i}.', 'a bag', {'decode': 1.5}) for i in range(3)
        ]
        assert [time_ns for time_ns, _, _ in journal.serialized()] == [100, 101, 102]
        journal.remove()
    assert list(tmp_path.iterdir()) == []


def test_bytes_do_not_say_how_long_it_took(tmp_path: Path) -> None:
    slow = replace(
        IMAGES[0], description=replace(IMAGES[0].description, latency_ms={'decode': 99.0})
    )
    with Journal(tmp_path / 'out.mcap', JOB) as journal:
        journal.add([IMAGES[0], slow])
        first, second = (cdr for _, _, cdr in journal.serialized())
    assert first == second


@pytest.mark.parametrize(
    'other',
    [
        replace(JOB, recording='another'),
        replace(JOB, model='another'),
        replace(JOB, topics=('/camera', '/rear')),
        replace(JOB, every_s=0.0),
        replace(JOB, batch=8),
    ],
)
def test_another_job_begins_anew(tmp_path: Path, other: Job) -> None:
    out = tmp_path / 'out.mcap'
    with Journal(out, JOB) as journal:
        journal.add(IMAGES)
    with Journal(out, other) as journal:
        assert journal.is_of_other_job
        assert journal.count == 0


@pytest.mark.parametrize('share', [0.0, 0.02, 0.6])
def test_damaged_journal_begins_anew(tmp_path: Path, share: float) -> None:
    out = tmp_path / 'out.mcap'
    with Journal(out, JOB) as journal:
        journal.add(IMAGES)
    path = journal_path(out)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)] or b'this is no database' * 99)
    with Journal(out, JOB) as journal:
        assert journal.count == 0
        journal.add(IMAGES)
        assert journal.count == 3


def test_second_process_is_refused(tmp_path: Path) -> None:
    out = tmp_path / 'out.mcap'
    with Journal(out, JOB) as journal:
        journal.add(IMAGES)
        with pytest.raises(BagError) as caught:
            Journal(out, JOB)
        assert 'another process writes the same output' in caught.value.hint
        assert journal.count == 3


def test_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('x')
    with pytest.raises(BagError) as caught:
        Journal(tmp_path / 'file' / 'out.mcap', JOB)
    assert 'cannot be written' in str(caught.value)
    assert 'may write' in caught.value.hint


def test_processes_follow_frames_and_backend() -> None:
    assert choose_jobs(5, 1, 'onnxruntime-cpu') == 5
    assert choose_jobs(None, 10, 'onnxruntime-cpu') == 1
    assert choose_jobs(None, 100_000, 'onnxruntime-cpu') >= 1
    assert choose_jobs(None, 100_000, 'tensorrt') == 1
