# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The node as a process: start and end, lifecycle, parameters, several cameras, overload."""

from functools import partial
from pathlib import Path
import signal
import sys
from time import monotonic
from typing import Any

from caption_msgs.msg import SceneDescription
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from tests.drawn import draw_street, jpeg
from tests.ros.conftest import Listener, Start, node_line
from tests.ros.picture_messages import compressed, header, raw

pytestmark = pytest.mark.ros


def values_of(array: DiagnosticArray, name: str) -> dict[str, str]:
    """Return the values of one status."""
    (status,) = [s for s in array.status if s.name == f'caption_node: {name}']
    return {v.key: v.value for v in status.values}


def set_parameter(listener: Listener, name: str, **value: Any) -> Any:
    """Set one parameter of the node, and return how that went."""
    kind = {'integer_value': ParameterType.PARAMETER_INTEGER}.get(
        next(iter(value)), ParameterType.PARAMETER_STRING
    )
    request = SetParameters.Request(
        parameters=[Parameter(name=name, value=ParameterValue(type=kind, **value))]
    )
    return listener.call(SetParameters, '/caption_node/set_parameters', request).results[0]


def state_of(listener: Listener) -> str:
    """Return the node's lifecycle state."""
    response = listener.call(GetState, '/caption_node/get_state', GetState.Request())
    return str(response.current_state.label)


def change_state(listener: Listener, transition: int) -> bool:
    """Ask the node for a transition; whether it succeeded."""
    request = ChangeState.Request(transition=Transition(id=transition))
    return bool(listener.call(ChangeState, '/caption_node/change_state', request).success)


def was_described(heard: list[Any], stamp_ns: int) -> bool:
    """Whether the last description is that of an image."""
    return bool(heard) and heard[-1].header.stamp.nanosec == stamp_ns


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_busy_node_within_two_seconds(
    start: Start, listener: Listener, number: int
) -> None:
    heard = listener.listen('/caption_node/description')
    node = start(*node_line())
    start('-m', 'tests.ros.publish', 'fast', 'image')
    assert listener.wait(lambda: len(heard) > 3), node.output

    begin_s = monotonic()
    node.signal(number)
    status = node.wait(10)

    assert monotonic() - begin_s < 2
    assert status == 0
    assert 'Traceback' not in node.output


@pytest.mark.skipif(
    sys.version_info < (3, 11),
    reason='onnxruntime 1.23, the last for Python 3.10, holds the interpreter while it loads',
)
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_while_it_loads_the_model(
    start: Start, listener: Listener, number: int
) -> None:
    node = start(*node_line())
    assert listener.wait(lambda: 'loading the model' in node.output)
    assert 'inactive after' not in node.output

    begin_s = monotonic()
    node.signal(number)
    status = node.wait(10)

    assert monotonic() - begin_s < 2
    assert status == 0
    assert 'Traceback' not in node.output


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (['-p', 'threads:=-1'], 'parameter threads is -1, allowed is 0 to 256'),
        (['-p', 'stale_after_s:=5'], 'write 5.0'),
        (['-p', 'lazy:=maybe'], 'parameter lazy must be bool'),
        (['-p', 'transport:=pigeon'], 'auto, raw, compressed'),
        (['-p', 'cameras:=[a=/x, a=/y]'], 'name a occurs twice'),
        (['-p', 'backend:=abacus'], "no backend 'abacus'"),
        (['-p', 'model:=/nowhere/at/all'], '/nowhere/at/all'),
        (['-p', 'broken'], 'ROS could not start'),
        (['--params-file', '/nowhere.yaml'], 'ROS could not start'),
    ],
)
def test_bad_parameters_end_with_a_clear_error(
    start: Start, arguments: list[str], says: str
) -> None:
    node = start(*node_line(*arguments))
    assert node.wait() == 1
    assert says in node.output
    assert 'hint' in node.output or 'failed' in node.output
    assert 'Traceback' not in node.output


@pytest.mark.parametrize('domain_id', ['-1', '233', 'abc'])
def test_a_malformed_domain_ends_with_a_clear_error(start: Start, domain_id: str) -> None:
    node = start(*node_line(), ROS_DOMAIN_ID=domain_id)
    assert node.wait() == 1
    assert 'ROS_DOMAIN_ID' in node.output
    assert 'Traceback' not in node.output


@pytest.mark.parametrize(
    'damage', ['altered model', 'no vocabulary', 'no manifest', 'empty folder']
)
def test_a_broken_model_folder_ends_with_a_clear_error(
    start: Start, model_copy: Path, damage: str
) -> None:
    if damage == 'altered model':
        with (model_copy / 'model.onnx').open('r+b') as file:
            file.write(b'\xff')
    elif damage == 'empty folder':
        for file_path in model_copy.iterdir():
            file_path.unlink()
    else:
        (model_copy / f'{damage[3:]}.json').unlink()

    node = start(*node_line('-p', f'model:={model_copy}'))

    assert node.wait() == 1
    assert 'configure failed' in node.output
    assert str(model_copy) in node.output
    assert 'Traceback' not in node.output


