# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Decoding ahead, batches, and one bad frame among good ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import threading

import numpy as np
import pytest

from caption_node.batching import describe_all
from caption_node.description import ModelInfo, SceneDescription
from caption_node.errors import FrameError, InferenceError
from caption_node.frame import Frame

PIXELS = np.zeros((2, 2, 3), np.uint8)


@dataclass
class Item:
    """A source that decodes, or fails, as it is told."""

    file: str
    fails: BaseException | None = None
    camera: str = 'front'
    stamp_ns: int = 7
    frame_id: str = 'optical'

    def decode(self) -> Frame:
        """Decode, or fail."""
        if self.fails is not None:
            raise self.fails
        return Frame(PIXELS, file=self.file)


class Model:
    """Counts batches; refuses every batch that holds a file named in ``poison``."""

    model = ModelInfo('model')

    def __init__(self, poison: str = '') -> None:
        self.batches: list[list[str]] = []
        self.poison = poison

    def describe(self, frames: Sequence[Frame]) -> list[SceneDescription]:
        """Describe one batch."""
        self.batches.append([f.file for f in frames])
        if self.poison in self.batches[-1]:
            raise InferenceError('the runtime failed')
        return [SceneDescription(file=f.file) for f in frames]


def test_order_and_batches_are_kept_around_a_bad_frame() -> None:
    model = Model()
    items = [Item(str(i), FrameError('damaged') if i == 2 else None) for i in range(7)]
    said = [d.description for d in describe_all(model, items, batch=3)]
    assert [d.file for d in said] == [str(i) for i in range(7)]
    assert [d.status for d in said] == ['ok', 'ok', 'error', 'ok', 'ok', 'ok', 'ok']
    assert (said[2].error, said[2].camera, said[2].stamp_ns) == ('damaged', 'front', 7)
    assert said[2].model == model.model
    assert model.batches == [['0', '1'], ['3', '4', '5'], ['6']]


def test_frame_that_brings_the_batch_down_fails_alone() -> None:
    said = list(describe_all(Model(poison='1'), [Item(str(i)) for i in range(3)], batch=3))
    assert [d.description.status for d in said] == ['ok', 'error', 'ok']


def test_lack_of_memory_is_an_error_of_one_frame() -> None:
    said = list(describe_all(Model(), [Item('big', MemoryError()), Item('small')], batch=2))
    assert 'not enough memory' in said[0].description.error
    assert said[1].description.status == 'ok'


def test_faults_of_our_own_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        list(describe_all(Model(), [Item('a', ZeroDivisionError())], batch=1))


def test_sources_are_taken_a_bounded_number_ahead() -> None:
    taken = 0

    def sources() -> Iterator[Item]:
        nonlocal taken
        for i in range(1000):
            taken += 1
            yield Item(str(i))

    running = describe_all(Model(), sources(), batch=2, threads=1)
    next(running)
    assert taken < 20
    running.close()
    assert not [t for t in threading.enumerate() if t.name.startswith('decode')]
