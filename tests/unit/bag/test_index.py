# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The index: rows in, moments out; nothing twice, nothing lost."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
import resource
import signal
import sqlite3
import subprocess
import sys

import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.bag.index import Index, IndexedBag, IndexedFrame, Query, open_index
from caption_node.description import FIELDS, FieldValue, ModelInfo, SceneDescription, SceneObject
from caption_node.errors import BagError, ConfigError
from caption_node.scenes import sentence

START_NS = 1_700_000_000_000_000_000
MODEL = ModelInfo('drive', 'a' * 64, 'onnxruntime-cpu', 'fp32')
OTHER = replace(MODEL, sha256='b' * 64)
PLAIN = {n: (s.values[0] if s.values else False if s.kind == 'boolean' else 0)
         for n, s in FIELDS.items()}  # fmt: skip
NIGHT_CROSSING = {'time': 'night', 'people': 1, 'people_on_road': True, 'road': 'city'}
TRUCK = {'lead': 'truck', 'lead_range': 'near', 'vehicles': 2, 'road': 'highway'}


def vector(seed: int) -> NDArray[np.float32]:
    found = np.random.default_rng(seed).standard_normal(16).astype(np.float32)
    return found / np.float32(np.linalg.norm(found))


def frame(
    second: float, caption: str, seed: int = 0, topic: str = '/front', **fields: object
) -> IndexedFrame:
    values = {**PLAIN, **fields}
    time_ns = START_NS + round(second * 1e9)
    said = SceneDescription(
        stamp_ns=time_ns - 5,
        frame_id='optical',
        camera=topic,
        caption=caption,
        confidence=0.75,
        scene={n: FieldValue(v, 0.8) for n, v in values.items()},  # type: ignore[arg-type]
        hazard='none',
        objects=(SceneObject('stop sign', 0.5, (1.0, 2.0, 3.5, 4.0), 'right', 'mid', False),),
        model=MODEL,
        embedding=vector(seed),
    )
    return IndexedFrame(said, time_ns, b'jpeg')


def bag(path: str = '/drives/one', model: ModelInfo = MODEL, fingerprint: str = 'f') -> IndexedBag:
    return IndexedBag(path, fingerprint, 's', START_NS, START_NS + 10**11, model)


def fill(index: Index, frames: Sequence[IndexedFrame], of: IndexedBag | None = None) -> None:
    of = of or bag()
    index.begin(of)
    index.add(of.path, frames)
    index.finish(of.path)


DRIVE = [
    *(frame(i * 0.5, 'A car ahead on a city street.', 1, lead='car') for i in range(10)),
    *(frame(5 + i * 0.5, 'People step out.', 2, **NIGHT_CROSSING) for i in range(4)),
    *(frame(20 + i * 0.5, 'We follow a lorry.', 3, **TRUCK) for i in range(6)),
    frame(40, 'A pedestrian crosses at night.', 4, '/rear', **NIGHT_CROSSING),
]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    with open_index(tmp_path / 'x.index', write=True) as index:
        fill(index, DRIVE)
        rows = list(index.frames('/drives/one', with_thumbnails=True))
        one = index.frame(1)
    assert len(rows) == len(DRIVE)
    before, after = DRIVE[0].description, rows[0].description
    assert rows[0].thumbnail == b'jpeg'
    assert (after.stamp_ns, after.camera, after.caption) == (
        before.stamp_ns, before.camera, before.caption,
    )  # fmt: skip
    assert after.file == '/drives/one'
    assert after.objects == before.objects
    assert after.model == MODEL
    for name, known in before.scene.items():
        assert after.scene[name].value == known.value
        assert type(after.scene[name].value) is type(known.value)
        assert after.scene[name].confidence == pytest.approx(known.confidence, abs=0.003)
    assert one.description.embedding is not None
    assert one.description.embedding @ vector(1) == pytest.approx(1, abs=1e-3)


def test_words_find_synonyms_stems_and_fields_in_merged_moments(tmp_path: Path) -> None:
    with open_index(tmp_path / 'x.index', write=True) as index:
        fill(index, DRIVE)
        found = index.search(Query('Person crossing at night'))
        assert [(m.topic, m.start_offset_s, m.duration_s, m.frames) for m in found.moments] == [
            ('/front', 5.0, 1.5, 4),
            ('/rear', 40.0, 0.0, 1),
        ]
        trucks = index.search(Query('trucks'))
        assert [(m.start_offset_s, m.frames) for m in trucks.moments] == [(20.0, 6)]
        assert index.search(Query('trucks -lorry')).moments == []
        assert index.search(Query('street without a car')).rows == 11
        assert index.search(Query('day not a person -car')).rows == 6
        assert len(index.search(Query('pedestrian', gap_s=0.1)).moments) == 5
        partly = index.search(Query('truck at night'))
        assert 'these say 1 of 2' in partly.notes[0]
        assert index.search(Query('unicorn')).moments == []
        assert [m.start_offset_s for m in index.search(Query(last=2)).moments] == [40.0, 20.0]


