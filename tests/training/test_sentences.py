# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The second stage: layouts with all facts known, phases, resuming, and what it refuses."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from caption_node.description import FIELDS, SceneObject, Value
from caption_node.training.cache import FeatureCache, Sample, finished_shards, write_shard
from caption_node.training.config import TrainConfig
from caption_node.training.data import Batches
from caption_node.training.labels import Label
from caption_node.training.layouts import Bank, fact_probabilities, layout_fields
from caption_node.training.memory import Memories, remember
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.scene import field_starts
from caption_node.training.sentence_run import PHASES, SentenceRun
from caption_node.training.sentences import main
from caption_node.vocabulary import Vocabulary

SIDES = ('left', 'right')
COUNT = 8


def scene_fields() -> dict[str, Value]:
    return {n: f.values[0] if f.values else f.kind == 'count' and 0 for n, f in FIELDS.items()}


def quiet(_phase: str, _step: int, _figures: Mapping[str, float]) -> None:
    pass


@pytest.fixture
def batches(tmp_path: Path, captioner: Captioner, vocabulary: Vocabulary) -> Batches:
    rows = []
    rng = np.random.default_rng(0)
    for k in range(COUNT):
        shape = (captioner.config.height, captioner.config.width_px, 3)
        image = rng.integers(0, 60, shape, dtype=np.uint8)
        image[:, (k % 2) * 96 : (k % 2) * 96 + 96] += np.uint8(150)
        rows.append(
            Sample(image, Label(scene_fields(), f'a car is on the {SIDES[k % 2]}'), 's', f'id{k}')
        )
    write_shard(tmp_path / 'cache' / 'plain', iter(rows), len(rows), captioner)
    cache = FeatureCache(finished_shards(tmp_path / 'cache'))
    return Batches(cache, vocabulary, range(COUNT), captioner.config.tokens)


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    torch.set_num_threads(1)
    none = Path()
    return TrainConfig(
        'toy', 'none', none, none, none, none, tmp_path, sentence_layouts=0, layout_steps=0,
        written_steps=50, mixed_steps=2, reward_steps=3, sentence_batch=8, reward_batch=4,
        reward_samples=3, memory_drop=0.0, memory_noise=0.0, label_smoothing=0.0,
        sentence_rate=5e-3, weight_decay=0.0,
    )  # fmt: skip


@pytest.fixture
def model(captioner: Captioner, vocabulary: Vocabulary) -> Captioner:
    torch.manual_seed(5)
    fresh = Captioner(replace(captioner.config, dropout=0.0), vocabulary, captioner.detector)
    fresh.scene.load_state_dict(captioner.scene.state_dict())
    return fresh.eval()


def test_all_phases_run_and_sentences_are_learnt(
    config: TrainConfig, model: Captioner, batches: Batches, vocabulary: Vocabulary
) -> None:
    seen: list[str] = []
    run = SentenceRun(
        config, model, vocabulary, batches, lambda phase, _step, _figures: seen.append(phase)
    )
    # Untrained encoders say nothing of the side, as trained ones do: say it in one token.
    run.memories.memory[0::2, 0] = 2.0
    run.memories.memory[1::2, 0] = -2.0
    run.memories.memory[:, 0, ::2] *= -1
    run.memories.evidence[:] = 1  # grey noise shows nothing on any side
    run.train(range(COUNT))
    assert run.step == 55
    assert {s.split(',')[0] for s in seen} == set(PHASES[1:])
    figures = run.check(range(COUNT))
    assert figures['distinct'] == pytest.approx(2 / COUNT)
    tokens = model.decoder.greedy(*run.memories.take(range(COUNT), torch.device('cpu')))[0]
    said = [vocabulary.decode(t) for t in tokens.tolist()]
    assert said == [f'A car is on the {SIDES[k % 2]}.' for k in range(COUNT)]


@pytest.mark.parametrize('stop', [3, 6], ids=['mixed', 'rewarded'])
def test_resumed_run_gives_the_weights_of_an_uninterrupted_one(
    config: TrainConfig,
    model: Captioner,
    batches: Batches,
    vocabulary: Vocabulary,
    monkeypatch: pytest.MonkeyPatch,
    stop: int,
) -> None:
    short = replace(config, written_steps=2, mixed_steps=2, reward_steps=4)
    begin = {k: v.clone() for k, v in model.decoder.state_dict().items()}
    SentenceRun(short, model, vocabulary, batches, quiet).train(range(COUNT))
    expected = {k: v.clone() for k, v in model.decoder.state_dict().items()}
    (config.work / 'sentences.pt').unlink()
    model.decoder.load_state_dict(begin)
    first = SentenceRun(short, model, vocabulary, batches, quiet)
    take = first.take_step

    def take_or_stop(phase: str, progress: float) -> dict[str, float]:
        if first.step == stop:
            raise KeyboardInterrupt
        return take(phase, progress)

    monkeypatch.setattr(first, 'take_step', take_or_stop)
    with pytest.raises(KeyboardInterrupt):
        first.train(range(COUNT))
    first.save()
    model.decoder.load_state_dict(begin)
    rest = SentenceRun(short, model, vocabulary, batches, quiet)
    rest.resume()
    assert rest.step == stop
    rest.train(range(COUNT))
    for name, value in model.decoder.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_checkpoint_of_another_encoder_is_left_alone(
    config: TrainConfig, model: Captioner, batches: Batches, vocabulary: Vocabulary
) -> None:
    run = SentenceRun(config, model, vocabulary, batches, quiet)
    run.take_step(*run.phase())
    run.save()
    with torch.no_grad():
        model.scene.queries.add_(1.0)
    other = SentenceRun(config, model, vocabulary, batches, quiet)
    other.resume()
    assert other.step == 0


