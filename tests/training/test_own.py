# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Training on one's own data: from a label file to a bundle that everything else can use."""

from dataclasses import replace
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (setup.sh --with-training)')

from safetensors.torch import save_file  # noqa: E402

from caption_node.backends.onnx_runtime import OnnxRuntimeBackend  # noqa: E402
from caption_node.backends.protocol import Outputs  # noqa: E402
from caption_node.bundle import Bundle  # noqa: E402
from caption_node.cli import main  # noqa: E402
from caption_node.datasets.checking import check_data, open_data  # noqa: E402
from caption_node.description import FIELDS, Field  # noqa: E402
from caption_node.errors import BundleError, ConfigError  # noqa: E402
from caption_node.frame import Frame  # noqa: E402
from caption_node.overlay import draw_overlay  # noqa: E402
from caption_node.pipeline import CaptionPipeline  # noqa: E402
from caption_node.scenes.phantoms import (  # noqa: E402
    FIELD_TABLE,
    facts_of,
    make_phantom,
    right_share,
    write_phantoms,
)
from caption_node.stream import SceneStream  # noqa: E402
from caption_node.training.own.config import load_own_config  # noqa: E402
from caption_node.training.own.data import OwnData  # noqa: E402
from caption_node.training.own.model import field_loss  # noqa: E402
from caption_node.training.own.run import OwnRun, new_model  # noqa: E402
from tests.own_model import ROWS, SIZE, TABLE, write_own_model  # noqa: E402
from tests.own_phantoms import SMALL, data_of  # noqa: E402
from tests.training.parity import assert_graph_equals  # noqa: E402
from tests.training.published import random_checkpoint  # noqa: E402


@pytest.fixture(scope='module')
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp('phantoms'), 24, 4)


def test_one_command_trains_and_the_bundle_describes(labels: Path, tmp_path: Path) -> None:
    config = tmp_path / 'own.yaml'
    settings = {
        'name': 'mine', 'height': 64, 'width': 64, 'tokens': 20, 'batch': 4, 'steps': 2,
        'min_count': 1, 'fields': ROWS,
    }  # fmt: skip
    config.write_text(json.dumps(settings))  # JSON is YAML
    line = ['train', '--data', str(labels), '--config', str(config)]
    where = ['--output', str(tmp_path / 'model'), '--work', str(tmp_path / 'work')]
    # The phantoms' own shapes are more than the table's: such values are named, not learnt.
    assert main([*line, *where]) == 0
    bundle = Bundle.load(tmp_path / 'model')
    assert (bundle.name, bundle.is_of_driving, list(bundle.table)) == (
        'mine', False, ['shape', 'shadows', 'device'],
    )  # fmt: skip
    with CaptionPipeline.open(tmp_path / 'model', threads=1) as pipeline:
        pixels = np.repeat(make_phantom(0).pixels[:, :, None], 3, 2)
        said = pipeline.describe([Frame(pixels)])[0]
    assert list(said.scene) == ['shape', 'shadows', 'device']
    assert (said.status, said.hazard, said.objects) == ('ok', 'none', ())
    assert set(json.loads(json.dumps(said.to_json()))['scene']) == set(said.scene)


# ResNet-18 and 50 train for driving, in test_other_networks.py; they differ in depth only.
PAIRS = [
    ('small', 'lstm'), ('nanodet', 'lstm'), ('resnet34', 'transformer'), ('mobilenet_v2', 'lstm'),
]  # fmt: skip


@pytest.mark.parametrize(('encoder', 'decoder'), PAIRS)
def test_every_encoder_and_decoder_trains_and_is_exported(
    labels: Path, tmp_path: Path, encoder: str, decoder: str
) -> None:
    settings = {
        'encoder_kind': encoder, 'decoder': decoder, 'height': 64, 'width': 64, 'tokens': 8,
        'batch': 2, 'steps': 2, 'warmup': 1, 'min_count': 1, 'fields': ROWS,
        'threads': 1,
    }  # fmt: skip
    (tmp_path / 'own.yaml').write_text(json.dumps(settings))
    line = ['train', '--data', str(labels), '--config', str(tmp_path / 'own.yaml')]
    where = ['--output', str(tmp_path / 'model'), '--work', str(tmp_path / 'work')]
    assert main([*line, *where]) == 0

    config = load_own_config(tmp_path / 'own.yaml')
    bundle = Bundle.load(tmp_path / 'model')
    assert bundle.table == config.fields
    torch.manual_seed(config.seed)
    model = new_model(config, len(bundle.vocabulary))
    begun = {k: v.clone() for k, v in model.state_dict().items()}
    saved = torch.load(tmp_path / 'work' / 'checkpoint.pt', weights_only=True)['average']
    model.load_state_dict({k[6:]: v for k, v in saved.items() if k.startswith('model.')})
    parts = {k.split('.')[0] for k, v in model.state_dict().items() if (v != begun[k]).any()}
    assert parts >= {'encoder', 'decoder', 'queries', 'heads', 'embed'}
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    assert_no_boxes(assert_graph_equals(model.eval(), bundle, images))


