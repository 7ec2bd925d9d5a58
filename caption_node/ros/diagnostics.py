# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What the node counts, and how it says so on /diagnostics."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
import math
from pathlib import Path
import resource
import threading
from time import perf_counter
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from caption_node.description import STAGES, SceneDescription

WINDOW = 200
RATE_WINDOW_S = 5.0
AGES = ('received', 'taken', 'inferred')
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What is worth a warning or an error; 0 in the last two never warns.

    :param stale_s: Silence of a camera that warns, seconds.
    :param lost_s: Silence that is an error, seconds.
    :param least_rate_hz: Fewer descriptions a second warn.
    :param age_warning_ms: A higher 95th percentile of ages warns.
    """

    stale_s: float
    lost_s: float
    least_rate_hz: float = 0.0
    age_warning_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    How a camera stands now; empty texts are no news.

    :param silent_s: For how long no image has come.
    :param fault: Why nothing can be received.
    :param warning: What else is worth a warning.
    :param idle: Why nothing is described on purpose.
    """

    silent_s: float
    fault: str = ''
    warning: str = ''
    idle: str = ''


@dataclass(slots=True)
class CameraStatistics:
    """What became of one camera's images; ages and latencies of the last :data:`WINDOW`."""

    begun_s: float = field(default_factory=perf_counter)
    described: int = 0
    abstained: int = 0
    reused: int = 0
    errors: int = 0
    last_error: str = ''
    last_failed: bool = False
    published_s: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    ages_ms: dict[str, deque[float]] = field(default_factory=dict)
    stages_ms: dict[str, deque[float]] = field(default_factory=dict)

    def rate_hz(self) -> float:
        """Return descriptions a second over the last seconds."""
        now_s = perf_counter()
        recent = sum(1 for s in self.published_s if now_s - s <= RATE_WINDOW_S)
        return recent / max(1e-3, min(RATE_WINDOW_S, now_s - self.begun_s))

    def level(self, limits: Limits, now: Circumstances) -> tuple[bytes, str]:
        """Return the level that a supervisor acts on, with the reason."""
        rate_hz = self.rate_hz()
        if now.fault:
            return DiagnosticStatus.ERROR, now.fault
        if now.silent_s >= limits.stale_s:
            lost = now.silent_s >= limits.lost_s
            level = DiagnosticStatus.ERROR if lost else DiagnosticStatus.WARN
            return level, f'no image for {now.silent_s:.1f} s'
        if now.idle:
            return DiagnosticStatus.OK, now.idle
        if self.last_failed:
            return DiagnosticStatus.ERROR, self.last_error
        if now.warning:
            return DiagnosticStatus.WARN, now.warning
        settled = perf_counter() - self.begun_s > RATE_WINDOW_S
        if settled and rate_hz < limits.least_rate_hz:
            return DiagnosticStatus.WARN, f'{rate_hz:.1f} descriptions a second are too few'
        age_ms = percentile(self.ages_ms.get('published', ()), 95)
        if limits.age_warning_ms > 0 and age_ms > limits.age_warning_ms:
            return DiagnosticStatus.WARN, f'descriptions are old: 95 % under {age_ms:.0f} ms'
        return DiagnosticStatus.OK, f'{rate_hz:.1f} descriptions a second'


