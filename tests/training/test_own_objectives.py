# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""One's own data: objectives behind likelihood, and pictures without captions before it."""

from dataclasses import replace
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (setup.sh --with-training)')


from caption_node.backends.onnx_runtime import OnnxRuntimeBackend  # noqa: E402
from caption_node.bundle import Bundle  # noqa: E402
from caption_node.cli import main  # noqa: E402
from caption_node.datasets.checking import check_data, open_data  # noqa: E402
from caption_node.errors import ConfigError  # noqa: E402
from caption_node.frame import Frame  # noqa: E402
from caption_node.pipeline import CaptionPipeline  # noqa: E402
from caption_node.scenes.phantoms import (  # noqa: E402
    make_phantom,
    write_phantoms,
)
from caption_node.training.own.data import OwnData  # noqa: E402
from caption_node.training.own.objective import OwnObjectiveRun  # noqa: E402
from caption_node.training.own.pretraining import PretrainRun  # noqa: E402
from caption_node.training.own.run import learn, new_model  # noqa: E402
from tests.own_model import ROWS, TABLE  # noqa: E402
from tests.own_phantoms import SMALL, data_of  # noqa: E402


@pytest.fixture(scope='module')
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp('phantoms'), 24, 4)


SHORT = {'objective_steps': 3, 'objective_batch': 4, 'school_steps': 2, 'school_batch': 4}


@pytest.mark.parametrize(
    ('objective', 'decoder'), [('gan', 'transformer'), ('vae', 'transformer'), ('vae_gan', 'lstm')]
)
def test_every_objective_trains_and_is_exported(
    labels: Path, tmp_path: Path, objective: str, decoder: str
) -> None:
    config = tmp_path / 'own.yaml'
    settings = {
        'height': 64, 'width': 64, 'tokens': 6, 'batch': 4, 'steps': 2, 'min_count': 1,
        'fields': ROWS, 'decoder': decoder, 'objective': objective,
        'objective_settings': {**SHORT, 'latent': 3},
    }  # fmt: skip
    config.write_text(json.dumps(settings))
    line = ['train', '--data', str(labels), '--config', str(config)]
    model = tmp_path / 'model'
    assert main([*line, '--output', str(model), '--work', str(tmp_path / 'work')]) == 0
    assert (model / 'judge.onnx').exists() == (objective != 'vae')
    backend = OnnxRuntimeBackend(Bundle.load(model), threads=1)
    chances = backend.chances
    assert ('latent' in chances) == (objective != 'gan')
    image = np.random.default_rng(2).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    plain = backend.run(image)
    nothing = {n: np.zeros((1, *size), np.float32) for n, size in chances.items()}
    same = backend.run_samples(image, nothing)
    backend.close()
    assert np.array_equal(plain.tokens, same.tokens)
    cv2.imwrite(str(tmp_path / 'a.png'), image[0])
    assert main(['image', str(tmp_path / 'a.png'), '--model', str(model), '-q']) == 0


@pytest.mark.parametrize('objective', ['gan', 'vae'])
def test_a_resumed_objective_ends_with_the_weights_of_an_uninterrupted_one(
    labels: Path, tmp_path: Path, objective: str
) -> None:
    config = replace(SMALL, objective=objective, objective_settings={**SHORT, 'latent': 3})

    def start(name: str) -> OwnObjectiveRun:
        torch.manual_seed(3)
        data = data_of(labels, config, tmp_path / name)
        model = new_model(config, len(data.vocabulary))
        return OwnObjectiveRun(config, model, data, tmp_path / name)

    whole = start('whole')
    whole.train()
    first = start('parts')
    for _ in range(2):
        first.take_step()
    first.save()
    second = start('parts')
    second.resume()
    assert second.step == 2
    second.train()
    for name, value in whole.trained.state_dict().items():
        assert torch.equal(value, second.trained.state_dict()[name]), name


