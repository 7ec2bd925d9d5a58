# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The ``caption`` command as users start it: a process of its own."""

from collections.abc import Sequence
import json
from pathlib import Path
import signal
import subprocess
import sys
from typing import IO, Any

DEADLINE_S = 120


def caption(*arguments: object, cwd: Path | None = None) -> 'subprocess.CompletedProcess[str]':
    """Run the command to its end."""
    return subprocess.run(
        command(arguments),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def start(*arguments: object, stdout: int | IO[Any] = subprocess.PIPE) -> 'subprocess.Popen[str]':
    """Start the command, with Ctrl-C heeded even where the test itself runs in the background."""
    return subprocess.Popen(
        command(arguments),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )


def heed_interrupts() -> None:
    """Undo, in a child process, that shells make background jobs deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command(arguments: Sequence[object]) -> list[str]:
    """Return the command line."""
    return [sys.executable, '-m', 'caption_node', *(str(a) for a in arguments)]


def lines(text: str) -> list[dict[str, Any]]:
    """Read JSON lines, refusing what is no JSON (NaN, half lines)."""

    def refuse(constant: str) -> None:
        raise AssertionError(f'{constant} is not JSON')

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]
