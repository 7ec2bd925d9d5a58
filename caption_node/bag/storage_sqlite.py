# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
sqlite3 files of rosbag2, whole or cut off.

A whole database is read by its index of time stamps. In a damaged one the rows are walked in the
order in which they were recorded, and what lies behind an unreadable page is looked for.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
import sqlite3
from urllib.parse import quote

from caption_node.bag.storage import Message, Topic
from caption_node.errors import BagError

_MAGIC = b'SQLite format 3\x00'
_MAX_SKIP = 1 << 24
_TAIL_BYTES = 16
_LAST_ROW = 2**63 - 1


class SqliteStorage:
    """
    One .db3 file; see :class:`~caption_node.bag.storage.Storage`.

    :raises BagError: If it is empty, not a database, or its table of topics cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: list[BagError] = []
        with path.open('rb') as file:
            magic = file.read(len(_MAGIC))
        if not magic:
            raise BagError(f'{path} is empty (0 bytes)')
        if magic != _MAGIC:
            raise BagError(f'{path} is not an sqlite3 recording')
        self._database = self._connect()
        try:
            self._read_tables()
        except sqlite3.Error as err:
            self._database.close()
            raise BagError(
                f'{path}: the table of topics cannot be read ({err})',
                'if rosbag2 was killed while it recorded, try `sqlite3 FILE .recover`',
            ) from err

    def messages(self, topics: Collection[str], start_ns: int) -> Iterator[Message]:
        """See :meth:`caption_node.bag.storage.Storage.messages`."""
        wanted = {i: (n, t) for i, (n, t) in self._names.items() if n in topics}
        if not wanted:
            return
        done: set[int] = set()
        if not self._is_damaged:
            try:
                for row, message in self._by_time(wanted, start_ns):
                    done.add(row)
                    yield message
                return
            except sqlite3.Error as err:
                self._note(err, 'a page')
        for row, message in self._by_row(wanted):
            if row not in done and message.log_time_ns >= start_ns:
                yield message

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _connect(self) -> sqlite3.Connection:
        # Without a write-ahead log nothing can change: immutable also works on read-only media.
        wal = Path(f'{self.path}-wal')
        has_log = wal.is_file() and wal.stat().st_size > 0
        mode = 'mode=ro' if has_log else 'mode=ro&immutable=1'
        address = f'file:{quote(str(self.path.resolve()))}?{mode}'
        try:
            database = sqlite3.connect(address, uri=True, check_same_thread=False)
            if has_log:
                database.execute('SELECT count(*) FROM sqlite_master').fetchone()
        except sqlite3.Error as err:
            if not has_log:
                raise BagError(f'{self.path} cannot be opened: {err}') from err
            self.damage.append(
                BagError(
                    f'{wal} cannot be read ({err}): the last seconds of the recording are lost',
                    'copy the recording to a folder that you may write to',
                )
            )
            address = f'file:{quote(str(self.path.resolve()))}?mode=ro&immutable=1'
            database = sqlite3.connect(address, uri=True, check_same_thread=False)
        # Lets SQLite open a file that is shorter than its header says.
        database.execute('PRAGMA writable_schema=ON')
        return database

    def _read_tables(self) -> None:
        self._page_bytes = int(self._database.execute('PRAGMA page_size').fetchone()[0])
        tables = {n for (n,) in self._database.execute('SELECT name FROM sqlite_master')}
        if not {'topics', 'messages'} <= tables:
            raise BagError(f'{self.path} is a database, but not a rosbag2 recording')
        columns = {c[1] for c in self._database.execute('PRAGMA table_info(topics)')}
        extra = [
            c if c in columns else "''" for c in ('offered_qos_profiles', 'type_description_hash')
        ]
        rows = self._database.execute(
            f'SELECT id, name, type, serialization_format, {extra[0]}, {extra[1]} FROM topics'
        ).fetchall()
        self._names = {int(r[0]): (str(r[1]), str(r[2])) for r in rows}
        counts = self._count()
        definitions = self._definitions('message_definitions' in tables)
        self.topics = [
            Topic(
                name=str(name),
                type=str(kind),
                count=counts.get(int(number), 0),
                definition=definitions.get(str(kind), ('', ''))[1],
                definition_encoding=definitions.get(str(kind), ('', ''))[0],
                type_hash=str(type_hash or ''),
                qos=str(qos or ''),
                encoding=str(encoding),
            )
            for number, name, kind, encoding, qos, type_hash in rows
        ]

    def _definitions(self, has_table: bool) -> dict[str, tuple[str, str]]:
        if not has_table:
            return {}
        rows = self._database.execute(
            'SELECT topic_type, encoding, encoded_message_definition FROM message_definitions'
        )
        return {str(kind): (str(encoding), str(text)) for kind, encoding, text in rows}

    def _count(self) -> dict[int, int]:
        """Count messages by topic and find the time span; walk a damaged file row by row."""
        self._is_damaged = False
        self.start_ns = self.end_ns = 0
        query = 'SELECT topic_id, count(*), min(timestamp), max(timestamp) FROM messages'
        try:
            rows = self._database.execute(f'{query} GROUP BY topic_id').fetchall()
        except sqlite3.Error as err:
            self._is_damaged = True
            rows = []
            self._note(err, 'the end' if self._is_short() else 'a page')
        times = [t for r in rows for t in r[2:] if isinstance(t, int)]
        counts = {n: count for n, count, _, _ in rows if isinstance(n, int)}
        if self._is_damaged:
            numbers = {name: i for i, (name, _) in self._names.items()}
            for _, message in self._by_row(self._names):
                number = numbers[message.topic]
                counts[number] = counts.get(number, 0) + 1
                times.append(message.log_time_ns)
            readable = sum(counts.values())
            self.damage[-1] = BagError(f'{self.damage[-1]}; {readable} messages can be read')
        if times:
            self.start_ns, self.end_ns = min(times), max(times)
        return counts

    def _by_time(
        self, wanted: dict[int, tuple[str, str]], start_ns: int
    ) -> Iterator[tuple[int, Message]]:
        marks = ','.join('?' * len(wanted))
        rows = self._database.execute(
            f'SELECT id, topic_id, timestamp, data FROM messages WHERE topic_id IN ({marks}) '
            'AND timestamp >= ? ORDER BY timestamp, id',
            (*wanted, start_ns),
        )
        for row, number, time_ns, data in rows:
            if isinstance(time_ns, int) and isinstance(data, bytes):
                yield row, Message(*wanted[number], time_ns, data)
            else:
                self._note('it is no message', f'row {row}')

    def _by_row(self, wanted: dict[int, tuple[str, str]]) -> Iterator[tuple[int, Message]]:
        last, skip = -1, 1
        held: list[tuple[int, Message]] = []
        while skip <= _MAX_SKIP and last + skip <= _LAST_ROW:
            try:
                rows = self._database.execute(
                    'SELECT id, topic_id, timestamp, data FROM messages NOT INDEXED '
                    'WHERE id >= ? ORDER BY id',
                    (last + skip,),
                )
                for row, number, time_ns, data in rows:
                    if row <= last:
                        # Pages that point at each other would be walked for ever.
                        raise sqlite3.DatabaseError('rows out of order')
                    last, skip = row, 1
                    if not isinstance(time_ns, int) or not isinstance(data, bytes):
                        continue
                    if len(data) > self._page_bytes:
                        # A row of many pages is there, so all rows before it are whole.
                        yield from held
                        held = []
                    if number in wanted:
                        held.append((row, Message(*wanted[number], time_ns, data)))
                break
            except sqlite3.Error:
                # The row behind the last good one lies on an unreadable page: feel for the next.
                skip *= 2
        # SQLite reads what lies behind the end of a cut file as zeros and says nothing.
        yield from (item for item in held if not self._ends_in_nothing(item[1].cdr))

    def _ends_in_nothing(self, data: bytes) -> bool:
        return len(data) > self._page_bytes and not any(data[-_TAIL_BYTES:])

    def _is_short(self) -> bool:
        with self.path.open('rb') as file:
            pages = int.from_bytes(file.read(32)[28:], 'big')
        return self.path.stat().st_size < self._page_bytes * pages

    def _note(self, err: sqlite3.Error | str, what: str) -> None:
        self.damage.append(
            BagError(f'{self.path}: {what} of the recording is missing or damaged ({err})')
        )
