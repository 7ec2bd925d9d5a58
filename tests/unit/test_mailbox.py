# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Newest wins, one slot a camera."""

import threading

import pytest

from caption_node.mailbox import Mailbox


def test_the_newest_item_wins_and_the_others_are_counted() -> None:
    mailbox: Mailbox[int] = Mailbox(['front'])
    for number in range(1000):
        mailbox.put('front', number)  # nobody takes: putting never waits

    assert [parcel.item for parcel in mailbox.take()] == [999]
    assert mailbox.counts('front').received == 1000
    assert mailbox.counts('front').dropped == 999


def test_one_take_empties_every_slot_in_the_order_of_the_cameras() -> None:
    mailbox: Mailbox[str] = Mailbox(['front', 'left', 'rear'])
    mailbox.put('rear', 'r')
    mailbox.put('front', 'f')

    assert [(p.camera, p.item) for p in mailbox.take()] == [('front', 'f'), ('rear', 'r')]
    assert mailbox.take(timeout_s=0.01) == []


def test_a_busy_camera_takes_nothing_from_another() -> None:
    mailbox: Mailbox[int] = Mailbox(['busy', 'quiet'])
    mailbox.put('quiet', 1)
    for number in range(100):
        mailbox.put('busy', number)

    assert {p.camera: p.item for p in mailbox.take()} == {'busy': 99, 'quiet': 1}
    assert mailbox.counts('quiet').dropped == 0


def test_take_waits_for_an_item_from_another_thread() -> None:
    mailbox: Mailbox[int] = Mailbox(['front'])
    taken: list[int] = []
    taker = threading.Thread(target=lambda: taken.extend(p.item for p in mailbox.take()))
    taker.start()
    mailbox.put('front', 7)
    taker.join(5)
    assert taken == [7]


def test_closing_wakes_the_taker_and_refuses_new_items() -> None:
    mailbox: Mailbox[int] = Mailbox(['front'])
    taken: list[object] = ['not yet']
    taker = threading.Thread(target=lambda: taken.__setitem__(0, mailbox.take()))
    taker.start()
    mailbox.close()
    taker.join(5)
    mailbox.put('front', 1)
    assert taken == [[]]
    assert mailbox.closed
    assert mailbox.take() == []


def test_an_unknown_camera_is_an_error() -> None:
    with pytest.raises(KeyError):
        Mailbox[int](['front']).put('rear', 1)


def test_a_nudge_wakes_the_one_who_takes_without_an_item() -> None:
    mailbox: Mailbox[int] = Mailbox(['front'])
    mailbox.nudge()
    assert mailbox.take() == []
    mailbox.put('front', 1)
    assert mailbox.depth == 1
    assert [parcel.item for parcel in mailbox.take()] == [1]
    assert mailbox.depth == 0
