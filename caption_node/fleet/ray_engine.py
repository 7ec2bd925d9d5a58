# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Tasks on Ray, which places them, tries them again when a worker or a machine dies, and carries
the results.

Sources: Ray Core documentation, "Fault tolerance: tasks" (max_retries, retry_exceptions) and
"Pattern: using ray.wait to limit the number of pending tasks".
"""

import logging
import os
import socket
from typing import Any

# Read when ray is imported: it would report its use over the network.
os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
os.environ.setdefault('RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO', '0')

import ray
from ray.exceptions import RayError, RayTaskError

from caption_node.closing import Closed
from caption_node.errors import BackendUnavailableError
from caption_node.fleet.engines import EngineOptions, Outcome, Task, died
from caption_node.fleet.tasks import Refused

_WAITING_EACH = 2
_START_TRIES = 3
_PATIENCE_S = 10.0


class RayEngine(Closed):
    """
    A Ray cluster: an existing one by its address, or one on this machine for as long as needed.

    :raises BackendUnavailableError: If it cannot be reached or started.
    """

    def __init__(self, options: EngineOptions) -> None:
        address = options.address or os.environ.get('RAY_ADDRESS', '')
        own: dict[str, Any] = {}
        if not address:
            own = {
                'num_cpus': options.jobs or len(os.sched_getaffinity(0)),
                'include_dashboard': False,
            }
        else:
            _check_answer(address)
        _start(address or 'local', own)
        self._most = options.jobs if address else None
        self._retries = options.retries
        self._remote = ray.remote(
            num_cpus=1,
            num_gpus=options.gpus,
            max_retries=options.retries,
            retry_exceptions=[OSError],
        )(_run)
        self._waiting: dict[Any, Task] = {}

    @property
    def free(self) -> int:
        """How many tasks more it should be given now; grows as machines join the cluster."""
        slots = self._most or int(ray.cluster_resources().get('CPU', 1))
        # Some wait there, so that no worker waits for this process.
        limit = slots if self._most else slots * _WAITING_EACH
        return limit - len(self._waiting)

    @property
    def running(self) -> int:
        """Tasks that it was given and that are not done."""
        return len(self._waiting)

    def submit(self, task: Task) -> None:
        """Take a task."""
        self._waiting[self._remote.remote(task.function, task.arguments)] = task

    def take(self) -> list[Outcome]:
        """Wait until a task is done, and return all that are."""
        done, _ = ray.wait(list(self._waiting), num_returns=1)
        outcomes = []
        for reference in done:
            task = self._waiting.pop(reference)
            try:
                result = ray.get(reference)
            except RayTaskError as err:
                result = Refused(str(err.cause or err).strip().splitlines()[-1])
            except RayError as err:
                result = died(self._retries + 1)
                result = Refused(f'{result.message} ({type(err).__name__})', result.hint)
            outcomes.append(Outcome(task, result))
        return outcomes

    def close(self) -> None:
        """Let go of the cluster; one of our own ends."""
        for reference in self._waiting:
            ray.cancel(reference, force=True)
        self._waiting.clear()
        ray.shutdown()


def _check_answer(address: str) -> None:
    """
    See whether anybody answers at ``HOST:PORT``: Ray itself waits for minutes, and says so often.

    Other forms of addresses (``auto``, ``ray://``) are left to Ray.
    """
    host, colon, port = address.rpartition(':')
    if not (colon and port.isdecimal()) or '/' in host:
        return
    try:
        with socket.create_connection((host.strip('[]'), int(port)), _PATIENCE_S):
            pass
    except (OSError, OverflowError) as err:
        raise BackendUnavailableError(
            f'no Ray cluster at {address}: {getattr(err, "strerror", None) or err}',
            'start one with `ray start --head`, or leave --address out',
        ) from err


def _start(address: str, own: dict[str, Any]) -> None:
    """
    Reach or start a cluster.

    Ray gives its helper processes 15 seconds to start, which a busy machine may not keep: then
    they are in its cache, and another try is quicker.
    """
    for tries_left in reversed(range(_START_TRIES if own else 1)):
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
            return
        except Exception as err:  # Ray raises the plain class where it waited in vain
            ray.shutdown()
            if not tries_left:
                where = 'on this machine' if own else f'at {address}'
                raise BackendUnavailableError(
                    f'no Ray cluster {where}: {err}',
                    'start one with `ray start --head`, or leave --address out',
                ) from err


def _run(function: Any, arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)
