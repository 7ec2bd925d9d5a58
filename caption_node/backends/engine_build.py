# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Get an engine: from the cache if one is there that may be loaded, else by building it.

One build at a time over all processes, with progress, and it can be cancelled at any moment.
"""

from collections.abc import Callable
from dataclasses import dataclass
import json
import os
from pathlib import Path
from queue import Empty, Queue
import signal
import subprocess
import sys
from threading import Event, Thread
from time import monotonic, time
from typing import IO, Any

from caption_node.backends.device import Device
from caption_node.backends.engine_cache import LOCK, EngineCache, EngineKey
from caption_node.backends.engine_lock import engine_lock
from caption_node.backends.half_precision import CONVERSION
from caption_node.backends.libraries import CURRENT, Library
from caption_node.bundle import Bundle
from caption_node.errors import BuildCancelledError, ConfigError, EngineError

PRECISIONS = ('fp16', 'fp32', 'int8')
_HEARTBEAT_S = 1.0
_BEST_BATCH = 4
_LEFTOVER_AGE_S = 3600.0


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """
    How a build goes.

    :param stage: What is being done, in words.
    :param percent: 0..100, never falling. The builder's steps are of very unequal length.
    :param elapsed_s: Seconds since the build was asked for.
    """

    stage: str
    percent: float
    elapsed_s: float


OnProgress = Callable[[BuildProgress], None]
"""Called about once a second, and at every change of stage, by the thread that builds."""


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """
    What is to be built.

    :param library: Builds it, and runs it.
    :param target: Compute capability of the GPU that will run it, as ``sm86``.
    :param is_local: Whether that is the GPU of this machine.
    :param precision: One of :data:`PRECISIONS`.
    :param level: Builder optimization level 0..5; None leaves the library's own.
    """

    library: Library
    target: str
    is_local: bool
    precision: str
    level: int | None = None

    def key(self, bundle: Bundle) -> EngineKey:
        """Return what tells this engine from all others."""
        conversion = CONVERSION if self.precision == 'fp16' else 'as exported'
        level = 'default' if self.level is None else self.level
        sizes = (f'{b}x{bundle.height}x{bundle.width}x3' for b in _batches(bundle))
        return EngineKey(
            model=bundle.name,
            model_sha256=bundle.sha256,
            library=self.library.name,
            library_version=self.library.version,
            cuda=self.library.cuda,
            target=self.target,
            precision=self.precision,
            shapes='image:' + ','.join(sizes),
            options=f'graph {conversion}, level {level}, no TF32',
        )


def make_spec(
    library: Library, bundle: Bundle, target: str, precision: str, device: Device | None
) -> EngineSpec:
    """
    Check what is asked for.

    :param target: ``current`` or, for instance, ``sm86``.
    :param precision: One of :data:`PRECISIONS`; empty takes int8 for an INT8 graph, else fp16.
    :param device: The GPU of this machine, if there is one.
    :raises ConfigError: If precision and graph do not fit each other.
    :raises EngineError: If the library cannot build for the target here.
    """
    is_int8 = bundle.precision == 'int8'
    precision = precision or ('int8' if is_int8 else 'fp16')
    if precision not in PRECISIONS:
        raise ConfigError(f'no precision {precision!r}', 'precisions: ' + ', '.join(PRECISIONS))
    if (precision == 'int8') != is_int8:
        raise ConfigError(
            f'the model {bundle.name} is {bundle.precision}, not {precision}',
            '`caption engine quantize` makes an int8 model from an fp32 one, with its own folder',
        )
    if target == CURRENT:
        if device is None:
            raise EngineError(
                'there is no GPU here to build for',
                'name one, for instance --target sm86, which takes tensorrt-rtx',
            )
        target = device.target
    is_local = device is not None and device.target == target
    if library.targets or not is_local:
        library.check_target(target)
    return EngineSpec(library, target, is_local, precision)


def ensure_engine(
    cache: EngineCache,
    bundle: Bundle,
    spec: EngineSpec,
    *,
    on_progress: OnProgress | None = None,
    on_remark: Callable[[str], None] | None = None,
    cancel: Event | None = None,
    niceness: int = 0,
) -> bytes:
    """
    Return the engine, building it if it is not in the cache or must not be loaded.

    :param on_remark: Takes a line for people: why an engine of the cache is not used.
    :param cancel: Set it, from any thread, to end the build at once.
    :param niceness: How far the build steps back behind other processes, 0..19.
    :raises EngineError: If it cannot be built or kept.
    :raises BuildCancelledError: If it was cancelled; the cache is as before.
    """
    key = spec.key(bundle)
    engine, fault = cache.load(key)
    if engine:
        return engine
    if fault and on_remark is not None:
        on_remark(f'the engine {cache.path(key).name} is built anew: {fault}')
    cache.prepare()
    cancel = cancel or Event()
    ticker = _Ticker(on_progress)
    with engine_lock(
        cache.path(key, LOCK), cancel, lambda: ticker.show('waiting for another build')
    ) as waited:
        if waited:
            engine, _ = cache.load(key)
            if engine:
                ticker.show('built by another process', 100.0)
                return engine
        for part in cache.leftovers() if not waited else []:
            # Of a killed build. That of a running build of another engine is younger.
            _remove_if_old(part)
        begun_s = monotonic()
        engine, layers = _build(cache, bundle, spec, ticker, cancel, niceness)
        ticker.show('keeping', 99.5)
        cache.store(key, engine, monotonic() - begun_s, layers)
        ticker.show('ready', 100.0)
    return engine


class _Ticker:
    """Shows progress with the time elapsed, its percentage never falling."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self._on_progress = on_progress
        self._begun_s = monotonic()
        self._stage, self._percent = 'starting', 0.0

    def show(self, stage: str | None = None, percent: float = 0.0) -> None:
        """Report; None repeats the stage with the time of now."""
        self._stage = stage or self._stage
        self._percent = max(self._percent, percent)
        if self._on_progress is not None:
            elapsed_s = monotonic() - self._begun_s
            self._on_progress(BuildProgress(self._stage, self._percent, elapsed_s))


