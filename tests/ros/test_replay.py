# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings published again: same bytes and stamps, in real time, from both storages."""

import argparse
from pathlib import Path
import signal
from time import monotonic
from typing import Any

import pytest
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from caption_node.errors import ConfigError
from caption_node.ros.replay import ReplayOptions, add_replay_arguments
from tests.drawn import draw_street
from tests.recordings import (
    CAMERA,
    CHATTER,
    COMPRESSED_CAMERA,
    START_NS,
    cut,
    stamp_ns,
    storage_file,
    write_rosbag2,
)
from tests.ros.conftest import Listener, Start

pytestmark = pytest.mark.ros
FRAMES = 10
WAIT = ('--wait-for-subscriber', '30')


def replay_line(bag: Path, *options: str) -> list[str]:
    """Return the arguments of Python that replay a recording as `caption replay` does."""
    script = (
        'import argparse, sys\n'
        'from caption_node.errors import CaptionError\n'
        'from caption_node.ros.replay import add_replay_arguments, run_replay\n'
        'parser = argparse.ArgumentParser()\n'
        'add_replay_arguments(parser)\n'
        'try:\n'
        '    sys.exit(run_replay(parser.parse_args()))\n'
        'except CaptionError as err:\n'
        "    sys.exit(f'error: {err}; hint: {err.hint}')\n"
    )
    return ['-c', script, str(bag), *options]


def stamps_of(messages: list[Any]) -> list[int]:
    """Return the header stamps, nanoseconds."""
    return [m.header.stamp.sec * 1_000_000_000 + m.header.stamp.nanosec for m in messages]


@pytest.mark.parametrize(
    ('storage', 'compression'),
    [
        (StoragePlugin.MCAP, CompressionMode.NONE),
        (StoragePlugin.SQLITE3, CompressionMode.NONE),
        (StoragePlugin.MCAP, CompressionMode.FILE),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
    ],
)
def test_a_recording_is_published_as_it_was(
    start: Start,
    listener: Listener,
    tmp_path: Path,
    storage: StoragePlugin,
    compression: CompressionMode,
) -> None:
    bag = write_rosbag2(tmp_path / 'bag', storage, compression, FRAMES)
    images = listener.listen(CAMERA, Image)
    jpegs = listener.listen(COMPRESSED_CAMERA, CompressedImage)
    texts = listener.listen(CHATTER, String)

    replay = start(*replay_line(bag, *WAIT))

    assert listener.wait(lambda: len(images) == len(jpegs) == len(texts) == FRAMES), replay.output
    assert replay.wait() == 0, replay.output
    assert stamps_of(images) == [stamp_ns(i) for i in range(FRAMES)]
    assert stamps_of(jpegs) == stamps_of(images)
    assert bytes(images[3].data) == draw_street(3)[:, :, ::-1].tobytes()
    assert [t.data for t in texts] == [f'hello {i}' for i in range(FRAMES)]
    assert f'replayed {3 * FRAMES} messages' in replay.output


def timed_stamps(listener: Listener, replay: Any, wanted: int) -> tuple[list[int], float]:
    """Return the stamps that arrive on the camera's topic, and the seconds from first to last."""
    moments: list[float] = []
    images: list[Any] = []

    def keep(message: Any) -> None:
        images.append(message)
        moments.append(monotonic())

    listener.node.create_subscription(Image, CAMERA, keep, 100)
    process = replay()
    assert listener.wait(lambda: len(images) >= wanted), process.output
    return stamps_of(images), moments[wanted - 1] - moments[0]


def assert_about(lasted_s: float, wanted_s: float) -> None:
    """A replay is never early; how late it is on a busy machine is not its doing."""
    assert wanted_s * 0.75 < lasted_s < wanted_s + 5


@pytest.mark.parametrize('rate', [0.5, 1.0, 2.0])
def test_time_passes_at_the_rate_that_was_asked_for(
    start: Start, listener: Listener, tmp_path: Path, rate: float
) -> None:
    bag = write_rosbag2(tmp_path / 'bag', frames=FRAMES)
    stamps, lasted_s = timed_stamps(
        listener,
        lambda: start(*replay_line(bag, *WAIT, '--rate', str(rate), '--topics', CAMERA)),
        FRAMES,
    )
    assert stamps == [stamp_ns(i) for i in range(FRAMES)]
    assert_about(lasted_s, 0.1 * (FRAMES - 1) / rate)


def test_a_start_offset_leaves_out_the_beginning(
    start: Start, listener: Listener, tmp_path: Path
) -> None:
    bag = write_rosbag2(tmp_path / 'bag', StoragePlugin.SQLITE3, frames=FRAMES)
    stamps, lasted_s = timed_stamps(
        listener,
        lambda: start(
            *replay_line(bag, *WAIT, '--start-offset', '0.35', '--playback-duration', '0.4')
        ),
        4,
    )
    listener.wait(lambda: False, timeout_s=0.5)
    assert stamps == [stamp_ns(i) for i in range(4, 8)]
    assert_about(lasted_s, 0.3)


