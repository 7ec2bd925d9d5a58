# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings that are whole but strange: every frame comes out, and clips are whole."""

import os
from pathlib import Path
import struct

from mcap.reader import make_reader
from mcap.writer import Writer
import pytest

from caption_node.bag.captioning import describe_bag
from caption_node.bag.clip import write_clip
from caption_node.bag.journal import Job, Journal, assemble
from caption_node.bag.reader import BagReader
from caption_node.bag.workers import DescribedImage
from caption_node.bag.writer import DESCRIPTION_TOPIC, BagWriter
from caption_node.errors import BagError
from tests.drawn import draw_street, jpeg
from tests.recordings import (
    CAMERA,
    CHATTER,
    COMPRESSED_CAMERA,
    PERIOD_NS,
    START_NS,
    storage_file,
    write_rosbag1,
    write_rosbag2,
)
from tests.unit.bag.test_captioning import Echo

TEXT = 'std_msgs/msg/String'
QOS = '- history: 1\n  depth: 1\n  reliability: 1\n  durability: 1\n'


def channel(writer: Writer, topic: str, kind: str, definition: str, qos: str = '') -> int:
    schema = writer.register_schema(kind, 'ros2msg', definition.encode())
    metadata = {'offered_qos_profiles': qos} if qos else {}
    return int(writer.register_channel(topic, 'cdr', schema, metadata))


def image_cdr(i: int, frame_id: str) -> bytes:
    """Write a CompressedImage by hand: CDR, little-endian."""
    name = frame_id.encode() + b'\0'
    body = struct.pack('<iII', 1_700_000_000 + i, 0, len(name)) + name
    body += bytes(-len(body) % 4) + struct.pack('<I', 5) + b'jpeg\0'
    data = jpeg(draw_street(i))
    body += bytes(-len(body) % 4) + struct.pack('<I', len(data)) + data
    return b'\0\1\0\0' + body


def text_cdr(text: str) -> bytes:
    data = text.encode() + b'\0'
    return b'\0\1\0\0' + struct.pack('<I', len(data)) + data


def write_odd(path: Path, times_s: list[float], topics: int = 0) -> Path:
    """Write two cameras and a text that share one topic name, and many other topics."""
    with path.open('wb') as file:
        writer = Writer(file)
        writer.start(profile='ros2')
        cameras = [
            channel(writer, '/camera', 'sensor_msgs/msg/CompressedImage', text)
            for text in ('# left', '# right')
        ]
        words = channel(writer, '/camera', TEXT, 'string data')
        latched = channel(writer, '/latched', TEXT, 'string data', QOS)
        others = [channel(writer, f'/t{i}', TEXT, 'string data') for i in range(topics)]
        writer.add_message(latched, START_NS, text_cdr('map'), START_NS)
        for i, second in enumerate(times_s):
            time_ns = START_NS + round(second * 1e9)
            for side, number in zip(('left', 'right'), cameras, strict=True):
                writer.add_message(number, time_ns, image_cdr(i, side), time_ns)
        writer.add_message(words, START_NS, text_cdr('no image'), START_NS)
        for number in others:
            writer.add_message(number, START_NS, text_cdr('x'), START_NS)
        writer.finish()
    return path


def test_two_cameras_and_a_text_of_one_name(tmp_path: Path) -> None:
    bag = write_odd(tmp_path / 'a.mcap', [0.0, 0.5, 1.0])
    with BagReader(bag) as reader:
        items = list(describe_bag(reader, Echo(), 4, ['/camera']))
    said = [d.description for d in items if d.description.status == 'ok']
    assert sorted((d.stamp_ns, d.frame_id) for d in said) == [
        ((1_700_000_000 + i) * 1_000_000_000, side) for i in range(3) for side in ('left', 'right')
    ]
    (bad,) = [d.description for d in items if d.description.status == 'error']
    assert 'std_msgs/msg/String' in bad.error
    out = tmp_path / 'out.mcap'
    with BagReader(bag) as original, Journal(out, Job('', '', (), 0.0, 1)) as journal:
        journal.add([DescribedImage(d.description, d.source.log_time_ns) for d in items])
        with BagWriter(out) as writer:
            assemble(journal, writer, original)
    with out.open('rb') as file:
        kinds = [s.name for s, c, _ in make_reader(file).iter_messages() if c.topic == '/camera']
    assert sorted(kinds) == ['sensor_msgs/msg/CompressedImage'] * 6 + [TEXT]


def test_clock_that_jumps_loses_no_frame(tmp_path: Path) -> None:
    bag = write_odd(tmp_path / 'a.mcap', [100.0, 100.1, 0.0, 0.1, 1e8, 50.0])
    with BagReader(bag) as reader:
        items = list(describe_bag(reader, Echo(), 4))
    assert sum(d.description.status == 'ok' for d in items) == 12


def test_ten_thousand_topics(tmp_path: Path) -> None:
    bag = write_odd(tmp_path / 'a.mcap', [0.0], topics=10_000)
    with BagReader(bag) as reader, BagWriter(tmp_path / 'clip.mcap') as writer:
        assert [t.name for t in reader.image_topics()] == ['/camera']
        assert len(list(reader.images(['/camera']))) == 3
        assert write_clip(reader, writer, 0.0, None) == 10_004
        with pytest.raises(BagError) as caught:
            reader.image_topics(['/none'])
    assert len(caught.value.hint) < 2000


