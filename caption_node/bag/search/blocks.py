# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The searchable side of an index: columns and postings in blocks of many rows.

Every addition makes a small block; eight of a kind become one of the next size, so that a million
rows lie in a few dozen blocks and every row is moved a few times only. A row's place counts
through all blocks in their order; rows of recordings that were taken out stay until
:func:`rebuild`, and no live stream owns them.
"""

from collections.abc import Iterable, Mapping, Sequence
import sqlite3
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.bag.search.likeness import SIGNATURE_WORDS
from caption_node.bag.search.own_fields import UNKNOWN
from caption_node.bag.search.words import stems_of
from caption_node.description import FIELDS, OBJECT_CLASSES, STATUSES, SceneDescription

FAN_IN = 8
LARGEST_ROWS = 1 << 18
_TYPES: dict[str, np.dtype[Any]] = {
    'id': np.dtype('<u4'),
    'stream': np.dtype('<u4'),
    'log_time_ns': np.dtype('<i8'),
    'signature': np.dtype(('<u8', (SIGNATURE_WORDS,))),
}
_BYTE = np.dtype('u1')


def column_type(name: str) -> np.dtype[Any]:
    """Return the type of a column: fields, classes and statuses are codes of one byte."""
    return _TYPES.get(name, _BYTE)


def describe_rows(descriptions: Sequence[SceneDescription]) -> dict[str, NDArray[Any]]:
    """Return the columns that follow from the descriptions, one byte a row."""
    columns: dict[str, NDArray[Any]] = {}
    for name, spec in FIELDS.items():
        codes = {v: i for i, v in enumerate(spec.values)} if spec.kind == 'categorical' else None
        column = np.full(len(descriptions), UNKNOWN, dtype=np.uint8)
        for i, said in enumerate(descriptions):
            known = said.scene.get(name)
            if known is not None:
                column[i] = int(known.value) if codes is None else codes[str(known.value)]
        columns[name] = column
    counts = np.zeros((len(OBJECT_CLASSES), len(descriptions)), dtype=np.uint8)
    for i, said in enumerate(descriptions):
        for item in said.objects:
            number = OBJECT_CLASSES.index(item.class_name)
            counts[number, i] = min(int(counts[number, i]) + 1, UNKNOWN)
    for name, column in zip(OBJECT_CLASSES, counts, strict=True):
        columns[class_column(name)] = column
    columns['status'] = np.array([STATUSES.index(d.status) for d in descriptions], dtype=np.uint8)
    columns['confidence'] = np.array(
        [round(min(max(d.confidence, 0.0), 1.0) * 255) for d in descriptions], dtype=np.uint8
    )
    return columns


def class_column(name: str) -> str:
    """Return the name of the column that counts the objects of a class."""
    return name.replace(' ', '_')


def add_block(
    database: sqlite3.Connection,
    columns: Mapping[str, NDArray[Any]],
    texts: Sequence[str],
) -> None:
    """
    Add rows as a block, then join blocks that have become many; in the caller's transaction.

    :param columns: All columns, every one as long as ``texts``.
    :param texts: What is found by words.
    """
    postings: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        for stem in stems_of(text):
            postings.setdefault(stem, []).append(row)
    terms = _term_numbers(database, postings)
    packed = {terms[stem]: np.array(rows, dtype='<u4') for stem, rows in postings.items()}
    _write_block(database, 0, len(texts), columns, packed)
    _join(database)


def rebuild(database: sqlite3.Connection) -> None:
    """Drop the rows of recordings that were taken out; in the caller's transaction."""
    live = {int(n) for (n,) in database.execute('SELECT id FROM stream')}
    for block, level, _ in _blocks(database):
        columns = _read_columns(database, [block])
        is_live = np.isin(columns['stream'], np.fromiter(live, dtype=np.uint32, count=len(live)))
        place = np.cumsum(is_live, dtype=np.int64) - 1
        postings = {}
        for term, rows in _read_postings(database, block).items():
            kept = rows[is_live[rows]]
            if len(kept):
                postings[term] = place[kept].astype('<u4')
        database.execute('DELETE FROM block WHERE id = ?', (block,))
        if is_live.any():
            kept_columns = {n: c[is_live] for n, c in columns.items()}
            _write_block(database, level, int(is_live.sum()), kept_columns, postings, block)