def test_memories_are_read_back_and_follow_the_weights(
    model: Captioner, batches: Batches, tmp_path: Path
) -> None:
    first = remember(model, batches.cache, tmp_path / 'm')
    again = remember(model, batches.cache, tmp_path / 'm')
    assert len(first) == COUNT
    assert torch.equal(first.memory, again.memory)
    with torch.no_grad():
        model.scene.queries.add_(1.0)
    assert not torch.equal(first.memory, remember(model, batches.cache, tmp_path / 'm').memory)
    memory, bias, evidence = first.take([0, 3], torch.device('cpu'))
    assert memory.shape[0] == bias.shape[0] == evidence.shape[0] == 2
    assert ((bias[:, 0, 0] < 0) == first.hidden[[0, 3]]).all()
    assert len(Memories.join([first, first])) == 2 * COUNT


def item(name: str, position: str, reach: str, height: float, in_lane: bool) -> SceneObject:
    return SceneObject(name, 0.9, (300.0, 300.0 - height, 340.0, 300.0), position, reach, in_lane)


def test_fields_of_a_layout_follow_its_objects() -> None:
    objects = [
        item('car', 'ahead', 'mid', 40, True),
        item('bus', 'ahead', 'far', 30, True),
        item('person', 'right', 'near', 100, False),
        item('bicycle', 'left', 'mid', 50, False),
    ]
    fields = layout_fields({**scene_fields(), 'time': 'night', 'light': 'red'}, objects, 640)
    assert (fields['lead'], fields['lead_range']) == ('car', 'mid')
    assert (fields['vehicles'], fields['people'], fields['cyclists']) == (2, 1, 1)
    assert (fields['time'], fields['light']) == ('night', 'none')
    assert fields['people_on_road'] is False
    empty = layout_fields(scene_fields(), [], 640)
    assert (empty['lead'], empty['lead_range'], empty['vehicles']) == ('none', 'none', 0)


def test_facts_of_a_layout_are_probabilities_of_its_fields() -> None:
    facts = fact_probabilities({**scene_fields(), 'weather': 'fog', 'people': 3, 'parked': True})
    starts = field_starts()
    for name, spec in FIELDS.items():
        part = facts[starts[name] : starts[name] + spec.width]
        if spec.kind != 'boolean':
            assert float(part.sum()) == pytest.approx(1.0)
    weather = facts[starts['weather'] : starts['weather'] + FIELDS['weather'].width]
    assert FIELDS['weather'].values[int(weather.argmax())] == 'fog'
    assert int(facts[starts['people'] : starts['people'] + 16].argmax()) == 3
    assert facts[starts['parked']] > 0.5 > facts[starts['oncoming']]


def test_bank_makes_up_scenes_that_show_objects_and_facts_only(
    model: Captioner, batches: Batches
) -> None:
    bank = Bank(batches.cache, range(COUNT))
    # Untrained eyes find nothing sure; put some cars and a pedestrian into the bank by hand.
    found = batches.cache.features([0], torch.device('cpu'))
    bank.classes = np.array([2, 2, 0])
    bank.scores = np.array([0.8, 0.7, 0.9], np.float32)
    bank.boxes = np.array([[10, 60, 60, 100], [90, 70, 110, 84], [20, 50, 34, 90]], np.float32)
    bank.features = found.object_features[0][:3]
    bank.colours = found.object_colours[0][:3]
    bank.sort()
    rng = np.random.default_rng(2)
    layouts = [bank.draw(rng, model.config.width_px) for _ in range(20)]
    assert any(x.objects for x in layouts)
    for x in layouts:
        assert x.fields['people'] == sum(o.class_name == 'person' for o in x.objects)
        assert x.boxes[:, [0, 2]].min(initial=0) >= 0
        assert x.boxes[:, [0, 2]].max(initial=0) <= model.config.width_px
    made = bank.encode(model, layouts)
    shown = (~made.hidden).sum(1)
    assert shown.tolist() == [len(x.objects) + 1 for x in layouts]


def test_command_says_what_it_misses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / 'no.yaml')]) == 1
    assert 'error:' in capsys.readouterr().err
    config = tmp_path / 'toy.yaml'
    names = ('labels', 'frames', 'encoder', 'output')
    lines = ['name: toy', 'licence: none', *(f'{n}: {tmp_path / n}' for n in names)]
    config.write_text('\n'.join([*lines, f'work: {tmp_path}']), encoding='utf-8')
    assert main([str(config)]) == 1
    error = capsys.readouterr().err
    assert 'network.safetensors' in error
    assert 'hint:' in error
