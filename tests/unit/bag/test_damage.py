# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Random damage to recordings and pictures: what we raise is always an error of our own."""

from collections.abc import Callable
from pathlib import Path
import random

import pytest
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from caption_node.bag.reader import BagReader
from caption_node.errors import BagError, ImageDecodeError
from caption_node.image_codec import decode_image
from tests.drawn import draw_street, jpeg, png
from tests.recordings import storage_file, write_rosbag1, write_rosbag2

ROUNDS = 25


def mcap(folder: Path) -> Path:
    return storage_file(write_rosbag2(folder / 'a', frames=4))


def compressed_mcap(folder: Path) -> Path:
    bag = write_rosbag2(folder / 'a', StoragePlugin.MCAP, CompressionMode.STORAGE, frames=4)
    return storage_file(bag)


def zstd_file(folder: Path) -> Path:
    bag = write_rosbag2(folder / 'a', StoragePlugin.MCAP, CompressionMode.FILE, frames=4)
    return storage_file(bag)


def sqlite(folder: Path) -> Path:
    return storage_file(write_rosbag2(folder / 'a', StoragePlugin.SQLITE3, frames=4))


def ros1(folder: Path) -> Path:
    return write_rosbag1(folder / 'a.bag', 4)


def damaged(data: bytes, dice: random.Random) -> bytes:
    """Cut and overwrite bytes, most of all in the head and the tail, where the structure lies."""
    changed = bytearray(data[: dice.choice([len(data), dice.randrange(1, len(data))])])
    for _ in range(dice.choice([0, 1, 3, 30])):
        length = len(changed)
        place = dice.choice(
            [
                dice.randrange(length),
                dice.randrange(min(length, 400)),
                length - 1 - dice.randrange(min(length, 3000)),
            ]
        )
        size = dice.choice([1, 4, 64])
        changed[place : place + size] = dice.choice(
            [dice.randbytes(size), bytes(size), b'\xff' * size]
        )
    return bytes(changed)


@pytest.mark.parametrize('make', [mcap, compressed_mcap, zstd_file, sqlite, ros1])
def test_damaged_recording_is_read_or_refused(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    original = make(tmp_path)
    data = original.read_bytes()
    target = tmp_path / f'damaged{"".join(original.suffixes)}'
    outcomes = {'read': 0, 'refused': 0}
    for seed in range(ROUNDS):
        target.write_bytes(damaged(data, random.Random(seed)))
        try:
            with BagReader(target) as reader:
                names = [t.name for t in reader.topics if t.encoding == 'cdr']
                assert sum(1 for _ in reader.messages(names)) <= 12
                list(reader.frames())
            outcomes['read'] += 1
        except BagError:
            outcomes['refused'] += 1
    assert outcomes['read'], 'nothing of any of them could be read'


@pytest.mark.parametrize('encode', [jpeg, png])
def test_damaged_picture_is_decoded_or_refused(encode: Callable[..., bytes]) -> None:
    data = encode(draw_street())
    for seed in range(100):
        try:
            pixels = decode_image(damaged(data, random.Random(seed)), 'a')
        except ImageDecodeError:
            continue
        assert pixels.ndim == 3
