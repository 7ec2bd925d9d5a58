# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Frames in, descriptions out, with the shipped model."""

from collections.abc import Iterator

import numpy as np
import pytest

from caption_node.description import FIELDS, OBJECT_CLASSES, check_value
from caption_node.errors import ConfigError, FrameShapeError, InferenceError
from caption_node.frame import Frame
from caption_node.pipeline import CaptionPipeline
from caption_node.scenes import render_scene
from tests.conftest import MODEL, street


@pytest.fixture(scope='module')
def pipeline() -> Iterator[CaptionPipeline]:
    with CaptionPipeline.open(MODEL, threads=2) as opened:
        yield opened


def test_description_carries_the_frame_and_every_field(pipeline: CaptionPipeline) -> None:
    frame = Frame(street(), stamp_ns=123_456_789, frame_id='cam_optical', camera='front')
    said = pipeline.describe([frame])[0]
    assert (said.stamp_ns, said.frame_id, said.camera) == (123_456_789, 'cam_optical', 'front')
    assert list(said.scene) == list(FIELDS)
    for name, item in said.scene.items():
        assert check_value(name, item.value) == item.value
        assert 0 <= item.confidence <= 1
    assert 0 <= said.confidence <= 1
    assert said.caption.endswith('.')
    assert set(said.latency_ms) == {'decode', 'preprocess', 'inference', 'postprocess'}
    assert said.model.sha256 == pipeline.bundle.sha256
    assert said.embedding is not None
    assert float(np.linalg.norm(said.embedding)) == pytest.approx(1, abs=1e-3)


def test_lead_and_its_range_agree(pipeline: CaptionPipeline) -> None:
    for shift in range(-200, 200, 50):
        scene = pipeline.describe([Frame(street(shift=shift))])[0].scene
        assert (scene['lead'].value == 'none') == (scene['lead_range'].value == 'none')


def test_objects_lie_in_the_image_and_have_schema_names(pipeline: CaptionPipeline) -> None:
    for width, height in ((1280, 720), (320, 240)):
        rgb, _ = render_scene(5, width=width, height=height, road='city', time='day')
        said = pipeline.describe([Frame(rgb)])[0]
        assert said.objects
        for item in said.objects:
            assert item.class_name in OBJECT_CLASSES
            assert 0 <= item.box[0] < item.box[2] <= width
            assert 0 <= item.box[1] < item.box[3] <= height


def test_several_cameras_in_one_batch_equal_one_at_a_time(pipeline: CaptionPipeline) -> None:
    cameras = {'front': (0, 640), 'left': (90, 800), 'right': (-60, 500)}
    frames = [Frame(street(w, shift=s), camera=name) for name, (s, w) in cameras.items()]
    together = pipeline.describe(frames)
    for frame, said in zip(frames, together, strict=True):
        alone = pipeline.describe([frame])[0]
        assert (said.caption, said.camera) == (alone.caption, frame.camera)
        assert {k: v.value for k, v in said.scene.items()} == {
            k: v.value for k, v in alone.scene.items()
        }


@pytest.mark.parametrize('value', [0, 255, 128])
def test_pictures_that_show_nothing_abstain(pipeline: CaptionPipeline, value: int) -> None:
    said = pipeline.describe([Frame(np.full((360, 640, 3), value, dtype=np.uint8))])[0]
    assert said.status == 'abstain'
    assert said.reason


def test_noise_abstains(pipeline: CaptionPipeline) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (384, 640, 3), dtype=np.uint8)
    assert pipeline.describe([Frame(noise)])[0].status == 'abstain'


def test_no_frames_give_no_descriptions(pipeline: CaptionPipeline) -> None:
    assert pipeline.describe([]) == []


def test_too_many_frames_are_refused(pipeline: CaptionPipeline) -> None:
    with pytest.raises(ConfigError, match='at most 8'):
        pipeline.describe([Frame(street())] * 9)


def test_frames_of_a_wrong_shape_cannot_be_made() -> None:
    for bad in (np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3))):
        with pytest.raises(FrameShapeError):
            Frame(bad)  # type: ignore[arg-type]


def test_closed_pipeline_says_so() -> None:
    pipeline = CaptionPipeline.open(MODEL)
    pipeline.close()
    with pytest.raises(InferenceError, match='closed'):
        pipeline.describe([Frame(street())])
