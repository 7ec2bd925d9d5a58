# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Every frame of a recording gets its description, in order."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from caption_node.bag.captioning import Thinning, describe_bag
from caption_node.bag.journal import Job, Journal, assemble
from caption_node.bag.reader import BagReader
from caption_node.bag.workers import DescribedImage
from caption_node.bag.writer import DESCRIPTION_TOPIC, BagWriter
from caption_node.description import ModelInfo, SceneDescription
from caption_node.frame import Frame
from tests.recordings import CAMERA, CHATTER, COMPRESSED_CAMERA, stamp_ns, write_rosbag2


class Echo:
    """Describes a frame by what it is: enough to follow it through batches and files."""

    model = ModelInfo('echo')

    def __init__(self) -> None:
        self.batches: list[int] = []

    def describe(self, frames: Sequence[Frame]) -> list[SceneDescription]:
        """Describe one batch."""
        self.batches.append(len(frames))
        return [
            SceneDescription(
                stamp_ns=f.stamp_ns,
                frame_id=f.frame_id,
                camera=f.camera,
                file=f.file,
                caption='A road.',
            )
            for f in frames
        ]


def test_every_frame_of_every_camera_is_described_in_order(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'bag', frames=7)
    echo = Echo()
    with BagReader(bag) as reader:
        items = list(describe_bag(reader, echo, batch=4))
    expected = [(stamp_ns(i), c) for i in range(7) for c in (CAMERA, COMPRESSED_CAMERA)]
    assert [(d.description.stamp_ns, d.description.camera) for d in items] == expected
    assert echo.batches == [4, 4, 4, 2]


def test_one_topic_and_one_frame_in_a_period(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'bag', frames=10)
    with BagReader(bag) as reader:
        items = list(describe_bag(reader, Echo(), 4, topics=[CAMERA], every_s=0.3))
    assert [d.description.stamp_ns for d in items] == [stamp_ns(i) for i in (0, 3, 6, 9)]


def test_merged_output_holds_the_original_in_order(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'bag', frames=6)
    out = tmp_path / 'out.mcap'
    job = Job('bag', 'echo', (CAMERA,), 0.0, 4)
    with BagReader(bag) as reader, BagReader(bag) as original, Journal(out, job) as journal:
        described = describe_bag(reader, Echo(), 4, topics=[CAMERA])
        journal.add([DescribedImage(d.description, d.source.log_time_ns) for d in described])
        with BagWriter(out) as writer:
            assemble(journal, writer, original)
    with BagReader(tmp_path / 'out.mcap') as merged, BagReader(bag) as before:
        counts = {t.name: t.count for t in merged.topics}
        assert counts[DESCRIPTION_TOPIC] == 6
        assert counts[CHATTER] == counts[CAMERA] == counts[COMPRESSED_CAMERA] == 6
        ours = {DESCRIPTION_TOPIC, '/caption_node/caption'}
        assert [m for m in merged.messages() if m.topic not in ours] == list(before.messages())


@pytest.mark.parametrize(
    ('times', 'kept'),
    [
        ([0, 100, 200, 300, 400, 500], [0, 300]),
        ([0, 299, 301, 599, 601], [0, 301, 601]),
        ([0, 1000, 1100, 1300], [0, 1000, 1300]),
        ([5000, 5100, 100, 200, 400], [5000, 100, 400]),
    ],
)
def test_thinning_keeps_a_steady_grid_and_survives_clock_jumps(
    times: list[int], kept: list[int]
) -> None:
    thinning = Thinning(0.3)
    assert [t for t in times if thinning.keeps('a', t * 1_000_000)] == kept
    assert all(Thinning(0).keeps('a', t) for t in times)
