# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Newest wins: one slot a camera between receiving images and describing them."""

from collections.abc import Sequence
from dataclasses import dataclass
import threading
from time import perf_counter
from typing import Generic, TypeVar

Item = TypeVar('Item')


@dataclass(frozen=True, slots=True)
class Parcel(Generic[Item]):
    """
    What lay in one camera's slot.

    :param camera: Name of the camera.
    :param item: What was put.
    :param put_s: When it was put, on the clock of :func:`time.perf_counter`, seconds.
    """

    camera: str
    item: Item
    put_s: float


@dataclass(slots=True)
class Counts:
    """How many items a camera has put, and how many of them a newer one has replaced."""

    received: int = 0
    dropped: int = 0


class Mailbox(Generic[Item]):
    """
    One slot for each camera; a newer item replaces the one that nobody has taken yet.

    Any number of threads may put, one takes. Memory is bounded by one item a camera.

    :param cameras: Names of the cameras; :meth:`take` returns their items in this order.
    """

    def __init__(self, cameras: Sequence[str]) -> None:
        self._slots: dict[str, Parcel[Item] | None] = dict.fromkeys(cameras)
        self._counts = {camera: Counts() for camera in cameras}
        self._changed = threading.Condition()
        self._closed = False
        self._nudged = False

    def put(self, camera: str, item: Item) -> None:
        """
        Leave an item for a camera; never waits for the one who takes.

        :raises KeyError: If there is no such camera.
        """
        parcel = Parcel(camera, item, perf_counter())
        with self._changed:
            if self._closed:
                return
            counts = self._counts[camera]
            counts.received += 1
            if self._slots[camera] is not None:
                counts.dropped += 1
            self._slots[camera] = parcel
            self._changed.notify()

    def take(self, timeout_s: float | None = None) -> list[Parcel[Item]]:
        """
        Wait until at least one camera has an item, then empty all slots.

        :param timeout_s: How long to wait at most; None waits until an item comes or it is closed.
        :returns: At most one item for each camera; none after the timeout or a nudge, or once
            closed.
        """
        with self._changed:
            self._changed.wait_for(self._ready, timeout_s)
            self._nudged = False
            if self._closed:
                return []
            parcels = [parcel for parcel in self._slots.values() if parcel is not None]
            self._slots = dict.fromkeys(self._slots)
            return parcels

    def nudge(self) -> None:
        """Wake the one who waits, although there may be no item."""
        with self._changed:
            self._nudged = True
            self._changed.notify()

    def close(self) -> None:
        """Wake the one who waits, and take no more items."""
        with self._changed:
            self._closed = True
            self._slots = dict.fromkeys(self._slots)
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def counts(self, camera: str) -> Counts:
        """Return a copy of what this camera has put and lost so far."""
        with self._changed:
            counts = self._counts[camera]
            return Counts(counts.received, counts.dropped)

    @property
    def depth(self) -> int:
        """How many items wait to be taken."""
        with self._changed:
            return sum(parcel is not None for parcel in self._slots.values())

    def _ready(self) -> bool:
        return (
            self._closed
            or self._nudged
            or any(parcel is not None for parcel in self._slots.values())
        )