def test_folder_with_files_of_two_formats(tmp_path: Path) -> None:
    folder = tmp_path / 'mixed'
    folder.mkdir()
    storage_file(write_rosbag2(tmp_path / 'a', frames=3)).rename(folder / 'a_0.mcap')
    write_rosbag1(folder / 'b_0.bag', 2)
    with BagReader(folder) as reader:
        assert len(list(reader.images([CAMERA]))) == 5
        assert reader.damage == []


def test_encrypted_ros1_bag_is_refused(tmp_path: Path) -> None:
    bag = write_rosbag1(tmp_path / 'a.bag', 2)
    data = bag.read_bytes()
    start = data.index(b'\n') + 1
    (length,) = struct.unpack_from('<I', data, start)
    field = b'encryptor=rosbag/AesCbcEncryptor'
    added = struct.pack('<I', len(field)) + field
    head_end = start + 4 + length
    (padding,) = struct.unpack_from('<I', data, head_end)
    bag.write_bytes(
        data[:start]
        + struct.pack('<I', length + len(added))
        + data[start + 4 : head_end]
        + added
        + struct.pack('<I', padding - len(added))
        + data[head_end + 4 + len(added) :]
    )
    with pytest.raises(BagError, match='encrypt'):
        BagReader(bag)


def test_clip_is_a_small_recording_with_what_latched_topics_said(tmp_path: Path) -> None:
    bag = write_odd(tmp_path / 'a.mcap', [float(i) for i in range(10)])
    out = tmp_path / 'clip.mcap'
    with BagReader(bag) as reader, BagWriter(out) as writer:
        assert write_clip(reader, writer, 3.5, 2.0) == 2 * 2 + 1
    with out.open('rb') as file:
        found = [(c.topic, m.log_time - START_NS) for _, c, m in make_reader(file).iter_messages()]
    assert found == [
        ('/latched', 3_500_000_000),
        *(('/camera', i * 1_000_000_000) for i in (4, 4, 5, 5)),
    ]


def test_clip_keeps_bytes_and_definitions(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'a', frames=10)
    with BagReader(bag) as reader, BagWriter(tmp_path / 'clip') as writer:
        assert write_clip(reader, writer, 0.3, 0.2, [CAMERA, CHATTER]) == 6
    with BagReader(tmp_path / 'clip') as clip, BagReader(bag) as whole:
        wanted = [
            m
            for m in whole.messages([CAMERA, CHATTER])
            if 3 * PERIOD_NS <= m.log_time_ns - START_NS <= 5 * PERIOD_NS
        ]
        assert list(clip.messages()) == wanted
        before = {t.name: t.definition for t in whole.topics}
        assert {t.name: t.definition for t in clip.topics} == {
            n: before[n] for n in (CAMERA, CHATTER)
        }


@pytest.mark.parametrize(
    ('start_s', 'topics', 'says'),
    [(99.0, [], 'nothing was recorded from 99 s'), (0.0, ['/none'], 'no topic /none')],
)
def test_clip_of_nothing_is_an_error(
    tmp_path: Path, start_s: float, topics: list[str], says: str
) -> None:
    bag = write_rosbag2(tmp_path / 'a', frames=3)
    with (
        pytest.raises(BagError, match=says),
        BagReader(bag) as reader,
        BagWriter(tmp_path / 'clip.mcap') as writer,
    ):
        write_clip(reader, writer, start_s, 1.0, topics)
    assert not (tmp_path / 'clip.mcap').exists()


def test_descriptions_topic_is_not_taken_for_a_camera(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'a', frames=2)
    out = tmp_path / 'out.mcap'
    with (
        BagReader(bag) as reader,
        BagReader(bag) as original,
        Journal(out, Job('', '', (), 0.0, 1)) as journal,
    ):
        items = describe_bag(reader, Echo(), 4)
        journal.add([DescribedImage(d.description, d.source.log_time_ns) for d in items])
        with BagWriter(out) as writer:
            assemble(journal, writer, original)
    with BagReader(out) as reader:
        assert [t.name for t in reader.image_topics()] == [CAMERA, COMPRESSED_CAMERA]
        assert DESCRIPTION_TOPIC in {t.name for t in reader.topics}


def test_what_is_no_file_is_named_for_what_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe.mcap')
    (tmp_path / 'loop.mcap').symlink_to(tmp_path / 'loop.mcap')
    for name, words in (
        ('pipe.mcap', 'is neither a file nor a folder'),
        ('loop.mcap', 'is a link to nothing'),
        ('none.mcap', 'does not exist'),
    ):
        with pytest.raises(BagError, match=words):
            BagReader(tmp_path / name)


def test_faults_are_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / 'bag').mkdir()
    (tmp_path / 'bag' / 'metadata.yaml').write_text(': [\n')
    (tmp_path / 'noise.bag').write_bytes(bytes(range(256)) * 500)
    for path in (tmp_path / 'bag', tmp_path / 'noise.bag'):
        with pytest.raises(BagError) as caught:
            BagReader(path)
        assert '\n' not in str(caught.value)
        assert len(str(caught.value)) < 300 + len(str(path))
