# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Objectives: losses by hand, where gradients go, ten frames by heart, resuming, refusals."""

from dataclasses import replace
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from caption_node.description import FIELDS
from caption_node.errors import ConfigError
from caption_node.training.model.captioner import Captioner
from caption_node.training.objectives.choice import OBJECTIVES, new_objective
from caption_node.training.objectives.discriminator import (
    OWN,
    Discriminator,
    straight_through,
)
from caption_node.training.objectives.gan import Adversarial, by_gumbel, judged_loss
from caption_node.training.objectives.protocol import Scenes, Spoken
from caption_node.training.objectives.run import ObjectiveRun
from caption_node.training.objectives.self_critical import drawn_calmly, ruled_logits
from caption_node.training.objectives.vae import (
    Variational,
    active_units,
)
from caption_node.vocabulary import EOS, PAD, Vocabulary
from tests.training.toy import SENTENCES, quiet, toy_config, toy_material, toy_shard

NAMES = tuple(OBJECTIVES)
CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def shards(tmp_path_factory: pytest.TempPathFactory, captioner: Captioner) -> Path:
    return toy_shard(tmp_path_factory.mktemp('toy'), captioner)


@pytest.fixture
def run_of(tmp_path: Path, shards: Path, captioner: Captioner, vocabulary: Vocabulary):  # type: ignore[no-untyped-def]
    def make(name: str, **changes: object) -> ObjectiveRun:
        config = toy_config(tmp_path, objective=name, **changes)
        return ObjectiveRun(config, toy_material(config, shards, captioner, vocabulary), quiet)

    return make


def _loss_of(run: ObjectiveRun, progress: float) -> tuple[float, dict[str, float]]:
    """Return the loss of the same batch with the same chance, nothing dropped."""
    run.objective.parts.eval()
    torch.manual_seed(4)
    loss, figures = run.objective.loss(run.draw(np.random.default_rng(0)), progress)
    return float(loss.detach()), figures


@pytest.mark.parametrize(
    ('name', 'key', 'part', 'progress', 'share'),
    [
        ('gan', 'likelihood_keep', 'words', 0.0, 1.0),
        ('vae_gan', 'beta', 'divergence', 1.0, 1.0),
        ('vae_gan', 'beta', 'divergence', 0.1, 0.2),
        ('vae_gan', 'beta', 'divergence', 0.0, 0.0),
    ],
)
def test_weights_of_a_loss_weigh_the_part_that_they_are_named_for(
    run_of,  # type: ignore[no-untyped-def]
    name: str,
    key: str,
    part: str,
    progress: float,
    share: float,
) -> None:
    run = run_of(name, **{key: 1.0})
    light, figures = _loss_of(run, progress)
    run.objective.config = replace(run.objective.config, **{key: 3.0})
    heavy, again = _loss_of(run, progress)
    assert again[part] == figures[part]
    assert heavy - light == pytest.approx(2 * share * figures[part], abs=1e-4)


# Gradients ---------------------------------------------------------------------------------


def test_straight_through_gives_the_words_and_the_gradient_of_a_softmax() -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 3, 7, requires_grad=True)
    with torch.no_grad():
        shut = torch.zeros(7)
        shut[2] = -1e4
    tokens = torch.tensor([[0, 1, 3]] * 4)
    soft = straight_through(logits + shut, tokens, 0.7)
    assert torch.allclose(soft, torch.nn.functional.one_hot(tokens, 7).float(), atol=1e-6)
    (soft * torch.arange(7.0)).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.abs().sum() > 0
    assert logits.grad[:, :, 2].abs().max() < 1e-6  # a word that is shut out learns nothing
    assert torch.allclose(logits.grad.sum(2), torch.zeros(4, 3), atol=1e-5)


def test_noise_given_the_words_is_gumbel_noise() -> None:
    torch.manual_seed(0)
    logits = torch.tensor([1.0, 0.0, -1.0]).expand(20_000, 1, 3)
    tokens = torch.distributions.Categorical(logits=logits).sample()
    soft = straight_through(logits, tokens, 1.0)
    drawn = soft.mean((0, 1))
    assert torch.allclose(drawn, logits[0, 0].softmax(0), atol=0.02)


def _grads(part: torch.nn.Module) -> float:
    return float(sum(p.grad.abs().sum() for p in part.parameters() if p.grad is not None))


def test_each_side_of_the_game_moves_its_own_weights_only(run_of) -> None:  # type: ignore[no-untyped-def]
    run = run_of('gan')
    objective, batch = run.objective, run.draw(np.random.default_rng(0))
    assert isinstance(objective, Adversarial)
    drawn = drawn_calmly(objective, batch, 1)
    logits = ruled_logits(objective, batch, drawn, 1)
    by_gumbel(objective.discriminator, batch.scenes, drawn, logits, 1.0)[0].backward()
    assert _grads(objective.decoder) > 0
    assert _grads(objective.discriminator) == 0
    objective.parts.zero_grad(set_to_none=True)
    judged_loss(objective.discriminator, batch, drawn).backward()
    assert _grads(objective.decoder) == 0
    assert _grads(objective.discriminator) > 0


