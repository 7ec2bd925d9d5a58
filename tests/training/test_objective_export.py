# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What objectives leave: graphs that say what the networks say, and a judge in a file."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from caption_node.backends.judge import SentenceJudge
from caption_node.backends.onnx_runtime import OnnxRuntimeBackend
from caption_node.bundle import Bundle
from caption_node.commands.judging import judge_frames, judge_table
from caption_node.errors import BundleError
from caption_node.evaluation.predictions import Prediction
from caption_node.training.export import export_graph, write_bundle
from caption_node.training.model.captioner import Captioner
from caption_node.training.objectives.choice import OBJECTIVES, WITH_LATENT
from caption_node.training.objectives.judge_export import JudgeGraph, write_judge
from caption_node.training.objectives.run import ObjectiveRun
from caption_node.vocabulary import Vocabulary
from tests.training.toy import SENTENCES, quiet, toy_config, toy_material, toy_shard
from tests.unit.evaluation.examples import annotation, frame


@pytest.fixture(scope='module')
def small(captioner: Captioner, vocabulary: Vocabulary) -> Captioner:
    torch.manual_seed(4)
    model = Captioner(replace(captioner.config, tokens=7), vocabulary, captioner.detector)
    model.scene = captioner.scene
    return model.eval()


@pytest.fixture(scope='module')
def shards(tmp_path_factory: pytest.TempPathFactory, small: Captioner) -> Path:
    return toy_shard(tmp_path_factory.mktemp('toy'), small)


def pictures(model: Captioner) -> np.ndarray:  # type: ignore[type-arg]
    shape = (3, model.config.height, model.config.width_px, 3)
    return np.random.default_rng(2).integers(0, 255, shape, dtype=np.uint8)


@pytest.mark.parametrize('name', OBJECTIVES)
def test_graph_says_what_the_trained_network_says(
    name: str, tmp_path: Path, shards: Path, small: Captioner, vocabulary: Vocabulary
) -> None:
    config = toy_config(tmp_path, objective=name, objective_steps=2)
    run = ObjectiveRun(config, toy_material(config, shards, small, vocabulary), quiet)
    run.train()
    model = run.material.model
    assert (model.latent is not None) == (name in WITH_LATENT)
    export_graph(model, tmp_path / 'model.onnx')
    session = onnxruntime.InferenceSession(
        str(tmp_path / 'model.onnx'), providers=['CPUExecutionProvider']
    )
    images = pictures(model)
    tokens, logp = session.run(['tokens', 'token_logp'], {'image': images})
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(images))
    assert np.array_equal(tokens, expected[0].numpy())
    assert np.allclose(logp, expected[1].numpy(), atol=1e-4)


def test_graph_tells_one_picture_in_as_many_ways_as_it_is_given_latents(
    tmp_path: Path, shards: Path, small: Captioner, vocabulary: Vocabulary
) -> None:
    config = toy_config(tmp_path, objective='vae', objective_steps=1)
    run = ObjectiveRun(config, toy_material(config, shards, small, vocabulary), quiet)
    run.train()
    model = run.material.model.eval()
    assert model.latent is not None
    with torch.no_grad():
        model.latent.shift.weight.mul_(30)
    write_bundle(tmp_path, model, vocabulary, 'toy', 'none', {})
    image = pictures(model)[:1]
    latent = np.random.default_rng(3).standard_normal((8, model.latent.size)).astype(np.float32)
    latent[0] = 0
    backend = OnnxRuntimeBackend(Bundle.load(tmp_path), threads=1)
    plain = backend.run(image).tokens
    said = backend.run_samples(image, {'latent': latent}).tokens
    backend.close()
    assert said.shape == (8, model.config.tokens)
    assert np.array_equal(said[:1], plain)
    assert len({tuple(row) for row in said.tolist()}) > 1


def test_judge_in_a_file_answers_as_the_network_does(
    tmp_path: Path, shards: Path, small: Captioner, vocabulary: Vocabulary
) -> None:
    config = toy_config(tmp_path, objective='gan', objective_steps=1)
    run = ObjectiveRun(config, toy_material(config, shards, small, vocabulary), quiet)
    run.train()
    model, part = run.material.model, run.trained['discriminator']
    write_judge(tmp_path / 'judge.onnx', model, part, vocabulary)
    judge, images = SentenceJudge(tmp_path / 'judge.onnx', 1), pictures(model)
    answers = judge.score(images, SENTENCES[:3])
    tokens = run.material.encode(SENTENCES[:3])[:, 1:]
    with torch.no_grad():
        expected = JudgeGraph(model, part).eval()(torch.from_numpy(images), tokens)
    assert np.allclose(answers, expected.numpy(), atol=1e-4)
    assert np.allclose(answers.sum(1), 1.0, atol=1e-5)


def test_command_holds_sentences_beside_those_of_annotators(
    tmp_path: Path, shards: Path, small: Captioner, vocabulary: Vocabulary
) -> None:
    config = toy_config(tmp_path, objective='vae_gan', objective_steps=1)
    run = ObjectiveRun(config, toy_material(config, shards, small, vocabulary), quiet)
    part = run.trained['discriminator']
    with torch.no_grad():  # sure of its answer, whatever it sees
        for weight in (part.facts[-1].weight, part.things[-1].weight, part.made.weight):
            weight.zero_()
        for bias in (part.facts[-1].bias, part.things[-1].bias, part.made.bias):
            bias.zero_()
        part.often.fill_(2.0)
    write_judge(tmp_path / 'judge.onnx', run.material.model, part, vocabulary)
    frames = []
    for k, image in enumerate(pictures(small)):
        cv2.imwrite(str(tmp_path / f'f{k}.png'), image)
        frames.append(frame(f'f{k}', annotation(SENTENCES[k]), file=f'f{k}.png'))
    said = {'f0': Prediction(SENTENCES[0]), 'f1': Prediction('')}
    judged = judge_frames(tmp_path / 'judge.onnx', tmp_path, {'val': frames}, said, 1)
    sure = float(np.exp(2) / (np.exp(2) + 2))
    assert judged['val']['annotators'] == pytest.approx(sure, abs=1e-3)
    assert judged['val']['sentences'] == pytest.approx(sure / 3, abs=1e-3)  # two said nothing
    assert judged['val']['told_apart'] == 0.5  # it does not look at the pictures
    assert '79%' in judge_table(judged).to_markdown()


def test_file_that_is_no_judge_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match='does not exist'):
        SentenceJudge(tmp_path / 'none.onnx')
    file = tmp_path / 'broken.onnx'
    for content in (b'', b'not a graph'):
        file.write_bytes(content)
        with pytest.raises(BundleError, match='is not a judge'):
            SentenceJudge(file)
