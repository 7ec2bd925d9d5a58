# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption bag``: a recording in, captions out, read back with rosbags and with mcap."""

from pathlib import Path
import resource
import signal
import subprocess

from mcap.reader import make_reader
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from caption_node.message_fields import description_from
from tests.e2e.command import DEADLINE_S, caption, command, lines, start
from tests.recordings import (
    CAMERA,
    CHATTER,
    COMPRESSED_CAMERA,
    START_NS,
    TOPICS,
    cut,
    stamp_ns,
    storage_file,
    write_rosbag1,
    write_rosbag2,
)
from tests.schema import check_line

DESCRIPTION = '/caption_node/description'
CAPTION = '/caption_node/caption'
FRAMES = 5


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3', 'ros1'])
def test_bag_in_captions_out(tmp_path: Path, kind: str) -> None:
    if kind == 'ros1':
        bag = write_rosbag1(tmp_path / 'drive.bag', FRAMES)
    else:
        storage = StoragePlugin.MCAP if kind == 'mcap' else StoragePlugin.SQLITE3
        bag = write_rosbag2(tmp_path / 'drive', storage, CompressionMode.FILE, FRAMES)
    out = tmp_path / 'out.mcap'
    done = caption('bag', bag, '-o', out, '--jsonl')
    assert done.returncode == 0, done.stderr
    said = lines(done.stdout)
    for line in said:
        check_line(line)
    expected = [(stamp_ns(i), c) for i in range(FRAMES) for c in (CAMERA, COMPRESSED_CAMERA)]
    assert [(line['stamp_ns'], line['camera']) for line in said] == expected
    with AnyReader([out]) as reader:
        assert {c.topic for c in reader.connections} == {DESCRIPTION, CAPTION}
        back = [
            description_from(reader.deserialize(raw, c.msgtype))
            for c, _, raw in reader.messages()
            if c.topic == DESCRIPTION
        ]
    assert [(d.stamp_ns, d.camera) for d in back] == expected
    assert {d.frame_id for d in back} == {'front_optical'}
    for line, message in zip(said, back, strict=True):
        assert message.caption == line['caption']
        assert {k: v.value for k, v in message.scene.items()} == {
            k: v['value'] for k, v in line['scene'].items()
        }
    with out.open('rb') as file:
        times = [m.log_time for _, _, m in make_reader(file).iter_messages([DESCRIPTION])]
    assert times == [START_NS + i * 100_000_000 for i in range(FRAMES) for _ in range(2)]


def test_captions_are_the_same_every_time(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'drive', frames=3)
    first, second = (lines(caption('bag', bag, '--batch', n).stdout) for n in ('2', '3'))
    assert [line['caption'] for line in first] == [line['caption'] for line in second]


def test_merged_rosbag2_folder_with_one_topic_thinned_and_drawn(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'drive', frames=10)
    out = tmp_path / 'merged'
    done = caption(
        'bag', bag, '-o', out, '--merge', '--topics', CAMERA, '--every', '0.5s',
        '--overlay', tmp_path / 'drawn.mp4',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ''
    assert (tmp_path / 'drawn.mp4').stat().st_size > 1000
    with AnyReader([out]) as reader:
        counts = {c.topic: c.msgcount for c in reader.connections}
    assert counts == {CAMERA: 10, COMPRESSED_CAMERA: 10, CHATTER: 10, DESCRIPTION: 2, CAPTION: 2}


def test_several_cameras_get_a_video_each(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'drive', frames=3)
    done = caption('bag', bag, '--overlay', tmp_path / 'drawn.mp4')
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.glob('*.mp4')) == [
        'drawn_camera_front_image_raw.mp4',
        'drawn_camera_left_image_raw_compressed.mp4',
    ]