def _build(
    cache: EngineCache,
    bundle: Bundle,
    spec: EngineSpec,
    ticker: _Ticker,
    cancel: Event,
    niceness: int,
) -> tuple[bytes, int]:
    output = cache.temporary()
    job = {
        'library': spec.library.name,
        # Classic TensorRT cannot be told a target: it takes the GPU that is there.
        'target': spec.target if spec.library.targets else CURRENT,
        'precision': spec.precision,
        'level': spec.level,
        'model': str(bundle.model_path.resolve()),
        'model_sha256': bundle.sha256,
        'shapes': {'image': [[b, bundle.height, bundle.width, 3] for b in _batches(bundle)]},
        'output': str(output.resolve()),
        'nice': niceness,
    }
    try:
        worker = _start(job)
        try:
            result = _follow(worker, ticker, cancel)
        finally:
            _end(worker)
        try:
            return output.read_bytes(), result
        except OSError as err:
            raise EngineError(f'{output}: {err.strerror or err}') from err
    finally:
        output.unlink(missing_ok=True)


def _start(job: dict[str, Any]) -> 'subprocess.Popen[str]':
    package = Path(__file__).resolve().parents[2]
    paths = [str(package), *filter(None, [os.environ.get('PYTHONPATH')])]
    worker = subprocess.Popen(
        [sys.executable, '-m', 'caption_node.backends.engine_worker'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding='utf-8',
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
        # Ctrl-C on the terminal is ours to handle, not the worker's.
        start_new_session=True,
    )
    assert worker.stdin is not None
    try:
        worker.stdin.write(json.dumps(job) + '\n')
        worker.stdin.flush()
    except BrokenPipeError:
        pass  # it has died: what follows finds its status
    return worker


def _follow(worker: 'subprocess.Popen[str]', ticker: _Ticker, cancel: Event) -> int:
    """
    Pass on what the worker says until it is done.

    :returns: How many layers the network has.
    """
    lines: Queue[str | None] = Queue()
    assert worker.stdout is not None
    Thread(target=_read_lines, args=(worker.stdout, lines), daemon=True).start()
    last_error, shown_s = '', monotonic()
    while True:
        if cancel.is_set():
            raise BuildCancelledError('the build was stopped; nothing was written')
        try:
            # Short, so that Ctrl-C and cancel are heeded while the builder is silent.
            line = lines.get(timeout=0.1)
        except Empty:
            if monotonic() - shown_s >= _HEARTBEAT_S:
                shown_s = monotonic()
                ticker.show()
            continue
        if line is None:
            raise EngineError(f'the builder {_cause(worker.wait())}', last_error or _MEMORY_HINT)
        data = json.loads(line)
        if 'stage' in data:
            shown_s = monotonic()
            ticker.show(data['stage'], 100.0 * data['share'])
        elif data.get('severity') == 'error':
            last_error = data['text']
        elif 'error' in data:
            raise EngineError(data['error'], data['hint'])
        elif 'layers' in data:
            return int(data['layers'])


_MEMORY_HINT = 'a build takes some GB of memory: see `free -g` and the kernel log'


def _read_lines(stream: IO[str], lines: 'Queue[str | None]') -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _cause(status: int) -> str:
    if status >= 0:
        return f'ended with status {status} before it was done'
    try:
        return f'was killed by {signal.Signals(-status).name}'
    except ValueError:
        return f'was killed by signal {-status}'


def _end(worker: 'subprocess.Popen[str]') -> None:
    """Leave no process behind, however the build ended."""
    worker.kill()  # one that is done has written and closed its file
    worker.wait()
    for stream in (worker.stdin, worker.stdout):
        if stream is not None:
            stream.close()


def _remove_if_old(part: Path) -> None:
    try:
        if time() - part.stat().st_mtime > _LEFTOVER_AGE_S:
            part.unlink()
    except OSError:
        pass  # another process was faster


def _batches(bundle: Bundle) -> tuple[int, int, int]:
    """Return smallest, best and largest batch of the profile."""
    return 1, min(_BEST_BATCH, bundle.max_batch), bundle.max_batch
