# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Letterbox there and back."""

import numpy as np
import pytest

from caption_node.preprocess import BORDER, letterbox


@pytest.mark.parametrize(
    ('height', 'width'),
    [(384, 640), (720, 1280), (480, 640), (1080, 1920), (287, 510), (900, 300)],
)
def test_letterbox_keeps_aspect_and_maps_boxes_back(height: int, width: int) -> None:
    image = np.full((height, width, 3), 200, dtype=np.uint8)
    boxed, fit = letterbox(image, 384, 640)
    assert boxed.shape == (384, 640, 3)
    inner = (boxed == 200).all(axis=2)
    assert (boxed[~inner] == BORDER).all()
    rows, columns = np.nonzero(inner)
    seen = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    assert fit.boxes_to_source(seen) == pytest.approx(
        np.array([[0, 0, width, height]], np.float32), abs=1.5 / fit.scale
    )


def test_letterbox_of_a_view_with_turned_channels_equals_that_of_its_copy() -> None:
    rng = np.random.default_rng(0)
    bgr = rng.integers(0, 255, (200, 301, 3), dtype=np.uint8)
    view = bgr[:, :, ::-1]
    assert (letterbox(view, 384, 640)[0] == letterbox(view.copy(), 384, 640)[0]).all()


def test_letterbox_writes_where_it_is_told_and_leaves_nothing_of_the_last_image() -> None:
    out = np.full((384, 640, 3), 7, dtype=np.uint8)
    written, _ = letterbox(np.zeros((100, 640, 3), dtype=np.uint8), 384, 640, out)
    assert written is out
    assert set(np.unique(out)) == {0, BORDER}


@pytest.mark.parametrize(('height', 'width'), [(1, 1), (1, 4000), (4000, 1)])
def test_letterbox_survives_extreme_shapes(height: int, width: int) -> None:
    boxed, _ = letterbox(np.zeros((height, width, 3), dtype=np.uint8), 384, 640)
    assert (boxed == 0).any()


def test_boxes_are_cut_at_the_edges_of_the_source() -> None:
    _, fit = letterbox(np.zeros((360, 640, 3), dtype=np.uint8), 384, 640)
    far = np.array([[-50, -50, 5000, 5000]], dtype=np.float32)
    assert fit.boxes_to_source(far).tolist() == [[0, 0, 640, 360]]


@pytest.mark.parametrize('size', [(1280, 720), (640, 384), (200, 150)])
def test_turned_round_channels_give_the_very_same_picture(size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    bgr_view = np.ascontiguousarray(rgb[:, :, ::-1])[:, :, ::-1]
    plain, fit = letterbox(rgb, 384, 640)
    turned, fit_turned = letterbox(bgr_view, 384, 640)
    assert np.array_equal(plain, turned)
    assert fit == fit_turned
