# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
An index of many recordings in one SQLite file.

Everything is written in transactions: a process that is killed leaves what it had committed, and
the next one goes on behind that. One process writes at a time, any number read meanwhile.

    with open_index(path, write=True) as index:
        done = index.begin(bag)             # images that an earlier run has done already
        index.add(bag.path, frames)         # as often as you like; each call is one transaction
        index.finish(bag.path)
        found = index.search(Query('person crossing at night', where='road=city'))
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
import os
from pathlib import Path
import sqlite3

import numpy as np

from caption_node.bag.search.blocks import add_block, describe_rows, rebuild
from caption_node.bag.search.connection import connect, explain
from caption_node.bag.search.likeness import embeddings, signatures
from caption_node.bag.search.own_fields import own_columns, read_own_fields
from caption_node.bag.search.query import Found, Moment, Query, Searcher
from caption_node.bag.search.schema import (
    FORMAT_VERSION,
    INSERT_FRAME,
    SELECT_FRAME,
    centre_of,
    create,
    frame_values,
    read_frame,
)
from caption_node.closing import Closed
from caption_node.description import Field, ModelInfo, SceneDescription
from caption_node.errors import BagError

__all__ = [
    'Found',
    'Index',
    'IndexedBag',
    'IndexedFrame',
    'Moment',
    'Query',
    'default_index',
    'open_index',
]

INDEX_VARIABLE = 'CAPTION_INDEX'
_DEAD_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class IndexedBag:
    """
    One recording of an index.

    :param path: Absolute path; the key.
    :param fingerprint: Differs where the recording's content differs.
    :param settings: How frames were chosen; another choice means to index anew.
    :param start_ns: Log time of the first message, from which players count offsets.
    :param end_ns: Log time of the last message.
    :param model: What described its frames.
    :param images_done: Images that were looked at, unreadable ones included.
    :param failed: Images of which no description could be made.
    :param is_complete: Whether its indexing came to the end.
    """

    path: str
    fingerprint: str
    settings: str
    start_ns: int
    end_ns: int
    model: ModelInfo
    images_done: int = 0
    failed: int = 0
    is_complete: bool = False


@dataclass(frozen=True, slots=True)
class IndexedFrame:
    """
    One row.

    :param description: With camera (the topic), stamp, fields, objects, model and, when added,
        embedding. Status ``error`` is counted, not stored.
    :param log_time_ns: When it was recorded.
    :param thumbnail: JPEG; may be empty.
    :param id: Number in the index, 0 before it is there.
    """

    description: SceneDescription
    log_time_ns: int
    thumbnail: bytes = b''
    id: int = 0


def default_index() -> Path:
    """Return ``$CAPTION_INDEX``, or the usual place for data of this user."""
    named = os.environ.get(INDEX_VARIABLE)
    if named:
        return Path(named)
    home = os.environ.get('XDG_DATA_HOME') or str(Path.home() / '.local' / 'share')
    return Path(home) / 'caption_node' / 'drives.index'


def open_index(path: str | Path | None = None, write: bool = False) -> 'Index':
    """
    Open an index; for writing it is made where there is none.

    :param path: The file; None means :func:`default_index`.
    :raises BagError: If there is none, it is no index, or it cannot be opened.
    """
    return Index(Path(path) if path is not None else default_index(), write)


