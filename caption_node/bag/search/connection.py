# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""How an index is opened, and what its faults mean to the user."""

import os
from pathlib import Path
import shutil
import sqlite3
from urllib.parse import quote

from caption_node.errors import BagError

_BUSY_S = 20.0
_LEAST_BYTES = 1 << 16


def connect(path: Path, write: bool) -> sqlite3.Connection:
    """
    Open the file of an index.

    :param write: Make it where there is none.
    :raises sqlite3.Error: If it cannot be opened.
    """
    address = f'file:{quote(str(path.absolute()))}'
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(
            address, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        database.execute('PRAGMA journal_mode = WAL')
        database.execute('PRAGMA synchronous = FULL')
        database.execute('PRAGMA foreign_keys = ON')
    else:
        # Beside a write-ahead log files must be made; on read-only media there is none.
        is_fixed = not os.access(path.parent, os.W_OK) and not Path(f'{path}-wal').exists()
        mode = 'mode=ro&immutable=1' if is_fixed else 'mode=ro'
        database = sqlite3.connect(
            f'{address}?{mode}',
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
    database.execute('PRAGMA cache_size = -65536')
    database.execute('PRAGMA mmap_size = 1073741824')
    return database


def explain(path: Path, err: sqlite3.Error | OSError) -> BagError:
    """Return what is wrong with an index, and what to do about it."""
    hint = ''
    if 'locked' in str(err):
        hint = 'another process writes to it: wait until that is done'
    elif 'full' in str(err) or ('I/O' in str(err) and _is_full(path)):
        hint = 'make room; what was committed is kept, run the same command again'
    elif 'malformed' in str(err) or 'not a database' in str(err):
        hint = 'it is damaged or something else: name another file, and index the recordings anew'
    return BagError(f'the index {path} cannot be used: {err}', hint)


def _is_full(path: Path) -> bool:
    """Whether the disk is full: SQLite does not tell while it makes its side files."""
    try:
        return shutil.disk_usage(path.parent).free < _LEAST_BYTES
    except OSError:
        return False