@pytest.mark.parametrize('storage', [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_cut_bag_is_described_as_far_as_it_goes(tmp_path: Path, storage: StoragePlugin) -> None:
    bag = write_rosbag2(tmp_path / 'drive', storage, frames=20, topics={CAMERA: TOPICS[CAMERA]})
    cut(storage_file(bag), 0.5)
    out = tmp_path / 'out.mcap'
    done = caption('bag', bag, '-o', out, '--jsonl')
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    said = lines(done.stdout)
    for line in said:
        check_line(line)
    good = [line for line in said if line['status'] != 'error']
    assert 7 <= len(good) <= 10
    assert [line['stamp_ns'] for line in good] == [stamp_ns(i) for i in range(len(good))]
    lost = f'{20 - len(good)} of 20 recorded messages cannot be read'
    assert any(lost in line['error'] for line in said if line['status'] == 'error')
    assert f'error: {bag}: {lost}' in done.stderr
    with AnyReader([out]) as reader:
        (described,) = [c for c in reader.connections if c.topic == DESCRIPTION]
        assert described.msgcount == len(good)


def write_empty(path: Path) -> None:
    path.write_bytes(b'')


def write_text(path: Path) -> None:
    path.write_text('this is text')


@pytest.mark.parametrize('write', [write_empty, write_text])
@pytest.mark.parametrize('suffix', ['.mcap', '.db3', '.bag', '.txt'])
def test_what_is_no_recording_is_an_error(tmp_path: Path, write: object, suffix: str) -> None:
    path = tmp_path / f'a{suffix}'
    write(path)  # type: ignore[operator]
    done = caption('bag', path)
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert done.stderr.startswith('error: ')
    (line,) = lines(done.stdout)
    check_line(line)
    assert str(path) in line['error']


def test_missing_bag_empty_folder_and_empty_bag_are_errors(tmp_path: Path) -> None:
    (tmp_path / 'folder').mkdir()
    empty = write_rosbag2(tmp_path / 'empty', frames=0)
    for path, says in (
        (tmp_path / 'none', 'does not exist'),
        (tmp_path / 'folder', 'holds no recording'),
        (empty, 'holds no image'),
    ):
        done = caption('bag', path, '-o', tmp_path / 'out.mcap')
        assert done.returncode == 1
        assert says in done.stderr.splitlines()[0]
        assert 'Traceback' not in done.stderr
        assert not (tmp_path / 'out.mcap').exists()


def test_bag_without_images_and_unknown_topic_name_the_topics(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'talk', topics={CHATTER: TOPICS[CHATTER]})
    done = caption('bag', bag)
    assert done.returncode == 1
    assert 'has no image topic' in done.stderr
    assert f'hint: it holds {CHATTER} (std_msgs/msg/String, 10)' in done.stderr
    done = caption('bag', bag, '--topics', '/camera')
    assert done.returncode == 1
    assert 'has no topic /camera' in done.stderr
    assert CHATTER in done.stderr


def test_existing_output_is_kept(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'drive', frames=1)
    out = tmp_path / 'out.mcap'
    out.write_text('precious')
    done = caption('bag', bag, '-o', out)
    assert done.returncode == 1
    assert 'exists already' in done.stderr
    assert out.read_text() == 'precious'


def test_merge_without_output_is_refused(tmp_path: Path) -> None:
    done = caption('bag', tmp_path, '--merge')
    assert done.returncode == 1
    assert 'error: --merge needs --output' in done.stderr


def test_full_disk_is_an_error_and_leaves_no_final_file(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'drive', frames=3)
    (tmp_path / 'out.partial.mcap').symlink_to('/dev/full')
    done = caption('bag', bag, '-o', tmp_path / 'out.mcap', '--merge')
    assert done.returncode == 1
    assert 'No space left on device' in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'out.mcap').exists()


def descriptions(path: Path) -> list[tuple[str, int, bytes]]:
    """Return topic, time and bytes of all messages of an output."""
    with AnyReader([path]) as reader:
        return [(c.topic, time_ns, bytes(raw)) for c, time_ns, raw in reader.messages()]


def test_killed_run_goes_on_where_it_was_and_gives_the_same_bytes(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'drive', frames=24, topics={CAMERA: TOPICS[CAMERA]})
    out, whole = tmp_path / 'out.mcap', tmp_path / 'whole.mcap'
    process = start('bag', bag, '-o', out, '--jsonl', '--batch', '1', '--jobs', '1')
    assert process.stdout is not None
    assert process.stdout.readline()
    process.kill()
    process.communicate(timeout=DEADLINE_S)
    assert not out.exists()
    assert (tmp_path / 'out.mcap.journal').exists()
    resumed = caption('bag', bag, '-o', out, '--jsonl', '--batch', '1', '--jobs', '1')
    assert resumed.returncode == 0, resumed.stderr
    assert 'going on behind' in resumed.stderr
    assert [line['stamp_ns'] for line in lines(resumed.stdout)] == [stamp_ns(i) for i in range(24)]
    for line in lines(resumed.stdout):
        check_line(line)
    at_once = caption('bag', bag, '-o', whole, '--batch', '1', '--jobs', '2')
    assert at_once.returncode == 0, at_once.stderr
    assert descriptions(out) == descriptions(whole)
    assert out.read_bytes() == whole.read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == {'drive', 'out.mcap', 'whole.mcap'}


def test_interrupt_says_how_to_go_on(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'drive', StoragePlugin.MCAP, CompressionMode.STORAGE, 120)
    process = start('bag', bag, '-o', tmp_path / 'out.mcap', '--jsonl', '--batch', '1')
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert 'Traceback' not in errors
    assert 'run the same command again to go on' in errors
    assert not (tmp_path / 'out.mcap').exists()


def test_disk_that_fills_up_loses_nothing(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'drive', frames=24, topics={CAMERA: TOPICS[CAMERA]})
    arguments = ('bag', bag, '-o', tmp_path / 'out.mcap', '--batch', '1', '--jobs', '1')
    full = subprocess.run(
        command(arguments),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (24_000, 24_000)),
    )
    assert full.returncode == 1
    assert 'Traceback' not in full.stderr
    assert 'out.mcap.journal cannot be written' in full.stderr
    assert 'hint: what was described so far is kept' in full.stderr
    assert not (tmp_path / 'out.mcap').exists()
    done = caption(*arguments)
    assert done.returncode == 0, done.stderr
    assert 'going on behind' in done.stderr
    assert len(descriptions(tmp_path / 'out.mcap')) == 2 * 24


