# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings that we write, read back with libraries that we did not write."""

from pathlib import Path

from mcap.reader import make_reader
import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin

from caption_node.bag import message_types
from caption_node.bag.message_types import message_folder
from caption_node.bag.reader import BagReader
from caption_node.bag.storage import Topic
from caption_node.bag.writer import CAPTION_TOPIC, DESCRIPTION_TOPIC, BagWriter
from caption_node.description import SceneDescription
from caption_node.errors import BagError
from caption_node.message_fields import description_from
from tests.drawn import draw_street, jpeg
from tests.recordings import START_NS, write_rosbag2
from tests.unit.test_description import FULL


def write(path: Path, count: int = 3) -> None:
    with BagWriter(path) as writer:
        for i in range(count):
            stamp = START_NS + i
            writer.write_compressed_image('/camera', stamp, 'optical', jpeg(draw_street(i)))
            said = SceneDescription(**{**_fields(), 'stamp_ns': stamp, 'frame_id': 'optical'})
            writer.write_description(said, log_time_ns=stamp + 5)


def _fields() -> dict[str, object]:
    return {name: getattr(FULL, name) for name in FULL.__slots__}


@pytest.mark.parametrize('name', ['out.mcap', 'out', 'deep/er/out.mcap'])
def test_rosbags_reads_types_stamps_and_values_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path)
    assert path.is_dir() == (path.suffix != '.mcap')
    with AnyReader([path]) as reader:
        assert {c.topic: c.msgtype for c in reader.connections} == {
            '/camera': 'sensor_msgs/msg/CompressedImage',
            DESCRIPTION_TOPIC: 'caption_msgs/msg/SceneDescription',
            CAPTION_TOPIC: 'std_msgs/msg/String',
        }
        found = {c.topic: [] for c in reader.connections}
        for connection, time_ns, raw in reader.messages():
            found[connection.topic].append((time_ns, reader.deserialize(raw, connection.msgtype)))
    assert {k: len(v) for k, v in found.items()} == dict.fromkeys(found, 3)
    time_ns, message = found[DESCRIPTION_TOPIC][1]
    assert time_ns == START_NS + 1 + 5
    back = description_from(message)
    assert (back.stamp_ns, back.frame_id) == (START_NS + 1, 'optical')
    assert back.caption == FULL.caption
    assert {k: v.value for k, v in back.scene.items()} == {
        k: v.value for k, v in FULL.scene.items()
    }
    assert [o.class_name for o in back.objects] == ['traffic light', 'car']
    assert back.objects[0].box == pytest.approx(FULL.objects[0].box)
    assert back.model == FULL.model
    assert np.isnan(message.age_ms)
    assert found[CAPTION_TOPIC][0][1].data == FULL.caption
    assert bytes(found['/camera'][2][1].data) == jpeg(draw_street(2))


def test_mcap_reads_profile_schemas_and_statistics(tmp_path: Path) -> None:
    path = tmp_path / 'out.mcap'
    write(path)
    with path.open('rb') as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == 'ros2'
        summary = reader.get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert summary.statistics.message_count == 9
        schemas = {s.name: s for s in summary.schemas.values()}
        described = schemas['caption_msgs/msg/SceneDescription']
        assert described.encoding == 'ros2msg'
        for part in (b'MSG: std_msgs/Header', b'MSG: caption_msgs/SceneObject', b'TIME_DAY=1'):
            assert part in described.data
        assert {c.message_encoding for c in summary.channels.values()} == {'cdr'}
        hashes = [c.metadata.get('topic_type_hash', '') for c in summary.channels.values()]
        assert all(h.startswith('RIHS01_') for h in hashes)
        assert len(list(reader.iter_messages())) == 9


def test_error_is_written_without_a_caption_message(tmp_path: Path) -> None:
    path = tmp_path / 'out.mcap'
    with BagWriter(path) as writer:
        writer.write_description(SceneDescription(stamp_ns=5, status='error', error='dark'))
    with AnyReader([path]) as reader:
        ((connection, _, raw),) = reader.messages()
        back = description_from(reader.deserialize(raw, connection.msgtype))
    assert (back.status, back.error, back.scene) == ('error', 'dark', {})


