# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A model of somebody's own data from training to node, recordings and index: no roads."""

import json
from pathlib import Path

from caption_msgs.msg import ModelInfo, SceneDescription
from caption_msgs.srv import Describe
import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image

pytest.importorskip('torch', reason='PyTorch is not installed (setup.sh --with-training)')

from caption_node.bag.writer import BagWriter
from caption_node.cli import main
from caption_node.frame import Frame
from caption_node.pipeline import CaptionPipeline
from caption_node.scenes.phantoms import FIELD_TABLE, make_phantom, write_phantoms
from tests.drawn import jpeg
from tests.ros.conftest import Listener, Start, node_line
from tests.ros.picture_messages import header, raw

pytestmark = pytest.mark.ros
SIZE = 64
NAMES = [str(row['name']) for row in FIELD_TABLE]
PICTURES = [np.repeat(make_phantom(k).pixels[:, :, None], 3, 2) for k in range(6)]


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train by the command that anybody would type; a few steps, so it knows little."""
    folder = tmp_path_factory.mktemp('own')
    labels = write_phantoms(folder / 'data', 24, 0)
    settings = {
        'name': 'mine', 'height': SIZE, 'width': SIZE, 'tokens': 12, 'batch': 8, 'steps': 20,
        'warmup': 5, 'min_count': 1, 'threads': 1, 'fields': FIELD_TABLE,
    }  # fmt: skip
    (folder / 'own.yaml').write_text(json.dumps(settings))
    line = ['train', '--data', str(labels), '--config', str(folder / 'own.yaml')]
    assert main([*line, '--output', str(folder / 'model'), '--work', str(folder / 'work')]) == 0
    return folder / 'model'


def test_the_node_publishes_its_sentence_and_its_own_fields(
    start: Start, listener: Listener, model: Path
) -> None:
    with CaptionPipeline.open(model, 'onnxruntime', 1) as pipeline:
        wanted = pipeline.describe([Frame(PICTURES[3])])[0]
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    infos = listener.listen('/caption_node/model_info', ModelInfo, latched)
    heard = listener.listen('/caption_node/description')
    node = start(*node_line('-p', f'model:={model}', '-p', 'backend:=onnxruntime'))
    camera = listener.node.create_publisher(Image, '/image', 10)

    def shown() -> bool:
        camera.publish(raw(PICTURES[3], 'rgb8', header('lens', 5)))
        return len(heard) > 2 and bool(infos)

    assert listener.wait(shown), node.output
    said = heard[-1]
    assert said.status == SceneDescription.OK, (said.reason, said.error)
    assert said.caption == wanted.caption != ''
    assert 0 < said.confidence <= 1
    assert {f.name: f.value for f in said.facts} == {
        n: str(v.value).lower() if isinstance(v.value, bool) else str(v.value)
        for n, v in wanted.scene.items()
    }
    assert [f.name for f in said.facts] == NAMES
    assert all(0 < f.confidence <= 1 for f in said.facts)
    assert (said.model_name, said.hazard, list(said.objects)) == ('mine', 'none', [])
    assert (said.road, said.road_confidence) == (SceneDescription.ROAD_UNKNOWN, 0.0)
    assert (said.vehicles, said.vehicles_confidence) == (0, 0.0)
    (info,) = infos
    assert (list(info.fields), list(info.classes), info.input_width) == (NAMES, [], SIZE)
    request = Describe.Request(samples=3, temperature=2.0)
    request.image = raw(PICTURES[1], 'rgb8', header('lens', 6))
    answer = listener.call(Describe, '/caption_node/describe', request)
    assert answer.success, answer.message
    assert len(set(answer.samples)) == len(answer.samples) > 1
    assert [f.name for f in answer.description.facts] == NAMES
    assert 'Traceback' not in node.output


def test_recordings_and_the_index_hold_its_own_fields(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive, index = tmp_path / 'drive.mcap', tmp_path / 'x.index'
    with BagWriter(drive) as writer:
        for k, pixels in enumerate(PICTURES):
            writer.write_compressed_image('/xray', (k + 1) * 10**9, 'lens', jpeg(pixels))
    by = ['--model', str(model), '--backend', 'onnxruntime', '--threads', '1']

    assert main(['bag', str(drive), *by, '-o', str(tmp_path / 'said.mcap'), '--jsonl', '-q']) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(line['scene']) for line in lines] == [NAMES] * len(PICTURES)
    assert main(['report', str(tmp_path / 'said.mcap'), '-o', str(tmp_path / 'page.html')]) == 0
    assert '"name":"shape","kind":"categorical"' in (tmp_path / 'page.html').read_text()

    assert main(['index', str(drive), *by, '--index', str(index), '--every', '0', '-q']) == 0
    for name in ('shape', 'shadows', 'device'):
        value = lines[2]['scene'][name]['value']
        capsys.readouterr()
        where = f'{name}={str(value).lower() if isinstance(value, bool) else value}'
        assert main(['search', '--index', str(index), '--where', where, '--json']) == 0
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        same = sum(line['scene'][name]['value'] == value for line in lines)
        assert sum(moment['frames'] for moment in found) == same
        assert all(m['best']['scene'][name]['value'] == value for m in found)
    assert main(['bag', str(drive), *by, '--sentences', 'rules', '-q']) == 1
    assert 'about driving' in capsys.readouterr().err
