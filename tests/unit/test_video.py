# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Videos in and out."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from caption_node.errors import ConfigError, FrameError
from caption_node.video import VideoReader, VideoWriter
from tests.drawn import draw_street, jpeg, write_video


def frame_count(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count


def test_frames_come_with_their_times_and_pixels(tmp_path: Path) -> None:
    path = tmp_path / 'a.mp4'
    write_video(str(path), frames=12, rate_hz=10)
    with VideoReader(path, 'front') as reader:
        assert (reader.rate_hz, reader.frame_count) == (10.0, 12)
        frames = [f.decode() for f in reader.frames()]
        assert reader.damage == []
    assert [f.stamp_ns for f in frames] == [i * 100_000_000 for i in range(12)]
    assert {(f.camera, f.file) for f in frames} == {('front', str(path))}
    for i, frame in enumerate(frames):
        assert np.abs(frame.pixels_rgb.astype(int) - draw_street(i)).mean() < 8


@pytest.mark.parametrize(
    ('every_s', 'kept'), [(0.5, [0, 5, 10]), (0.25, [0, 3, 5, 8, 10]), (9, [0])]
)
def test_one_frame_in_a_period(tmp_path: Path, every_s: float, kept: list[int]) -> None:
    path = tmp_path / 'a.avi'
    write_video(str(path), frames=12, rate_hz=10)
    with VideoReader(path) as reader:
        stamps = [f.stamp_ns for f in reader.frames(every_s)]
    assert stamps == [i * 100_000_000 for i in kept]


@pytest.mark.parametrize('content', [b'', b'hello', bytes(5000), b'\x00\x00\x00\x18ftypmp42'])
def test_file_that_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'a.mp4'
    path.write_bytes(content)
    with pytest.raises(FrameError, match=r'a\.mp4'):
        VideoReader(path)


def test_missing_video_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match='No such file'):
        VideoReader(tmp_path / 'none.mp4')
    with pytest.raises(FrameError, match='directory'):
        VideoReader(tmp_path)


def test_video_that_breaks_off_says_so(tmp_path: Path) -> None:
    path = tmp_path / 'a.avi'
    write_video(str(path), frames=60)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with VideoReader(path) as reader:
        count = len(list(reader.frames()))
        assert 10 < count < 60
        assert 'breaks off' in str(reader.damage[0])


def test_video_keeps_the_time_of_the_stamps(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'out.mp4'
    with VideoWriter(path, 10) as writer:
        for time_s in (0.0, 0.1, 0.2, 1.0):
            writer.write(draw_street(1), round(time_s * 1e9) + 123)
        assert not path.exists()
    assert frame_count(path) == 11
    assert [p.name for p in path.parent.iterdir()] == ['out.mp4']


def test_gaps_and_clock_jumps_do_not_make_endless_videos(tmp_path: Path) -> None:
    path = tmp_path / 'out.mp4'
    with VideoWriter(path, 10) as writer:
        for time_s in (0, 100_000, 5, 5.1):
            writer.write(draw_street(1), round(time_s * 1e9))
    assert frame_count(path) <= 110


def test_picture_of_another_size_is_scaled(tmp_path: Path) -> None:
    path = tmp_path / 'out.mp4'
    with VideoWriter(path, 10) as writer:
        writer.write(draw_street(1), 0)
        writer.write(draw_street(1, 641, 361), 100_000_000)
    assert frame_count(path) == 2


def test_interrupted_video_is_kept_beside(tmp_path: Path) -> None:
    def interrupted() -> None:
        with VideoWriter(tmp_path / 'out.mp4', 10) as writer:
            writer.write(draw_street(1), 0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ['out.partial.mp4']


def test_unwritable_places_and_unknown_kinds_are_named(tmp_path: Path) -> None:
    (tmp_path / 'file').write_bytes(jpeg(draw_street()))
    with pytest.raises(ConfigError, match='cannot be written'):
        VideoWriter(tmp_path / 'file' / 'out.mp4', 10)
    with pytest.raises(ConfigError, match='cannot write this video') as caught:
        VideoWriter(tmp_path / 'out.txt', 10).write(draw_street(), 0)
    assert '.mp4' in caught.value.hint


def test_full_disk_is_reported(tmp_path: Path) -> None:
    (tmp_path / 'out.partial.mp4').symlink_to('/dev/full')

    def fill() -> None:
        with VideoWriter(tmp_path / 'out.mp4', 10) as writer:
            for i in range(50):
                writer.write(draw_street(i), i * 100_000_000)

    with pytest.raises(ConfigError):
        fill()
    assert not (tmp_path / 'out.mp4').exists()
