# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Encoders and decoders: one contract, the graph equal to the network, with chance or without."""

from collections.abc import Mapping
import importlib.util
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
import pytest
import torch

from caption_node.backends.protocol import OUTPUT_NAMES as CONTRACT
from caption_node.description import FIELDS
from caption_node.training.config import TrainConfig
from caption_node.training.end_to_end import Views, losses
from caption_node.training.export import export_graph, write_bundle
from caption_node.training.field_loss import field_weights
from caption_node.training.grounding_words import GROUPS
from caption_node.training.model.captioner import OUTPUT_NAMES, Captioner
from caption_node.training.model.encoders import BackboneDetector, new_detector
from caption_node.training.model.lstm import LstmDecoder
from caption_node.training.model.scene import SceneConfig
from caption_node.training.objectives.mle import SentenceEncoder
from caption_node.training.weights import load_network, save_network
from caption_node.vocabulary import BOS, EOS, PAD, Vocabulary
from tests.conftest import street

onnxruntime = pytest.importorskip('onnxruntime')
HEIGHT, WIDTH, WORDS = 64, 128, 4
Arrays = dict[str, NDArray[Any]]


def network(
    encoder: str, decoder: str, vocabulary: Vocabulary, latent: int = 0, words: int = WORDS
) -> Captioner:
    """Make a small captioner with random weights."""
    torch.manual_seed(7)
    config = SceneConfig(
        height=HEIGHT, width_px=WIDTH, boxes=4, width=32, heads=2, feed_forward=48, tokens=words,
        latent=latent, encoder=encoder, decoder=decoder,
    )  # fmt: skip
    model = Captioner(config, vocabulary, new_detector(encoder))
    for p in model.decoder.parameters():  # random weights of ordinary size write varied words
        torch.nn.init.normal_(p, std=0.3)
    return model.eval()


def pictures(count: int, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)


def session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def run(graph: Any, feed: Mapping[str, NDArray[Any]]) -> Arrays:
    return dict(zip(OUTPUT_NAMES, graph.run(list(OUTPUT_NAMES), dict(feed)), strict=True))


def assert_alike(found: Arrays, wanted: tuple[torch.Tensor, ...]) -> None:
    expected = {n: w.numpy() for n, w in zip(OUTPUT_NAMES, wanted, strict=True)}
    for name in ('tokens', 'box_class'):
        assert np.array_equal(found[name], expected[name]), name
    for name in ('token_logp', 'box_score', 'scene', 'embedding', 'boxes'):
        assert found[name].shape == expected[name].shape, name
        assert np.abs(found[name] - expected[name]).max() < 2e-3, name