def test_a_loop_begins_again_until_it_is_interrupted(
    start: Start, listener: Listener, tmp_path: Path
) -> None:
    bag = write_rosbag2(tmp_path / 'bag', frames=3)
    images = listener.listen(CAMERA, Image)
    replay = start(*replay_line(bag, *WAIT, '--loop', '--rate', '4'))
    assert listener.wait(lambda: len(images) > 8), replay.output

    begin_s = monotonic()
    replay.signal(signal.SIGINT)

    assert replay.wait(5) == 0
    assert monotonic() - begin_s < 2
    assert stamps_of(images[:9]) == [stamp_ns(i) for i in range(3)] * 3
    assert 'Traceback' not in replay.output


def test_the_clock_runs_with_the_recording(
    start: Start, listener: Listener, tmp_path: Path
) -> None:
    bag = write_rosbag2(tmp_path / 'bag', frames=FRAMES)
    clocks = listener.listen('/clock', Clock)
    images = listener.listen(CAMERA, Image)
    replay = start(*replay_line(bag, *WAIT, '--clock', '100', '--rate', '0.5'))
    assert listener.wait(lambda: len(images) == FRAMES), replay.output

    times_ns = [c.clock.sec * 1_000_000_000 + c.clock.nanosec for c in clocks]
    assert times_ns == sorted(times_ns)
    assert START_NS <= times_ns[0] < times_ns[-1]
    # 0.9 s of the recording at half speed are 1.8 s of 100 Hz.
    assert len(times_ns) > 90
    assert times_ns[-1] == pytest.approx(START_NS + 900_000_000, abs=100_000_000)


def test_topics_are_renamed(start: Start, listener: Listener, tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'bag', frames=3)
    images = listener.listen('/image', Image)
    replay = start(*replay_line(bag, *WAIT, '--remap', f'{CAMERA}:=/image'))
    assert listener.wait(lambda: len(images) == 3), replay.output


def test_a_recording_that_was_cut_off_gives_what_can_be_read(
    start: Start, listener: Listener, tmp_path: Path
) -> None:
    bag = write_rosbag2(tmp_path / 'bag', frames=30)
    cut(storage_file(bag), 0.5)
    images = listener.listen(CAMERA, Image)
    replay = start(*replay_line(bag, *WAIT, '--rate', '10'))
    assert replay.wait() == 1
    assert listener.wait(lambda: len(images) > 3), replay.output
    assert 'warning: ' in replay.output
    assert str(bag) in replay.output
    assert 'Traceback' not in replay.output


@pytest.mark.parametrize(
    ('options', 'says'),
    [
        (('--topics', '/nothing'), 'has no topic /nothing'),
        (('--rate', '0'), '--rate is 0'),
        (('--rate', 'nan'), '--rate is nan'),
        (('--start-offset', '99'), '--start-offset is 99 s'),
        (('--remap', 'nonsense'), 'is not a rule'),
    ],
)
def test_options_that_cannot_be_are_named(
    start: Start, tmp_path: Path, options: tuple[str, str], says: str
) -> None:
    bag = write_rosbag2(tmp_path / 'bag', frames=3)
    replay = start(*replay_line(bag, *options))
    assert replay.wait() == 1
    assert says in replay.output
    assert 'Traceback' not in replay.output


@pytest.mark.parametrize('content', [None, b'', b'nonsense'])
def test_what_is_no_recording_is_named(
    start: Start, tmp_path: Path, content: bytes | None
) -> None:
    bag = tmp_path / 'drive.mcap'
    if content is not None:
        bag.write_bytes(content)
    replay = start(*replay_line(bag))
    assert replay.wait() == 1
    assert str(bag) in replay.output
    assert 'Traceback' not in replay.output


def test_the_options_have_the_names_and_defaults_of_ros2_bag_play() -> None:
    parser = argparse.ArgumentParser()
    add_replay_arguments(parser)
    plain = parser.parse_args(['bag'])
    assert (plain.rate, plain.loop, plain.clock, plain.start_offset) == (1.0, False, None, 0.0)
    full = parser.parse_args(
        ['bag', '-r', '2', '-l', '--clock', '--start-offset', '3', '--topics', '/a', '/b']
    )
    assert (full.rate, full.loop, full.clock, full.start_offset) == (2.0, True, 40.0, 3.0)
    assert full.topics == ['/a', '/b']


def test_a_negative_offset_is_refused() -> None:
    with pytest.raises(ConfigError, match='--start-offset'):
        ReplayOptions(Path('bag'), start_offset_s=-1.0)