@pytest.mark.parametrize(
    ('where', 'rows'),
    [
        ('lead=truck and road=highway', 6),
        ('lead = truck or lead in (car, bus)', 16),
        ('not (time=night or people_on_road)', 16),
        ('people>=1 and topic=rear', 1),
        ("bag='/drives/*' and vehicles>1", 6),
        ('recorded=2023-11-14', 21),
        ('recorded<"2023-11-14T22:13:25"', 10),
        ('stop_sign', 21),
        ('stop_sign>1', 0),
        ('confidence>0.5 and status=ok', 21),
        ('confidence>0.8', 0),
        ('time!=day', 5),
    ],
)
def test_filters(tmp_path: Path, where: str, rows: int) -> None:
    with open_index(tmp_path / 'x.index', write=True) as index:
        fill(index, DRIVE)
        assert index.search(Query(where=where)).rows == rows


@pytest.mark.parametrize(
    ('where', 'says', 'hint'),
    [
        ('lead=trck', "lead cannot be 'trck'", "did you mean 'truck'?"),
        ('led=truck', "no field 'led'", "did you mean 'lead'?"),
        ('people>many', "people cannot be 'many'", 'from 0 to 15'),
        ('people=99', "people cannot be '99'", 'from 0 to 15'),
        ('lead<car', 'lead has no order', '= or !='),
        ('lead', 'lead needs a value', 'lead=none'),
        ('(lead=car', "where ')' should be", 'write it like'),
        ('lead=car road=city', "'road' cannot follow", 'write it like'),
        ('lead=', 'ends where', 'write it like'),
        ("lead='car", 'cannot be read', 'write it like'),
        ("lead='car'); drop table frame", 'cannot', ''),
        ('recorded>tomorrow', 'no time of recording', '2026-05-04'),
        ('(' * 500 + 'crosswalk' + ')' * 500, 'nested deeper', ''),
        ('not ' * 300 + 'crosswalk', 'nested deeper', ''),
        ('', 'ends where', 'write it like'),
    ],
)
def test_wrong_filters_say_what_is_wrong(where: str, says: str, hint: str) -> None:
    from caption_node.bag.search.filters import read_filter

    with pytest.raises(ConfigError) as caught:
        read_filter(where)
    assert says in str(caught.value)
    assert hint in caught.value.hint


def test_likeness_finds_the_scene_and_combines(tmp_path: Path) -> None:
    with open_index(tmp_path / 'x.index', write=True) as index:
        fill(index, DRIVE)
        found = index.search(Query(like=vector(3), like_model=MODEL))
        assert found.moments[0].start_offset_s == 20.0
        assert found.moments[0].similarity == pytest.approx(1.0, abs=1e-3)
        # What is not nearly as alike is not found at all.
        assert [(m.start_offset_s, m.frames) for m in found.moments] == [(20.0, 6)]
        both = index.search(Query('person', where='topic=rear', like=vector(3), like_model=MODEL))
        assert [m.topic for m in both.moments] == ['/rear']


def test_models_are_not_mixed(tmp_path: Path) -> None:
    with open_index(tmp_path / 'x.index', write=True) as index:
        fill(index, DRIVE)
        with pytest.raises(BagError, match='cannot be compared') as caught:
            index.search(Query(like=vector(3), like_model=OTHER))
        assert 'index the recordings anew' in caught.value.hint
        fill(index, DRIVE[:5], bag('/drives/two', OTHER))
        found = index.search(Query(like=vector(1), like_model=OTHER))
        assert {m.bag for m in found.moments} == {'/drives/two'}
        assert f'{len(DRIVE)} frames were described by another model' in found.notes[0]
        # Another model of the same recording replaces what was there.
        assert index.begin(bag(model=OTHER)) == 0
        assert [b.images_done for b in index.bags()] == [0, 5]


