# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Model folders that are incomplete or altered: a clear error, and nothing printed."""

import json
from pathlib import Path

import pytest

from tests.conftest import rewrite_manifest
from tests.drawn import draw_street, jpeg
from tests.e2e.command import caption


def flip_bytes(folder: Path) -> None:
    data = bytearray((folder / 'model.onnx').read_bytes())
    data[len(data) // 2] ^= 0xFF
    (folder / 'model.onnx').write_bytes(data)


def remove_vocabulary(folder: Path) -> None:
    (folder / 'vocabulary.json').unlink()


def remove_manifest(folder: Path) -> None:
    (folder / 'manifest.json').unlink()


def garble_graph(folder: Path) -> None:
    (folder / 'model.onnx').write_bytes(b'this is not a graph')
    rewrite_manifest(folder)


def empty_graph(folder: Path) -> None:
    (folder / 'model.onnx').write_bytes(b'')
    rewrite_manifest(folder)


def garble_manifest(folder: Path) -> None:
    (folder / 'manifest.json').write_text('{"format_version": 1', encoding='utf-8')


def age_manifest(folder: Path) -> None:
    manifest = json.loads((folder / 'manifest.json').read_text(encoding='utf-8'))
    manifest['format_version'] = 99
    (folder / 'manifest.json').write_text(json.dumps(manifest), encoding='utf-8')


@pytest.mark.parametrize(
    ('damage', 'says'),
    [
        (flip_bytes, 'was altered or damaged'),
        (remove_vocabulary, 'vocabulary.json is missing'),
        (remove_manifest, 'manifest.json is missing'),
        (garble_graph, 'is not a graph'),
        (empty_graph, 'is not a graph'),
        (garble_manifest, 'manifest.json cannot be read'),
        (age_manifest, 'format version 99'),
    ],
)
def test_damaged_model_folder_is_refused(
    model_copy: Path, tmp_path: Path, damage: object, says: str
) -> None:
    damage(model_copy)  # type: ignore[operator]
    (tmp_path / 'a.jpg').write_bytes(jpeg(draw_street()))
    done = caption('image', tmp_path / 'a.jpg', '--model', model_copy)
    assert done.returncode == 1
    assert done.stdout == ''
    assert 'Traceback' not in done.stderr
    first = done.stderr.splitlines()[0]
    assert first.startswith('error: ')
    assert says in first
    assert str(model_copy) in first


@pytest.mark.parametrize('model', ['nowhere/at/all', 'unknown_name'])
def test_missing_model_is_named(tmp_path: Path, model: str) -> None:
    (tmp_path / 'a.jpg').write_bytes(jpeg(draw_street()))
    done = caption('image', tmp_path / 'a.jpg', '--model', model)
    assert done.returncode == 1
    assert 'error: ' in done.stderr
    assert model in done.stderr
    assert 'Traceback' not in done.stderr


def test_doctor_says_what_is_wrong_with_the_model(model_copy: Path) -> None:
    flip_bytes(model_copy)
    done = caption('doctor', '--json', '--model', model_copy)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report['works'] is False
    (found,) = [f for f in report['findings'] if f['name'] == 'model']
    assert found['state'] == 'broken'
    assert 'SHA-256' in found['detail']
    assert found['hint']
