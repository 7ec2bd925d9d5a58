# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What a run has described so far, beside its output, so that the next run goes on there.

An SQLite file: a segment is in it as a whole or not at all, whenever the process is killed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
import json
from pathlib import Path
import sqlite3
from typing import Any

from caption_node.bag.captioning import Copier
from caption_node.bag.message_types import DESCRIPTION_TYPE, caption_types, serialize_description
from caption_node.bag.reader import BagReader
from caption_node.bag.workers import DescribedImage
from caption_node.bag.writer import BagWriter
from caption_node.closing import Closed
from caption_node.description import SceneDescription
from caption_node.errors import BagError
from caption_node.message_fields import description_from

_TABLES = (
    'CREATE TABLE job (key TEXT NOT NULL)',
    'CREATE TABLE image (number INTEGER PRIMARY KEY, log_time_ns INTEGER NOT NULL, '
    'caption TEXT NOT NULL, cdr BLOB NOT NULL, file TEXT NOT NULL, latency_ms TEXT NOT NULL)',
)


@dataclass(frozen=True, slots=True)
class Job:
    """
    What makes two runs give the same descriptions.

    :param recording: Fingerprint of the recording.
    :param model: Hashes of graph and manifest, backend and precision.
    :param batch: Frames per run of the model.
    """

    recording: str
    model: str
    topics: tuple[str, ...]
    every_s: float
    batch: int

    @property
    def key(self) -> str:
        """The same text for the same job."""
        return json.dumps(
            [self.recording, self.model, sorted(self.topics), self.every_s, self.batch]
        )


def journal_path(output: Path) -> Path:
    """Return where the journal of an output lies."""
    return output.with_name(f'{output.name}.journal')


class Journal(Closed):
    """
    An open journal; no other process can open it meanwhile.

    :param output: The recording that is to be written.
    :param job: A journal of another job is begun anew.
    :param anew: Begin anew in any case.
    :raises BagError: If another process has it open, or it cannot be written.
    """

    def __init__(self, output: Path, job: Job, anew: bool = False) -> None:
        self.path = journal_path(output)
        self.is_of_other_job = False
        with self._guard():
            output.parent.mkdir(parents=True, exist_ok=True)
            self._database = self._open(job, anew)

    @property
    def count(self) -> int:
        """Images that are in it."""
        with self._guard():
            return int(self._database.execute('SELECT count(*) FROM image').fetchone()[0])

    def add(self, images: Sequence[DescribedImage]) -> None:
        """
        Add a segment, all or nothing.

        :raises BagError: If the disk is full or fails.
        """
        rows = []
        for image in images:
            said = image.description
            # How long it took differs from run to run: it stands in the JSON line only.
            cdr = serialize_description(replace(said, latency_ms={}))
            latency_ms = json.dumps(dict(said.latency_ms))
            rows.append((image.log_time_ns, said.caption, cdr, said.file, latency_ms))
        with self._guard():
            self._database.execute('BEGIN')
            try:
                self._database.executemany(
                    'INSERT INTO image (log_time_ns, caption, cdr, file, latency_ms) '
                    'VALUES (?, ?, ?, ?, ?)',
                    rows,
                )
                self._database.execute('COMMIT')
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute('ROLLBACK')
                raise

    def descriptions(self) -> Iterator[SceneDescription]:
        """Yield what is in it, confidences rounded to float32."""
        types = caption_types()
        for cdr, file, latency_ms in self._rows('cdr, file, latency_ms'):
            said = description_from(types.deserialize_cdr(cdr, DESCRIPTION_TYPE))
            yield replace(said, file=file, latency_ms=json.loads(latency_ms))

    def serialized(self) -> Iterator[tuple[int, str, bytes]]:
        """Yield log time, sentence, and the message's bytes."""
        yield from self._rows('log_time_ns, caption, cdr')

    def close(self) -> None:
        """Close it; it stays for the next run."""
        with suppress(sqlite3.Error):
            self._database.close()

    def remove(self) -> None:
        """Close it and take it away: the output is whole."""
        self.close()
        for path in (self.path, Path(f'{self.path}-journal')):
            path.unlink(missing_ok=True)

    def _rows(self, columns: str) -> Iterator[Any]:
        with self._guard():
            yield from self._database.execute(f'SELECT {columns} FROM image ORDER BY number')

    def _open(self, job: Job, anew: bool) -> sqlite3.Connection:
        database = self._connect()
        try:
            row = database.execute('SELECT key FROM job').fetchone()
            is_whole = database.execute('PRAGMA quick_check(1)').fetchone() == ('ok',)
            if row is not None and row[0] == job.key and is_whole and not anew:
                return database
            self.is_of_other_job = row is not None and row[0] != job.key
        except sqlite3.OperationalError as err:
            if 'locked' in str(err):
                raise
        except sqlite3.DatabaseError:
            pass  # cut off or something else
        database.close()
        for path in (self.path, Path(f'{self.path}-journal')):
            path.unlink(missing_ok=True)
        database = self._connect()
        database.execute('BEGIN EXCLUSIVE')
        for statement in _TABLES:
            database.execute(statement)
        database.execute('INSERT INTO job VALUES (?)', (job.key,))
        database.execute('COMMIT')
        return database

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=0.0, isolation_level=None)
        try:
            database.execute('PRAGMA locking_mode = EXCLUSIVE')
            database.execute('BEGIN EXCLUSIVE')
            database.execute('COMMIT')
        except sqlite3.OperationalError:
            database.close()
            raise
        except sqlite3.DatabaseError:
            pass  # damaged: the caller begins anew
        return database

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as err:
            hint = 'what was described so far is kept: make room and run the same command again'
            if 'locked' in str(err):
                hint = 'another process writes the same output: wait until that is done'
            elif isinstance(err, OSError) or 'unable to open' in str(err):
                hint = 'give an output in a folder that you may write to'
            reason = err.strerror if isinstance(err, OSError) else str(err)
            raise BagError(f'{self.path} cannot be written: {reason}', hint) from err


def assemble(journal: Journal, writer: BagWriter, original: BagReader | None = None) -> None:
    """
    Write the descriptions of a journal as a recording.

    :param original: Also copy all messages of this recording, in order among the descriptions.
    :raises BagError: If the output cannot be written.
    """
    copier = Copier(original, writer) if original is not None else None
    for log_time_ns, caption, cdr in journal.serialized():
        if copier is not None:
            copier.copy_until(log_time_ns)
        writer.write_serialized(cdr, caption, log_time_ns)
    if copier is not None:
        copier.copy_until(None)