def test_a_recording_is_taken_up_where_it_was_and_never_stands_twice(tmp_path: Path) -> None:
    path = tmp_path / 'x.index'
    with open_index(path, write=True) as index:
        assert index.begin(bag()) == 0
        index.add('/drives/one', DRIVE[:8])
    with open_index(path, write=True) as index:
        assert not index.bags()[0].is_complete
        assert index.begin(bag()) == 8
        index.add('/drives/one', DRIVE[8:])
        index.finish('/drives/one')
        assert index.begin(bag()) == len(DRIVE)
        assert index.count() == len(DRIVE)
        for fingerprint in ('g', 'h', 'i'):
            fill(index, DRIVE, bag(fingerprint=fingerprint))
        assert index.count() == index.search(Query(last=99)).rows == len(DRIVE)
        assert index.search(Query('trucks')).rows == 6
        assert index.drop('/drives/one')
        assert index.search(Query('trucks')).rows == 0
    with sqlite3.connect(path) as database:
        for table in ('frame', 'embedding', 'thumbnail', 'posting', 'block_column', 'stream'):
            assert database.execute(f'SELECT count(*) FROM {table}').fetchone() == (0,), table


def test_many_small_additions_become_few_blocks(tmp_path: Path) -> None:
    path = tmp_path / 'x.index'
    rng = np.random.default_rng(0)
    frames = []
    for i in range(150):
        values = {**PLAIN, **(NIGHT_CROSSING if i % 3 else TRUCK)}
        frames.append(frame(i, sentence(values, [], rng), i, **values))
    with open_index(path, write=True) as index:
        index.begin(bag())
        for one in frames:
            index.add('/drives/one', [one])
        assert index.search(Query('truck')).rows == 50
        assert index.search(Query(where='lead=truck')).rows == 50
        best = index.search(Query(like=vector(77), like_model=MODEL)).moments[0]
        assert best.best_log_time_ns == START_NS + 77 * 10**9
    with sqlite3.connect(path) as database:
        assert database.execute('SELECT count(*) FROM block').fetchone()[0] <= 3 * 7
        assert database.execute('SELECT sum(count) FROM block').fetchone()[0] == 150


WRITER = """
import sys
from tests.unit.bag.test_index import DRIVE, bag
from caption_node.bag.index import open_index
with open_index(sys.argv[1], write=True) as index:
    index.begin(bag())
    while True:
        index.add('/drives/one', DRIVE)
        print(index.count(), flush=True)
"""


def test_killed_writer_leaves_what_it_committed(tmp_path: Path) -> None:
    path = tmp_path / 'x.index'
    process = subprocess.Popen([sys.executable, '-c', WRITER, path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    counts = [int(process.stdout.readline()) for _ in range(9)]
    process.send_signal(signal.SIGKILL)
    counts += [int(line) for line in process.stdout.read().split()]
    process.wait()
    with open_index(path, write=True) as index:
        done = index.begin(bag())
        assert done == index.count() >= counts[-1]
        assert done % len(DRIVE) == 0
        assert index.search(Query('trucks')).rows == 6 * done // len(DRIVE)


def test_disk_that_fills_up_is_an_error_and_keeps_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / 'x.index'
    done = subprocess.run(
        [sys.executable, '-c', WRITER, path],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000)),
    )
    assert 'BagError' in done.stderr
    counts = [int(line) for line in done.stdout.split()]
    with open_index(path, write=True) as index:
        assert index.count() == index.begin(bag()) == counts[-1]
        index.add('/drives/one', DRIVE)
        assert index.search(Query('trucks')).rows == 6 * (len(counts) + 1)


def test_what_is_no_index_is_an_error(tmp_path: Path) -> None:
    text = tmp_path / 'text'
    text.write_text('this is no database, whatever its name says. ' * 50)
    other = tmp_path / 'other.db'
    with sqlite3.connect(other) as database:
        database.execute('CREATE TABLE a (b)')
    for path in (text, other, tmp_path, tmp_path / 'none'):
        for write in (False, True):
            if write and path.name == 'none':
                continue
            with pytest.raises(BagError) as caught:
                open_index(path, write)
            assert str(path) in str(caught.value)
    assert text.read_text().startswith('this is no database')


def test_reading_while_another_writes_and_from_read_only_files(tmp_path: Path) -> None:
    path = tmp_path / 'x.index'
    with open_index(path, write=True) as index:
        fill(index, DRIVE)
        with open_index(path) as reader:
            assert reader.search(Query('trucks')).rows == 6
            fill(index, DRIVE, bag('/drives/two'))
            assert reader.search(Query('trucks')).rows == 12
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        with open_index(path) as reader:
            assert reader.search(Query('trucks')).rows == 12
    finally:
        tmp_path.chmod(0o755)
