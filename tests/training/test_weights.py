# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A trained network is kept whole, read only if it is one, and can be gone on from."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from caption_node.errors import BundleError
from caption_node.training.config import TrainConfig
from caption_node.training.model.captioner import Captioner
from caption_node.training.train import Frames, begin
from caption_node.training.weights import (
    NETWORK,
    load_average,
    load_network,
    network_of,
    save_network,
)
from caption_node.vocabulary import Vocabulary
from tests.conftest import ROOT

SHIPPED = ROOT / 'models' / 'drive_small'


def config(tmp_path: Path, **changes: object) -> TrainConfig:
    none = Path()
    plain = TrainConfig('t', 't', none, none, none, tmp_path / 'model', tmp_path / 'work')
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_what_is_set_after_training_is_kept_too(
    captioner: Captioner, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    captioner = copy.deepcopy(captioner)  # other tests share it
    captioner.scene.prior.fill_(0.25)
    captioner.scene.share.fill_(0.75)
    save_network(tmp_path / NETWORK, captioner, vocabulary)
    again, words = load_network(tmp_path / NETWORK)
    assert words.words == vocabulary.words
    assert float(again.scene.prior.mean()) == 0.25
    assert float(again.scene.share.mean()) == 0.75
    for name, value in captioner.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


@pytest.mark.parametrize('content', [b'', b'no network', b'\x02\0\0\0\0\0\0\0{}'])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / NETWORK
    file.write_bytes(content)
    with pytest.raises(BundleError, match='not a trained network'):
        load_network(file)


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match='does not exist'):
        load_network(tmp_path / NETWORK)


def test_a_run_goes_on_with_the_words_and_weights_that_it_begins_with(
    captioner: Captioner, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    file = tmp_path / 'shipped.safetensors'
    save_network(file, captioner, vocabulary)
    model, words = begin(config(tmp_path, begin=[str(file)]), Frames([], []))
    assert words.words == vocabulary.words
    assert torch.equal(model.scene.queries, captioner.scene.queries)


def test_several_networks_are_averaged(
    captioner: Captioner, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    captioner = copy.deepcopy(captioner)
    for name, value in (('a', 1.0), ('b', 4.0)):
        torch.nn.init.constant_(captioner.scene.queries, value)
        save_network(tmp_path / name, captioner, vocabulary)
    model, _ = load_average([tmp_path / 'a', tmp_path / 'b'])
    assert model.scene.queries.unique().tolist() == [2.5]
    for name, weight in captioner.state_dict().items():
        if name != 'scene.queries':
            assert torch.equal(model.state_dict()[name], weight), name


def test_networks_with_other_words_are_not_averaged(
    captioner: Captioner, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    save_network(tmp_path / 'a', captioner, vocabulary)
    words = [*vocabulary.words[:-1], 'elsewhere']
    save_network(tmp_path / 'b', captioner, Vocabulary(words))
    with pytest.raises(BundleError, match='differ in sizes or words'):
        load_average([tmp_path / 'a', tmp_path / 'b'])


def test_the_network_of_a_run_stands_before_the_one_it_began_with(tmp_path: Path) -> None:
    begun = tmp_path / 'shipped.safetensors'
    run = config(tmp_path, begin=[str(begun)])
    assert network_of(run) == tmp_path / 'work' / NETWORK  # nothing there: where one belongs
    begun.touch()
    assert network_of(run) == begun
    (tmp_path / 'work').mkdir()
    (tmp_path / 'work' / NETWORK).touch()
    assert network_of(run) == tmp_path / 'work' / NETWORK


def test_the_shipped_network_says_what_the_shipped_graph_says() -> None:
    onnxruntime = pytest.importorskip('onnxruntime')
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(SHIPPED / 'model.onnx'), options)
    model, _ = load_network(SHIPPED / NETWORK)
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (1, 384, 640, 3), dtype=np.uint8)
    wanted = session.run(None, {'image': picture})
    with torch.no_grad():
        found = [t.numpy() for t in model(torch.from_numpy(picture))]
    np.testing.assert_array_equal(found[0], wanted[0])
    for a, b in zip(found[1:], wanted[1:], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)
