# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Other encoders and decoders through the whole training for driving, by its command."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.torch import save_file

from caption_node.bundle import Bundle
from caption_node.cli import main
from caption_node.training.data import is_held_out
from caption_node.training.weights import load_network
from tests.described import PLAIN
from tests.drawn import draw_street
from tests.training.parity import assert_graph_equals
from tests.training.published import random_checkpoint

WIDTH, HEIGHT = 128, 128
SHORT = {
    'name': 'short', 'licence': 'test', 'splits': ['train'], 'height': HEIGHT, 'width': WIDTH,
    'tokens': 6, 'variants': 1, 'renders': 0, 'min_count': 1, 'encoder_steps': 1, 'warmup': 1,
    'encoder_batch': 2, 'workers': 0, 'steps': 1, 'batch': 4, 'sentence_layouts': 4,
    'layout_steps': 1, 'written_steps': 1, 'mixed_steps': 1, 'reward_steps': 1, 'reward_batch': 2,
    'reward_samples': 2, 'sentence_batch': 8, 'threads': 1,
}  # fmt: skip


def write_frames(folder: Path, held_out: int = 2) -> Path:
    """Write drawn streets with labels, some of them held out."""
    numbers = [f'f{k}' for k in range(200)]
    held = [n for n in numbers if is_held_out(n)]
    ids = held[:held_out] + [n for n in numbers if n not in held][:6]
    lines = []
    for k, name in enumerate(ids):
        cv2.imwrite(str(folder / f'{name}.png'), draw_street(k, 160, 128))
        label = {**PLAIN, 'hazard': 'none', 'caption': f'A grey road with {name} on the left.'}
        box = {'cls': 'car', 'score': 1.0, 'box': [20.0, 40.0, 90.0, 100.0]}
        lines.append(
            {'id': name, 'split': 'train', 'source': f's{k % 2}', 'file': f'{name}.png',
             'width': 160, 'height': 128, 'labels': [label], 'boxes': [box]}
        )  # fmt: skip
    file = folder / 'labels.jsonl'
    file.write_text('\n'.join(json.dumps(line) for line in lines))
    return file


@pytest.mark.parametrize(
    ('kind', 'decoder', 'has_file'),
    [
        ('resnet18', 'lstm', True),
        ('resnet50', 'lstm', False),
        ('mobilenet_v2', 'transformer', True),
    ],
)
def test_other_networks_train_for_driving_and_is_exported(
    tmp_path: Path, kind: str, decoder: str, has_file: bool
) -> None:
    weights = tmp_path / 'weights.safetensors'
    if has_file:
        save_file({k: v.contiguous() for k, v in random_checkpoint(kind).items()}, weights)
    config = {
        **SHORT, 'encoder_kind': kind, 'decoder': decoder,
        'encoder': str(weights) if has_file else 'random',
        'labels': str(write_frames(tmp_path)), 'frames': str(tmp_path),
        'output': str(tmp_path / 'model'), 'work': str(tmp_path / 'work'),
    }  # fmt: skip
    (tmp_path / 'short.yaml').write_text(json.dumps(config))
    assert main(['train', '--config', str(tmp_path / 'short.yaml')]) == 0

    model, _ = load_network(tmp_path / 'work' / 'network.safetensors')
    assert (model.config.encoder, model.config.decoder) == (kind, decoder)
    bundle = Bundle.load(tmp_path / 'model')
    assert bundle.is_of_driving
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)
    assert_graph_equals(model, bundle, images, 2e-3)


def test_frames_of_which_none_calibrates_are_refused_before_anything_trains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {
        **SHORT, 'encoder_kind': 'resnet18', 'encoder': 'random', 'frames': str(tmp_path),
        'labels': str(write_frames(tmp_path, 0)), 'output': str(tmp_path / 'model'),
        'work': str(tmp_path / 'work'),
    }  # fmt: skip
    (tmp_path / 'short.yaml').write_text(json.dumps(config))
    assert main(['train', '--config', str(tmp_path / 'short.yaml')]) == 1
    assert 'held out' in capsys.readouterr().err
