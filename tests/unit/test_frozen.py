# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras that hang, and cameras of a vehicle that stands."""

import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.frozen import FrozenWatch
from tests.conftest import street

TENTH_NS = 100_000_000
START_NS = 1_700_000_000_000_000_000


def stood(
    watch: FrozenWatch,
    pictures: list[NDArray[np.uint8]],
    camera: str = 'front',
    step: int = TENTH_NS,
) -> list[float]:
    return [watch.standing_s(camera, START_NS + i * step, p) for i, p in enumerate(pictures)]


def test_same_picture_with_advancing_stamps_is_frozen_after_a_while() -> None:
    said = stood(FrozenWatch(0.5, 3), [street()] * 12)
    assert said[:5] == [0.0] * 5
    assert said[5:] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1])


def test_slow_camera_needs_repeats_and_not_only_time() -> None:
    said = stood(FrozenWatch(0.5, 3), [street()] * 5, step=10 * TENTH_NS)
    assert said == pytest.approx([0, 0, 0, 3.0, 4.0])


def test_noise_of_the_sensor_is_no_freeze() -> None:
    rng = np.random.default_rng(1)
    plain = street().astype(float)
    noisy = [
        (plain + rng.normal(0, 0.5, plain.shape)).clip(0, 255).astype(np.uint8) for _ in range(20)
    ]
    assert stood(FrozenWatch(0.5, 3), noisy) == [0.0] * 20


def test_one_pixel_that_changes_is_no_freeze() -> None:
    pictures = []
    for i in range(20):
        picture = street()
        picture[101, 7, 1] = i
        pictures.append(picture)
    assert stood(FrozenWatch(0.5, 3), pictures) == [0.0] * 20


def test_camera_that_goes_on_is_trusted_again() -> None:
    said = stood(FrozenWatch(0.5, 3), [street()] * 8 + [street(shift=40)] * 3)
    assert said[7] > 0
    assert said[8:] == [0.0] * 3


def test_cameras_are_watched_one_by_one() -> None:
    watch = FrozenWatch(0.5, 3)
    for i in range(10):
        stamp_ns = START_NS + i * TENTH_NS
        hangs = watch.standing_s('left', stamp_ns, street())
        moves = watch.standing_s('right', stamp_ns, street(shift=i))
    assert hangs == pytest.approx(0.9)
    assert moves == 0.0


def test_stamps_that_stand_or_go_back_or_are_missing_are_no_freeze() -> None:
    assert stood(FrozenWatch(0.5, 3), [street()] * 20, step=0) == [0.0] * 20
    assert stood(FrozenWatch(0.5, 3), [street()] * 20, step=-TENTH_NS) == [0.0] * 20
    watch = FrozenWatch(0.5, 3)
    assert [watch.standing_s('', 0, street()) for _ in range(20)] == [0.0] * 20


def test_picture_is_copied_and_its_size_may_change() -> None:
    watch, buffer = FrozenWatch(0.1, 1), street()
    assert watch.standing_s('front', START_NS, buffer) == 0.0
    buffer[0, 0] += 1  # the pipeline writes its next frame into the same memory
    assert watch.standing_s('front', START_NS + TENTH_NS, buffer) == 0.0
    assert watch.standing_s('front', START_NS + 2 * TENTH_NS, street(320, 180)) == 0.0


def test_cameras_without_end_take_memory_with_an_end() -> None:
    watch = FrozenWatch(0.1, 1)
    for i in range(500):
        watch.standing_s(f'camera{i}', START_NS, np.zeros((4, 4, 3), dtype=np.uint8))
    assert len(watch._seen) <= 64


def test_what_is_forgotten_is_no_freeze() -> None:
    watch = FrozenWatch(0.5, 3)
    assert stood(watch, [street()] * 8)[-1] > 0
    watch.forget()
    assert watch.standing_s('front', START_NS + 9 * TENTH_NS, street()) == 0.0
