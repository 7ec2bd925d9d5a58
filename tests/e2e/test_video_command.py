# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption video``."""

from pathlib import Path

import cv2
import pytest

from tests.drawn import draw_street, jpeg, write_video
from tests.e2e.command import caption, lines
from tests.schema import check_line


def test_frames_are_described_and_drawn(tmp_path: Path) -> None:
    write_video(str(tmp_path / 'drive.mp4'), frames=13)
    target = tmp_path / 'out' / 'drawn.mp4'
    done = caption('video', tmp_path / 'drive.mp4', '--overlay', target, '--camera', 'front')
    assert done.returncode == 0, done.stderr
    said = lines(done.stdout)
    for line in said:
        check_line(line)
    assert [line['stamp_ns'] for line in said] == [i * 100_000_000 for i in range(13)]
    capture = cv2.VideoCapture(str(target))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 13
    assert capture.get(cv2.CAP_PROP_FPS) == 10
    capture.release()


def test_every_and_a_folder_of_pictures(tmp_path: Path) -> None:
    write_video(str(tmp_path / 'drive.avi'), frames=13)
    done = caption(
        'video', tmp_path / 'drive.avi', '--every', '500ms', '--overlay', tmp_path / 'out'
    )
    assert done.returncode == 0, done.stderr
    assert [line['stamp_ns'] for line in lines(done.stdout)] == [0, 500_000_000, 1_000_000_000]
    assert len(list((tmp_path / 'out').glob('*.jpg'))) == 3


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('zero.mp4', b''),
        ('text.mp4', b'this is text'),
        ('none.mp4', None),
        ('a.jpg', b'\xff\xd8\xff'),
    ],
)
def test_what_is_no_video_is_an_error(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = caption('video', tmp_path / name)
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert any(line.startswith('error: ') for line in done.stderr.splitlines())
    (line,) = lines(done.stdout)
    check_line(line)
    assert name in line['error']


def test_picture_given_as_video_is_described_or_explained(tmp_path: Path) -> None:
    (tmp_path / 'a.jpg').write_bytes(jpeg(draw_street()))
    done = caption('video', tmp_path / 'a.jpg')
    assert 'Traceback' not in done.stderr
    (line,) = lines(done.stdout)
    check_line(line)


def test_cut_video_gives_its_beginning_and_an_error_line(tmp_path: Path) -> None:
    path = tmp_path / 'drive.avi'
    write_video(str(path), frames=40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = caption('video', path)
    assert done.returncode == 1
    said = lines(done.stdout)
    for line in said:
        check_line(line)
    assert {line['status'] for line in said[:-1]} <= {'ok', 'abstain'}
    assert 5 < len(said) < 40
    assert 'breaks off' in said[-1]['error']


def test_video_without_frames_is_an_error(tmp_path: Path) -> None:
    write_video(str(tmp_path / 'empty.avi'), frames=0)
    done = caption('video', tmp_path / 'empty.avi')
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert lines(done.stdout)[-1]['status'] == 'error'