def test_an_objective_moves_the_words_and_leaves_the_fields(labels: Path, tmp_path: Path) -> None:
    config = replace(SMALL, objective='gan', objective_settings=SHORT)
    data = data_of(labels, config, tmp_path / 'work')
    model = new_model(config, len(data.vocabulary))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    OwnObjectiveRun(config, model, data, tmp_path / 'work').train()
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert moved
    assert all(name.startswith('decoder.') for name in moved)


@pytest.mark.parametrize(
    ('kind', 'file'),
    [('small', 'random'), ('dense', 'random'), ('resnet18', 'random'), ('nanodet', 'random')],
)
def test_encoders_learn_without_captions_first_and_go_on_where_they_were(
    labels: Path, tmp_path: Path, kind: str, file: str
) -> None:
    more = str(labels.parent)
    config = replace(SMALL, encoder_kind=kind, encoder=file, pretrain_steps=3, unlabelled=more)
    data = data_of(labels, config, tmp_path / 'work')

    def start() -> PretrainRun:
        return PretrainRun(
            config, new_model(config, len(data.vocabulary)), data, tmp_path / 'work'
        )

    torch.manual_seed(0)
    whole = start()
    assert whole.count > len(data.train)
    before = {k: v.clone() for k, v in whole.trained['encoder'].state_dict().items()}
    whole.train()
    after = whole.trained['encoder'].state_dict()
    assert any(not torch.equal(v, before[k]) for k, v in after.items())
    whole.checkpoint.unlink()
    torch.manual_seed(0)
    first = start()
    first.take_step()
    first.save()
    rest = start()
    rest.resume()
    assert rest.step == 1
    rest.train()
    for key, value in rest.trained.state_dict().items():
        torch.testing.assert_close(value, whole.trained.state_dict()[key], msg=key)


def test_a_run_that_was_killed_behind_pretraining_ends_with_the_same_weights(
    labels: Path, tmp_path: Path
) -> None:
    config = replace(SMALL, pretrain_steps=2, steps=3)

    def learnt(work: Path) -> dict[str, torch.Tensor]:
        data = data_of(labels, config, work)
        torch.manual_seed(1)
        model = new_model(config, len(data.vocabulary))
        learn(config, model, data, tmp_path / 'model', work)
        return model.state_dict()

    whole = learnt(tmp_path / 'work')
    (tmp_path / 'work' / 'checkpoint.pt').unlink()
    torch.rand(7)
    again = learnt(tmp_path / 'work')
    for key, value in whole.items():
        assert torch.equal(value, again[key]), key


def test_published_weights_learn_at_their_own_rate_or_not_at_all(
    labels: Path, tmp_path: Path
) -> None:
    config = replace(SMALL, encoder_kind='resnet18', pretrain_steps=1, encoder_rate=1e-5)
    data = data_of(labels, config, tmp_path / 'work')
    run = PretrainRun(config, new_model(config, len(data.vocabulary)), data, tmp_path / 'work')
    run.take_step()
    slow, fast = sorted(group['lr'] for group in run.optimiser.param_groups)
    assert slow == pytest.approx(fast * 1e-5 / config.learning_rate)


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        (['--threads', '0'], 'threads'),
        (['--device', 'potato'], 'device'),
        (['--device', 'meta'], 'device'),
        (['--output', '{file}/model'], 'is a file'),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_learnt(
    labels: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    named: str,
) -> None:
    file = tmp_path / 'file'
    file.write_text('')
    line = ['train', '--data', str(labels), '--work', str(tmp_path / 'work')]
    assert main([*line, *(a.format(file=file) for a in arguments)]) == 1
    said = capsys.readouterr().err
    assert named in said
    assert 'Traceback' not in said


def test_weights_of_the_user_stay_in_the_work_folder(labels: Path, tmp_path: Path) -> None:
    config = tmp_path / 'own.yaml'
    work = tmp_path / 'work'
    work.mkdir()
    (work / 'mine.pt').write_bytes(b'mine')
    for steps in (1, 2):
        settings = {'height': 64, 'width': 64, 'batch': 4, 'steps': steps, 'min_count': 1}
        config.write_text(json.dumps(settings))
        line = ['train', '--data', str(labels), '--config', str(config)]
        assert main([*line, '--output', str(tmp_path / 'model'), '--work', str(work)]) == 0
    assert (work / 'mine.pt').read_bytes() == b'mine'


