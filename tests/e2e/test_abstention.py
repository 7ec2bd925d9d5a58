# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The shipped model abstains on what it cannot know; kinds and seeds are none it was fitted to."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from benchmarks import unseen_drawn, unseen_spoilt
from benchmarks.abstention import HEIGHT, WIDTH, Frames, measure
from caption_node.pipeline import CaptionPipeline
from tests.conftest import MODEL
from tests.e2e.command import caption, lines
from tests.recordings import COMPRESSED_CAMERA, PERIOD_NS, START_NS, make_message


@pytest.fixture(scope='module')
def pipeline() -> Iterator[CaptionPipeline]:
    with CaptionPipeline.open(MODEL, threads=2) as opened:
        yield opened


def share(pipeline: CaptionPipeline, pictures: dict[str, list[NDArray[np.uint8]]]) -> float:
    """Return the share that abstains; prints it by kind, for when it is too low."""
    rows = [measure(pipeline, '', kind, images) for kind, images in pictures.items()]
    print([(row.kind, row.abstained, row.pictures) for row in rows])
    return sum(row.abstained for row in rows) / sum(row.pictures for row in rows)


def test_black_white_and_noise_abstain(pipeline: CaptionPipeline) -> None:
    pictures = {
        kind: [draw(np.random.default_rng([301, k]), HEIGHT, WIDTH) for k in range(8)]
        for kind, draw in unseen_drawn.EMPTY.items()
    }
    assert share(pipeline, pictures) >= 0.95


def test_drawings_without_a_road_abstain(pipeline: CaptionPipeline) -> None:
    pictures = {
        kind: [draw(np.random.default_rng([302, k]), HEIGHT, WIDTH) for k in range(3)]
        for kind, draw in unseen_drawn.NON_DRIVING.items()
    }
    assert share(pipeline, pictures) >= 0.95


@pytest.mark.parametrize('part', ['COVERED', 'BLURRED', 'STRANGE'])
def test_spoilt_frames_of_an_unseen_camera_abstain(
    pipeline: CaptionPipeline, shared: Path, part: str
) -> None:
    frames = Frames(sorted((shared / 'data' / 'frames' / 'val').glob('*.jpg')))
    pictures: dict[str, list[NDArray[np.uint8]]] = {}
    for n, (kind, make) in enumerate(getattr(unseen_spoilt, part).items()):
        pictures[kind] = []
        for k in range(5):
            rng = np.random.default_rng([303, n, k])
            image = frames.read(int(rng.integers(len(frames.paths))))
            pictures[kind].append(make(image, rng))
    assert share(pipeline, pictures) >= 0.9


def write_hanging_camera(path: Path, frames: int) -> Path:
    """Write a recording whose camera repeats its first picture with advancing stamps."""
    types = get_typestore(Stores.ROS2_JAZZY)
    kind = 'sensor_msgs/msg/CompressedImage'
    first = make_message(types, kind, 0)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(COMPRESSED_CAMERA, kind, typestore=types)
        for i in range(frames):
            message = replace(first, header=make_message(types, kind, i).header)
            data = types.serialize_cdr(message, kind)
            writer.write(connection, START_NS + i * PERIOD_NS, data)
    return path


def test_recording_of_a_hanging_camera_abstains(tmp_path: Path) -> None:
    bag = write_hanging_camera(tmp_path / 'hangs', frames=12)
    said = lines(caption('bag', str(bag), '--jsonl').stdout)
    assert len(said) == 12
    late = [line for line in said if 'frozen' in line.get('reason', '')]
    # The picture must stand for half a second first.
    assert [line['stamp_ns'] for line in late] == [line['stamp_ns'] for line in said[5:]]
    assert {line['status'] for line in late} == {'abstain'}
