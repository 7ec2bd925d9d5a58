# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A model folder is read whole or refused with the reason."""

import json
from pathlib import Path

import pytest

from caption_node.bundle import Bundle, find_bundle
from caption_node.errors import BundleError
from tests.conftest import MODEL, rewrite_manifest


def test_shipped_bundle_is_whole_and_at_most_25_megabytes() -> None:
    bundle = Bundle.load(MODEL)
    manifest = json.loads((MODEL / 'manifest.json').read_text())
    assert bundle.sha256 == manifest['sha256']['model.onnx']
    assert bundle.model_path.stat().st_size <= 25_000_000
    assert (MODEL / 'MODEL_CARD.md').is_file()


def test_default_model_is_found_by_no_name_by_name_and_by_path(
    monkeypatch: pytest.MonkeyPatch, model_copy: Path
) -> None:
    assert find_bundle() == MODEL
    assert find_bundle('drive_small') == MODEL
    assert find_bundle(model_copy) == model_copy
    monkeypatch.setenv('CAPTION_MODELS', str(model_copy.parent))
    assert find_bundle('model') == model_copy


def test_unknown_name_lists_where_it_was_looked_for() -> None:
    with pytest.raises(BundleError, match='no model') as caught:
        find_bundle('no_such_model')
    assert str(MODEL.parent) in str(caught.value)


@pytest.mark.parametrize('name', ['manifest.json', 'vocabulary.json', 'model.onnx'])
def test_missing_file_is_named(model_copy: Path, name: str) -> None:
    (model_copy / name).unlink()
    with pytest.raises(BundleError, match=name.replace('.', r'\.')):
        Bundle.load(model_copy)


@pytest.mark.parametrize('name', ['vocabulary.json', 'model.onnx'])
def test_altered_file_is_refused(model_copy: Path, name: str) -> None:
    data = bytearray((model_copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (model_copy / name).write_bytes(data)
    with pytest.raises(BundleError, match='altered or damaged'):
        Bundle.load(model_copy)


@pytest.mark.parametrize(
    'text',
    [
        '',
        '{',
        '[]',
        '{"format_version": 99}',
        '{"format_version": 1}',
        '{"format_version": 1, "sha256": {}}',
    ],
)
def test_garbled_manifest_is_refused(model_copy: Path, text: str) -> None:
    (model_copy / 'manifest.json').write_text(text)
    with pytest.raises(BundleError):
        Bundle.load(model_copy)


def test_hash_list_cannot_reach_outside_the_folder(model_copy: Path) -> None:
    manifest = json.loads((model_copy / 'manifest.json').read_text())
    manifest['sha256']['../../etc/hostname'] = '0' * 64
    (model_copy / 'manifest.json').write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match='incomplete'):
        Bundle.load(model_copy)


@pytest.mark.parametrize(
    'words', ['{}', '[1, 2]', '["a", "b"]', '["<pad>", "<bos>", "<eos>", "<unk>", "a", "a"]']
)
def test_garbled_vocabulary_is_refused(model_copy: Path, words: str) -> None:
    (model_copy / 'vocabulary.json').write_text(words)
    rewrite_manifest(model_copy)
    with pytest.raises(BundleError):
        Bundle.load(model_copy)
