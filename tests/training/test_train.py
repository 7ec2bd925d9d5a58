# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Training learns, stops, goes on where it was, and calibrates on what trained nothing."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from caption_node.description import FIELDS, Value
from caption_node.training.cache import FeatureCache, Sample, finished_shards, write_shard
from caption_node.training.calibrate import fit_logistic, fit_temperatures
from caption_node.training.config import TrainConfig
from caption_node.training.data import Batches, is_held_out
from caption_node.training.field_loss import count_targets, field_loss, field_weights
from caption_node.training.labels import Label
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.detection import SCHEMA_COLUMNS
from caption_node.training.model.nanodet import NanoDet
from caption_node.training.model.scene import field_starts
from caption_node.training.objectives.mle import contrast_loss, word_loss
from caption_node.training.prior import prior_for, shift_to
from caption_node.training.train import Run, learning_rate
from caption_node.vocabulary import BOS, EOS, PAD, UNK, Vocabulary

SIDES = ('left', 'right')


def samples(count: int, config_size: tuple[int, int]) -> list[Sample]:
    """Bright blocks on the left or right, said in words and in the field `vehicles`."""
    height, width = config_size
    rows = []
    for k in range(count):
        image = np.full((height, width, 3), 40 + 5 * k, dtype=np.uint8)
        side = k % 2
        image[40:100, side * width // 2 + 10 : side * width // 2 + 80] = (220, 30 * (k % 7), 60)
        fields: dict[str, Value] = {
            n: f.values[0] if f.values else f.kind == 'count' and 0 for n, f in FIELDS.items()
        }
        fields['vehicles'] = 1 + side
        rows.append(Sample(image, Label(fields, f'a car is on the {SIDES[side]}'), 's', f'id{k}'))
    return rows


@pytest.fixture
def setup(
    tmp_path: Path, captioner: Captioner, vocabulary: Vocabulary
) -> tuple[TrainConfig, Captioner, Batches]:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    size = (captioner.config.height, captioner.config.width_px)
    eyes = NanoDet(len(SCHEMA_COLUMNS))
    for conv in eyes.convolutions_in_file_order():  # random eyes that still tell pictures apart
        torch.nn.init.kaiming_normal_(conv.weight, a=0.1)
    model = Captioner(replace(captioner.config, dropout=0.0), vocabulary, eyes)
    rows = samples(10, size)
    write_shard(tmp_path / 'cache' / 'plain', iter(rows), len(rows), model)
    cache = FeatureCache(finished_shards(tmp_path / 'cache'))
    assert len(cache) == 10
    none = Path()
    config = TrainConfig(
        name='t', licence='t', labels=none, frames=none, encoder=none, output=none, work=tmp_path,
        steps=80, batch=10, warmup=5, learning_rate=3e-3, hide_boxes=0.0, average=0.9,
        label_smoothing=0.0, dropout=0.0,
    )  # fmt: skip
    batches = Batches(cache, vocabulary, range(10), captioner.config.tokens)
    return config, model, batches


def test_ten_frames_are_learnt_by_heart(
    setup: tuple[TrainConfig, Captioner, Batches], vocabulary: Vocabulary
) -> None:
    config, model, batches = setup
    Run(config, model, batches).train(range(10))
    model.eval()
    with torch.no_grad():
        batch = batches.take(list(range(10)), torch.device('cpu'))
        told = model.scene(batch.features)
        # Grey noise shows nothing on any side: here all words may be said.
        every = torch.ones_like(model.evidence(batch.features, told.logits))
        tokens, _ = model.decoder.greedy(told.memory, told.bias, every)
        scene = told.learnt
    said = [vocabulary.decode(row.tolist()) for row in tokens]
    assert said == [f'A car is on the {SIDES[k % 2]}.' for k in range(10)]
    names = list(FIELDS)
    start = sum(FIELDS[n].width for n in names[: names.index('vehicles')])
    counted = scene[:, start : start + 16].argmax(1)
    assert counted.tolist() == [1 + k % 2 for k in range(10)]


def test_resumed_run_gives_the_weights_of_an_uninterrupted_one(
    setup: tuple[TrainConfig, Captioner, Batches], tmp_path: Path
) -> None:
    config, model, batches = setup
    begin = {k: v.clone() for k, v in model.state_dict().items()}

    def fresh(steps: int) -> Run:
        model.load_state_dict(begin)
        torch.manual_seed(1)
        # The schedule belongs to the whole run, however often it is stopped.
        run = Run(replace(config, warmup=1000), model, batches)
        run.config = replace(run.config, steps=steps)
        return run

    whole = fresh(6)
    whole.train(range(10))
    expected = {k: v.clone() for k, v in whole.trained.state_dict().items()}
    (tmp_path / 'checkpoint.pt').unlink()
    fresh(3).train(range(10))
    rest = fresh(6)
    rest.resume()
    assert rest.step == 3
    rest.train(range(10))
    for name, value in rest.trained.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_learning_rate_warms_up_and_falls() -> None:
    none = Path()
    config = TrainConfig('t', 't', none, none, none, none, none, steps=100, warmup=10)
    rates = [learning_rate(s, config) for s in range(100)]
    assert rates[9] == pytest.approx(config.learning_rate)
    assert rates[0] == pytest.approx(config.learning_rate / 10)
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert rates[-1] < 0.05 * config.learning_rate


def test_word_loss_counts_known_words_only() -> None:
    logits = torch.zeros(1, 4, 8)
    tokens = torch.tensor([[5, UNK, EOS, PAD]])
    assert word_loss(logits, tokens, 0.0) == pytest.approx(float(np.log(8)))
    logits[0, 0, 5] = 100.0  # right
    logits[0, 1, 7] = 100.0  # wrong, but the word is unknown
    assert word_loss(logits, tokens, 0.0) == pytest.approx(float(np.log(8)) / 2)


def test_count_targets_are_bells_and_sharp_at_zero() -> None:
    bells = count_targets(torch.tensor([0, 7, 15]))
    assert bells.sum(1).tolist() == pytest.approx([1, 1, 1])
    assert bells.argmax(1).tolist() == [0, 7, 15]
    assert bells[0, 0] > 0.99
    assert bells[1, 6] == pytest.approx(float(bells[1, 8]))


def test_field_loss_is_least_at_the_labels() -> None:
    targets = torch.tensor([[0] * len(FIELDS)])
    weights = field_weights(targets)
    width = sum(f.width for f in FIELDS.values())
    right = torch.zeros(1, width)
    start = 0
    for spec in FIELDS.values():
        right[0, start] = -4.0 if spec.kind == 'boolean' else 8.0
        start += spec.width
    assert field_loss(right, targets, weights) < 0.4
    assert field_loss(-right, targets, weights) > 4.0


def test_contrast_loss_prefers_the_own_sentence_and_spares_twins() -> None:
    points = torch.eye(3)
    said = torch.tensor([True, True, True])
    assert contrast_loss(points, points, said, ['a', 'b', 'c']) < 0.001
    assert contrast_loss(points, points.roll(1, 0), said, ['a', 'b', 'c']) > 5
    twins = torch.tensor([[1.0, 0, 0], [1.0, 0, 0]])
    assert contrast_loss(twins, twins, said[:2], ['a', 'a']) < 0.001
    assert contrast_loss(points, points, torch.tensor([True, False, False]), ['a', 'b', 'c']) == 0


def test_temperature_of_logits_that_are_too_loud_is_found() -> None:
    rng = np.random.default_rng(0)
    width = sum(f.width for f in FIELDS.values())
    truth = torch.from_numpy(rng.normal(0, 1.5, (4000, width))).float()
    targets = torch.zeros(4000, len(FIELDS), dtype=torch.int64)
    start = 0
    for i, spec in enumerate(FIELDS.values()):
        part = truth[:, start : start + spec.width]
        start += spec.width
        if spec.kind == 'boolean':
            targets[:, i] = (torch.rand(4000) < part[:, 0].sigmoid()).long()
        else:
            targets[:, i] = torch.multinomial(part.softmax(1), 1)[:, 0]
    found = fit_temperatures(truth * 2.0, targets)
    for name, spec in FIELDS.items():
        if spec.kind != 'count':
            assert found[name] == pytest.approx(2.0, rel=0.15), name


def test_logistic_fit_recovers_its_parameters() -> None:
    x = np.linspace(-3, 3, 2000)
    (w,), b = fit_logistic(x[:, None], 1 / (1 + np.exp(-(1.7 * x - 0.6))))
    assert (w, b) == (pytest.approx(1.7, rel=0.02), pytest.approx(-0.6, rel=0.05))


def test_held_out_frames_are_a_tenth_and_always_the_same() -> None:
    held = [i for i in range(5000) if is_held_out(f'gt{i:04d}')]
    assert 400 < len(held) < 600
    assert is_held_out('gt0000') == is_held_out('gt0000')


def test_tokens_run_from_begin_to_end(setup: tuple[TrainConfig, Captioner, Batches]) -> None:
    _, _, batches = setup
    row = batches.tokens[0].tolist()
    assert row[0] == BOS
    assert row[7] == EOS
    assert set(row[8:]) == {PAD}


def test_nights_count_as_often_as_they_are_in_use() -> None:
    targets = torch.zeros(100, len(FIELDS), dtype=torch.int64)
    night = FIELDS['time'].values.index('night')
    targets[:50, list(FIELDS).index('time')] = night
    prior = shift_to(targets, 'time', 'night', 0.2)
    column = field_starts()['time'] + night
    assert float(prior[column]) == pytest.approx(float(np.log(0.25)))
    prior[column] = 0
    assert prior.abs().max() == 0


def test_flags_count_as_often_as_the_configuration_says() -> None:
    targets = torch.zeros(100, len(FIELDS), dtype=torch.int64)
    targets[:50, list(FIELDS).index('parked')] = 1
    none = Path()
    plain = TrainConfig('toy', 'none', none, none, none, none, none, prior_corrected=[])
    shifted = prior_for(replace(plain, flag_share={'parked': 0.2}), targets)
    moved = shifted - prior_for(plain, targets)
    column = field_starts()['parked']
    assert float(moved[column]) == pytest.approx(float(np.log(0.25)))
    moved[column] = 0
    assert moved.abs().max() == 0
