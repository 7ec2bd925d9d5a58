# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What the node counts, and how it says so on /diagnostics."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
import math
import threading
from time import perf_counter

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from caption_node.description import STAGES, ModelInfo, SceneDescription

WINDOW = 200
RATE_WINDOW_S = 5.0


@dataclass(slots=True)
class CameraStatistics:
    """What became of one camera's images; ages and latencies of the last :data:`WINDOW`."""

    begun_s: float = field(default_factory=perf_counter)
    described: int = 0
    abstained: int = 0
    errors: int = 0
    last_error: str = ''
    last_failed: bool = False
    last_image_s: float | None = None
    published_s: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    ages_ms: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    stages_ms: dict[str, deque[float]] = field(default_factory=dict)

    def rate_hz(self) -> float:
        """Return descriptions a second over the last seconds."""
        now_s = perf_counter()
        recent = sum(1 for s in self.published_s if now_s - s <= RATE_WINDOW_S)
        return recent / max(1e-3, min(RATE_WINDOW_S, now_s - self.begun_s))

    def silent_s(self) -> float:
        """Return seconds since the last image, or since the node listens."""
        return perf_counter() - (self.last_image_s or self.begun_s)


class Statistics:
    """
    Counts of all cameras; any thread may record and read.

    :param cameras: Names of the cameras.
    """

    def __init__(self, cameras: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._cameras = {camera: CameraStatistics() for camera in cameras}

    def record_image(self, camera: str) -> None:
        """Note that an image has arrived."""
        with self._lock:
            self._cameras[camera].last_image_s = perf_counter()

    def record(self, description: SceneDescription, age_ms: float, queue_ms: float) -> None:
        """Note that a description was published."""
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
            if not math.isnan(age_ms):
                camera.ages_ms.append(age_ms)
            for stage, value in {'queue': queue_ms, **description.latency_ms}.items():
                camera.stages_ms.setdefault(stage, deque(maxlen=WINDOW)).append(value)

    def silent_s(self, camera: str) -> float:
        """Return seconds since this camera's last image."""
        with self._lock:
            return self._cameras[camera].silent_s()

    def camera_status(
        self, camera: str, extra: Mapping[str, object], silence_warning_s: float
    ) -> DiagnosticStatus:
        """
        Return one camera's status: OK, WARN when it is silent, ERROR when its last image failed.

        :param extra: More values to show, by name.
        :param silence_warning_s: Silence that is worth a warning, seconds.
        """
        with self._lock:
            stats = self._cameras[camera]
            level, message = DiagnosticStatus.OK, f'{stats.rate_hz():.1f} descriptions a second'
            if stats.last_failed:
                level, message = DiagnosticStatus.ERROR, stats.last_error
            if stats.silent_s() > silence_warning_s:
                level = DiagnosticStatus.WARN
                message = f'no image for {stats.silent_s():.0f} s'
            values: dict[str, object] = {
                'rate_hz': round(stats.rate_hz(), 2),
                'described': stats.described,
                'abstained': stats.abstained,
                'errors': stats.errors,
                'last_error': stats.last_error,
                **extra,
                **{f'age_p{p}_ms': _percentile(stats.ages_ms, p) for p in (50, 95, 99)},
            }
            for stage in ('queue', *STAGES):
                values[f'{stage}_p50_ms'] = _percentile(stats.stages_ms.get(stage, ()), 50)
        return make_status(f'camera {camera}', level, message, values)


def make_status(
    name: str, level: bytes, message: str, values: Mapping[str, object], hardware_id: str = ''
) -> DiagnosticStatus:
    """Return one status of this node, values as text."""
    return DiagnosticStatus(
        level=level,
        name=f'caption_node: {name}',
        message=message,
        hardware_id=hardware_id,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def make_node_status(state: str, model: ModelInfo | None, last_error: str) -> DiagnosticStatus:
    """
    Return the status of the node as a whole.

    :param state: Lifecycle state, in lower case.
    :param last_error: Why the last transition failed; empty if it did not.
    """
    model = model or ModelInfo()
    level, message = DiagnosticStatus.OK, 'describing'
    if state != 'active':
        level, message = DiagnosticStatus.WARN, f'{state}, not describing'
    if last_error:
        level, message = DiagnosticStatus.ERROR, last_error
    values = {
        'state': state,
        'model': model.name,
        'model_sha256': model.sha256,
        'backend': model.backend,
        'precision': model.precision,
        'last_error': last_error,
    }
    return make_status('node', level, message, values, hardware_id=model.backend)


def make_array(statuses: list[DiagnosticStatus], stamp: object) -> DiagnosticArray:
    """Return the message that carries several statuses."""
    array = DiagnosticArray(status=statuses)
    array.header.stamp = stamp
    return array


def _percentile(values: Iterable[float], percent: int) -> str:
    ordered = sorted(values)
    if not ordered:
        return ''
    return f'{ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]:.2f}'
