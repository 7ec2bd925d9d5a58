# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Every encoding and every kind of damage, from a camera process through the node."""

from typing import Any

import pytest

from tests.drawn import draw_street
from tests.ros.conftest import Listener, Start, node_line
from tests.ros.picture_messages import bad_messages
from tests.ros.publish import good_messages

pytestmark = pytest.mark.ros
GOOD = good_messages()
BAD = bad_messages(draw_street(3))


@pytest.fixture(scope='module')
def described(start_for_module: Start, module_listener: Listener) -> dict[str, Any]:
    """One description of every good and bad message, by its frame_id."""
    heard = module_listener.listen('/caption_node/description')
    node = start_for_module(*node_line())
    start_for_module('-m', 'tests.ros.publish', 'good', 'image')
    start_for_module('-m', 'tests.ros.publish', 'bad', 'image')
    wanted = set(GOOD) | set(BAD)
    module_listener.wait(lambda: wanted <= {m.header.frame_id for m in heard}, timeout_s=60)
    assert node.is_running(), node.output
    assert 'Traceback' not in node.output
    return {m.header.frame_id: m for m in heard}


@pytest.mark.parametrize('name', GOOD)
def test_every_encoding_is_described(described: dict[str, Any], name: str) -> None:
    message = described[name]
    assert message.status in (message.OK, message.ABSTAIN)
    assert message.error == ''
    assert message.caption
    assert message.time != message.TIME_UNKNOWN
    assert 0 < message.time_confidence <= 1
    assert len(message.model_sha256) == 64


@pytest.mark.parametrize('name', [*GOOD, *BAD])
def test_the_header_is_copied_bit_for_bit(described: dict[str, Any], name: str) -> None:
    sent = {**GOOD, **BAD}[name].header
    assert described[name].header == sent
    assert described[name].header.stamp.nanosec == sent.stamp.nanosec


@pytest.mark.parametrize('name', ['bgr8', 'rgba8', 'bgra8', 'png'])
def test_the_same_pixels_give_the_same_description(described: dict[str, Any], name: str) -> None:
    message, reference = described[name], described['rgb8']
    assert message.caption == reference.caption
    assert message.road_confidence == pytest.approx(reference.road_confidence, abs=1e-4)


@pytest.mark.parametrize('name', BAD)
def test_a_bad_frame_gives_a_description_that_says_why(
    described: dict[str, Any], name: str
) -> None:
    message = described[name]
    assert message.status == message.ERROR
    assert message.error
    assert message.caption == ''
    assert message.time == message.TIME_UNKNOWN
    assert message.time_confidence == 0


def test_stage_latencies_are_measured(described: dict[str, Any]) -> None:
    message = described['jpeg']
    assert message.latency_decode_ms > 0
    assert message.latency_inference_ms > 0
    assert message.age_ms > message.latency_inference_ms