def test_several_recordings_and_one_that_is_none(tmp_path: Path) -> None:
    odd = tmp_path / 'a folder;$(x) ü'
    first = write_rosbag2(odd / 'drive 1', frames=2)
    second = write_rosbag2(odd / 'drive 2', StoragePlugin.SQLITE3, frames=2)
    (odd / 'bad.mcap').write_bytes(b'no recording')
    link = tmp_path / 'link'
    link.symlink_to(second)
    done = caption('bag', first, odd / 'bad.mcap', link, '-o', tmp_path / 'out', '--jobs', '1')
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert 'bad.mcap' in done.stderr
    assert {p.name for p in (tmp_path / 'out').iterdir()} == {'drive 1.mcap', 'drive 2.mcap'}
    for path in (tmp_path / 'out').iterdir():
        assert sum(topic == DESCRIPTION for topic, _, _ in descriptions(path)) == 4
    again = caption('bag', first, link, '-o', tmp_path / 'out')
    assert again.returncode == 0
    assert again.stderr.count('exists already and is left as it is') == 2


def test_recordings_of_one_name_are_refused(tmp_path: Path) -> None:
    bags = [write_rosbag2(tmp_path / f / 'drive', frames=1) for f in ('a', 'b')]
    done = caption('bag', *bags, '-o', tmp_path / 'out')
    assert done.returncode == 1
    assert 'would both be written to' in done.stderr
    assert not (tmp_path / 'out').exists()