def read_column(database: sqlite3.Connection, name: str) -> NDArray[Any]:
    """Return a whole column, in the order of the blocks; unknown where a block has none of it."""
    rows = database.execute(
        'SELECT data, count FROM block LEFT JOIN block_column ON block_id = id AND name = ? '
        'ORDER BY id',
        (name,),
    )
    kind = column_type(name)
    pieces = [_absent(n) if data is None else np.frombuffer(data, dtype=kind) for data, n in rows]
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=kind)


def read_rows(database: sqlite3.Connection, stem: str) -> list[tuple[int, NDArray[np.uint32]]]:
    """Return which rows hold a word: pairs of (block, rows within it)."""
    found = database.execute(
        'SELECT block_id, rows FROM posting WHERE term_id = (SELECT id FROM term WHERE word = ?) '
        'ORDER BY block_id',
        (stem,),
    )
    return [(int(block), np.frombuffer(data, dtype='<u4')) for block, data in found]


def block_starts(database: sqlite3.Connection) -> dict[int, int]:
    """Return the place of the first row of every block."""
    starts, place = {}, 0
    for block, _, count in _blocks(database):
        starts[block] = place
        place += count
    return starts


def _blocks(database: sqlite3.Connection) -> list[tuple[int, int, int]]:
    return database.execute('SELECT id, level, count FROM block ORDER BY id').fetchall()


def _term_numbers(database: sqlite3.Connection, stems: Iterable[str]) -> dict[str, int]:
    known = dict(database.execute('SELECT word, id FROM term').fetchall())
    new = [(s,) for s in stems if s not in known]
    if new:
        database.executemany('INSERT INTO term (word) VALUES (?)', new)
        known = dict(database.execute('SELECT word, id FROM term').fetchall())
    return known


def _write_block(
    database: sqlite3.Connection,
    level: int,
    count: int,
    columns: Mapping[str, NDArray[Any]],
    postings: Mapping[int, NDArray[np.uint32]],
    number: int | None = None,
) -> None:
    cursor = database.execute('INSERT INTO block VALUES (?, ?, ?)', (number, level, count))
    block = cursor.lastrowid
    database.executemany(
        'INSERT INTO block_column VALUES (?, ?, ?)',
        [
            (n, block, np.ascontiguousarray(c, dtype=column_type(n).base).tobytes())
            for n, c in columns.items()
        ],
    )
    database.executemany(
        'INSERT INTO posting VALUES (?, ?, ?)',
        [(term, block, rows.tobytes()) for term, rows in sorted(postings.items())],
    )


def _join(database: sqlite3.Connection) -> None:
    while True:
        tail = _blocks(database)[-FAN_IN:]
        level = tail[-1][1]
        total = sum(count for _, _, count in tail)
        is_full = len(tail) == FAN_IN and all(t[1] == level for t in tail)
        if not is_full or total > LARGEST_ROWS:
            return
        numbers = [t[0] for t in tail]
        columns = _read_columns(database, numbers)
        postings: dict[int, list[NDArray[np.uint32]]] = {}
        start = 0
        for number, _, count in tail:
            for term, rows in _read_postings(database, number).items():
                postings.setdefault(term, []).append(rows + np.uint32(start))
            start += count
        database.executemany('DELETE FROM block WHERE id = ?', [(n,) for n in numbers])
        joined = {term: np.concatenate(rows) for term, rows in postings.items()}
        # The first number is kept, so that blocks stay in the order of their rows.
        _write_block(database, level + 1, total, columns, joined, numbers[0])


def _read_columns(database: sqlite3.Connection, blocks: Sequence[int]) -> dict[str, NDArray[Any]]:
    columns: dict[str, dict[int, NDArray[Any]]] = {}
    for block in blocks:
        for name, data in database.execute(
            'SELECT name, data FROM block_column WHERE block_id = ? ORDER BY name', (block,)
        ):
            columns.setdefault(name, {})[block] = np.frombuffer(data, dtype=column_type(name))
    absent = {block: _absent(len(columns['id'][block])) for block in blocks}
    return {
        name: np.concatenate([pieces.get(block, absent[block]) for block in blocks])
        for name, pieces in columns.items()
    }


def _absent(count: int) -> NDArray[np.uint8]:
    """Return the column of a field that no frame of a block was asked for."""
    return np.full(count, UNKNOWN, dtype=np.uint8)


def _read_postings(database: sqlite3.Connection, block: int) -> dict[int, NDArray[np.uint32]]:
    rows = database.execute('SELECT term_id, rows FROM posting WHERE block_id = ?', (block,))
    return {int(term): np.frombuffer(data, dtype='<u4') for term, data in rows}
