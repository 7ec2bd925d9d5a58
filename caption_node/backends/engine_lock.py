# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""One build of an engine at a time, over all processes of a machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path
from threading import Event

from caption_node.errors import BuildCancelledError, EngineError

_PERIOD_S = 0.2


@contextmanager
def engine_lock(path: Path, cancel: Event, on_wait: Callable[[], None]) -> Iterator[bool]:
    """
    Hold a lock file; wait while another process or thread holds it.

    The system frees the lock of a process that dies, so none is ever stale; the file stays, since
    removing it could give two processes a lock each.

    :param cancel: Ends the waiting.
    :param on_wait: Called now and then while waiting.
    :returns: Whether it was necessary to wait.
    :raises BuildCancelledError: If cancelled while waiting.
    :raises EngineError: If the file cannot be made.
    """
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as err:
        raise EngineError(f'{path} cannot be made: {err.strerror or err}') from err
    try:
        waited = False
        while not _try_lock(number, path):
            waited = True
            on_wait()
            if cancel.wait(_PERIOD_S):
                raise BuildCancelledError('stopped while another process built the engine')
        yield waited
    finally:
        os.close(number)


def _try_lock(number: int, path: Path) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as err:
        raise EngineError(
            f'{path} cannot be locked: {err.strerror or err}',
            'keep engines on a local disk: CAPTION_ENGINES names the folder',
        ) from err
    return True
