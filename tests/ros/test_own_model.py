# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The node with a model of somebody's own data: a sentence, and nothing said of roads."""

from pathlib import Path

from caption_msgs.msg import ModelInfo, SceneDescription
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile

pytest.importorskip('torch', reason='PyTorch is not installed (setup.sh --with-training)')

from tests.own_model import SIZE, write_own_model
from tests.ros.conftest import ColourCamera, Listener, Start, node_line

pytestmark = pytest.mark.ros


def test_the_node_runs_a_model_without_roads(
    start: Start, listener: Listener, tmp_path: Path
) -> None:
    write_own_model(tmp_path / 'own')
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    infos = listener.listen('/caption_node/model_info', ModelInfo, latched)
    heard = listener.listen('/caption_node/description')
    node = start(*node_line('-p', f'model:={tmp_path / "own"}', '-p', 'backend:=onnxruntime'))
    camera = ColourCamera(listener)
    assert listener.shown(camera, 'grey', lambda: len(heard) > 2 and infos), node.output
    said = heard[-1]
    assert said.status == SceneDescription.OK, (said.reason, said.error)
    assert said.caption
    assert 0 < said.confidence <= 1
    assert said.model_name == 'own'
    assert (said.road, said.road_confidence) == (SceneDescription.ROAD_UNKNOWN, 0.0)
    assert (said.vehicles, said.vehicles_confidence, said.hazard) == (0, 0.0, 'none')
    assert not said.objects
    (info,) = infos
    assert list(info.fields) == ['shape', 'shadows', 'device']
    assert (list(info.classes), info.input_width) == ([], SIZE)
    assert 'Traceback' not in node.output
