# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What is fitted, judges; what is drawn, differs; what is written, loads."""

import json
from pathlib import Path

import numpy as np
import pytest

from caption_node.bundle import Bundle
from caption_node.errors import BundleError
from caption_node.novelty import KINDS, REASONS, Novelty
from caption_node.picture_features import GROUPS, picture_features
from caption_node.training.fit_trust import (
    fit_embeddings,
    main,
    read_pictures,
    write_trust,
)
from caption_node.training.picture_judge import fit_pictures
from caption_node.training.spoilt import drawn, spoil
from tests.conftest import street

WIDTH = sum(GROUPS.values())


def test_groups_name_all_features() -> None:
    assert picture_features(street()).size == WIDTH


@pytest.mark.parametrize('kind', drawn.KINDS)
def test_drawings_are_pictures_that_differ_and_repeat(kind: str) -> None:
    draw = drawn.KINDS[kind]
    first, again, other = (draw(np.random.default_rng(k), 96, 160) for k in (0, 0, 1))
    assert first.shape == (96, 160, 3)
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize('kind', [*spoil.COVERED, *spoil.BLURRED, *spoil.STRANGE])
def test_spoilt_frames_keep_their_size_about_and_their_original(kind: str) -> None:
    make = {**spoil.COVERED, **spoil.BLURRED, **spoil.STRANGE}[kind]
    frame = street(320, 180)
    kept = frame.copy()
    image = make(frame, np.random.default_rng(2))
    assert image.dtype == np.uint8
    assert abs(image.shape[0] - 180) < 6
    assert abs(image.shape[1] - 320) < 8
    assert (frame == kept).all()
    assert (image[:170, :310] != frame[:170, :310]).mean() > 0.1


def toy_features(seed: int) -> tuple[np.ndarray, list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    kinds = [KINDS[i % 4] for i in range(400)]
    centres = rng.normal(0, 1, (4, WIDTH))
    features = np.array([centres[KINDS.index(k)] for k in kinds])
    features = (features + rng.normal(0, 0.5, features.shape)).astype(np.float32)
    return features, kinds, np.arange(400) % 7 == 0


def toy_embeddings(seed: int) -> tuple[np.ndarray, list[str], list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = ['day city', 'night city'] * 150
    x = rng.normal(0, 0.1, (300, 16)) + np.eye(16)[[i % 2 for i in range(300)]]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    sources = ['one' if i < 200 else 'two' for i in range(300)]
    return x.astype(np.float32), groups, sources, np.arange(300) % 7 == 0


def test_judges_learn_their_kinds_and_survive_the_file(model_copy: Path) -> None:
    features, kinds, held_out = toy_features(1)
    embeddings, groups, sources, kept = toy_embeddings(1)
    write_trust(
        model_copy,
        fit_pictures(features, kinds, held_out),
        fit_embeddings(embeddings, groups, sources, kept),
    )
    bundle = Bundle.load(model_copy)
    assert bundle.trust_path is not None
    novelty = Novelty.load(bundle.trust_path, bundle.abstain)
    logits = novelty.picture.logits(features[held_out])
    found = [KINDS[i] for i in logits.argmax(1)]
    wanted = [k for k, held in zip(kinds, held_out, strict=True) if held]
    assert np.mean([a == b for a, b in zip(found, wanted, strict=True)]) > 0.95
    assert novelty.embedding.distance(embeddings).mean() < novelty.embedding_limit
    assert novelty.embedding.distance(-embeddings[0]) > novelty.embedding_limit
    kept_arrays = read_pictures(model_copy)
    assert kept_arrays is not None
    assert np.allclose(kept_arrays['hidden'], novelty.picture.hidden)
    assert set(REASONS) == set(KINDS[1:])


def test_altered_file_is_refused_at_load(model_copy: Path) -> None:
    features, kinds, held_out = toy_features(2)
    write_trust(
        model_copy,
        fit_pictures(features, kinds, held_out),
        fit_embeddings(*toy_embeddings(2)),
    )
    path = model_copy / 'trust.npz'
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BundleError, match='altered or damaged'):
        Bundle.load(model_copy)


def test_folder_without_a_judge_of_pictures_has_none(tmp_path: Path) -> None:
    assert read_pictures(tmp_path) is None
    (tmp_path / 'trust.npz').write_bytes(b'no archive')
    assert read_pictures(tmp_path) is None


def test_missing_data_is_an_error_and_changes_nothing(
    model_copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads((model_copy / 'manifest.json').read_text())
    assert main([str(model_copy), '--data', str(tmp_path / 'nowhere')]) == 1
    assert capsys.readouterr().err.startswith('error: label file')
    assert json.loads((model_copy / 'manifest.json').read_text()) == before
    assert main([str(tmp_path / 'no model'), '--data', str(tmp_path)]) == 1
    assert 'error: model folder' in capsys.readouterr().err
