# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Node and replay as processes of ours, started and ended by us and by nobody else."""

from collections.abc import Sequence
import os
from pathlib import Path
import signal
import subprocess
import sys

from caption_node.closing import Closed
from caption_node.errors import BackendUnavailableError

_PATIENCE_S = 6.0
_TAIL = 12


class Child(Closed):
    """
    A process whose output goes into a file. Use it as a context manager: it ends with the block.

    It has a session of its own, so that Ctrl-C in a terminal reaches us alone and we end it.

    :param name: What to call it.
    :param line: Command line.
    :param log: File that takes its output.
    """

    def __init__(
        self, name: str, line: Sequence[str], environment: dict[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        self._file = log.open('wb')
        try:
            self._process = subprocess.Popen(
                list(line),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as err:
            self._file.close()
            raise BackendUnavailableError(
                f'{line[0]} cannot be started: {err.strerror or err}', 'run scripts/setup.sh'
            ) from err

    def status(self) -> int | None:
        """Exit status, or None while it runs."""
        return self._process.poll()

    def tail(self) -> str:
        """Last lines of its output."""
        lines = self.log.read_text(errors='replace').splitlines()
        return '\n'.join(lines[-_TAIL:])

    def close(self) -> None:
        """Ask it to end, ever more firmly; returns when it has."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            self._process.send_signal(number)
            try:
                self._process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                continue
        self._file.close()


def environment_for(domain_id: int) -> dict[str, str]:
    """Environment in which nobody but this machine hears us."""
    return {
        **os.environ,
        'ROS_DOMAIN_ID': str(domain_id),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'PYTHONUNBUFFERED': '1',
    }


def command(name: str) -> list[str]:
    """Command line of a console script of this installation, or of its module without one."""
    script = Path(sys.executable).parent / name
    if script.exists():
        return [str(script)]
    module = {'caption': 'caption_node', 'caption_node': 'caption_node.ros.program'}[name]
    return [sys.executable, '-m', module]