def assert_no_boxes(outputs: Outputs) -> None:
    assert not outputs.boxes.any()
    assert not outputs.box_score.any()


def test_features_of_a_file_stay_unless_a_rate_is_set(labels: Path, tmp_path: Path) -> None:
    file = tmp_path / 'mobilenet.safetensors'
    save_file({k: v.contiguous() for k, v in random_checkpoint('mobilenet_v2').items()}, file)
    given = replace(SMALL, encoder_kind='mobilenet_v2', encoder=str(file), steps=1, warmup=0)
    for rate, moves in ((0.0, False), (1e-3, True)):
        config = replace(given, encoder_rate=rate)
        data = data_of(labels, config, tmp_path / 'work')
        run = OwnRun(config, new_model(config, len(data.vocabulary)), data, tmp_path / 'work')
        before = {k: v.clone() for k, v in run.model.state_dict().items()}
        run.take_step()
        now = run.model.state_dict()
        kept = [
            k for k in now if k.startswith('encoder.detector.') and (now[k] != before[k]).any()
        ]
        assert bool(kept) == moves
        assert (now['encoder.from_c4.weight'] != before['encoder.from_c4.weight']).any()
        rates = [group['lr'] for group in run.optimiser.param_groups]
        assert rates == pytest.approx([config.learning_rate, rate][: 1 + moves])


@pytest.mark.parametrize('table', [TABLE, {}])
def test_the_graph_says_what_the_network_says(tmp_path: Path, table: dict[str, Field]) -> None:
    model = write_own_model(tmp_path / 'own', table)
    images = np.zeros((4, SIZE, SIZE, 3), np.uint8)
    images[1, :, : SIZE // 2] = images[2, : SIZE // 4] = (250, 20, 90)
    images[3] = np.random.default_rng(0).integers(0, 256, images[3].shape)
    found = assert_graph_equals(model, Bundle.load(tmp_path / 'own'), images)
    assert_no_boxes(found)
    assert len({tuple(row) for row in found.tokens.tolist()}) > 1


@pytest.mark.parametrize('decoder', ['transformer', 'lstm'])
def test_noise_of_zero_gives_the_sentence_as_it_is_and_samples_differ(
    tmp_path: Path, decoder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_own_model(tmp_path / 'own', decoder=decoder)
    bundle = Bundle.load(tmp_path / 'own')
    images = np.random.default_rng(2).integers(0, 256, (1, SIZE, SIZE, 3), dtype=np.uint8)
    backend = OnnxRuntimeBackend(bundle, 1)
    plain = backend.run(images)
    nothing = {n: np.zeros((1, *size), np.float32) for n, size in model.chances().items()}
    same = backend.run_samples(images, nothing)
    backend.close()
    for name in ('tokens', 'token_logp', 'scene', 'embedding'):
        assert np.array_equal(getattr(plain, name), getattr(same, name)), name

    cv2.imwrite(str(tmp_path / 'a.png'), images[0])
    line = ['image', str(tmp_path / 'a.png'), '--model', str(tmp_path / 'own'), '--samples', '5']
    assert main([*line, '--temperature', '3', '-q']) == 0
    said = json.loads(capsys.readouterr().out)
    captions = [s['caption'] for s in said['samples']]
    assert len(captions) == len(set(captions)) == 5


def test_streams_and_overlays_take_descriptions_without_roads(tmp_path: Path) -> None:
    write_own_model(tmp_path / 'own')
    stream = SceneStream('camera')
    with CaptionPipeline.open(tmp_path / 'own', threads=1) as pipeline:
        for k in range(3):
            frame = Frame(np.full((90, 120, 3), 40 * k, np.uint8), stamp_ns=k * 10**8)
            moment = stream.update(pipeline.describe([frame])[0], k / 10, frame)
            assert moment.description.caption
            assert moment.events == ()
            assert draw_overlay(frame.pixels_rgb, moment.description).shape[2] == 3
    with pytest.raises(ConfigError, match='driving'):
        CaptionPipeline.open(tmp_path / 'own', sentences='rules')


def test_characters_are_joined_without_spaces(tmp_path: Path) -> None:
    write_own_model(tmp_path / 'own', tokenizer='characters')
    with CaptionPipeline.open(tmp_path / 'own', threads=1) as pipeline:
        said = pipeline.describe([Frame(np.zeros((64, 64, 3), np.uint8))])[0]
    assert said.caption
    assert set(said.caption) <= set('左右肺有圆形影')


@pytest.mark.parametrize('decoder', ['transformer', 'lstm'])
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    labels: Path, tmp_path: Path, decoder: str
) -> None:
    def start(name: str) -> OwnRun:
        config = replace(SMALL, fields=TABLE, steps=4, decoder=decoder)
        data = data_of(labels, config, tmp_path / name)
        torch.manual_seed(config.seed)
        return OwnRun(config, new_model(config, len(data.vocabulary)), data, tmp_path / name)

    whole = start('whole')
    whole.train()
    stopped = start('resumed')
    stopped.take_step()
    stopped.take_step()
    stopped.save()
    resumed = start('resumed')
    resumed.resume()
    assert resumed.step == 2
    resumed.train()
    for key, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[key], value, msg=key)