def test_an_unknown_parameter_is_named(start: Start) -> None:
    node = start(*node_line('-p', 'modle:=x', '-p', 'threads:=-1'))
    assert node.wait() == 1
    node = start(*node_line('-p', 'modle:=x', '-p', 'model:=/nowhere'))
    assert node.wait() == 1
    assert "there is no parameter 'modle'" in node.output


def test_the_lifecycle_goes_round_and_parameters_keep_to_it(
    start: Start, listener: Listener
) -> None:
    heard = listener.listen('/caption_node/description')
    node = start(*node_line('-p', 'autostart:=false'))
    start('-m', 'tests.ros.publish', 'fast', 'image')
    assert state_of(listener) == 'unconfigured'

    assert set_parameter(listener, 'model', string_value='/nowhere').successful
    assert not change_state(listener, Transition.TRANSITION_CONFIGURE)
    assert state_of(listener) == 'unconfigured'
    assert 'configure failed' in node.output
    assert 'Traceback' not in node.output

    assert set_parameter(listener, 'model', string_value='').successful
    assert change_state(listener, Transition.TRANSITION_CONFIGURE)
    assert heard == []
    assert change_state(listener, Transition.TRANSITION_ACTIVATE)
    assert listener.wait(lambda: len(heard) > 2), node.output

    refused = set_parameter(listener, 'model', string_value='other')
    assert not refused.successful
    assert 'deactivate' in refused.reason
    assert not set_parameter(listener, 'threads', integer_value=-1).successful

    assert change_state(listener, Transition.TRANSITION_DEACTIVATE)
    listener.wait(lambda: False, timeout_s=0.5)
    count = len(heard)
    assert not listener.wait(lambda: len(heard) > count, timeout_s=1)
    assert set_parameter(listener, 'threads', integer_value=1).successful
    assert change_state(listener, Transition.TRANSITION_ACTIVATE)
    assert listener.wait(lambda: len(heard) > count + 2), node.output

    assert change_state(listener, Transition.TRANSITION_DEACTIVATE)
    assert change_state(listener, Transition.TRANSITION_CLEANUP)
    assert change_state(listener, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert state_of(listener) == 'finalized'
    assert node.is_running()


def test_several_cameras_have_topics_of_their_own(start: Start, listener: Listener) -> None:
    everything = listener.listen('/caption_node/description')
    captions = listener.listen('/caption_node/caption', String)
    one = {name: listener.listen(f'/caption_node/{name}/description') for name in ('left', 'rear')}
    node = start(*node_line('-p', 'cameras:=[left=/a/image_raw, rear=/b/image_raw]'))
    start('-m', 'tests.ros.publish', 'fast', '/a/image_raw', '/b/image_raw')

    assert listener.wait(lambda: all(len(h) > 4 for h in one.values())), node.output
    assert listener.wait(lambda: len(captions) > 4)

    for name, heard in one.items():
        assert {m.camera for m in heard} == {name}
        stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in heard]
        assert stamps == sorted(set(stamps))
    assert {m.camera for m in everything} == {'left', 'rear'}
    assert {c.data.split()[0] for c in captions} == {'left:', 'rear:'}