@pytest.mark.parametrize(
    ('encoder', 'decoder'),
    # NanoDet with both, and a ResNet-18 with an LSTM, follow below. All that a decoder sees of an
    # encoder is a memory of one shape, so not every pair is exported here.
    [('resnet34', 'transformer'), ('resnet50', 'lstm'), ('mobilenet_v2', 'transformer')],
)
def test_graph_equals_the_network(
    encoder: str, decoder: str, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    model, path = network(encoder, decoder, vocabulary), tmp_path / 'model.onnx'
    export_graph(model, path)
    assert_equal(model, path)
    assert_parsed(path)


def assert_equal(model: Captioner, path: Path) -> None:
    graph = session(path)
    assert [i.name for i in graph.get_inputs()] == ['image']
    assert [o.name for o in graph.get_outputs()] == list(CONTRACT)
    for batch in (1, 8):
        images = pictures(batch, seed=batch)
        with torch.no_grad():
            assert_alike(run(graph, {'image': images}), model(torch.from_numpy(images)))


def assert_parsed(path: Path) -> None:
    """Let TensorRT for RTX read the graph, where it is installed: image is its only input."""
    if importlib.util.find_spec('tensorrt_rtx') is None:
        return
    import tensorrt_rtx as trt

    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    parsed = builder.create_network(typed)
    parser = trt.OnnxParser(parsed, logger)
    assert parser.parse(path.read_bytes()), [str(parser.get_error(0))]
    assert [parsed.get_input(i).name for i in range(parsed.num_inputs)] == ['image']
    names = {parsed.get_output(i).name for i in range(parsed.num_outputs)}
    assert names == set(CONTRACT)


@pytest.fixture(scope='module', params=[('transformer', 0), ('lstm', 3)])
def chancy(
    request: pytest.FixtureRequest,
    vocabulary: Vocabulary,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Captioner, Any]:
    """A network and its graph: without a latent, and with one."""
    decoder, latent = request.param
    model = network('nanodet', decoder, vocabulary, latent, words=12)
    if model.latent is not None:
        torch.nn.init.normal_(model.latent.prior.weight, std=0.3)
        torch.nn.init.normal_(model.latent.shift.weight, std=0.5)
    path = tmp_path_factory.mktemp('graph') / 'model.onnx'
    export_graph(model, path)
    assert_equal(model, path)
    assert_parsed(path)
    return model, session(path)


def draws(graph: Any, count: int, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        node.name: rng.gumbel(size=(count, *node.shape[1:])).astype(np.float32)
        for node in graph.get_overridable_initializers()
    }


def test_no_chance_is_the_default_bit_for_bit(chancy: tuple[Captioner, Any]) -> None:
    model, graph = chancy
    images = pictures(2)
    usual = run(graph, {'image': images})
    zeros = {name: values * 0 for name, values in draws(graph, 1).items()}
    assert set(zeros) == {'noise', 'latent'} if model.latent else {'noise'}
    asked = run(graph, {'image': images, **zeros})
    assert all(np.array_equal(usual[name], asked[name]) for name in OUTPUT_NAMES)
    with torch.no_grad():
        f = model.perceive(torch.from_numpy(images))
        plain = model.describe(f)
    assert np.array_equal(plain[0].numpy(), usual['tokens'])


def test_chance_gives_several_sentences_about_one_picture(chancy: tuple[Captioner, Any]) -> None:
    model, graph = chancy
    images, chance = pictures(1), draws(graph, 6)
    found = run(graph, {'image': images, **chance})
    assert found['tokens'].shape == (6, 12)
    assert found['boxes'].shape == (1, 4, 4)
    assert len({tuple(row) for row in found['tokens'].tolist()}) > 1
    with torch.no_grad():
        given = {name: torch.from_numpy(values) for name, values in chance.items()}
        assert_alike(found, model(torch.from_numpy(images), **given))
        alone = {name: values[3:4] for name, values in chance.items()}
        once = run(graph, {'image': images, **alone})
    assert np.array_equal(once['tokens'][0], found['tokens'][3])


def test_token_logp_is_that_of_the_words_without_noise(chancy: tuple[Captioner, Any]) -> None:
    model, graph = chancy
    noise = draws(graph, 4)['noise']
    images = torch.from_numpy(pictures(1))
    with torch.no_grad():
        f = model.perceive(images)
        s = model.scene(f)
        tokens, logp, *_ = model.describe(f, noise=torch.from_numpy(noise))
        memory = s.memory if model.latent is None else model.latent.told(s.memory, s.bias)
        before = torch.cat([torch.full((4, 1), BOS), tokens[:, :-1]], 1)
        logits = model.decoder(before, memory, s.bias)
        logits = logits + model.decoder.shut(before, model.evidence(f, s.logits))
        wanted = logits.log_softmax(2).gather(2, tokens[:, :, None])[:, :, 0]
    said = tokens != PAD
    assert said.any(1).all()
    assert torch.allclose(logp[said], wanted[said], atol=1e-3)
    assert (logp[~said] == 0).all()


def test_chance_says_nothing_without_evidence(
    chancy: tuple[Captioner, Any], vocabulary: Vocabulary
) -> None:
    model, _ = chancy
    person = vocabulary.encode('pedestrian')[0]
    noise = torch.zeros(3, 12, len(vocabulary))
    noise[:, :, person] = 100.0
    with torch.no_grad():
        s = model.scene(model.perceive(torch.from_numpy(pictures(3))))
        nobody = model.decoder.greedy(s.memory, s.bias, torch.zeros(3, len(GROUPS)), noise)[0]
        somebody = model.decoder.greedy(s.memory, s.bias, torch.ones(3, len(GROUPS)), noise)[0]
    assert not (nobody == person).any()
    assert (somebody == person).any()


def test_lstm_writes_what_teacher_forcing_finds_likeliest(vocabulary: Vocabulary) -> None:
    model = network('nanodet', 'lstm', vocabulary, words=12)
    decoder = model.decoder
    assert isinstance(decoder, LstmDecoder)
    memory, hides = torch.randn(3, 9, 32), torch.zeros(3, 1, 1, 9)
    hides[1, :, :, 5:] = -1e4
    evidence = torch.ones(3, len(GROUPS))
    with torch.no_grad():
        tokens, logp = decoder.greedy(memory, hides, evidence)
        before = torch.cat([torch.full((3, 1), BOS), tokens[:, :-1]], 1)
        logits = decoder(before, memory, hides) + decoder.shut(before, evidence)
        best, likeliest = logits.log_softmax(2).max(2)
        # What is hidden may be anything.
        memory[1, 5:] = 50.0
        again, _ = decoder.greedy(memory, hides, evidence)
    for said, score, wanted, expected in zip(tokens, logp, likeliest, best, strict=True):
        ends = (said == EOS).nonzero()
        length = int(ends[0]) + 1 if len(ends) else len(said)
        assert said[:length].tolist() == wanted[:length].tolist()
        assert torch.allclose(score[:length], expected[:length], atol=1e-4)
    assert torch.equal(tokens, again)


def test_lstm_learns_which_scene_is_told(vocabulary: Vocabulary) -> None:
    torch.manual_seed(0)
    config = SceneConfig(width=32, tokens=8, dropout=0.0)
    nothing = torch.zeros(1, len(vocabulary))
    decoder = LstmDecoder(config, len(vocabulary), nothing, nothing.T, nothing[0])
    memory, hides = torch.randn(2, 5, 32), torch.zeros(2, 1, 1, 5)
    texts = ['a car is ahead', 'red light on the left']
    ids = [[BOS, *vocabulary.encode(text), EOS] for text in texts]
    tokens = torch.tensor([row + [PAD] * (9 - len(row)) for row in ids])
    optimiser = torch.optim.Adam(decoder.parameters(), lr=1e-2)
    for _ in range(60):
        logits = decoder(tokens[:, :-1], memory, hides)
        loss = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), tokens[:, 1:], ignore_index=PAD
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    decoder.eval()
    said, _ = decoder.greedy(memory, hides, torch.ones(2, 1))
    assert [vocabulary.decode(row) for row in said.tolist()] == [
        'A car is ahead.', 'Red light on the left.',
    ]  # fmt: skip
    drawn = decoder.sample(memory, hides, torch.ones(2, 1), 3, temperature=0.1)
    assert drawn.shape == (6, 9)
    assert vocabulary.decode(drawn[0, 1:].tolist()) == 'A car is ahead.'
    assert vocabulary.decode(drawn[5, 1:].tolist()) == 'Red light on the left.'


