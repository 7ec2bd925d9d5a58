# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What changes over time: staleness, recovery, events, publish on change, bounded age."""

from pathlib import Path
import re

from caption_msgs.msg import Float64Stamped, ModelInfo, SceneDescription, SceneEvent
from caption_msgs.srv import Describe
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import String

from caption_node.image_codec import decode_image
from caption_node.ros.conversions import age_ms, stamp_to_ns
from tests.ros.conftest import ColourCamera, Listener, Process, Start, node_line
from tests.ros.picture_messages import header, raw
from tests.tiny_model import colour

pytestmark = pytest.mark.ros
NS_PER_S = 1_000_000_000


@pytest.fixture
def node(start: Start, tiny_model: Path) -> Process:
    """A node with two cameras, one of them with a frame of its own."""
    return start(
        *node_line(
            '-p', f'model:={tiny_model}', '-p', 'cameras:=[front=/image, rear=/rear@rear_lens]',
            '-p', 'stale_after_s:=1.5', '-p', 'lost_after_s:=3.0',
            '-p', 'diagnostics_period_s:=0.1', '-p', 'overlay_rate_hz:=20.0',
        )
    )  # fmt: skip


def status_of(arrays: list[DiagnosticArray], name: str) -> tuple[bytes, dict[str, str]]:
    """Return level and values of the newest status of one name."""
    for array in reversed(arrays):
        for status in array.status:
            if status.name == f'caption_node: {name}':
                return status.level, {v.key: v.value for v in status.values}
    return b'', {}


def test_a_camera_that_stops_turns_stale_once_and_recovers(
    node: Process, listener: Listener
) -> None:
    heard = listener.listen('/caption_node/front/description')
    rear = listener.listen('/caption_node/rear/description')
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    front_camera, rear_camera = ColourCamera(listener), ColourCamera(listener, '/rear')

    def both() -> bool:
        rear_camera.publish('grey')
        return len(heard) > 3 and len(rear) > 3

    assert listener.shown(front_camera, 'grey', both), node.output
    assert {m.header.frame_id for m in heard} == {'lens'}
    assert {m.header.frame_id for m in rear} == {'rear_lens'}

    def is_stale() -> bool:
        rear_camera.publish('grey')
        return heard[-1].status == SceneDescription.STALE

    assert listener.wait(is_stale), node.output
    before, stale = heard[-2], heard[-1]
    assert stale.header == before.header
    assert stale.reason.startswith('no image for')
    assert stale.caption == ''
    assert (stale.time, stale.time_confidence) == (SceneDescription.TIME_UNKNOWN, 0.0)

    levels = set()

    def is_lost() -> bool:
        rear_camera.publish('grey')
        levels.add(status_of(diagnostics, 'camera front')[0])
        return DiagnosticStatus.ERROR in levels

    assert listener.wait(is_lost), node.output
    assert DiagnosticStatus.WARN in levels
    # The other camera goes on: the node as a whole warns, it has not failed.
    assert status_of(diagnostics, 'node')[0] == DiagnosticStatus.WARN
    assert rear[-1].status == SceneDescription.OK
    # Said once: nothing more comes of this camera until it sends again.
    assert [m.status for m in heard[-2:]] == [SceneDescription.OK, SceneDescription.STALE]

    count = len(heard)
    assert listener.shown(front_camera, 'grey', lambda: len(heard) > count)
    assert {m.status for m in heard[count:]} == {SceneDescription.OK}
    # The log goes another way than the descriptions, and may be read later.
    assert listener.wait(lambda: 'sends again' in node.output), node.output
    assert listener.shown(
        front_camera,
        'grey',
        lambda: status_of(diagnostics, 'camera front')[0] == DiagnosticStatus.OK,
    )
    assert status_of(diagnostics, 'camera front')[1]['times_stale'] != '0'


def test_events_begin_and_end_with_what_is_seen(node: Process, listener: Listener) -> None:
    heard = listener.listen('/caption_node/front/description')
    events = listener.listen('/caption_node/events', SceneEvent)
    camera = ColourCamera(listener)

    def seen(name: str, phase: int) -> bool:
        return any(e.name == name and e.phase == phase for e in events)

    assert listener.shown(camera, 'grey', lambda: len(heard) > 3), node.output
    assert listener.shown(camera, 'red', lambda: seen('person_on_road', SceneEvent.BEGIN))
    assert listener.shown(camera, 'green', lambda: seen('light', SceneEvent.BEGIN))
    assert listener.shown(camera, 'blue', lambda: seen('light', SceneEvent.END))
    assert listener.shown(camera, 'blue', lambda: seen('person_on_road', SceneEvent.END))
    assert listener.shown(camera, 'blue', lambda: seen('night', SceneEvent.BEGIN))

    begun = next(e for e in events if e.name == 'person_on_road')
    assert begun.kind == SceneEvent.PERSON_ON_ROAD
    assert begun.camera == 'front'
    assert begun.confidence > 0.5
    assert begun.header in [m.header for m in heard]
    described = next(m for m in heard if m.header == begun.header)
    assert described.people_on_road
    light = next(e for e in events if e.name == 'light')
    assert (light.kind, light.value) == (SceneEvent.LIGHT, 'green')
    ended = next(e for e in events if e.name == 'light' and e.phase == SceneEvent.END)
    assert ended.duration_s > 0
    # A camera that stops ends what it has seen, with no confidence left.
    assert listener.wait(lambda: seen('night', SceneEvent.END))
    assert events[-1].confidence == 0.0


