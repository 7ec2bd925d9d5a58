# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Builds one engine in a process of its own; :mod:`caption_node.backends.engine_build` starts it.

A build takes gigabytes and minutes, may crash, and cannot be interrupted between two of the
builder's steps, which may be a minute apart. In its own process it can be killed at any time.
The job comes as one JSON line on standard input, progress goes to standard output as JSON lines.
When standard input ends, the one who asked is gone, and so is the worker.
"""

import hashlib
import json
import os
from pathlib import Path
import sys
from threading import Lock, Thread
from typing import IO, Any

from caption_node.backends.engine_cache import CACHE_VARIABLE
from caption_node.backends.half_precision import to_half
from caption_node.backends.libraries import Library, load_library
from caption_node.errors import CaptionError, EngineError

_CONVERTED, _PARSED, _BUILT = 0.03, 0.06, 0.99


class _Reporter:
    """Writes JSON lines; for all threads."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = Lock()
        self.errors: list[str] = []

    def send(self, **data: Any) -> None:
        """Write one line."""
        with self._lock:
            self._stream.write(json.dumps(data) + '\n')
            self._stream.flush()

    def say(self, severity: str, text: str) -> None:
        """Take a message of the library; its remarks are kept back."""
        if severity == 'error':
            self.errors.append(text)
        if severity != 'info':
            self.send(severity=severity, text=text)


class _Phases:
    """Turns the builder's nested phases into one share that never falls."""

    def __init__(self, reporter: _Reporter) -> None:
        self._reporter = reporter
        self._lock = Lock()
        self._open: dict[str, tuple[float, float, int]] = {}  # base, span, steps
        self._done: dict[str, int] = {}
        self._share = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Note that a phase begins."""
        with self._lock:
            base, span = 0.0, 1.0
            if parent in self._open:
                base, whole, count = self._open[parent]
                span = whole / max(count, 1)
                base += min(self._done[parent], count - 1) * span
            self._open[name], self._done[name] = (base, span, steps), 0
        self._report(name)

    def step(self, name: str, step: int) -> None:
        """Note that a step of a phase is done."""
        with self._lock:
            if name not in self._open:
                return
            # Some phases have ten thousand steps: report when it shows.
            self._done[name] = step + 1
            base, span, steps = self._open[name]
            shows = base + span * (step + 1) / max(steps, 1) >= self._share + 0.02
        if shows:
            self._report(name)

    def finish(self, name: str) -> None:
        """Note that a phase has ended."""
        with self._lock:
            self._open.pop(name, None)

    def _report(self, name: str) -> None:
        with self._lock:
            if name in self._open:
                base, span, steps = self._open[name]
                share = base + span * min(self._done[name] / max(steps, 1), 1.0)
                self._share = max(self._share, share)
            share = self._share
        self._reporter.send(stage=name.lower(), share=_PARSED + (_BUILT - _PARSED) * share)


def build(job: dict[str, Any], reporter: _Reporter) -> int:
    """
    Build as the job says and write the engine.

    :returns: How many layers the network has.
    :raises EngineError: If it cannot be built.
    """
    library = load_library(job['library'])
    model = Path(job['model']).read_bytes()
    if hashlib.sha256(model).hexdigest() != job['model_sha256']:
        raise EngineError(f'{job["model"]} was replaced after it was opened', 'start again')
    if job['precision'] == 'fp16':
        reporter.send(stage='converting to fp16', share=0.0)
        model = to_half(model)
    reporter.send(stage='parsing', share=_CONVERTED)
    trt, logger = library.module, library.logger(reporter.say)
    builder = trt.Builder(logger)
    if not builder:
        raise EngineError(f'{library.name} gives no builder: ' + _last(reporter))
    network = library.create_network(builder)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model):
        errors = (parser.get_error(i) for i in range(parser.num_errors))
        faults = '; '.join(f'{e.node_operator()} {e.node_name()}: {e.desc()}' for e in errors)
        raise EngineError(f'{library.name} {library.version} does not take the graph: {faults}')
    reporter.send(stage='parsed', share=_PARSED)
    config = library.create_config(builder, job['target'], job['level'])
    profile = builder.create_optimization_profile()
    for name, shapes in job['shapes'].items():
        profile.set_shape(name, *(tuple(shape) for shape in shapes))
    config.add_optimization_profile(profile)
    if hasattr(config, 'progress_monitor'):
        config.progress_monitor = monitor(library, _Phases(reporter))
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise EngineError(f'{library.name} {library.version} built no engine: ' + _last(reporter))
    reporter.send(stage='writing', share=_BUILT)
    try:
        with Path(job['output']).open('wb') as file:
            file.write(engine)
    except OSError as err:
        raise EngineError(
            f'the engine cannot be written to {Path(job["output"]).parent}: {err.strerror or err}',
            f'{engine.nbytes / 1e6:.0f} MB are needed; or set {CACHE_VARIABLE} to another folder',
        ) from err
    return int(network.num_layers)


def monitor(library: Library, phases: _Phases) -> Any:
    """Return a progress monitor of the library."""
    base = library.module.IProgressMonitor

    class _Monitor(base):  # type: ignore[valid-type, misc]
        def __init__(self) -> None:
            base.__init__(self)

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            phases.start(name, parent, steps)

        def step_complete(self, name: str, step: int) -> bool:
            phases.step(name, step)
            return True

        def phase_finish(self, name: str) -> None:
            phases.finish(name)

    return _Monitor()


def main() -> int:
    """Read the job, build, say how it went."""
    # Whatever a library prints goes to standard error; the lines keep standard output.
    lines = os.fdopen(os.dup(1), 'w', encoding='utf-8')
    os.dup2(2, 1)
    reporter = _Reporter(lines)
    job = json.loads(sys.stdin.readline())
    Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, 'nice'):
        os.nice(int(job['nice']))
    try:
        layers = build(job, reporter)
    except CaptionError as err:
        reporter.send(error=str(err), hint=err.hint)
        return 1
    reporter.send(layers=layers)
    # The libraries' own clean-up takes a second and has crashed before.
    os._exit(0)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(3)


def _last(reporter: _Reporter) -> str:
    return '; '.join(reporter.errors[-3:]) or 'it gives no reason'


if __name__ == '__main__':
    sys.exit(main())