def test_copied_messages_keep_bytes_time_type_and_definition(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'bag', StoragePlugin.SQLITE3, frames=4)
    with BagReader(bag) as original, BagWriter(tmp_path / 'copy') as writer:
        topics = {t.name: t for t in original.topics}
        before = list(original.messages())
        for message in before:
            writer.copy(message, topics[message.topic])
    with BagReader(tmp_path / 'copy') as copied:
        assert list(copied.messages()) == before
        assert {t.name: (t.type, t.count) for t in copied.topics} == {
            t.name: (t.type, t.count) for t in topics.values()
        }
    with AnyReader([tmp_path / 'copy']) as reader:
        assert reader.message_count == 12


QOS_NUMBERS = """- history: 1
  depth: 1
  reliability: 1
  durability: 1
  deadline: {sec: 9223372036, nsec: 854775807}
  lifespan: {sec: 9223372036, nsec: 854775807}
  liveliness: 1
  liveliness_lease_duration: {sec: 9223372036, nsec: 854775807}
  avoid_ros_namespace_conventions: false
"""


def test_qos_of_old_recorders_is_written_in_words(tmp_path: Path) -> None:
    topic = Topic(
        '/tf_static', 'std_msgs/msg/String', 1, definition='string data', qos=QOS_NUMBERS
    )
    with BagWriter(tmp_path / 'out') as writer:
        writer.write(topic, 1, b'\x00\x01\x00\x00\x02\x00\x00\x00x\x00')
    with AnyReader([tmp_path / 'out']) as reader:
        (profile,) = reader.connections[0].ext.offered_qos_profiles
        assert profile.durability.name == 'TRANSIENT_LOCAL'
    text = (tmp_path / 'out' / 'metadata.yaml').read_text(encoding='utf-8')
    assert 'durability: transient_local' in text


def test_nothing_stands_under_the_final_name_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / 'out.mcap'
    writer = BagWriter(path)
    writer.write_text('/a', 1, 'hello')
    assert not path.exists()
    writer.close()
    assert [p.name for p in tmp_path.iterdir()] == ['out.mcap']


@pytest.mark.parametrize('name', ['out.mcap', 'out'])
def test_what_was_written_before_an_interruption_is_kept_beside(tmp_path: Path, name: str) -> None:
    def interrupted() -> None:
        with BagWriter(tmp_path / name) as writer:
            writer.write_text('/a', 1, 'hello')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ['out.partial.mcap']
    with AnyReader([tmp_path / 'out.partial.mcap']) as reader:
        assert reader.message_count == 1


def test_existing_output_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / 'out.mcap'
    path.write_text('precious')
    with pytest.raises(BagError, match='exists already'):
        BagWriter(path)
    assert path.read_text() == 'precious'


def test_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(BagError, match='cannot be written'):
        BagWriter(tmp_path / 'file' / 'out.mcap')


def test_full_disk_is_reported(tmp_path: Path) -> None:
    path = tmp_path / 'out.mcap'
    (tmp_path / 'out.partial.mcap').symlink_to('/dev/full')
    picture = np.random.default_rng(0).integers(0, 255, 2_000_000, dtype=np.uint8).tobytes()

    def fill() -> None:
        with BagWriter(path) as writer:
            for i in range(3):
                writer.write_compressed_image('/camera', i, '', picture)

    with pytest.raises(BagError, match='No space left on device'):
        fill()
    assert not path.exists()


def test_missing_definitions_name_the_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(message_types, '__file__', str(tmp_path / 'a' / 'b' / 'c' / 'd.py'))
    monkeypatch.setattr(message_types.sys, 'prefix', str(tmp_path / 'prefix'))
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path / 'ament'))
    with pytest.raises(BagError, match='ament/share/caption_msgs/msg'):
        message_folder()
    installed = tmp_path / 'prefix' / 'share' / 'caption_node' / 'msg'
    installed.mkdir(parents=True)
    for name in ('SceneFact.msg', 'SceneObject.msg', 'SceneDescription.msg'):
        (installed / name).write_text('')
    assert message_folder() == installed
