# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""An iterator in a thread of its own."""

from collections.abc import Iterator
import threading

import pytest

from caption_node.read_ahead import read_ahead


def test_items_come_in_order() -> None:
    assert list(read_ahead(iter(range(100)), depth=3)) == list(range(100))


def test_error_of_the_iterator_is_raised_behind_its_items() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError('broken')

    taken = read_ahead(items(), depth=3)
    assert next(taken) == 1
    with pytest.raises(ValueError, match='broken'):
        next(taken)


def test_thread_ends_when_the_taker_stops() -> None:
    items = read_ahead(iter(range(10**9)), depth=2)
    assert next(items) == 0
    items.close()
    assert not [t for t in threading.enumerate() if t.name == 'read-ahead']
