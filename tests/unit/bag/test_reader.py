# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of every kind, whole and damaged, made with rosbags."""

from pathlib import Path
import re
import sqlite3

from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from caption_node.bag.layout import read_layout
from caption_node.bag.reader import BagReader
from caption_node.errors import BagError, FrameError
from tests.drawn import draw_street
from tests.recordings import (
    CAMERA,
    CHATTER,
    COMPRESSED_CAMERA,
    PERIOD_NS,
    START_NS,
    TOPICS,
    cut,
    stamp_ns,
    storage_file,
    write_rosbag1,
    write_rosbag2,
)

MCAP, SQLITE = StoragePlugin.MCAP, StoragePlugin.SQLITE3
KINDS = [
    (MCAP, CompressionMode.NONE),
    (MCAP, CompressionMode.FILE),
    (MCAP, CompressionMode.MESSAGE),
    (MCAP, CompressionMode.STORAGE),
    (SQLITE, CompressionMode.NONE),
    (SQLITE, CompressionMode.FILE),
    (SQLITE, CompressionMode.MESSAGE),
]
FRAMES = 30


def check_frames(reader: BagReader, count: int) -> None:
    frames = list(reader.frames([CAMERA]))
    assert len(frames) == count
    for i, frame in enumerate(frames):
        assert (frame.stamp_ns, frame.frame_id) == (stamp_ns(i), 'front_optical')
        assert (frame.camera, frame.file) == (CAMERA, str(reader.path))
        np.testing.assert_array_equal(frame.pixels_rgb, draw_street(i))


