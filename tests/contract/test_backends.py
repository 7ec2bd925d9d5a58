# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Every backend, the same cases: shapes, golden answers, batches, errors, closing."""

from collections.abc import Iterator
import json

import cv2
import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.backends.protocol import Backend
from caption_node.backends.registry import BACKENDS, open_backend
from caption_node.bundle import Bundle
from caption_node.errors import BackendUnavailableError, BundleError, ConfigError, InferenceError
from tests.conftest import MODEL, rewrite_manifest
from tests.contract.make_golden import GOLDEN, SEEDS


@pytest.fixture(scope='module')
def bundle() -> Bundle:
    return Bundle.load(MODEL)


# onnxruntime-gpu is one of two packages of which only one can be installed: it may be missing.
EVERY = [pytest.param(n, marks=pytest.mark.gpu) if n == 'tensorrt' else n for n in BACKENDS]


def open_or_skip(name: str, bundle: Bundle) -> Backend:
    try:
        return open_backend(name, bundle, 2)
    except BackendUnavailableError as err:
        pytest.skip(f'{name}: {err}')


@pytest.fixture(scope='module', params=EVERY)
def backend(request: pytest.FixtureRequest, bundle: Bundle) -> Iterator[Backend]:
    opened = open_or_skip(request.param, bundle)
    yield opened
    opened.close()


@pytest.fixture(scope='module')
def images() -> NDArray[np.uint8]:
    read = [cv2.imread(str(GOLDEN / f'{seed}.png'), cv2.IMREAD_COLOR) for seed in SEEDS]
    return np.ascontiguousarray(np.stack(read)[..., ::-1])


def test_golden_answers_belong_to_the_shipped_model(bundle: Bundle) -> None:
    expected = json.loads((GOLDEN / 'expected.json').read_text())
    assert expected['sha256'] == bundle.sha256


def test_golden_inputs_give_the_golden_words_and_facts(
    backend: Backend, images: NDArray[np.uint8]
) -> None:
    expected = json.loads((GOLDEN / 'expected.json').read_text())
    outputs = backend.run(images)
    assert outputs.tokens.tolist() == expected['tokens']
    assert np.abs(outputs.scene - np.array(expected['scene'])).max() < 0.02
    for i, classes in enumerate(expected['box_class']):
        assert outputs.box_class[i][outputs.box_score[i] > 0.3].tolist() == classes


def test_outputs_have_the_shapes_and_ranges_of_the_contract(
    backend: Backend, images: NDArray[np.uint8], bundle: Bundle
) -> None:
    o = backend.run(images)
    b = len(images)
    k = o.boxes.shape[1]
    manifest = json.loads((bundle.path / 'manifest.json').read_text(encoding='utf-8'))
    assert o.tokens.shape == o.token_logp.shape == (b, manifest['tokens'])
    assert o.boxes.shape == (b, k, 4)
    assert o.box_class.shape == o.box_score.shape == (b, k)
    assert o.scene.shape == (b, sum(f.width for f in bundle.fields.values()))
    assert (o.tokens.dtype, o.box_class.dtype) == (np.int64, np.int64)
    assert o.tokens.min() >= 0
    assert o.tokens.max() < len(bundle.vocabulary)
    assert (o.token_logp <= 1e-5).all()
    assert (o.token_logp[o.tokens == 0] == 0).all()
    assert ((o.box_score >= 0) & (o.box_score <= 1)).all()
    assert (np.diff(o.box_score, axis=1) <= 1e-6).all()
    assert ((o.box_class >= 0) & (o.box_class < len(bundle.classes))).all()
    assert np.linalg.norm(o.embedding, axis=1) == pytest.approx(np.ones(b), abs=1e-3)


@pytest.mark.parametrize('batch', range(1, 9))
def test_place_in_a_batch_does_not_matter(
    backend: Backend, images: NDArray[np.uint8], batch: int
) -> None:
    order = [i % len(images) for i in range(batch)]
    together = backend.run(images[order])
    for i, k in enumerate(order):
        alone = backend.run(images[k : k + 1])
        assert (together.tokens[i] == alone.tokens[0]).all()
        assert np.abs(together.scene[i] - alone.scene[0]).max() < 1e-2


def test_same_input_gives_the_same_bytes(backend: Backend, images: NDArray[np.uint8]) -> None:
    one, two = backend.run(images), backend.run(images)
    assert one.scene.tobytes() == two.scene.tobytes()
    assert one.tokens.tobytes() == two.tokens.tobytes()


@pytest.mark.parametrize(
    'bad',
    [
        np.zeros((0, 384, 640, 3), np.uint8),
        np.zeros((9, 384, 640, 3), np.uint8),
        np.zeros((1, 640, 384, 3), np.uint8),
        np.zeros((1, 384, 640), np.uint8),
        np.zeros((1, 384, 640, 3), np.float32),
    ],
)
def test_wrong_input_is_refused(backend: Backend, bad: NDArray[np.uint8]) -> None:
    with pytest.raises(InferenceError):
        backend.run(bad)


@pytest.mark.parametrize('name', EVERY)
def test_closed_backend_refuses(bundle: Bundle, images: NDArray[np.uint8], name: str) -> None:
    opened = open_or_skip(name, bundle)
    opened.close()
    with pytest.raises(InferenceError, match='closed'):
        opened.run(images)


def test_unknown_backend_lists_the_known(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match='no backend') as caught:
        open_backend('abacus', bundle)
    assert 'onnxruntime' in caught.value.hint


@pytest.mark.parametrize('content', [b'', b'not a graph', b'\x08\x07' * 50])
def test_graph_that_is_none_is_named(model_copy, content: bytes) -> None:  # type: ignore[no-untyped-def]
    (model_copy / 'model.onnx').write_bytes(content)
    rewrite_manifest(model_copy)
    with pytest.raises(BundleError, match=r'model\.onnx'):
        open_backend('auto', Bundle.load(model_copy))