@pytest.mark.parametrize(
    ('name', 'changes'),
    [*((name, {}) for name in NAMES), ('gan', {'adversarial_gradient': 'policy'})],
)
def test_gradient_reaches_every_part(run_of, name: str, changes: dict[str, object]) -> None:  # type: ignore[no-untyped-def]
    run = run_of(name, free_bits=0.0, **changes)
    with torch.no_grad():
        for part in run.trained.values():
            for p in part.parameters():
                p.add_(torch.randn_like(p) * 0.05)
    loss, figures = run.objective.loss(run.draw(np.random.default_rng(0)), 0.5)
    loss.backward()
    assert all(math.isfinite(v) for v in figures.values())
    for part_name, part in run.trained.items():
        assert _grads(part) > 0, part_name


def test_discriminator_learns_to_tell_the_three_apart(run_of) -> None:  # type: ignore[no-untyped-def]
    run = run_of('gan')
    batch = run.draw(np.random.default_rng(0))
    judge = Discriminator(len(run.material.vocabulary), 32, len(FIELDS) + 1, size=32, dropout=0.0)
    made = run.material.encode(['road road car right ahead'] * len(batch.tokens))
    optimiser = torch.optim.Adam(judge.parameters(), lr=5e-3)
    for _ in range(80):
        loss = judged_loss(judge, batch, made)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    s = batch.scenes
    own = judge(batch.tokens[:, 1:], s.memory, s.bias).softmax(1)[:, OWN]
    strange = judge(batch.strange[:, 1:], s.memory, s.bias).softmax(1)[:, OWN]
    assert own.mean() > 0.9
    assert strange.mean() < 0.1


def _drawn_scenes(rng: np.random.Generator, codes: torch.Tensor, count: int) -> Spoken:
    """Draw scenes that differ by noise, the fields of each telling which sentence is its own."""
    kinds = rng.integers(len(SENTENCES), size=count)
    memory = torch.from_numpy(rng.normal(size=(count, 20, 32)).astype(np.float32))
    memory[:, -1] += codes[kinds]
    scenes = Scenes(memory, torch.zeros(count, 1, 1, 20), torch.ones(count, 1))
    rows = [{'id': str(k)} for k in kinds]
    return Spoken(scenes, torch.from_numpy(kinds), torch.from_numpy((kinds + 3) % 10), rows)


def test_discriminator_tells_matching_from_mismatched_pairs_that_it_never_saw(
    run_of,  # type: ignore[no-untyped-def]
) -> None:
    material = run_of('mle').material
    said = material.encode(SENTENCES)
    made = material.encode(['road road car right ahead'] * 10)
    torch.manual_seed(6)
    codes = torch.randn(len(SENTENCES), 32) * 2
    judge = Discriminator(len(material.vocabulary), 32, len(FIELDS) + 1, size=32, dropout=0.1)
    optimiser = torch.optim.Adam(judge.parameters(), lr=5e-3)
    for step in range(120):
        drawn = _drawn_scenes(np.random.default_rng(step), codes, 10)
        batch = replace(drawn, tokens=said[drawn.tokens], strange=said[drawn.strange])
        loss = judged_loss(judge, batch, made)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    judge.eval()
    new = _drawn_scenes(np.random.default_rng(1000), codes, 60)
    with torch.no_grad():
        seen = judge.see(new.scenes.memory, new.scenes.bias)
        own = judge.matches(judge.read(said[new.tokens][:, 1:]), seen).diagonal()
        strange = judge.matches(judge.read(said[new.strange][:, 1:]), seen).diagonal()
    assert float((own[:, None] > strange).float().mean()) > 0.9


# Runs --------------------------------------------------------------------------------------


def _scenes(run: ObjectiveRun) -> Scenes:
    return Scenes(*run.material.memories.take(range(len(SENTENCES)), CPU))


@pytest.mark.parametrize('name', NAMES)
def test_ten_frames_are_learnt_by_heart(run_of, name: str) -> None:  # type: ignore[no-untyped-def]
    run = run_of(name, objective_steps=90, likelihood_keep=1.0, reward_keep=1.0, beta=0.2)
    run.train()
    with torch.no_grad():
        tokens = run.objective.greedy(_scenes(run)).tolist()
    said = [run.material.vocabulary.decode(t) for t in tokens]
    assert sum(a == f'{b}.' for a, b in zip(said, SENTENCES, strict=True)) >= 9, said