@pytest.fixture(params=KINDS, ids=lambda k: f'{k[0].name}-{k[1].name}'.lower())
def bag(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    storage, compression = request.param
    return write_rosbag2(tmp_path / 'a bag', storage, compression, FRAMES)


def test_every_kind_gives_topics_messages_and_frames(bag: Path) -> None:
    with BagReader(bag) as reader:
        assert {t.name: (t.type, t.count) for t in reader.topics} == {
            name: (kind, FRAMES) for name, kind in TOPICS.items()
        }
        assert reader.message_count == 3 * FRAMES
        assert reader.start_ns == START_NS
        assert reader.duration_s == pytest.approx((FRAMES - 1) * PERIOD_NS / 1e9)
        assert [t.name for t in reader.image_topics()] == [CAMERA, COMPRESSED_CAMERA]
        times = [m.log_time_ns for m in reader.messages()]
        assert len(times) == 3 * FRAMES
        assert times == sorted(times)
        check_frames(reader, FRAMES)
        assert reader.damage == []


def test_bare_storage_file_is_read_without_its_metadata(bag: Path) -> None:
    with BagReader(storage_file(bag)) as reader:
        check_frames(reader, FRAMES)


def test_folder_of_a_killed_recorder_is_read_without_metadata(bag: Path) -> None:
    (bag / 'metadata.yaml').unlink()
    with BagReader(bag) as reader:
        check_frames(reader, FRAMES)


def test_topics_and_start_offset_select(bag: Path) -> None:
    with BagReader(bag) as reader:
        some = list(reader.messages([CHATTER], start_offset_s=2.0))
    assert [m.log_time_ns for m in some] == [START_NS + i * PERIOD_NS for i in range(20, FRAMES)]
    assert {m.topic for m in some} == {CHATTER}
    assert some[0].cdr[:4] == b'\x00\x01\x00\x00'


@pytest.mark.parametrize('share', [0.95, 0.6, 0.3])
def test_cut_recording_gives_its_beginning_and_names_the_loss(bag: Path, share: float) -> None:
    cut(storage_file(bag), share)
    with BagReader(bag) as reader:
        counts = {t.name: t.count for t in reader.topics}
        readable = counts[CAMERA]
        assert 0 < readable < FRAMES
        assert readable > FRAMES * share - 6
        check_frames(reader, readable)
        said = ' '.join(str(d) for d in reader.damage)
        lost = 3 * FRAMES - sum(counts.values())
        assert f'{lost} of {3 * FRAMES} recorded messages cannot be read' in said
        assert str(storage_file(bag)) in said
        assert 'caption_bag_' not in said, 'a temporary name is of no use to anybody'


def test_ros1_bag_comes_out_as_ros2_messages(tmp_path: Path) -> None:
    path = write_rosbag1(tmp_path / 'old.bag', FRAMES)
    with BagReader(path) as reader:
        check_frames(reader, FRAMES)
        assert {t.name: t.count for t in reader.topics} == dict.fromkeys(TOPICS, FRAMES)
        texts = [m.cdr for m in reader.messages([CHATTER])]
    assert texts[3] == b'\x00\x01\x00\x00' + (8).to_bytes(4, 'little') + b'hello 3\x00'


def test_damaged_chunk_loses_its_own_messages_only(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'bag', MCAP, CompressionMode.STORAGE, FRAMES)
    file = storage_file(bag)
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    file.write_bytes(data)
    with BagReader(bag) as reader:
        frames = list(reader.frames([CAMERA]))
        assert FRAMES - 8 < len(frames) < FRAMES
        assert frames[-1].stamp_ns == stamp_ns(FRAMES - 1)
        assert any('is damaged' in str(d) and str(file) in str(d) for d in reader.damage)


def test_damaged_page_of_sqlite_loses_its_own_messages_only(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'bag', SQLITE, frames=FRAMES, topics={CAMERA: TOPICS[CAMERA]})
    file = storage_file(bag)
    page_bytes = 4096
    data = bytearray(file.read_bytes())
    with sqlite3.connect(file) as database:
        row_bytes = len(data) // FRAMES
        assert database.execute('SELECT count(*) FROM messages').fetchone() == (FRAMES,)
    database.close()
    start = (10 * row_bytes) // page_bytes * page_bytes
    data[start : start + page_bytes] = b'\xff' * page_bytes
    file.write_bytes(data)
    with BagReader(bag) as reader:
        stamps = [f.stamp_ns for f in reader.frames()]
        assert FRAMES - 3 <= len(stamps) < FRAMES
        assert stamps[-1] == stamp_ns(FRAMES - 1)
        assert any('is missing or damaged' in str(d) for d in reader.damage)


def test_split_recording_is_one_and_a_missing_part_is_named(tmp_path: Path) -> None:
    parts = [write_rosbag2(tmp_path / f'p{i}', MCAP, frames=4) for i in range(2)]
    bag = tmp_path / 'split'
    bag.mkdir()
    for number, part in zip((2, 10), parts, strict=True):
        storage_file(part).rename(bag / f'split_{number}.mcap')
    assert [f.name for f in read_layout(bag).files] == ['split_2.mcap', 'split_10.mcap']
    with BagReader(bag) as reader:
        assert reader.message_count == 2 * 3 * 4
    text = (parts[0] / 'metadata.yaml').read_text(encoding='utf-8')
    listed = text.replace('- p0.mcap', '- split_2.mcap\n  - split_3.mcap')
    (bag / 'metadata.yaml').write_text(listed, encoding='utf-8')
    with BagReader(bag) as reader:
        assert any('split_3.mcap is missing' in str(d) for d in reader.damage)
        assert len(list(reader.frames([CAMERA]))) == 4


def test_write_ahead_log_of_a_killed_recorder_is_read(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'bag', SQLITE, frames=4)
    file = storage_file(bag)
    writer = sqlite3.connect(file)
    writer.execute('PRAGMA journal_mode=WAL')
    writer.execute(
        'INSERT INTO messages SELECT 1000, topic_id, timestamp + 1000000000, data '
        'FROM messages WHERE id = 1'
    )
    writer.commit()
    copy = tmp_path / 'killed'
    copy.mkdir()
    for path in [file, Path(f'{file}-wal')]:
        (copy / path.name).write_bytes(path.read_bytes())
    writer.close()
    with BagReader(copy) as reader:
        assert reader.message_count == 3 * 4 + 1


def write_mcap(path: Path, chunked: bool, encoding: str = 'cdr') -> None:
    with path.open('wb') as file:
        writer = McapWriter(file, use_chunking=chunked, compression=CompressionType.NONE)
        writer.start(profile='ros2')
        schema = writer.register_schema('std_msgs/msg/String', 'ros2msg', b'string data')
        channel = writer.register_channel('/chatter', encoding, schema)
        for i in (0, 2, 1):
            writer.add_message(channel, i, b'\x00\x01\x00\x00\x02\x00\x00\x00x\x00', i)
        writer.finish()


@pytest.mark.parametrize('chunked', [True, False])
def test_messages_come_in_order_of_time_however_they_lie(tmp_path: Path, chunked: bool) -> None:
    write_mcap(tmp_path / 'a.mcap', chunked)
    with BagReader(tmp_path / 'a.mcap') as reader:
        assert [m.log_time_ns for m in reader.messages()] == [0, 1, 2]
        assert reader.damage == []


def test_messages_that_are_not_ros2_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    write_mcap(tmp_path / 'a.mcap', True, encoding='json')
    with BagReader(tmp_path / 'a.mcap') as reader:
        assert list(reader.messages()) == []
        assert len(list(reader.messages(['/chatter']))) == 3


@pytest.mark.parametrize('suffix', ['.mcap', '.db3', '.bag'])
@pytest.mark.parametrize(
    'content', [b'', b'hello', b'\x89MCAP0\r\n', b'SQLite format 3\x00', b'#ROSBAG V2.0\n']
)
def test_files_that_are_no_recordings_are_refused(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    path = tmp_path / f'a{suffix}'
    path.write_bytes(content)
    is_cut_off = suffix == '.mcap' and content.startswith(b'\x89MCAP')
    if is_cut_off:
        with BagReader(path) as reader:
            assert reader.message_count == 0
            assert 'is cut off' in str(reader.damage[0])
        return
    with pytest.raises(BagError, match=re.escape(str(path))):
        BagReader(path)


def test_missing_path_empty_folder_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BagError, match='does not exist'):
        BagReader(tmp_path / 'none')
    with pytest.raises(BagError, match='holds no recording'):
        BagReader(tmp_path)
    (tmp_path / 'a.txt').write_text('hello')
    with pytest.raises(BagError, match='is not a recording') as caught:
        BagReader(tmp_path / 'a.txt')
    assert '.mcap' in caught.value.hint


@pytest.mark.parametrize('text', ['', '[', 'a: b', 'rosbag2_bagfile_information: 3', '\x00'])
def test_garbled_metadata_is_named_and_the_files_are_read(tmp_path: Path, text: str) -> None:
    bag = write_rosbag2(tmp_path / 'bag', MCAP, frames=3)
    (bag / 'metadata.yaml').write_text(text, encoding='utf-8')
    with BagReader(bag) as reader:
        check_frames(reader, 3)
        assert 'metadata.yaml cannot be read' in str(reader.damage[0])


def test_unknown_topic_names_those_that_are_there(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'bag', MCAP, frames=1)
    with BagReader(bag) as reader:
        with pytest.raises(BagError, match='has no topic /nope') as caught:
            reader.image_topics(['/nope'])
        assert CAMERA in caught.value.hint
        with pytest.raises(BagError, match='carries std_msgs/msg/String, not images'):
            reader.image_topics([CHATTER])


def test_recording_without_images_names_its_topics(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'bag', MCAP, topics={CHATTER: TOPICS[CHATTER]})
    with BagReader(bag) as reader, pytest.raises(BagError, match='has no image topic') as caught:
        reader.image_topics()
    assert CHATTER in caught.value.hint


@pytest.mark.parametrize('storage', [MCAP, SQLITE])
def test_empty_recording_has_no_messages_and_no_damage(
    tmp_path: Path, storage: StoragePlugin
) -> None:
    bag = write_rosbag2(tmp_path / 'bag', storage, frames=0)
    with BagReader(bag) as reader:
        assert reader.message_count == 0
        assert list(reader.frames([CAMERA])) == []
        assert (reader.duration_s, reader.damage) == (0.0, [])


def test_undecodable_image_is_damage_and_the_next_one_comes(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'bag', SQLITE, frames=3, topics={CAMERA: TOPICS[CAMERA]})
    with sqlite3.connect(storage_file(bag)) as database:
        database.execute('UPDATE messages SET data = substr(data, 1, 5000) WHERE id = 2')
    database.close()
    with BagReader(bag) as reader:
        assert [f.stamp_ns for f in reader.frames()] == [stamp_ns(0), stamp_ns(2)]
        assert 'is not a sensor_msgs/msg/Image' in str(reader.damage[0])


def test_garbled_message_with_an_impossible_time_becomes_an_error(tmp_path: Path) -> None:
    path = tmp_path / 'a.mcap'
    with path.open('wb') as file:
        writer = McapWriter(file)
        writer.start(profile='ros2')
        schema = writer.register_schema(TOPICS[CAMERA], 'ros2msg', b'')
        channel = writer.register_channel(CAMERA, 'cdr', schema)
        writer.add_message(channel, 2**64 - 1, b'garbage', 0)
        writer.finish()
    with BagReader(path) as reader:
        (image,) = reader.images()
        assert image.stamp_ns == 0
        with pytest.raises(FrameError, match='is not a sensor_msgs/msg/Image'):
            image.decode()