def test_dense_encoders_and_pretraining_end_in_a_bundle(labels: Path, tmp_path: Path) -> None:
    config = tmp_path / 'own.yaml'
    settings = {
        'name': 'mine', 'height': 64, 'width': 64, 'tokens': 20, 'batch': 4, 'steps': 2,
        'min_count': 1, 'encoder_kind': 'dense', 'pretrain_steps': 2,
    }  # fmt: skip
    config.write_text(json.dumps(settings))
    line = ['train', '--data', str(labels), '--config', str(config)]
    where = ['--output', str(tmp_path / 'model'), '--work', str(tmp_path / 'work')]
    assert main([*line, *where]) == 0
    with CaptionPipeline.open(tmp_path / 'model', threads=1) as pipeline:
        pixels = np.repeat(make_phantom(0).pixels[:, :, None], 3, 2)
        assert pipeline.describe([Frame(pixels)])[0].status in ('ok', 'abstain')


def test_folders_without_pictures_are_refused_for_pretraining(
    labels: Path, tmp_path: Path
) -> None:
    config = replace(SMALL, pretrain_steps=1, unlabelled=str(tmp_path / 'nothing'))
    data = data_of(labels, config, tmp_path / 'work')
    with pytest.raises(ConfigError, match='unlabelled'):
        PretrainRun(config, new_model(config, len(data.vocabulary)), data, tmp_path / 'work')


def test_likelihood_takes_settings_of_its_own(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / 'own.yaml'
    settings = {
        'height': 64, 'width': 64, 'tokens': 20, 'batch': 4, 'steps': 2, 'min_count': 1,
        'objective_settings': {'objective_steps': 2, 'objective_batch': 4, 'scheduled_share': 0.5},
    }  # fmt: skip
    config.write_text(json.dumps(settings))
    (tmp_path / 'model').mkdir()
    (tmp_path / 'model' / 'judge.onnx').write_bytes(b'of an earlier run')
    line = ['train', '--data', str(labels), '--config', str(config)]
    where = ['--output', str(tmp_path / 'model'), '--work', str(tmp_path / 'work')]
    assert main([*line, *where]) == 0
    assert list((tmp_path / 'work').glob('objective-mle-*.pt'))
    assert not (tmp_path / 'model' / 'judge.onnx').exists()


def test_discriminators_read_the_tokens_of_the_own_fields(labels: Path, tmp_path: Path) -> None:
    settings = {**SHORT, 'school_steps': 1}
    config = replace(
        SMALL, encoder_kind='nanodet', encoder='random', objective='gan',
        objective_settings=settings, fields=TABLE,
    )  # fmt: skip
    data = data_of(labels, config, tmp_path / 'work')
    model = new_model(config, len(data.vocabulary))
    assert model.facts == len(TABLE) + 1
    run = OwnObjectiveRun(config, model, data, tmp_path / 'work')
    assert run.take_step()['discriminator'] > 0


def test_copies_of_pictures_held_out_do_not_train(labels: Path, tmp_path: Path) -> None:
    read = open_data(labels, None, {})
    pairs = check_data(read)
    held = next(k for k, i in enumerate(read.items) if i.split in SMALL.hold_splits)
    free = next(k for k, i in enumerate(read.items) if i.split not in SMALL.hold_splits)
    name = read.items[free].id
    (tmp_path / 'work').mkdir()

    def ids(pairs: list[tuple[int, int]]) -> set[str]:
        data = OwnData(SMALL, read.items, pairs, tmp_path / 'work' / 'pictures.npy')
        return {item.id for item in data.items}

    assert name in ids(pairs)
    assert name not in ids([*pairs, (min(held, free), max(held, free))])