@pytest.mark.parametrize('name', NAMES)
def test_resumed_run_gives_the_weights_of_an_uninterrupted_one(run_of, name: str) -> None:  # type: ignore[no-untyped-def]
    whole = run_of(name, objective_steps=5)
    whole.train()
    whole.checkpoint.unlink()
    first = run_of(name, objective_steps=5)
    for _ in range(2):
        first.take_step()
    first.save()
    rest = run_of(name, objective_steps=5)
    rest.resume()
    assert rest.step == 2
    rest.train()
    expected = whole.trained.state_dict()
    for key, value in rest.trained.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_run_from_other_weights_does_not_go_on_with_a_checkpoint(run_of) -> None:  # type: ignore[no-untyped-def]
    first = run_of('mle', objective_steps=3)
    first.take_step()
    first.save()
    material = first.material
    with torch.no_grad():
        material.decoder.bias.add_(1.0)
    other = ObjectiveRun(first.config, material, quiet)
    other.resume()
    assert other.step == 0


@pytest.mark.parametrize(
    'changes', [{'beta': 9.0}, {'latent': 5}, {'seed': 2}, {'word_drop': 0.5}]
)
def test_run_with_other_settings_does_not_go_on_with_a_checkpoint(
    run_of,  # type: ignore[no-untyped-def]
    captioner: Captioner,
    changes: dict[str, object],
) -> None:
    first = run_of('vae_gan', objective_steps=3)
    first.take_step()
    first.save()
    captioner.latent = None
    again = run_of('vae_gan', objective_steps=3)
    again.resume()
    assert again.step == 1
    captioner.latent = None
    other = run_of('vae_gan', objective_steps=3, **changes)
    other.resume()
    assert other.step == 0


def test_latent_says_which_of_ten_sentences_about_one_scene(run_of) -> None:  # type: ignore[no-untyped-def]
    run = run_of(
        'vae', objective_steps=120, word_drop=0.5, latent_rate=1e-2, free_bits=0.5, kl_start=0.5
    )
    memory = run.material.memories.memory
    memory.copy_(memory[:1].expand_as(memory))  # nothing but z tells the sentences apart
    run.train()
    objective, scenes = run.objective, _scenes(run)
    assert isinstance(objective, Variational)
    tokens = run.material.encode(SENTENCES)
    with torch.no_grad():
        q = objective.reader(tokens, scenes.memory, scenes.bias)
        p = objective.latent(scenes.memory, scenes.bias)
        drawn = objective.sample(scenes, 4, 1.0)[:, 1:].tolist()
    assert active_units(q[0], p[0]) > 0
    said = [run.material.vocabulary.decode(t).removesuffix('.') for t in drawn]
    assert len(set(said) & set(SENTENCES)) >= 3, said


def test_latent_tells_a_scene_in_several_ways(run_of) -> None:  # type: ignore[no-untyped-def]
    run = run_of('vae', objective_steps=3)
    objective, scenes = run.objective, _scenes(run)
    assert isinstance(objective, Variational)
    objective.parts.eval()
    with torch.no_grad():
        objective.latent.shift.weight.mul_(30)
        drawn = objective.sample(scenes, 6, 1.0)
        still = objective.sample(scenes, 2, 0.0)
        greedy = objective.greedy(scenes)
    assert drawn.shape == (60, objective.decoder.length + 1)
    assert len({tuple(row) for row in drawn[:6].tolist()}) > 1
    assert torch.equal(still[::2, 1:], greedy)
    ends = [row.index(EOS) for row in drawn.tolist() if EOS in row]
    assert all(set(row[row.index(EOS) + 1 :]) <= {PAD} for row in drawn.tolist() if EOS in row)
    assert all(end > 0 for end in ends)


def test_captioner_without_a_latent_is_as_it_was(run_of, captioner: Captioner) -> None:  # type: ignore[no-untyped-def]
    assert captioner.latent is None
    assert not any(k.startswith('latent') for k in captioner.state_dict())
    run = run_of('vae')
    model = run.material.model
    assert model.config.latent == 4
    assert any(k.startswith('latent') for k in model.state_dict())
    features = model.perceive(torch.zeros(2, 128, 192, 3, dtype=torch.uint8))
    with torch.no_grad():
        plain, still = model.describe(features), model.describe(features, torch.zeros(2, 4))
        model.latent.shift.weight.zero_()
        none = captioner_of(model).describe(features)
        zero = model.describe(features, torch.ones(2, 4))
    assert all(torch.equal(a, b) for a, b in zip(plain, still, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(none, zero, strict=True))


def captioner_of(model: Captioner) -> Captioner:
    model.latent = None
    return model


def test_unknown_settings_are_refused(run_of) -> None:  # type: ignore[no-untyped-def]
    for changes, words in (
        ({'name': 'wish'}, 'not known'),
        ({'name': 'gan', 'adversarial_gradient': 'hope'}, 'gumbel or policy'),
        ({'name': 'gan', 'gumbel_temperature': 0.0}, 'above 0'),
        ({'name': 'vae', 'latent': 0}, 'at least 1'),
    ):
        name = changes.pop('name')
        with pytest.raises(ConfigError, match=words):
            run_of(name, **changes)
    run = run_of('mle')
    config = replace(run.config, objective='vae')
    assert isinstance(
        new_objective(config, run.material.model, run.material.vocabulary, run.material.judge),
        Variational,
    )
