# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Road works that are put into frames stand on the road, cover nobody, and are labelled."""

from dataclasses import replace

import numpy as np
import pytest

from caption_node.description import OBJECT_CLASSES
from caption_node.training.labels import Label
from caption_node.training.works import WORKS, add_works
from tests.conftest import street
from tests.training.test_labels import DAY

CAR = OBJECT_CLASSES.index('car')
CARS = np.array([(300, 216, 390, 290, CAR, 0.9), (420, 225, 450, 251, CAR, 0.8)], dtype=np.float32)


def test_horizon_lies_as_high_up_every_car_as_the_camera_is() -> None:
    # 1.4 m of a car of 1.5 m and 75 pixels are 70 pixels.
    box = np.array([(100, 200, 180, 275, CAR, 0.9)], dtype=np.float32)
    assert Label(DAY, None, box).horizon() == pytest.approx(205)
    assert Label(DAY, None).horizon() is None
    unsure = box.copy()
    unsure[0, 5] = 0.2
    assert Label(DAY, None, unsure).horizon() is None


def test_works_are_seen_and_labelled_and_cover_no_box() -> None:
    image = street(640, 360)
    label = Label(DAY, 'A street with two cars.', CARS)
    placed = 0
    for seed in range(60):
        changed, said = add_works(image, label, np.random.default_rng(seed))
        if said is label:
            assert np.array_equal(changed, image)
            continue
        placed += 1
        assert said.fields == {**DAY, 'construction': True}
        different = np.abs(changed.astype(int) - image).max(2) > 8
        assert 20 < different.sum() < image.shape[0] * image.shape[1] // 4
        for x1, y1, x2, y2 in CARS[:, :4].astype(int):
            assert not different[y1:y2, x1:x2].any()
        if said.caption is not None:
            assert said.caption.startswith(label.caption.rstrip('.') if label.caption else '')
            assert any(prop in said.caption for prop in WORKS)
            side = 'left' if 'on the left' in said.caption else 'right'
            columns = np.flatnonzero(different.any(0))
            assert (columns.mean() < 320) == (side == 'left')
    assert placed > 30


def test_frame_without_a_horizon_stays_as_it_is() -> None:
    image, label = street(640, 360), Label(DAY, None)
    changed, said = add_works(image, label, np.random.default_rng(0))
    assert said is label
    assert changed is image


def test_long_sentence_is_given_up_rather_than_cut() -> None:
    label = replace(Label(DAY, ' '.join(['word'] * 26) + '.', CARS))
    for seed in range(20):
        _, said = add_works(street(640, 360), label, np.random.default_rng(seed))
        assert said is label or said.caption is None
