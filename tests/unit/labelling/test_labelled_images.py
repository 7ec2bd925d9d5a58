# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Labels of the images of a recording, from files and from a topic."""

import json

import pytest

from caption_node.bag.descriptions import description_topics
from caption_node.bag.reader import BagReader
from caption_node.bag.writer import TRUTH_TOPIC, BagWriter
from caption_node.description import FieldValue, SceneDescription
from caption_node.errors import CaptionError
from caption_node.labelling.labelled_images import read_labelled_images
from tests.drawn import draw_street, jpeg
from tests.unit.evaluation.examples import FIELDS

FRONT, REAR = '/front/compressed', '/rear/compressed'
START_NS = 1_700_000_000_000_000_000


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Three images of each of two cameras; the first two stamps are those of both."""
    path = tmp_path_factory.mktemp('labelled') / 'drive.mcap'
    picture = jpeg(draw_street(1))
    with BagWriter(path) as writer:
        for i in range(3):
            writer.write_compressed_image(FRONT, START_NS + i, 'lens', picture)
            writer.write_compressed_image(REAR, START_NS + i + 10 * (i == 2), 'lens', picture)
        scene = {name: FieldValue(value, 1.0) for name, value in FIELDS.items()}
        truth = SceneDescription(START_NS, 'lens', FRONT, caption='A street.', scene=scene)
        writer.write_truth(truth)
    return path


def read(bag, *rows, topic=None, cameras=()):
    file = None
    if rows:
        file = bag.parent / 'labels.jsonl'
        file.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    with BagReader(bag) as reader:
        return read_labelled_images(reader, file, topic, cameras)


def test_truth_of_the_recording_is_found_without_being_asked_for(bag):
    found = read(bag)
    assert list(found.frames) == [(FRONT, START_NS)]
    (label,) = found.frames[FRONT, START_NS].annotations
    assert label.fields == FIELDS
    assert label.caption == 'A street.'
    assert len(found.log_times_ns) == 6


def test_truth_is_no_description_of_the_model(bag):
    with BagReader(bag) as reader:
        assert TRUTH_TOPIC in {t.name for t in reader.topics}
        assert description_topics(reader) == []


def test_lines_of_an_export_and_bare_lines_are_labels(bag):
    exported = {
        'stamp_ns': START_NS,
        'camera': FRONT,
        'labels': [{**FIELDS, 'caption': 'A road.'}],
    }
    bare = {'stamp_ns': START_NS + 1, 'topic': REAR, 'light': 'red'}
    found = read(bag, exported, bare)
    assert found.frames[FRONT, START_NS].captions == ('A road.',)
    assert found.frames[REAR, START_NS + 1].annotations[0].fields == {'light': 'red'}


def test_stamp_is_enough_where_one_camera_has_it(bag):
    # `left` is what a node called the camera.
    found = read(bag, {'stamp_ns': START_NS + 12, 'camera': 'left', 'light': 'red'})
    assert list(found.frames) == [(REAR, START_NS + 12)]
    assert list(read(bag, {'stamp_ns': START_NS, 'light': 'red'}, cameras=[FRONT]).frames) == [
        (FRONT, START_NS)
    ]


def test_labels_of_other_images_are_counted(bag):
    found = read(bag, {'stamp_ns': 5, 'light': 'red'}, {'stamp_ns': START_NS + 2, 'people': 1})
    assert (len(found.frames), found.strangers) == (1, 1)


@pytest.mark.parametrize(
    ('rows', 'words'),
    [
        ([{'stamp_ns': START_NS, 'light': 'red'}], 'may be of'),
        ([{'stamp_ns': 5, 'light': 'red'}], 'none of 1 labels belongs'),
        ([{'stamp_ns': START_NS, 'camera': FRONT, 'light': 'blue'}], "cannot be 'blue'"),
        ([{'stamp_ns': '5', 'light': 'red'}], 'stamp_ns'),
        ([{'light': 'red'}], 'stamp_ns'),
        ([{'stamp_ns': 5}], 'no field'),
        ([{'stamp_ns': 5, 'labels': []}], 'no field'),
        ([{'stamp_ns': 5, 'labels': 3}], 'line 1'),
        ([{'stamp_ns': START_NS, 'camera': FRONT, 'people': 1}] * 2, 'two labels'),
    ],
)
def test_labels_that_are_none_are_named(bag, rows, words):
    with pytest.raises(CaptionError, match=words):
        read(bag, *rows)


def test_topics_without_labels_are_named(bag):
    with pytest.raises(CaptionError, match='no such topic'):
        read(bag, topic='/labels')
    with pytest.raises(CaptionError, match='sensor_msgs/msg/CompressedImage'):
        read(bag, topic=FRONT)
