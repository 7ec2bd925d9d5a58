# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Run an iterator in a thread, a few items ahead of whoever takes them."""

from collections.abc import Generator, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar('T')
_LOOK_UP_S = 0.1


class _End:
    """The last item: why the iterator ended."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def read_ahead(items: Iterator[T], depth: int) -> Generator[T, None, None]:
    """
    Yield the items of an iterator that runs in a thread of its own.

    What the iterator raises is raised here. When the taker stops, so does the thread.

    :param depth: Items that may wait; the iterator pauses while so many do.
    """
    queue: Queue[T | _End] = Queue(maxsize=depth)
    is_over = Event()

    def put(item: T | _End) -> bool:
        while not is_over.is_set():
            try:
                queue.put(item, timeout=_LOOK_UP_S)
                return True
            except Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_End())
        except BaseException as err:
            put(_End(err))

    thread = Thread(target=work, name='read-ahead', daemon=True)
    thread.start()
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        is_over.set()
        thread.join()