def test_one_step_of_training_reaches_every_part(vocabulary: Vocabulary) -> None:
    model = network('mobilenet_v2', 'lstm', vocabulary, words=8).train()
    targets = torch.zeros(2, len(FIELDS), dtype=torch.int64)
    said = [BOS, *vocabulary.encode('a car is ahead'), EOS]
    views = Views(
        images=torch.from_numpy(pictures(2)),
        targets=targets,
        tokens=torch.tensor([said + [PAD] * (9 - len(said))] * 2),
        boxes=[torch.tensor([[20.0, 20.0, 60.0, 50.0, 2.0, 1.0]]), torch.zeros(0, 6)],
        ids=['a', 'b'],
    )
    config = TrainConfig(*['t'] * 2, *[Path()] * 5)  # type: ignore[arg-type]
    sentences = SentenceEncoder(len(vocabulary), model.config.embedding)
    loss, parts = losses(model, sentences, views, field_weights(targets), config)
    assert all(np.isfinite(value) for value in parts.values())
    loss.backward()
    detector = model.detector
    assert isinstance(detector, BackboneDetector)
    for part in (detector.backbone, detector.lateral, detector.neck, detector.head, model.decoder):
        assert sum(float(p.grad.abs().sum()) for p in part.parameters() if p.grad is not None) > 0


def test_saved_network_comes_back_with_its_kinds(vocabulary: Vocabulary, tmp_path: Path) -> None:
    model = network('mobilenet_v2', 'lstm', vocabulary, latent=3)
    save_network(tmp_path / 'network.safetensors', model, vocabulary)
    again, words = load_network(tmp_path / 'network.safetensors')
    assert words.words == vocabulary.words
    assert again.config == model.config
    images = torch.from_numpy(pictures(1))
    with torch.no_grad():
        for a, b in zip(again(images), model(images), strict=True):
            assert torch.equal(a, b)


def test_a_bundle_of_other_networks_describes_pictures(
    vocabulary: Vocabulary, tmp_path: Path
) -> None:
    model = network('resnet18', 'lstm', vocabulary, words=12)
    write_bundle(tmp_path / 'model', model, vocabulary, 'other', 'test', {})
    assert_equal(model, tmp_path / 'model' / 'model.onnx')
    cv2.imwrite(str(tmp_path / 'street.png'), street())
    line = [sys.executable, '-m', 'caption_node', 'image', str(tmp_path / 'street.png'), '--model']
    done = subprocess.run(
        [*line, str(tmp_path / 'model'), '--samples', '4', '--temperature', '2'],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said['model']['name'] == 'other'
    assert said['objects'] == []  # nobody has trained the head
    assert len(said['samples']) == 4
