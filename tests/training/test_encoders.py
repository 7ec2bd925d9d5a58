# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Encoders to choose from: parity with the published networks, and files that are not theirs."""

from pathlib import Path
import pickle

import pytest
import torch
from torch import nn

from caption_node.cli import main
from caption_node.errors import BundleError, ConfigError
from caption_node.training.config import RANDOM, load_config
from caption_node.training.model.detection import SCHEMA_COLUMNS
from caption_node.training.model.encoders import (
    ENCODERS,
    BackboneDetector,
    early_parts,
    load_detector,
    new_detector,
)
from caption_node.training.model.nanodet import NanoDet
from caption_node.training.tensor_file import read_tensors
from tests.conftest import ROOT
from tests.training.published import published_features, random_checkpoint

OTHERS = ENCODERS[1:]
STEM = 'features.0.0.weight'


def saved(folder: Path, kind: str, form: str = 'safetensors') -> Path:
    """Write a checkpoint in one of the usual forms."""
    state = random_checkpoint(kind)
    path = folder / f'{kind}-{form}.pth'
    if form == 'safetensors':
        from safetensors.torch import save_file

        save_file({k: v.contiguous() for k, v in state.items()}, str(path))
    elif form == 'old':
        torch.save(state, path, _use_new_zipfile_serialization=False)
    elif form == 'wrapped':
        inner = {f'module.{k}': v for k, v in state.items()}
        torch.save({'epoch': 3, 'state_dict': inner, 'optimizer': {'lr': 0.1}}, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize('kind', OTHERS)
def test_folded_network_equals_the_published_one(kind: str, tmp_path: Path) -> None:
    detector = load_detector(kind, saved(tmp_path, kind)).eval()
    assert isinstance(detector, BackboneDetector)
    rgb = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)) * 255
    with torch.no_grad():
        ours = detector.backbone((rgb - detector.mean_rgb) * detector.scale_rgb)
        theirs = published_features(kind, random_checkpoint(kind), rgb)
    for a, b, stride in zip(ours, theirs, (8, 16, 32), strict=True):
        assert a.shape == b.shape == (1, a.shape[1], 64 // stride, 96 // stride)
        assert float((a - b).abs().max()) < 1e-4 * float(b.abs().max())


@pytest.mark.parametrize('form', ['zip', 'old', 'wrapped'])
def test_pytorch_files_give_what_safetensors_give(form: str, tmp_path: Path) -> None:
    wanted = read_tensors(saved(tmp_path, 'mobilenet_v2'))
    found = read_tensors(saved(tmp_path, 'mobilenet_v2', form))
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


@pytest.mark.parametrize('kind', OTHERS)
def test_features_have_one_shape_and_an_untrained_head_finds_nothing(kind: str) -> None:
    detector = load_detector(kind, Path(RANDOM)).eval()
    with torch.no_grad():
        features, levels, heads = detector(torch.rand(1, 3, 64, 128) * 255)
        reference = NanoDet(len(SCHEMA_COLUMNS)).eval()(torch.rand(1, 3, 64, 128) * 255)
    assert [f.shape for f in features] == [f.shape for f in reference[0]]
    assert [x.shape for x in levels] == [x.shape for x in reference[1]]
    assert [h.shape for h in heads] == [h.shape for h in reference[2]]
    assert max(float(h[:, : len(SCHEMA_COLUMNS)].sigmoid().max()) for h in heads) < 0.05
    assert all(bool(f.isfinite().all()) and float(f.std()) > 0.01 for f in features)


@pytest.mark.parametrize('kind', ENCODERS)
def test_early_parts_belong_to_the_backbone(kind: str) -> None:
    detector = new_detector(kind)
    early = {id(p) for part in early_parts(detector) for p in part.parameters()}
    backbone = {id(p) for p in detector.backbone.parameters()}
    assert early
    assert early < backbone


class Payload:
    """Writes a file when it is unpickled without care."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize('form', ['pickle', 'zip', 'old'])
def test_code_in_a_file_does_not_run(form: str, tmp_path: Path) -> None:
    trace, path = tmp_path / 'it-ran', tmp_path / 'evil.pth'
    data = {**random_checkpoint('mobilenet_v2'), STEM: Payload(trace)}
    if form == 'pickle':
        path.write_bytes(pickle.dumps({STEM: Payload(trace)}))
    else:
        torch.save(data, path, _use_new_zipfile_serialization=form == 'zip')
    with pytest.raises(BundleError, match=r'evil\.pth.*(nothing of them was run|another format)'):
        load_detector('mobilenet_v2', path)
    assert not trace.exists()
    if form == 'zip':  # the file does what it says where nobody takes care
        torch.load(path, weights_only=False)
        assert trace.exists()


def test_programs_are_not_read(tmp_path: Path) -> None:
    import warnings

    path = tmp_path / 'program.pt'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(path))
    with pytest.raises(BundleError, match='TorchScript'):
        read_tensors(path)


def test_another_network_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, 'mobilenet_v2')
    with pytest.raises(BundleError, match='is not a resnet18') as caught:
        load_detector('resnet18', path)
    assert caught.value.hint == 'the file is a mobilenet_v2: set encoder_kind: mobilenet_v2'
    with pytest.raises(BundleError, match=r'not the published NanoDet file'):
        load_detector('nanodet', path)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match='vgg') as caught:
        load_detector('vgg', Path(RANDOM))
    assert 'resnet50' in caught.value.hint


def broken(folder: Path, fault: str) -> Path:
    """Write a checkpoint with a fault."""
    path = folder / 'weights.pth'
    state: dict[str, object] = {**random_checkpoint('mobilenet_v2')}
    if fault == 'a tensor is missing':
        del state['features.9.conv.1.1.running_mean']
    elif fault == 'a tensor has another shape':
        state[STEM] = torch.zeros(32, 1, 3, 3)
    elif fault == 'a tensor too many':
        state['layer5.0.conv1.weight'] = torch.zeros(3)
    elif fault == 'not a number':
        state[STEM] = torch.full((32, 3, 3, 3), float('nan'))
    elif fault == 'a negative variance':
        state['features.0.1.running_var'] = torch.full((32,), -1.0)
    elif fault == 'a tensor of any size':
        state[STEM] = torch.zeros(1).expand(1 << 40)
    elif fault == 'no tensors':
        state = {'epoch': 3}
    torch.save(list(state.values()) if fault == 'a list' else state, path)
    data = path.read_bytes()
    if fault == 'cut off':
        path.write_bytes(data[: len(data) // 2])
    elif fault == 'empty':
        path.write_bytes(b'')
    elif fault == 'a picture':
        path.write_bytes(b'\xff\xd8\xff\xe0' + bytes(range(256)) * 8)
    elif fault == 'safetensors, cut off':
        data = saved(folder, 'mobilenet_v2').read_bytes()
        path.write_bytes(data[: len(data) // 2])
    return path


@pytest.mark.parametrize(
    ('fault', 'says'),
    [
        ('a tensor is missing', r'features.9.conv.1.1.running_mean is missing'),
        (
            'a tensor has another shape',
            r'features.0.0.weight is \(32, 1, 3, 3\), not \(32, 3, 3, 3\)',
        ),
        ('a tensor too many', r'layer5\.0\.conv1\.weight has no place'),
        ('not a number', r'features.0.0.weight holds values that are not finite'),
        ('a negative variance', 'not finite'),
        ('a tensor of any size', 'at most 2048 MB'),
        ('no tensors', 'no tensors by name'),
        ('a list', 'no tensors by name'),
        ('cut off', 'damaged'),
        ('empty', 'damaged'),
        ('a picture', r'nothing of them was run|another format'),
        ('safetensors, cut off', 'damaged safetensors'),
    ],
)
def test_broken_files_are_named(fault: str, says: str, tmp_path: Path) -> None:
    path = broken(tmp_path, fault)
    with pytest.raises(BundleError, match=says) as caught:
        load_detector('mobilenet_v2', path)
    assert 'weights.pth' in str(caught.value)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r'nothing\.pth cannot be read'):
        load_detector('resnet18', tmp_path / 'nothing.pth')
    with pytest.raises(BundleError, match='not a file'):
        load_detector('resnet18', tmp_path)


@pytest.mark.parametrize('fault', ['cut off', 'a tensor is missing', 'nothing there'])
def test_training_refuses_a_file_before_it_begins(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / 'weights.pth' if fault == 'nothing there' else broken(tmp_path, fault)
    example = (ROOT / 'configs' / 'drive_mobilenet.yaml').read_text(encoding='utf-8')
    config = tmp_path / 'config.yaml'
    config.write_text(example.replace('weights/mobilenet_v2.pth', str(path)), encoding='utf-8')
    work = tmp_path / 'work'
    assert main(['train', '--config', str(config), '--work', str(work)]) == 1
    said = capsys.readouterr().err
    assert 'error: ' in said
    assert str(path) in said
    assert not work.exists()


def test_every_example_names_a_network_that_exists() -> None:
    kinds = {load_config(p).encoder_kind for p in (ROOT / 'configs').glob('drive_*.yaml')}
    assert kinds == set(ENCODERS)
