# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Fields of models of somebody's own in recordings and in the index, beside those of driving."""

from pathlib import Path

import pytest

from caption_node.bag.descriptions import read_descriptions
from caption_node.bag.index import Index, IndexedBag, IndexedFrame, Query, open_index
from caption_node.bag.reader import BagReader
from caption_node.description import Field, SceneDescription
from caption_node.errors import BagError, ConfigError
from caption_node.web.library import Library
from tests.described import START_NS, describe, describe_own, write_described

SAID = [
    describe_own(0, 'round', 2, False),
    describe_own(1, 'Ring-shaped', 1, True),
    describe_own(2, 'round', 0, False),
]


def add(index: Index, path: str, said: list[SceneDescription], at_once: int = 99) -> None:
    index.begin(IndexedBag(path, 'f', 's', START_NS, START_NS + 10**9, said[0].model))
    for first in range(0, len(said), at_once):
        part = said[first : first + at_once]
        index.add(path, [IndexedFrame(d, d.stamp_ns) for d in part])


def test_a_recording_gives_them_back(tmp_path: Path) -> None:
    path = write_described(tmp_path / 'own.mcap', SAID, has_images=False)
    with BagReader(path) as reader:
        found = [r.description for r in read_descriptions(reader)]
    assert [list(d.scene) for d in found] == [['shape', 'shadows', 'device']] * 3
    for ours, theirs in zip(found, SAID, strict=True):
        assert {n: v.value for n, v in ours.scene.items()} == {
            n: v.value for n, v in theirs.scene.items()
        }


@pytest.mark.parametrize(
    ('where', 'rows'),
    [
        ('shape=round', 2),
        ('shape=RING-SHAPED', 1),
        ('not shape=round', 3),
        ('own.shape in (round, "Ring-shaped") and not device', 2),
        ('device', 1),
        ('shadows>=1', 2),
        ('lead=truck', 1),
        ('lead=none or shadows=0', 2),
    ],
)
def test_filters_know_them(tmp_path: Path, where: str, rows: int) -> None:
    with open_index(tmp_path / 'x.index', write=True) as index:
        add(index, '/one', [describe(0), describe(1, lead='truck')])
        add(index, '/two', SAID, at_once=1)
        assert index.search(Query(where=where)).rows == rows
        assert index.own_fields() == {
            'shape': Field('shape', 'categorical', ('round', 'Ring-shaped')),
            'shadows': Field('shadows', 'count'),
            'device': Field('device', 'boolean'),
        }
        best = index.search(Query(where='device')).moments[0].best
        assert {n: v.value for n, v in best.scene.items()} == {
            'shape': 'Ring-shaped', 'shadows': 1, 'device': True,
        }  # fmt: skip


def test_columns_stay_in_line_when_blocks_are_joined_and_cleared(tmp_path: Path) -> None:
    with open_index(tmp_path / 'x.index', write=True) as index:
        for k in range(12):
            add(index, f'/drive{k}', [describe(k, lead='truck')])
            add(index, f'/own{k}', [describe_own(k, f'kind {k}', k, k % 2 > 0)])
        for k in range(12):
            found = index.search(Query(where=f'shape="kind {k}" and shadows={k}'))
            assert [m.bag for m in found.moments] == [f'/own{k}']
        for k in range(10):
            index.drop(f'/drive{k}')
            index.drop(f'/own{k}')
        assert index.search(Query(where='lead=truck')).rows == 2
        assert index.search(Query(where='shape="kind 11" and device')).rows == 1


def test_words_that_nobody_said_are_named_with_those_that_were(tmp_path: Path) -> None:
    with open_index(tmp_path / 'x.index', write=True) as index:
        add(index, '/two', SAID)
        for where, says in (
            ('shape=rund', 'round'),
            ('shap=round', 'shape'),
            ('shape>3', 'use ='),
        ):
            with pytest.raises(ConfigError) as caught:
                index.search(Query(where=where))
            assert says in caught.value.hint


def test_fields_of_one_name_and_two_kinds_do_not_mix(tmp_path: Path) -> None:
    with open_index(tmp_path / 'x.index', write=True) as index:
        add(index, '/two', SAID)
        other = describe_own(5, 'round', 2, False)
        scene = {'shadows': other.scene['device']}
        with pytest.raises(BagError, match='shadows') as caught:
            add(index, '/three', [SceneDescription(scene=scene, camera='/c', model=other.model)])
        assert '--index' in caught.value.hint
        assert index.count() == 3


def test_pages_over_an_index_count_them_and_ask_for_them(tmp_path: Path) -> None:
    quoted = describe_own(3, 'the "open" kind', 4, True)
    with open_index(tmp_path / 'x.index', write=True) as index:
        add(index, '/two', [*SAID, quoted])
    with Library(tmp_path / 'x.index') as library:
        fields = {f['name']: f['counts'] for f in library.conditions('', '')['fields']}
        assert fields['lead'] == []
        assert [c[:2] for c in fields['shape']] == [
            ['round', 2], ['Ring-shaped', 1], ['the "open" kind', 1],
        ]  # fmt: skip
        for name in ('shape', 'shadows', 'device'):
            for _, rows, comparison in fields[name]:
                assert library.search('', comparison, 5)['frames'] == rows
