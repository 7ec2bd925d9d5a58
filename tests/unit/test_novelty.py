# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The judges of what the model cannot know, and the file that carries them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.errors import BundleError
from caption_node.novelty import KINDS, REASONS, UNLIKE, Novelty, against_road
from caption_node.picture_features import picture_features
from tests.conftest import street

LIMITS = {f'unlike_{kind}': 0.0 for kind in KINDS[1:]} | {'unlike_embedding': 2.0}
WIDTH = picture_features(street()).size


def arrays(kind: int) -> dict[str, NDArray[np.float32]]:
    """Judges that take every picture for one kind, and know embeddings at the first axis."""
    bias = np.zeros(len(KINDS), dtype=np.float32)
    bias[kind] = 5.0
    return {
        'picture_mean': np.zeros(WIDTH, dtype=np.float32),
        'picture_scale': np.ones(WIDTH, dtype=np.float32),
        'picture_hidden': np.zeros((WIDTH, 3), dtype=np.float32),
        'picture_hidden_bias': np.zeros(3, dtype=np.float32),
        'picture_out': np.zeros((3, len(KINDS)), dtype=np.float32),
        'picture_out_bias': bias,
        'embedding_centres': np.eye(1, 8, dtype=np.float32),
        'embedding_whiten': np.eye(8, dtype=np.float32) * 8,
    }


def load(folder: Path, content: dict[str, NDArray[np.float32]]) -> Novelty:
    np.savez(folder / 'trust.npz', **content)
    return Novelty.load(folder / 'trust.npz', LIMITS)


@pytest.mark.parametrize('kind', range(1, len(KINDS)))
def test_reason_names_the_likeliest_fault(tmp_path: Path, kind: int) -> None:
    known = np.eye(8, dtype=np.float32)[0]
    assert load(tmp_path, arrays(kind)).fault(street(), known) == REASONS[KINDS[kind]]


def test_road_with_a_known_embedding_is_trusted_and_a_far_one_is_not(tmp_path: Path) -> None:
    judges = load(tmp_path, arrays(0))
    known, far = np.eye(8, dtype=np.float32)[0], -np.eye(8, dtype=np.float32)[0]
    assert judges.fault(street(), known) == ''
    assert judges.fault(street(), far) == UNLIKE


def test_every_kind_has_its_own_limit(tmp_path: Path) -> None:
    unsure = {**arrays(0), 'picture_out_bias': np.array([1.0, 0.0, 0.5, 0.2], np.float32)}
    np.savez(tmp_path / 'trust.npz', **unsure)
    known = np.eye(8, dtype=np.float32)[0]
    for strict, reason in ((0.0, ''), (-0.9, REASONS['blurred'])):
        limits = {**LIMITS, 'unlike_blurred': strict}
        assert Novelty.load(tmp_path / 'trust.npz', limits).fault(street(), known) == reason


def test_log_odds_are_those_against_a_road() -> None:
    logits = np.log(np.array([0.7, 0.1, 0.1, 0.1], dtype=np.float32))
    assert against_road(logits) == pytest.approx([np.log(1 / 7)] * 3, abs=1e-5)


@pytest.mark.parametrize('name', ['picture_hidden', 'picture_out_bias', 'embedding_centres'])
def test_file_that_lacks_or_garbles_an_array_is_refused(tmp_path: Path, name: str) -> None:
    lacking = arrays(0)
    del lacking[name]
    with pytest.raises(BundleError, match=r'trust\.npz cannot be used'):
        load(tmp_path, lacking)
    garbled = {**arrays(0), name: np.zeros((2, 7), dtype=np.float32)}
    with pytest.raises(BundleError, match=r'trust\.npz cannot be used'):
        load(tmp_path, garbled)


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 cut short', b'\x93NUMPY'])
def test_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'trust.npz').write_bytes(content)
    with pytest.raises(BundleError, match=r'trust\.npz cannot be used'):
        Novelty.load(tmp_path / 'trust.npz', LIMITS)


def test_missing_limit_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / 'trust.npz', **arrays(0))
    for name in LIMITS:
        fewer = {k: v for k, v in LIMITS.items() if k != name}
        with pytest.raises(BundleError, match=name):
            Novelty.load(tmp_path / 'trust.npz', fewer)


@pytest.mark.parametrize('shape', [(384, 640), (1, 1), (1, 640), (384, 2), (17, 33)])
def test_features_of_any_size_are_finite_and_as_many(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for value in (0, 255, rng.integers(0, 256, (*shape, 3))):
        found = picture_features(np.broadcast_to(value, (*shape, 3)).astype(np.uint8))
        assert found.shape == (WIDTH,)
        assert np.isfinite(found).all()


def test_features_take_views_as_the_pipeline_gives_them() -> None:
    board = np.zeros((384, 640, 3), dtype=np.uint8)
    inner = board[12:372, 80:560]
    inner[:] = street(480, 360)
    assert (picture_features(inner) == picture_features(street(480, 360))).all()