def test_publish_on_change_repeats_nothing_but_now_and_then(
    start: Start, listener: Listener, tiny_model: Path
) -> None:
    heard = listener.listen('/caption_node/description')
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    camera = ColourCamera(listener)
    node = start(
        *node_line(
            '-p', f'model:={tiny_model}', '-p', 'publish:=on_change', '-p', 'repeat_after_s:=60.0',
            '-p', 'diagnostics_period_s:=0.1', '-p', 'stale_after_s:=30.0',
        )
    )  # fmt: skip

    def described() -> int:
        return int(status_of(diagnostics, 'camera camera')[1].get('described', 0))

    assert listener.shown(camera, 'grey', lambda: described() > 20), node.output
    # Discovery may cost the first one; after that there is nothing new to be said.
    assert len(heard) <= 1
    count = len(heard)
    assert listener.shown(camera, 'red', lambda: len(heard) > count)
    assert heard[-1].people_on_road
    at = described()
    assert listener.shown(camera, 'red', lambda: described() > at + 10)
    assert len(heard) <= count + 2


def test_what_is_too_old_is_dropped_and_counted_but_never_what_was_replayed(
    start: Start, listener: Listener, tiny_model: Path
) -> None:
    heard = listener.listen('/caption_node/description')
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    camera = ColourCamera(listener)
    node = start(
        *node_line(
            '-p', f'model:={tiny_model}', '-p', 'max_age_ms:=5000.0',
            '-p', 'diagnostics_period_s:=0.1',
        )
    )  # fmt: skip
    clock = listener.node.get_clock()

    def values() -> dict[str, str]:
        return status_of(diagnostics, 'camera camera')[1]

    assert listener.shown(camera, 'grey', lambda: len(heard) > 2), node.output

    def was_dropped() -> bool:
        camera.publish('grey', int(clock.now().nanoseconds) - 20 * NS_PER_S)
        return int(values()['late']) > 3

    assert listener.wait(was_dropped)
    assert all(m.age_ms < 10_000 for m in heard)
    assert 'look replayed' not in node.output

    old_ns = int(clock.now().nanoseconds) - 3600 * NS_PER_S
    count = len(heard)

    def replayed() -> bool:
        nonlocal old_ns
        old_ns += NS_PER_S // 20
        camera.publish('grey', old_ns)
        return len(heard) > count + 3

    assert listener.wait(replayed), node.output
    assert node.output.count('look replayed') == 1
    assert 'use_sim_time' in node.output
    assert heard[-1].age_ms > 3_000_000


def test_ages_of_all_stages_and_the_debug_topics(node: Process, listener: Listener) -> None:
    heard = listener.listen('/caption_node/description')
    processing = listener.listen('/caption_node/debug/processing_time_ms', Float64Stamped)
    latency = listener.listen('/caption_node/debug/pipeline_latency_ms', Float64Stamped)
    camera = ColourCamera(listener, '/image/compressed')
    assert listener.shown(camera, 'grey', lambda: len(heard) > 3 and processing and latency)
    message = heard[-1]
    assert 0 <= message.age_received_ms <= message.age_taken_ms
    assert message.age_taken_ms <= message.age_inferred_ms <= message.age_ms
    assert message.latency_decode_ms > 0
    assert 0 < processing[-1].data < latency[-1].data
    # The age of one of them at the instant of publication, which is a little after completion.
    ages_ms = [age_ms(m.header.stamp, stamp_to_ns(latency[-1].stamp)) for m in heard]
    assert latency[-1].data in [pytest.approx(age, abs=1e-3) for age in ages_ms]
    assert latency[-1].data >= min(m.age_ms for m in heard)


