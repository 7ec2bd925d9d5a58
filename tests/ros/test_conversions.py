# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Messages to frames and descriptions to messages, without DDS."""

from dataclasses import replace
import math

from caption_msgs.msg import SceneDescription as DescriptionMessage
from caption_msgs.msg import SceneObject as ObjectMessage
import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message

from caption_node.description import (
    FIELDS,
    OBJECT_CLASSES,
    POSITIONS,
    RANGES,
    STATUSES,
    FieldValue,
    ModelInfo,
    SceneDescription,
    SceneObject,
)
from caption_node.errors import FrameError
from caption_node.message_fields import constant_name
from caption_node.ros.conversions import (
    Passage,
    age_ms,
    caption_to_message,
    description_to_message,
    frame_from_message,
    message_to_description,
)
from tests.drawn import draw_street, png
from tests.ros.picture_messages import (
    ENCODINGS,
    bad_messages,
    compressed,
    grey_of,
    header,
    raw,
)

pytestmark = pytest.mark.ros
RGB = np.repeat(np.repeat(draw_street(5), 2, axis=0), 2, axis=1)
"""Pixels in blocks of 2 x 2, so that chroma and Bayer patterns lose little."""

DESCRIPTION = SceneDescription(
    stamp_ns=1_700_000_000_000_000_007,
    frame_id='front_optical',
    camera='front',
    caption='We follow a van towards a junction.',
    confidence=0.75,
    scene={
        name: FieldValue(
            {'categorical': (spec.values or ('',))[-1], 'boolean': True, 'count': 15}[spec.kind],
            0.5,
        )
        for name, spec in FIELDS.items()
    },
    hazard='red light ahead',
    objects=(SceneObject('traffic light', 0.5, (1.0, 2.0, 3.5, 4.0), 'left', 'far', False),),
    latency_ms={'decode': 1.0, 'preprocess': 2.0, 'inference': 16.0, 'postprocess': 0.5},
    model=ModelInfo('drive-small', 'ab' * 32, 'onnxruntime-cpu', 'fp32'),
)


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_pixels_arrive_whatever_the_encoding(encoding: str, padding: int) -> None:
    message = raw(RGB, encoding, header('cam', 5), padding)

    frame = frame_from_message(message, 'front')

    expected = RGB.astype(int)
    if encoding == 'mono8':
        expected = np.repeat(grey_of(RGB)[..., None], 3, axis=2).astype(int)
    error = np.abs(frame.pixels_rgb.astype(int) - expected)
    lossy = encoding.startswith(('bayer', 'yu'))
    # Interpolated Bayer pixels are off at edges; with a wrong pattern they are off everywhere.
    assert np.median(error) <= (2 if lossy else 0)
    assert error.mean() <= (6 if lossy else 0)
    assert (frame.stamp_ns, frame.frame_id, frame.camera) == (5, 'cam', 'front')


def test_a_png_arrives_unchanged() -> None:
    frame = frame_from_message(compressed(png(RGB), 'png', header('cam', 5)), 'front')
    np.testing.assert_array_equal(frame.pixels_rgb, RGB)
    assert frame.decode_ms > 0


@pytest.mark.parametrize('name', bad_messages(RGB))
def test_a_bad_image_is_a_frame_error(name: str) -> None:
    with pytest.raises(FrameError):
        frame_from_message(bad_messages(RGB)[name], 'front')


def test_raw_pixels_are_not_copied() -> None:
    message = raw(RGB, 'bgr8', header('cam', 5))
    frame = frame_from_message(message, 'front')
    assert np.shares_memory(frame.pixels_rgb, np.frombuffer(message.data, dtype=np.uint8))


