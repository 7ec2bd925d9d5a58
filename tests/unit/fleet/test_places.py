# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings are found by folders, globs and addresses; a split recording is one."""

from pathlib import Path

import pytest

from caption_node.errors import BagError, ConfigError
from caption_node.fleet.places import Fetched, find_recordings, identify


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two single files, a split rosbag2 folder, and things that are no recordings."""
    for name in (
        'day1/one.mcap', 'day1/two one.bag', 'day1/notes.txt', 'day1/out.partial.mcap',
        'day2/split/split_0.mcap', 'day2/split/split_1.mcap', 'day2/split/metadata.yaml',
        'day2/old.db3.zstd',
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


ALL = ['day1/one.mcap', 'day1/two one.bag', 'day2/old.db3.zstd', 'day2/split']


def test_a_folder_is_searched_whole(tree: Path) -> None:
    assert find_recordings([str(tree)]) == [str(tree / n) for n in ALL]


def test_globs_and_doubles_give_each_recording_once(tree: Path) -> None:
    found = find_recordings(
        [str(tree / '**/*.mcap'), str(tree / 'day2/split'), str(tree / 'day1')]
    )
    assert found == [str(tree / n) for n in (ALL[0], ALL[1], ALL[3])]


def test_symbolic_links_lead_to_one_recording(tree: Path) -> None:
    (tree / 'link.mcap').symlink_to(tree / 'day1/one.mcap')
    found = find_recordings([str(tree / '*.mcap'), str(tree / 'day1/one.mcap')])
    assert found == [str(tree / 'day1/one.mcap')]


def test_nothing_is_an_error(tree: Path) -> None:
    with pytest.raises(ConfigError, match='no recording there'):
        find_recordings([str(tree), str(tree / 'day3')])


def test_addresses_are_found_like_paths_and_fetched_once(tree: Path) -> None:
    pytest.importorskip('fsspec', reason='fsspec is missing: requirements/fleet.txt')
    places = find_recordings([f'file://{tree}'])
    assert places == [f'file://{tree / n}' for n in ALL]
    fetched = Fetched()
    split = fetched.path(places[3])
    assert sorted(p.name for p in split.iterdir()) == [
        'metadata.yaml', 'split_0.mcap', 'split_1.mcap',
    ]  # fmt: skip
    assert fetched.path(places[3]) == split
    single = fetched.path(places[0])
    assert single.read_bytes() == b'day1/one.mcap'
    assert not split.exists()


def test_what_an_address_holds_is_known_without_reading_it(tree: Path) -> None:
    pytest.importorskip('fsspec', reason='fsspec is missing: requirements/fleet.txt')
    place = f'file://{tree}/day2/split'
    before = identify(place)
    assert identify(place) == before
    (tree / 'day2/split/split_1.mcap').write_bytes(b'longer than it was before')
    assert identify(place) != before
    with pytest.raises(BagError, match='cannot be read'):
        identify(f'file://{tree}/day9.mcap')