class Statistics:
    """
    Counts of all cameras; any thread may record and read.

    :param cameras: Names of the cameras.
    """

    def __init__(self, cameras: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._cameras = {camera: CameraStatistics() for camera in cameras}

    def record(self, description: SceneDescription, message: Any) -> None:
        """
        Note that a description was published.

        :param message: The same as a message, with its ages.
        """
        with self._lock:
            camera = self._cameras[description.camera]
            camera.published_s.append(perf_counter())
            camera.last_failed = description.status == 'error'
            if camera.last_failed:
                camera.errors += 1
                camera.last_error = description.error
                return
            camera.described += 1
            camera.abstained += description.status == 'abstain'
            camera.reused += bool(message.reused)
            ages_ms = {stage: getattr(message, f'age_{stage}_ms') for stage in AGES}
            for stage, value in {**ages_ms, 'published': message.age_ms}.items():
                if not math.isnan(value):
                    camera.ages_ms.setdefault(stage, deque(maxlen=WINDOW)).append(value)
            for stage, value in {
                'queue': message.latency_queue_ms,
                **description.latency_ms,
            }.items():
                camera.stages_ms.setdefault(stage, deque(maxlen=WINDOW)).append(value)

    def camera_status(
        self,
        prefix: str,
        camera: str,
        extra: Mapping[str, object],
        limits: Limits,
        now: Circumstances,
    ) -> DiagnosticStatus:
        """
        Return one camera's status.

        :param prefix: Name of the node, in front of the status' name.
        :param extra: More values to show, by name.
        """
        with self._lock:
            stats = self._cameras[camera]
            level, message = stats.level(limits, now)
            values: dict[str, object] = {
                'rate_hz': round(stats.rate_hz(), 2),
                'described': stats.described,
                'abstained': stats.abstained,
                'reused': stats.reused,
                'errors': stats.errors,
                'last_error': stats.last_error,
                **extra,
            }
            published = stats.ages_ms.get('published', ())
            for percent in (50, 95, 99):
                values[f'age_p{percent}_ms'] = _shown(percentile(published, percent))
            for stage in AGES:
                age = percentile(stats.ages_ms.get(stage, ()), 50)
                values[f'age_{stage}_p50_ms'] = _shown(age)
            for stage in ('queue', *STAGES):
                for percent in (50, 95):
                    latency = percentile(stats.stages_ms.get(stage, ()), percent)
                    values[f'{stage}_p{percent}_ms'] = _shown(latency)
        return make_status(f'{prefix}: camera {camera}', level, message, values)


def make_status(
    name: str, level: bytes, message: str, values: Mapping[str, object], hardware_id: str = ''
) -> DiagnosticStatus:
    """Return one status of this node, values as text."""
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id=hardware_id,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def make_node_status(
    prefix: str,
    values: Mapping[str, object],
    last_error: str,
    cameras: Sequence[DiagnosticStatus],
) -> DiagnosticStatus:
    """
    Return the status of the node as a whole, the one that a supervisor acts on.

    ERROR: nothing usable comes from it; WARN: something is missing; OK: every camera is described.

    :param prefix: Name of the node, in front of the status' name.
    :param values: What is to be shown; ``state`` and ``backend`` among them.
    :param last_error: Why the last transition failed; empty if it did not.
    """
    ok = [status for status in cameras if status.level == DiagnosticStatus.OK]
    bad = [status for status in cameras if status.level != DiagnosticStatus.OK]
    level, message = DiagnosticStatus.OK, f'describing {len(ok)} of {len(cameras)} cameras'
    if values['state'] != 'active':
        level, message = DiagnosticStatus.WARN, f'{values["state"]}, not describing'
    elif bad:
        failed = all(status.level == DiagnosticStatus.ERROR for status in cameras)
        level = DiagnosticStatus.ERROR if failed else DiagnosticStatus.WARN
        named = '; '.join(f'{s.name.rsplit(": ", 1)[-1]}: {s.message}' for s in bad)
        message = f'{message}; {named}'
    if last_error:
        level, message = DiagnosticStatus.ERROR, last_error
    values = {
        **values,
        'memory_mb': round(memory_mb(), 1),
        'memory_peak_mb': round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        'threads': threading.active_count(),
        'last_error': last_error,
    }
    return make_status(f'{prefix}: node', level, message, values, str(values['backend']))


def memory_mb() -> float:
    """Return what of this process lies in memory now, MB; NaN where Linux does not say."""
    try:
        pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    except (OSError, ValueError, IndexError):
        return math.nan
    return pages * resource.getpagesize() / _MB


def make_array(statuses: list[DiagnosticStatus], stamp: object) -> DiagnosticArray:
    """Return the message that carries several statuses."""
    array = DiagnosticArray(status=statuses)
    array.header.stamp = stamp
    return array


def percentile(values: Iterable[float], percent: int) -> float:
    """Return a percentile, NaN of nothing."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _shown(value: float) -> str:
    return '' if math.isnan(value) else f'{value:.2f}'