def test_every_word_of_the_schema_has_a_constant_of_its_own() -> None:
    tables = [(DescriptionMessage, '', STATUSES)] + [
        (DescriptionMessage, name, spec.values) for name, spec in FIELDS.items() if spec.values
    ]
    tables += [
        (ObjectMessage, 'class', OBJECT_CLASSES),
        (ObjectMessage, 'position', POSITIONS),
        (ObjectMessage, 'range', RANGES),
    ]
    for message, prefix, words in tables:
        names = [constant_name(prefix, w) if prefix else w.upper() for w in words]
        codes = [getattr(message, name) for name in names]
        assert len(set(codes)) == len(words)
        known = [c for c, w in zip(codes, words, strict=True) if w != 'unknown']
        assert 0 not in known
        if prefix:
            assert getattr(message, constant_name(prefix, 'unknown')) == 0


def test_a_description_survives_the_way_there_and_back() -> None:
    head = header('front_optical', DESCRIPTION.stamp_ns)
    now_ns = DESCRIPTION.stamp_ns + 25_000_000
    passage = Passage(
        received_ns=now_ns - 20_000_000,
        taken_ns=now_ns - 15_000_000,
        inferred_ns=now_ns - 5_000_000,
        queue_ms=1.5,
        caption_age_ms=300.0,
        reused=True,
    )

    message = description_to_message(DESCRIPTION, head, lambda: now_ns, passage)
    sent = deserialize_message(serialize_message(message), DescriptionMessage)

    assert message_to_description(sent) == DESCRIPTION
    assert sent.header == head
    assert sent.age_ms == pytest.approx(25.0)
    assert sent.latency_queue_ms == 1.5
    ages_ms = (sent.age_received_ms, sent.age_taken_ms, sent.age_inferred_ms)
    assert ages_ms == pytest.approx((5.0, 10.0, 20.0))
    assert (sent.caption_age_ms, sent.reused) == (300.0, True)
    assert sent.completed.sec * 1_000_000_000 + sent.completed.nanosec == now_ns


def test_own_fields_survive_the_way_there_and_back() -> None:
    own = {
        'shape': FieldValue('ring-shaped', 0.5),
        'device': FieldValue(False, 0.75),
        'shadows': FieldValue(15, 0.25),
    }
    message = description_to_message(replace(DESCRIPTION, scene=own), header('cam', 1), lambda: 2)
    sent = deserialize_message(serialize_message(message), DescriptionMessage)

    assert [(f.name, f.value, f.confidence) for f in sent.facts] == [
        ('shape', 'ring-shaped', 0.5), ('device', 'false', 0.75), ('shadows', '15', 0.25),
    ]  # fmt: skip
    assert message_to_description(sent).scene == own
    sent.facts[1].value, sent.facts[2].kind = 'perhaps', 77  # another program's
    assert list(message_to_description(sent).scene) == ['shape']


def test_an_error_leaves_every_field_unknown() -> None:
    failed = SceneDescription(camera='front', status='error', error='truncated')
    message = description_to_message(failed, header('cam', 1), lambda: 2)
    assert message.status == message.ERROR
    assert (message.error, message.caption) == ('truncated', '')
    for name, spec in FIELDS.items():
        assert getattr(message, name) == (False if spec.kind == 'boolean' else 0)
        assert getattr(message, f'{name}_confidence') == 0
    assert message_to_description(message).scene == {}


def test_an_empty_message_does_not_read_as_ok() -> None:
    message = DescriptionMessage()
    assert message.status not in (message.OK, message.ABSTAIN)
    assert message_to_description(message).status == 'error'


def test_an_image_without_a_stamp_has_no_age() -> None:
    assert math.isnan(age_ms(header('cam', 0).stamp, 5))


def test_the_caption_shows_any_status_but_ok() -> None:
    assert caption_to_message(DESCRIPTION).data == DESCRIPTION.caption
    doubtful = SceneDescription(camera='front', caption='A road.', status='abstain', reason='dark')
    assert caption_to_message(doubtful).data == '[abstain: dark] A road.'
    failed = SceneDescription(camera='front', status='error', error='truncated')
    assert caption_to_message(failed, with_camera=True).data == 'front: [error: truncated]'