def test_the_service_describes_the_newest_image_or_a_given_one(
    node: Process, listener: Listener
) -> None:
    heard = listener.listen('/caption_node/front/description')
    camera = ColourCamera(listener)
    assert listener.shown(camera, 'grey', lambda: len(heard) > 2), node.output

    newest_ns = int(listener.node.get_clock().now().nanoseconds)
    camera.publish('red', newest_ns)
    assert listener.wait(
        lambda: heard[-1].header.stamp.nanosec == newest_ns % NS_PER_S and heard[-1].people_on_road
    )
    call = '/caption_node/describe'
    answer = listener.call(Describe, call, Describe.Request(camera='front'))
    if answer.success:  # on a busy machine the camera may be stale by now
        assert answer.description.people_on_road
        assert answer.description.header.stamp.nanosec == newest_ns % NS_PER_S
        assert answer.text

    picture = raw(colour('blue'), 'rgb8', header('asked', 77))
    answer = listener.call(Describe, call, Describe.Request(image=picture))
    assert answer.success, answer.message
    assert answer.description.time == SceneDescription.TIME_NIGHT
    assert answer.description.header == picture.header
    text = listener.call(Describe, call, Describe.Request(image=picture, text_only=True))
    assert text.text == answer.text
    assert text.description.time == SceneDescription.TIME_UNKNOWN
    assert text.description.header == picture.header

    unknown = listener.call(Describe, call, Describe.Request(camera='roof'))
    assert not unknown.success
    assert 'front, rear' in unknown.message
    silent = listener.call(Describe, call, Describe.Request(camera='rear'))
    assert 'no image has come' in silent.message
    broken = listener.call(
        Describe, call, Describe.Request(compressed=CompressedImage(format='jpeg', data=b'no'))
    )
    assert not broken.success
    assert broken.message


def test_the_service_gives_several_sentences(node: Process, listener: Listener) -> None:
    picture = raw(colour('grey'), 'rgb8', header('asked', 77))

    def ask(**wish: float) -> Describe.Response:
        request = Describe.Request(image=picture, **wish)
        return listener.call(Describe, '/caption_node/describe', request)

    assert listener.wait(lambda: 'active after' in node.output), node.output
    one = ask()
    assert one.success, one.message
    assert not one.samples
    several = ask(samples=3, temperature=1.0, seed=4)
    assert several.success, several.message
    assert several.text == one.text
    assert 1 <= len(several.samples) <= 3
    assert len(set(several.samples)) == len(several.samples) == len(several.sample_confidences)
    # No box bears a pedestrian out, though the model may well say so.
    assert all(re.fullmatch('Driving along (a|the) (road|street)[.]', s) for s in several.samples)
    assert all(0 < confidence < 1 for confidence in several.sample_confidences)
    assert ask(samples=3, temperature=1.0, seed=4).samples == several.samples
    too_many = ask(samples=99)
    assert not too_many.success
    assert '1..32' in too_many.message


def test_the_model_is_named_for_late_subscribers(node: Process, listener: Listener) -> None:
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    assert listener.wait(lambda: 'active after' in node.output), node.output
    heard = listener.listen('/caption_node/model_info', ModelInfo, latched)
    assert listener.wait(lambda: heard)
    (info,) = heard
    assert (info.name, info.backend, info.precision) == ('tiny', 'onnxruntime-cpu', 'fp32')
    assert info.backend_reason
    assert len(info.sha256) == 64
    assert len(info.classes) == len(info.score_thresholds) > 0
    assert len(info.fields) == len(info.temperatures) == 16
    assert (info.input_width, info.input_height) == (160, 96)


def test_the_overlay_is_drawn_while_somebody_watches(node: Process, listener: Listener) -> None:
    heard = listener.listen('/caption_node/front/description')
    camera = ColourCamera(listener)
    assert listener.shown(camera, 'grey', lambda: len(heard) > 2), node.output
    pictures = listener.listen('/caption_node/front/overlay/compressed', CompressedImage)
    assert listener.shown(camera, 'grey', lambda: pictures)
    assert pictures[0].header in [m.header for m in heard]
    assert pictures[0].format == 'jpeg'
    rgb = decode_image(bytes(pictures[0].data), 'overlay')
    assert rgb.shape[1] == 640
    assert rgb.shape[0] >= 384


def test_incompatible_subscribers_are_told_loudly(
    start: Start, listener: Listener, tiny_model: Path
) -> None:
    node = start(
        *node_line(
            '-p', f'model:={tiny_model}', '-p', 'output_deadline_ms:=500.0',
            '-p', 'output_liveliness_ms:=700.0',
        )
    )  # fmt: skip
    assert listener.wait(lambda: 'active after' in node.output), node.output
    listener.listen(
        '/caption_node/caption',
        String,
        QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL),
    )
    assert listener.wait(lambda: 'asks for a quality of service' in node.output), node.output
    (info,) = listener.node.get_publishers_info_by_topic('/caption_node/description')
    assert info.qos_profile.deadline.nanoseconds == 500_000_000
    assert info.qos_profile.liveliness_lease_duration.nanoseconds == 700_000_000
