# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Several sentences about a frame, with a real graph in which chance can change two words."""

from collections.abc import Iterator
import json
from pathlib import Path
import subprocess
import sys

import cv2
import numpy as np
import pytest

from caption_node.bundle import Bundle
from caption_node.description import SceneDescription
from caption_node.errors import ConfigError, InferenceError
from caption_node.frame import Frame
from caption_node.pipeline import CaptionPipeline
from caption_node.sampling import Wish, chance
from tests.small_model import small_bundle
from tests.tiny_model import colour, write_tiny_model

POSSIBLE = {f'Driving along {a} {b}.' for a in ('a', 'the') for b in ('road', 'street')}


@pytest.fixture(scope='module')
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp('models') / 'tiny')


@pytest.fixture(scope='module')
def pipeline(tiny: Path) -> Iterator[CaptionPipeline]:
    with CaptionPipeline.open(tiny, 'onnxruntime', 1) as opened:
        yield opened


def drawn(pipeline: CaptionPipeline, wish: Wish, tint: str = 'grey') -> list[str]:
    said = pipeline.describe_several(Frame(colour(tint)), wish)
    assert said.samples is not None
    return [sample.caption for sample in said.samples]


def test_samples_differ_are_ranked_and_borne_out(pipeline: CaptionPipeline) -> None:
    frame = Frame(colour('grey'))
    said = pipeline.describe_several(frame, Wish(20, 1.0))
    assert said.samples is not None
    captions = [sample.caption for sample in said.samples]
    # "pedestrian" is as likely as "street", but no box shows one.
    assert set(captions) == POSSIBLE
    assert len(captions) == len(POSSIBLE)
    assert captions[0] == said.caption == pipeline.describe([frame])[0].caption
    assert captions[-1] == 'Driving along the street.'  # both words are unusual ones
    assert said.samples[0].confidence == pytest.approx(said.confidence)


def test_the_usual_description_does_not_change(pipeline: CaptionPipeline) -> None:
    frame = Frame(colour('blue'))
    usual, several = pipeline.describe([frame])[0], pipeline.describe_several(frame, Wish(3))
    for key in ('caption', 'confidence', 'status', 'scene', 'objects'):
        assert getattr(several, key) == getattr(usual, key)
    assert usual.samples is None
    assert 'samples' not in usual.to_json()


def test_a_seed_gives_the_same_and_another_one_others(pipeline: CaptionPipeline) -> None:
    first = [drawn(pipeline, Wish(2, 1.0, seed)) for seed in range(8)]
    assert first == [drawn(pipeline, Wish(2, 1.0, seed)) for seed in range(8)]
    assert len({tuple(captions) for captions in first}) > 1
    assert all(1 <= len(captions) <= 2 for captions in first)


def test_no_temperature_is_the_likeliest_sentence(pipeline: CaptionPipeline) -> None:
    assert drawn(pipeline, Wish(5, 0.0)) == ['Driving along a road.']


def test_noise_draws_words_as_the_softmax_would() -> None:
    scores = np.array([2.0, 1.0, 0.0, -1.0])
    noise = chance({'noise': (4000, 4)}, Wish(1, 0.7), 0, 1)['noise'][0]
    share = np.bincount((scores + noise).argmax(1), minlength=4) / 4000
    wanted = np.exp(scores / 0.7) / np.exp(scores / 0.7).sum()
    assert np.abs(share - wanted).max() < 0.02


def test_a_sentence_depends_on_its_number_alone() -> None:
    sizes = {'noise': (3, 5), 'latent': (4,)}
    many = chance(sizes, Wish(1, seed=9), 0, 6)
    assert set(many) == {'latent'}  # a model that learnt a latent needs no noise
    assert np.array_equal(many['latent'][4:], chance(sizes, Wish(1, seed=9), 4, 2)['latent'])
    assert many['latent'].shape == (6, 4)
    assert many['latent'].dtype == np.float32


@pytest.mark.parametrize(
    ('values', 'says'),
    [
        ((0,), '0 samples'),
        ((33,), '33 samples'),
        ((2, 5.1), 'temperature of 5.1'),
        ((2, -0.1), 'temperature'),
        ((2, float('nan')), 'temperature'),
        ((2, 1.0, -1), 'seed'),
    ],
)
def test_wishes_out_of_range_are_refused(values: tuple[float, ...], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Wish(*values)  # type: ignore[arg-type]


def test_a_graph_without_chance_says_so(tmp_path: Path) -> None:
    folder = small_bundle(tmp_path / 'small').path
    with (
        CaptionPipeline.open(folder, 'onnxruntime', 1) as pipeline,
        pytest.raises(ConfigError, match='one description of a frame only'),
    ):
        pipeline.describe_several(Frame(colour('grey')), Wish(2))


def test_rules_give_no_samples(tiny: Path) -> None:
    with (
        CaptionPipeline.open(tiny, 'onnxruntime', 1, sentences='rules') as pipeline,
        pytest.raises(ConfigError, match='rules'),
    ):
        pipeline.describe_several(Frame(colour('grey')), Wish(2))


def test_noise_of_another_shape_is_refused(tiny: Path, pipeline: CaptionPipeline) -> None:
    bundle = Bundle.load(tiny)
    image = np.zeros((1, bundle.height, bundle.width, 3), np.uint8)
    with pytest.raises(InferenceError, match='is wanted'):
        pipeline.backend.run_samples(image, {'noise': np.zeros((2, 3, 4), np.float32)})  # type: ignore[attr-defined]


class Engine:
    """A backend that cannot sample, as a TensorRT engine cannot; the rest is the real one."""

    def __init__(self, pipeline: CaptionPipeline) -> None:
        inner = pipeline.backend
        self.name, self.precision, self.run, self.close = 'engine', 'fp32', inner.run, inner.close


def test_a_backend_that_cannot_sample_is_helped_out(tiny: Path) -> None:
    with (
        CaptionPipeline.open(tiny, 'onnxruntime', 1) as whole,
        CaptionPipeline(Bundle.load(tiny), Engine(whole)) as pipeline,
    ):
        assert set(drawn(pipeline, Wish(20, 1.0))) == POSSIBLE
        assert pipeline.model.backend == 'engine'


def test_json_keeps_samples(pipeline: CaptionPipeline) -> None:
    said = pipeline.describe_several(Frame(colour('grey')), Wish(4, 1.0))
    line = json.loads(json.dumps(said.to_json()))
    assert set(line['samples'][0]) == {'caption', 'confidence'}
    read = SceneDescription.from_json(line)
    assert read.samples is not None
    assert [s.caption for s in read.samples] == [s['caption'] for s in line['samples']]


def test_the_command_prints_samples(tiny: Path, tmp_path: Path) -> None:
    picture = tmp_path / 'grey.png'
    cv2.imwrite(str(picture), colour('grey'))
    line = [sys.executable, '-m', 'caption_node', 'image', str(picture), '--model', str(tiny)]

    def run(*options: str) -> 'subprocess.CompletedProcess[str]':
        return subprocess.run(
            [*line, *options], capture_output=True, text=True, timeout=120, check=False
        )

    done = run('--samples', '3', '--temperature', '1.0', '--seed', '2')
    assert done.returncode == 0, done.stderr
    samples = json.loads(done.stdout)['samples']
    assert 1 <= len(samples) <= 3
    assert {sample['caption'] for sample in samples} <= POSSIBLE
    refused = run('--samples', '99')
    assert refused.returncode == 1
    assert 'error: 99 samples of a frame, can be 1..32' in refused.stderr
    assert run('--samples', 'five').returncode == 2