class Index(Closed):
    """An open index; for one thread at a time. Open it with :func:`open_index`."""

    def __init__(self, path: Path, write: bool = False) -> None:
        self.path = path
        if path.is_dir() or (not write and not path.is_file()):
            what = 'is a folder' if path.is_dir() else 'does not exist'
            raise BagError(
                f'the index {path} {what}',
                'make one with `caption index BAG`, or name it: --index',
            )
        try:
            self._database = connect(path, write)
            self._check(write)
        except (sqlite3.Error, OSError) as err:
            raise explain(path, err) from err
        self._searcher: Searcher | None = None

    def close(self) -> None:
        """Close the file; what is not committed is dropped."""
        self._database.close()

    def bags(self) -> list[IndexedBag]:
        """Return the recordings, by path."""
        with self._guard():
            rows = self._database.execute(
                'SELECT bag.path, fingerprint, settings, start_ns, end_ns, name, sha256, backend, '
                'precision, images_done, failed, is_complete FROM bag '
                'JOIN model ON model.id = model_id ORDER BY bag.path'
            ).fetchall()
        return [
            IndexedBag(r[0], r[1], r[2], r[3], r[4], ModelInfo(*r[5:9]), r[9], r[10], bool(r[11]))
            for r in rows
        ]

    def begin(self, bag: IndexedBag) -> int:
        """
        Enter a recording, or find it again.

        One with other content, settings or model is taken out first, so nothing stands twice.

        :returns: How many of its images an earlier run has done; leave these out.
        """
        with self._transaction():
            known = self._database.execute(
                'SELECT fingerprint, settings, sha256, images_done FROM bag '
                'JOIN model ON model.id = model_id WHERE path = ?',
                (bag.path,),
            ).fetchone()
            if known and known[:3] == (bag.fingerprint, bag.settings, bag.model.sha256):
                return int(known[3])
            if known:
                self._drop(bag.path)
            self._database.execute(
                'INSERT INTO bag (path, fingerprint, settings, start_ns, end_ns, model_id, '
                'images_done, failed, is_complete) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0)',
                (bag.path, bag.fingerprint, bag.settings, bag.start_ns, bag.end_ns,
                 self._model_number(bag.model)),
            )  # fmt: skip
        return 0

    def add(self, path: str, frames: Sequence[IndexedFrame]) -> None:
        """
        Add the next frames of a recording, all or none.

        :param path: Of a recording that was begun.
        :raises BagError: If it was not, or the disk is full.
        """
        good = [f for f in frames if f.description.status != 'error']
        with self._transaction():
            row = self._database.execute(
                'SELECT id, model_id FROM bag WHERE path = ?', (path,)
            ).fetchone()
            if row is None:
                raise BagError(f'{path} was not begun in the index {self.path}')
            if good:
                self._insert(row[0], row[1], good)
            self._database.execute(
                'UPDATE bag SET images_done = images_done + ?, failed = failed + ? WHERE id = ?',
                (len(frames), len(frames) - len(good), row[0]),
            )

    def finish(self, path: str) -> None:
        """Mark a recording as wholly done."""
        with self._transaction():
            self._database.execute('UPDATE bag SET is_complete = 1 WHERE path = ?', (path,))

    def drop(self, path: str) -> bool:
        """Take a recording out; return whether it was there."""
        with self._transaction():
            return self._drop(path)

    def rename(self, path: str, new_path: str) -> None:
        """Note that a recording was moved."""
        with self._transaction():
            self._drop(new_path)
            self._database.execute('UPDATE bag SET path = ? WHERE path = ?', (new_path, path))

    def frames(
        self, path: str | None = None, with_thumbnails: bool = False
    ) -> Iterator[IndexedFrame]:
        """
        Yield rows by recording, topic and time, without their embeddings.

        :param path: Only of this recording.
        """
        where = ' WHERE bag.path = ?' if path is not None else ''
        order = ' ORDER BY bag.path, stream.topic, frame.log_time_ns, frame.id'
        with self._guard():
            rows = self._database.execute(SELECT_FRAME + where + order, (path,) if where else ())
            for row in rows:
                number, log_time_ns, said = read_frame(row)
                jpeg = self.thumbnail(number) if with_thumbnails else b''
                yield IndexedFrame(said, log_time_ns, jpeg, number)

    def frame(self, number: int) -> IndexedFrame:
        """
        Return one row with its embedding.

        :raises BagError: If there is no such row.
        """
        with self._guard():
            row = self._database.execute(
                SELECT_FRAME + ' WHERE frame.id = ?', (number,)
            ).fetchone()
            if row is None:
                raise BagError(f'the index {self.path} has no frame {number}')
            _, log_time_ns, said = read_frame(row)
            data = self._database.execute(
                'SELECT data FROM embedding WHERE frame_id = ?', (number,)
            ).fetchone()
        vector = np.frombuffer(data[0], dtype='<f2').astype(np.float32) if data else None
        return IndexedFrame(
            replace(said, embedding=vector), log_time_ns, self.thumbnail(number), number
        )

    def thumbnail(self, number: int) -> bytes:
        """Return the JPEG of a row; empty if it has none."""
        with self._guard():
            row = self._database.execute(
                'SELECT jpeg FROM thumbnail WHERE frame_id = ?', (number,)
            ).fetchone()
        return bytes(row[0]) if row else b''

    def count(self) -> int:
        """Return the number of rows."""
        with self._guard():
            return int(self._database.execute('SELECT count(*) FROM frame').fetchone()[0])

    def own_fields(self) -> dict[str, Field]:
        """Return the fields beyond those of driving that its frames speak of."""
        with self._guard():
            return read_own_fields(self._database)

    def search(self, query: Query) -> Found:
        """
        Find moments.

        :raises ConfigError: If the filter cannot be read.
        :raises BagError: If the index cannot be read, or holds no frame of the query's model.
        """
        with self._guard():
            if self._searcher is None or not self._searcher.is_current():
                self._searcher = Searcher(self._database)
            return self._searcher.search(query)

    def _insert(self, bag: int, model: int, frames: Sequence[IndexedFrame]) -> None:
        database = self._database
        streams = self._stream_numbers(bag, {f.description.camera for f in frames})
        first = int(database.execute('SELECT coalesce(max(id), 0) FROM frame').fetchone()[0]) + 1
        said = [f.description for f in frames]
        owners = [streams[d.camera] for d in said]
        database.executemany(
            INSERT_FRAME,
            [
                frame_values(first + i, owners[i], f.log_time_ns, f.description)
                for i, f in enumerate(frames)
            ],
        )
        database.executemany(
            'INSERT INTO thumbnail VALUES (?, ?)',
            [(first + i, f.thumbnail) for i, f in enumerate(frames) if f.thumbnail],
        )
        vectors = embeddings(said)
        database.executemany(
            'INSERT INTO embedding VALUES (?, ?)',
            [
                (first + i, v.astype('<f2').tobytes())
                for i, (v, d) in enumerate(zip(vectors, said, strict=True))
                if d.embedding is not None
            ],
        )
        columns = describe_rows(said) | own_columns(database, said)
        columns['id'] = np.arange(first, first + len(frames), dtype='<u4')
        columns['stream'] = np.array(owners, dtype='<u4')
        columns['log_time_ns'] = np.array([f.log_time_ns for f in frames], dtype='<i8')
        columns['signature'] = signatures(vectors, centre_of(database, model, vectors))
        hazards = ('' if d.hazard == 'none' else d.hazard for d in said)
        texts = [f'{d.caption} {h}' for d, h in zip(said, hazards, strict=True)]
        add_block(database, columns, texts)

    def _stream_numbers(self, bag: int, topics: set[str]) -> dict[str, int]:
        self._database.executemany(
            'INSERT OR IGNORE INTO stream (bag_id, topic) VALUES (?, ?)',
            [(bag, t) for t in sorted(topics)],
        )
        rows = self._database.execute('SELECT topic, id FROM stream WHERE bag_id = ?', (bag,))
        return {str(topic): int(number) for topic, number in rows}

    def _model_number(self, model: ModelInfo) -> int:
        key = (model.name, model.sha256, model.backend, model.precision)
        self._database.execute(
            'INSERT OR IGNORE INTO model (name, sha256, backend, precision) VALUES (?, ?, ?, ?)',
            key,
        )
        row = self._database.execute(
            'SELECT id FROM model WHERE name = ? AND sha256 = ? AND backend = ? AND precision = ?',
            key,
        ).fetchone()
        return int(row[0])

    def _drop(self, path: str) -> bool:
        gone = self._database.execute('DELETE FROM bag WHERE path = ?', (path,)).rowcount
        rows = self._database.execute('SELECT coalesce(sum(count), 0) FROM block').fetchone()[0]
        live = self._database.execute('SELECT count(*) FROM frame').fetchone()[0]
        if rows - live > _DEAD_SHARE * rows:
            rebuild(self._database)
        return bool(gone)

    def _check(self, write: bool) -> None:
        tables = self._database.execute('SELECT count(*) FROM sqlite_master').fetchone()[0]
        if not tables and write:
            with self._transaction():
                create(self._database)
        try:
            row = self._database.execute(
                "SELECT value FROM meta WHERE key = 'format_version'"
            ).fetchone()
        except sqlite3.OperationalError as err:
            raise BagError(f'{self.path} is a database, but no index of recordings') from err
        if row is None or row[0] != str(FORMAT_VERSION):
            raise BagError(
                f'the index {self.path} has format {row and row[0]!r}, this release reads '
                f'{FORMAT_VERSION}',
                'index the recordings anew',
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._guard():
            self._database.execute('BEGIN IMMEDIATE')
            try:
                yield
                self._database.execute('COMMIT')
            except BaseException:
                # A full disk may have rolled back already.
                if self._database.in_transaction:
                    self._database.execute('ROLLBACK')
                raise

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as err:
            raise explain(self.path, err) from err
