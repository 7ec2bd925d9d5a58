# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What the command prints: JSON lines, whole and at once, and remarks for people beside them."""

import json
import os
import sys
from typing import Any

from caption_node.errors import ConfigError


class OutputClosedError(Exception):
    """Raised when the reader of standard output has gone, as ``head`` does; not a fault."""


def print_line(data: dict[str, Any]) -> None:
    """
    Print one JSON object as a line and flush it.

    ASCII only: file names may hold bytes that are no text in any encoding.

    :raises OutputClosedError: If the reader has closed the pipe.
    :raises ConfigError: If standard output cannot be written, for instance on a full disk.
    """
    print_text(json.dumps(data, allow_nan=False))


def print_text(text: str) -> None:
    """
    Print text as a line and flush it.

    :raises OutputClosedError: If the reader has closed the pipe.
    :raises ConfigError: If standard output cannot be written, for instance on a full disk.
    """
    if sys.stdout is None:
        raise ConfigError('standard output is closed')
    try:
        sys.stdout.write(text + '\n')
        sys.stdout.flush()
    except BrokenPipeError as err:
        _drop_output()
        raise OutputClosedError from err
    except OSError as err:
        _drop_output()
        raise ConfigError(f'standard output cannot be written: {err.strerror or err}') from err


def say(text: str) -> None:
    """Print a remark for people on standard error, if there is one."""
    # Without standard error, print() would turn to standard output and spoil the JSON.
    if sys.stderr is not None:
        print(text, file=sys.stderr, flush=True)


def _drop_output() -> None:
    """Send what is still buffered nowhere, or Python would fail once more at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
