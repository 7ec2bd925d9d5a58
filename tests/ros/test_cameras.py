# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Several cameras and several nodes: fairness, limits, quality of service, the motion gate."""

from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from tests.ros.conftest import ColourCamera, Listener, Start, node_line
from tests.ros.test_over_time import status_of

pytestmark = pytest.mark.ros


def set_now(listener: Listener, name: str, kind: int, **value: Any) -> Any:
    """Set a parameter of the node."""
    request = SetParameters.Request(
        parameters=[Parameter(name=name, value=ParameterValue(type=kind, **value))]
    )
    return listener.call(SetParameters, '/caption_node/set_parameters', request).results[0]


def test_a_broken_camera_does_not_slow_a_sound_one(
    start: Start, listener: Listener, tiny_model: Path
) -> None:
    sound = listener.listen('/caption_node/sound/description')
    broken = listener.listen('/caption_node/broken/description')
    camera = ColourCamera(listener, '/sound')
    node = start(
        *node_line('-p', f'model:={tiny_model}', '-p', 'cameras:=[broken=/broken, sound=/sound]')
    )
    start('-m', 'tests.ros.publish', 'bad', '/broken')
    assert listener.shown(camera, 'grey', lambda: len(sound) > 2 and len(broken) > 2), node.output
    # One by one: each image of the sound camera is described, whatever the other one sends.
    for _ in range(20):
        count, sent = len(sound), camera.sent
        camera.publish('grey')
        assert listener.wait(lambda before=count: len(sound) > before), f'image {sent}'
    assert {m.status for m in sound} == {sound[0].OK}
    assert {m.status for m in broken} == {broken[0].ERROR}
    assert 'Traceback' not in node.output


def test_cameras_get_equal_shares_under_overload(start: Start, listener: Listener) -> None:
    heard = {n: listener.listen(f'/caption_node/{n}/description') for n in ('left', 'right')}
    node = start(*node_line('-p', 'cameras:=[left=/left, right=/right]', '-p', 'threads:=1'))
    # More than the model can do, and the left camera comes first in every batch.
    start('-m', 'tests.ros.publish', 'fast', '/left', '/right')
    assert listener.wait(lambda: all(len(h) > 2 for h in heard.values())), node.output
    before = {name: len(h) for name, h in heard.items()}
    assert listener.wait(lambda: len(heard['left']) - before['left'] >= 15), node.output
    shares = {name: len(h) - before[name] for name, h in heard.items()}
    assert abs(shares['left'] - shares['right']) <= 2, shares


def test_two_nodes_live_side_by_side_in_one_domain(
    start: Start, listener: Listener, tiny_model: Path
) -> None:
    heard = {n: listener.listen(f'/{n}/caption_node/description') for n in ('car', 'truck')}
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    cameras = {n: ColourCamera(listener, f'/{n}/image') for n in heard}
    for name in heard:
        start(*node_line('-p', f'model:={tiny_model}', '-r', f'__ns:=/{name}'))

    def both() -> bool:
        cameras['truck'].publish('red')
        return all(len(h) > 2 for h in heard.values())

    assert listener.shown(cameras['car'], 'grey', both)
    assert not any(m.people_on_road for m in heard['car'])
    assert all(m.people_on_road for m in heard['truck'])

    def both_reported() -> bool:
        names = {status.name for array in diagnostics for status in array.status}
        return {'car/caption_node: node', 'truck/caption_node: node'} <= names

    assert listener.wait(both_reported)


def test_limits_of_size_and_rate_act_at_once(
    start: Start, listener: Listener, tiny_model: Path
) -> None:
    heard = listener.listen('/caption_node/description')
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    camera = ColourCamera(listener, '/image/compressed')
    node = start(*node_line('-p', f'model:={tiny_model}', '-p', 'diagnostics_period_s:=0.1'))
    assert listener.shown(camera, 'grey', lambda: len(heard) > 2), node.output
    assert heard[-1].status == heard[-1].OK

    integer, double = ParameterType.PARAMETER_INTEGER, ParameterType.PARAMETER_DOUBLE
    assert set_now(listener, 'max_image_pixels', integer, integer_value=1000).successful
    assert listener.shown(camera, 'grey', lambda: heard[-1].status == heard[-1].ERROR)
    assert 'over the limit of 1000 pixels' in heard[-1].error
    refused = set_now(listener, 'max_image_pixels', integer, integer_value=0)
    assert not refused.successful
    assert '64000000' in refused.reason

    assert set_now(listener, 'max_rate_hz', double, double_value=0.1).successful
    assert listener.shown(
        camera,
        'grey',
        lambda: int(status_of(diagnostics, 'camera camera')[1]['rate_limited']) > 3,
    )


def test_the_motion_gate_spares_the_model_for_a_while(
    start: Start, listener: Listener, tiny_model: Path
) -> None:
    heard = listener.listen('/caption_node/description')
    camera = ColourCamera(listener)
    node = start(*node_line('-p', f'model:={tiny_model}', '-p', 'motion_gate_s:=1.0'))

    def alternates() -> bool:
        return {m.reused for m in heard[-50:]} == {True, False} and len(heard) > 20

    assert listener.shown(camera, 'grey', alternates), node.output
    reused = [m for m in heard if m.reused]
    assert {m.latency_inference_ms for m in reused} == {0.0}
    assert {m.caption for m in reused} == {heard[0].caption}
    # What appears is seen: the very next picture goes to the model.
    assert listener.shown(camera, 'red', lambda: heard[-1].people_on_road)


def test_a_latched_image_reaches_a_node_that_comes_later(
    start: Start, listener: Listener, tiny_model: Path
) -> None:
    heard = listener.listen('/caption_node/description')
    latched = QoSProfile(
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )
    camera = ColourCamera(listener, qos=latched)
    camera.publish('red')
    node = start(*node_line('-p', f'model:={tiny_model}'))
    # The node's own topics are volatile: a listener that knows them already hears it.
    assert listener.wait(lambda: heard), node.output
    assert heard[0].people_on_road
    (info,) = listener.node.get_subscriptions_info_by_topic('/image')
    assert info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL


def test_a_durability_that_nobody_offers_is_an_error_in_diagnostics(
    start: Start, listener: Listener, tiny_model: Path
) -> None:
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    ColourCamera(listener)
    node = start(*node_line('-p', f'model:={tiny_model}', '-p', 'durability:=transient_local'))
    assert listener.wait(lambda: 'does not match' in node.output), node.output
    assert 'durability' in node.output
    assert listener.wait(
        lambda: any(
            s.message.startswith('a publisher of /image offers')
            for array in diagnostics[-3:]
            for s in array.status
        )
    )