def test_the_newest_image_wins_under_overload_and_the_callback_never_waits(
    start: Start, listener: Listener
) -> None:
    heard = listener.listen('/caption_node/description')
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    start(*node_line('-p', 'threads:=1'))
    start('-m', 'tests.ros.publish', 'fast', 'image')
    # Only a report that came after the descriptions counts them all.
    assert listener.wait(lambda: len(heard) > 30, timeout_s=180)
    reports = len(diagnostics)

    def overloaded() -> bool:
        late = len(diagnostics) > reports + 1
        return late and int(values_of(diagnostics[-1], 'camera camera')['dropped']) > 0

    assert listener.wait(overloaded, timeout_s=60)
    counts = values_of(diagnostics[-1], 'camera camera')
    received, dropped = int(counts['received']), int(counts['dropped'])
    described = int(counts['described'])
    # Were the callback to wait for the model, no more would be received than described.
    assert dropped > 0
    assert abs(received - dropped - described) <= 2
    assert received > described
    ages_ms = sorted(m.age_ms for m in heard[10:])
    busy_ms = sorted(m.latency_preprocess_ms + m.latency_inference_ms for m in heard[10:])
    # In the slot an image waits for one batch at most, then for its own: nothing queues up.
    assert ages_ms[len(ages_ms) // 2] < 3 * busy_ms[len(busy_ms) // 2] + 100
    assert ages_ms[-1] < 4 * busy_ms[-1] + 1000


def test_diagnostics_name_backend_rate_and_the_last_error(
    start: Start, listener: Listener
) -> None:
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    captions = listener.listen('/caption_node/caption', String)
    start(*node_line('-p', 'diagnostics_period_s:=0.2'))
    start('-m', 'tests.ros.publish', 'bad', 'image')

    def failed() -> bool:
        return any(
            s.level == DiagnosticStatus.ERROR and s.name == 'caption_node: camera camera'
            for array in diagnostics[-1:]
            for s in array.status
        )

    assert listener.wait(failed)
    values = values_of(diagnostics[-1], 'camera camera')
    assert int(values['errors']) > 0
    assert values['last_error']
    assert values['backend'] == 'onnxruntime-cpu'
    assert float(values['rate_hz']) > 0
    assert set(values) >= {
        'received', 'dropped', 'lost_in_transport', 'late', 'age_p50_ms', 'age_p95_ms',
        'age_p99_ms', 'age_taken_p50_ms', 'queue_p95_ms', 'decode_p95_ms', 'inference_p95_ms',
    }  # fmt: skip
    whole = values_of(diagnostics[-1], 'node')
    assert whole['state'] == 'active'
    assert whole['backend_reason']
    assert whole['engine_state'] == 'none'
    assert int(whole['queue_depth']) >= 0
    assert float(whole['memory_mb']) > 0
    assert listener.wait(lambda: bool(captions))
    assert captions[-1].data.startswith('[error: ')


def test_a_silent_camera_is_reported_with_what_is_published(
    start: Start, listener: Listener
) -> None:
    node = start(*node_line('-p', 'stale_after_s:=0.2', '-p', 'lost_after_s:=0.5'))
    start('-m', 'tests.ros.publish', 'fast', '/front/image_raw')
    assert listener.wait(lambda: 'images are published on /front/image_raw' in node.output), (
        node.output
    )
    assert '/image or /image/compressed has no publisher' in node.output


def test_incompatible_quality_of_service_is_reported(start: Start, listener: Listener) -> None:
    node = start(*node_line('-p', 'reliability:=reliable'))
    start('-m', 'tests.ros.publish', 'fast', 'image')
    assert listener.wait(lambda: 'does not match' in node.output), node.output
    assert 'reliability' in node.output


@pytest.mark.parametrize('reliability', list(ReliabilityPolicy)[1:3])
def test_the_subscription_follows_its_publisher(
    start: Start, listener: Listener, reliability: ReliabilityPolicy
) -> None:
    heard = listener.listen('/caption_node/description')
    node = start(*node_line())
    publisher = listener.node.create_publisher(
        Image, 'image', QoSProfile(depth=1, reliability=reliability)
    )
    assert listener.wait(lambda: publisher.get_subscription_count()), node.output
    sent = 0

    def described_alike() -> bool:
        # Best effort loses what is published before both sides know each other: say it again.
        nonlocal sent
        sent += 1
        publisher.publish(raw(draw_street(1), 'bgr8', header('cam', sent)))
        infos = listener.node.get_subscriptions_info_by_topic('/image')
        return bool(heard) and [i.qos_profile.reliability for i in infos] == [reliability]

    assert listener.wait(described_alike), node.output
    # One image after another: none is lost or doubled, although the subscription was renewed.
    for stamp_ns in range(sent + 1, sent + 6):
        publisher.publish(raw(draw_street(1), 'bgr8', header('cam', stamp_ns)))
        assert listener.wait(partial(was_described, heard, stamp_ns))
    stamps = [m.header.stamp.nanosec for m in heard]
    assert stamps == sorted(set(stamps))


def test_a_lazy_node_works_only_while_somebody_listens(start: Start, listener: Listener) -> None:
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    start(*node_line('-p', 'lazy:=true', '-p', 'diagnostics_period_s:=0.2'))
    start('-m', 'tests.ros.publish', 'fast', 'image')

    def counted(name: str) -> int:
        for array in diagnostics[-1:]:
            if len(array.status) > 1:
                return int(values_of(array, 'camera camera')[name])
        return 0

    assert listener.wait(lambda: counted('received') > 20)
    assert counted('described') == 0
    heard = listener.listen('/caption_node/description', SceneDescription)
    assert listener.wait(lambda: len(heard) > 2)
    assert listener.wait(lambda: counted('described') > 0)


def test_raw_and_compressed_of_one_image_are_described_once(
    start: Start, listener: Listener
) -> None:
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    heard = listener.listen('/caption_node/description')
    node = start(*node_line('-p', 'diagnostics_period_s:=0.2'))
    both = (
        listener.node.create_publisher(Image, 'image', 10),
        listener.node.create_publisher(CompressedImage, 'image/compressed', 10),
    )
    assert listener.wait(lambda: all(p.get_subscription_count() for p in both)), node.output
    sent = 0

    def describe_next() -> bool:
        nonlocal sent
        sent += 1
        head = header('cam', sent)
        both[0].publish(raw(draw_street(1), 'bgr8', head))
        both[1].publish(compressed(jpeg(draw_street(1)), 'jpeg', head))
        return listener.wait(partial(was_described, heard, sent), 2)

    assert listener.wait(describe_next)
    for _ in range(5):
        assert describe_next()

    def counted() -> bool:
        return int(values_of(diagnostics[-1], 'camera camera')['duplicates']) >= 5

    assert listener.wait(counted)
    stamps = [m.header.stamp.nanosec for m in heard]
    assert stamps == sorted(set(stamps))