@pytest.mark.parametrize('decoder', ['transformer', 'lstm'])
def test_ten_pictures_are_learnt_by_heart(labels: Path, tmp_path: Path, decoder: str) -> None:
    config = replace(
        SMALL, decoder=decoder, steps=80, batch=10, held_out=0.0, shift=0.0, brightness=0.0,
        dropout=0.0, label_smoothing=0.0, warmup=10, learning_rate=3e-3,
    )  # fmt: skip
    data = data_of(labels, config, tmp_path / 'work')
    data.train = data.train[:10]
    torch.manual_seed(1)
    run = OwnRun(config, new_model(config, len(data.vocabulary)), data, tmp_path / 'work')
    before = run.losses(data.take(data.train))[1]['words']
    run.train()
    run.trained.eval()
    assert run.losses(data.take(data.train))[1]['words'] < 0.3 * before


def test_unknown_values_do_not_count_in_the_loss_of_fields() -> None:
    logits = torch.zeros(2, TABLE['shape'].width + TABLE['shadows'].width + 1)
    logits[0, 0] = 2.0
    targets = torch.tensor([[0, -1, -1], [-1, -1, 1]])
    # -log(e^2 / (e^2 + 2)) for the shape, log 2 for the device, nothing for the count.
    shape = -np.log(np.exp(2) / (np.exp(2) + 2))
    assert float(field_loss(logits, targets, TABLE)) == pytest.approx((shape + np.log(2)) / 2)
    assert float(field_loss(logits, torch.full((2, 3), -1), TABLE)) == 0.0


def test_copies_of_a_picture_stay_on_one_side(labels: Path, tmp_path: Path) -> None:
    read = open_data(labels, None, {})
    check_data(read)
    data = OwnData(SMALL, read.items, [(k, k + 1) for k in range(0, 24, 2)], tmp_path / 'p.npy')
    held = set(data.held_out.tolist())
    assert 0 < len(held) < 24
    assert all((k in held) == (k + 1 in held) for k in range(0, 24, 2))
    assert len(data.items) == 24  # split test trains nothing


def test_facts_are_read_back_from_every_wording() -> None:
    phantoms = [make_phantom(k) for k in range(60)]
    said, truths = [p.caption for p in phantoms], [p.fields for p in phantoms]
    assert right_share(said, truths) == 1.0
    assert right_share(said[1:] + said[:1], truths) < 0.8
    assert facts_of('two small shadows') == {'device': False, 'size': 'small', 'shadows': 2}
    assert load_own_config(Path('configs/phantoms.yaml')).fields == {
        str(f['name']): Field(str(f['name']), f['kind'], tuple(f.get('values', ())))
        for f in FIELD_TABLE
    }


@pytest.mark.parametrize(
    'text',
    ['steps: many', 'stpes: 3', 'height: 100', 'fields: [{name: light, kind: boolean}]',
     'tokenizer: syllables', 'encoder_kind: vgg', 'decoder: gru', 'encoder: small', 'height: -64',
     'encoder_kind: nanodet\nheight: 96', 'encoder_rate: -1', 'learning_rate: 0', '- 1',
     'batch: 0', 'a: [', 'fields: {a: b}', 'steps: true', 'objective: self_critical',
     'objective_settings: [latent]', 'objective_settings: {laten: 3}',
     'objective_settings: {latent: many}', 'objective_settings: {latent: 0}',
     'objective_settings: {adversarial_gradient: hope}', 'pretrain_steps: -1',
     'objective_settings: {objective_batch: 0}', 'encoder_kind: dense', 'dropout: 2.0',
     'seed: -1', 'average: 5', 'brightness: .nan', 'held_out: 0.95', 'steps: -1',
     'unlabelled: pictures', 'encoder_rate: 1.0e-4', 'seed: 20261231235959',
     'steps: 1' + '0' * 400],
)  # fmt: skip
def test_configurations_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / 'c.yaml'
    file.write_text(text)
    with pytest.raises(ConfigError):
        load_own_config(file)


def test_too_few_pictures_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), make_phantom(0).pixels)
    (tmp_path / 'a.csv').write_text('file,caption\na.png,a shadow in the lung\n')
    where = ['--output', str(tmp_path / 'm'), '--work', str(tmp_path / 'w')]
    assert main(['train', '--data', str(tmp_path / 'a.csv'), *where]) == 1
    assert 'too few' in capsys.readouterr().err
    assert not (tmp_path / 'm').exists()


def test_manifests_with_a_garbled_table_are_refused(tmp_path: Path) -> None:
    write_own_model(tmp_path / 'own')
    file = tmp_path / 'own' / 'manifest.json'
    good = json.loads(file.read_text())
    for change in (
        {'fields': {'shape': {'start': 0, 'width': 3, 'temperature': 1}}},
        {'fields': {**good['fields'], 'light': good['fields']['device']}},
        {'tokenizer': 'syllables'},
        {'domain': 'driving'},
    ):
        file.write_text(json.dumps({**good, **change}))
        with pytest.raises((BundleError, ConfigError)):
            Bundle.load(tmp_path / 'own')
    assert not set(good['fields']) & set(FIELDS)
