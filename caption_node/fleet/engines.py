# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Where tasks run: in processes of this machine, or on Ray.

Both are somebody else's scheduler, ``concurrent.futures`` and Ray; this module only hands tasks to
them and says what happens when a worker dies.
"""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
import multiprocessing
from multiprocessing import connection
import os
import signal
from threading import Thread
from typing import Any, NamedTuple, Protocol

from caption_node.closing import Closed
from caption_node.errors import BackendUnavailableError, ConfigError
from caption_node.fleet.tasks import Refused

_ENGINES = ('local', 'ray')
_WAITING_EACH = 1


class Task(NamedTuple):
    """A function of a module, and what it is called with."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Outcome(NamedTuple):
    """
    What came of a task.

    :param result: What it returned, or :class:`~caption_node.fleet.tasks.Refused`.
    """

    task: Task
    result: Any


class Engine(Protocol):
    """Runs tasks."""

    @property
    def free(self) -> int:
        """How many tasks more it should be given now."""
        ...

    @property
    def running(self) -> int:
        """Tasks that it was given and that are not done."""
        ...

    def submit(self, task: Task) -> None:
        """Take a task."""
        ...

    def take(self) -> list[Outcome]:
        """Wait until a task is done, and return all that are."""
        ...

    def close(self) -> None:
        """End all workers."""
        ...


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """
    How tasks run.

    :param name: ``local`` or ``ray``.
    :param jobs: Processes; None is one a core, or all that the cluster has.
    :param retries: How often a task is tried again whose worker has died.
    :param address: Of a Ray cluster; empty takes ``RAY_ADDRESS``, else starts one here.
    :param gpus: GPUs that a task needs on Ray; may be a share of one.
    """

    name: str = 'local'
    jobs: int | None = None
    retries: int = 3
    address: str = ''
    gpus: float = 0.0


def open_engine(options: EngineOptions) -> Engine:
    """
    Start an engine.

    :raises CaptionError: If there is none of that name, or it cannot be started.
    """
    if options.name == 'local':
        return LocalEngine(options)
    if options.name != 'ray':
        raise ConfigError(f'there is no engine {options.name!r}', ', '.join(_ENGINES))
    try:
        from caption_node.fleet.ray_engine import RayEngine
    except ImportError as err:
        raise BackendUnavailableError(
            f'Ray is not installed: {err}', 'pip install -r requirements/fleet.txt'
        ) from err
    return RayEngine(options)


class LocalEngine(Closed):
    """Processes of this machine."""

    def __init__(self, options: EngineOptions) -> None:
        self._jobs = options.jobs or len(os.sched_getaffinity(0))
        self._retries = options.retries
        self._waiting: dict[Future[Any], tuple[Task, int]] = {}
        self._pool = self._new_pool()

    @property
    def free(self) -> int:
        """How many tasks more it should be given now."""
        return self._jobs + _WAITING_EACH - len(self._waiting)

    @property
    def running(self) -> int:
        """Tasks that it was given and that are not done."""
        return len(self._waiting)

    def submit(self, task: Task) -> None:
        """Take a task."""
        self._submit(task, 0)

    def take(self) -> list[Outcome]:
        """Wait until a task is done, and return all that are."""
        done, _ = wait(self._waiting, return_when=FIRST_COMPLETED)
        outcomes = []
        again: list[tuple[Task, int]] = []
        for future in done:
            task, tried = self._waiting.pop(future)
            try:
                outcomes.append(Outcome(task, future.result()))
            except BrokenProcessPool:
                again.append((task, tried))
            except OSError as err:
                if tried < self._retries:
                    self._submit(task, tried + 1)
                else:
                    outcomes.append(Outcome(task, Refused(str(err))))
        if again:
            outcomes += self._begin_anew(again)
        return outcomes

    def close(self) -> None:
        """End all workers."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, task: Task, tried: int) -> None:
        future = self._pool.submit(task.function, *task.arguments)
        self._waiting[future] = (task, tried)

    def _begin_anew(self, lost: list[tuple[Task, int]]) -> list[Outcome]:
        """One death takes the whole pool along; which task was to blame is not known."""
        lost += self._waiting.values()
        self._waiting.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._new_pool()
        outcomes = []
        for task, tried in lost:
            if tried < self._retries:
                self._submit(task, tried + 1)
            else:
                outcomes.append(Outcome(task, died(tried + 1)))
        return outcomes

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._jobs, multiprocessing.get_context('spawn'), initializer=_begin_process
        )


def died(times: int) -> Refused:
    """Return what is said of a task whose workers have died."""
    return Refused(
        f'its worker died {times} times, perhaps for want of memory',
        'give smaller pieces with --segment, or fewer --jobs',
    )


def _begin_process() -> None:
    # Ctrl-C goes to all processes of the terminal: the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
