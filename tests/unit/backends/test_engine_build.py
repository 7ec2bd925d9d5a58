# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Real builds without a GPU: progress, one at a time, cancelled, killed, refused."""

import os
from pathlib import Path
import signal
import subprocess
import sys
from threading import Event, Thread
import time

import pytest

from caption_node.backends.engine_build import (
    BuildProgress,
    EngineSpec,
    ensure_engine,
    make_spec,
)
from caption_node.backends.engine_cache import LOCK, EngineCache
from caption_node.backends.engine_lock import engine_lock
from caption_node.backends.half_precision import to_half
from caption_node.backends.libraries import Library
from caption_node.backends.protocol import OUTPUT_NAMES
from caption_node.bundle import Bundle
from caption_node.errors import BuildCancelledError, ConfigError, EngineError
from tests.conftest import MODEL, ROOT, rewrite_manifest
from tests.small_model import small_bundle, small_graph

DEADLINE_S = 120
WORKER = 'caption_node.backends.engine_worker'


def workers(parent: int | None = None) -> list[int]:
    """Return the ids of build processes; of one parent, or all."""
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            words = (folder / 'cmdline').read_bytes().split(b'\0')
            state, above = (folder / 'stat').read_text().rpartition(')')[2].split()[:2]
        except OSError:
            continue  # it has ended meanwhile
        if WORKER.encode() in words and state != 'Z' and int(above) == (parent or int(above)):
            found.append(int(folder.name))
    return found


def test_build_reports_progress_and_a_second_call_loads(
    cache: EngineCache, spec: EngineSpec, small: Bundle
) -> None:
    seen: list[BuildProgress] = []
    built = ensure_engine(cache, small, spec, on_progress=seen.append)
    assert len(built) > 100_000
    percents = [p.percent for p in seen]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert [p.elapsed_s for p in seen] == sorted(p.elapsed_s for p in seen)
    assert {'parsing', 'optimizing graph', 'keeping', 'ready'} <= {p.stage for p in seen}
    (entry,) = cache.entries()
    assert entry.layers > 10
    seen.clear()
    assert ensure_engine(cache, small, spec, on_progress=seen.append) == built
    assert seen == []


def test_cancelled_from_another_thread_leaves_nothing(
    cache: EngineCache, spec: EngineSpec, small: Bundle
) -> None:
    cancel = Event()

    def stop_soon(progress: BuildProgress) -> None:
        if progress.percent >= 6:
            Thread(target=cancel.set).start()

    with pytest.raises(BuildCancelledError):
        ensure_engine(cache, small, spec, on_progress=stop_soon, cancel=cancel)
    assert [p.suffix for p in cache.folder.iterdir()] == [LOCK]
    assert workers(os.getpid()) == []


def test_worker_that_is_killed_is_named(
    cache: EngineCache, spec: EngineSpec, small: Bundle
) -> None:
    def kill(progress: BuildProgress) -> None:
        if progress.stage == 'parsed':
            (worker,) = workers(os.getpid())
            os.kill(worker, signal.SIGKILL)

    with pytest.raises(EngineError, match='killed by SIGKILL') as caught:
        ensure_engine(cache, small, spec, on_progress=kill)
    assert 'memory' in caught.value.hint
    assert not cache.leftovers()


def test_second_builder_waits_and_takes_what_the_first_has_built(
    cache: EngineCache, spec: EngineSpec, small: Bundle, engine: bytes
) -> None:
    key = spec.key(small)
    cache.prepare()
    waits, seen, results = Event(), [], []

    def watch(progress: BuildProgress) -> None:
        seen.append(progress.stage)
        if progress.stage == 'waiting for another build':
            waits.set()

    second = Thread(
        target=lambda: results.append(ensure_engine(cache, small, spec, on_progress=watch))
    )
    with engine_lock(cache.path(key, LOCK), Event(), lambda: None):
        second.start()
        assert waits.wait(DEADLINE_S)
        cache.store(key, engine, 1.0, 1)
    second.join(DEADLINE_S)
    assert results == [engine]
    assert seen[-1] == 'built by another process'
    assert 'parsing' not in seen


def test_waiting_can_be_cancelled(cache: EngineCache, spec: EngineSpec, small: Bundle) -> None:
    cache.prepare()
    cancel = Event()
    with (
        engine_lock(cache.path(spec.key(small), LOCK), Event(), lambda: None),
        pytest.raises(BuildCancelledError, match='another process'),
    ):
        ensure_engine(cache, small, spec, on_progress=lambda _: cancel.set(), cancel=cancel)


ORPHAN = """
import sys
from pathlib import Path
from caption_node.backends.engine_build import ensure_engine, make_spec
from caption_node.backends.engine_cache import EngineCache
from caption_node.backends.libraries import load_library
from caption_node.bundle import Bundle
bundle = Bundle.load(Path(sys.argv[1]))
spec = make_spec(load_library('tensorrt_rtx'), bundle, 'sm86', 'fp32', None)
ensure_engine(EngineCache(Path(sys.argv[2])), bundle, spec,
              on_progress=lambda p: print(p.stage, flush=True))
"""


def test_killed_process_leaves_no_worker_and_no_lock(
    cache: EngineCache, spec: EngineSpec, small: Bundle
) -> None:
    parent = subprocess.Popen(
        [sys.executable, '-c', ORPHAN, str(small.path), str(cache.folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert parent.stdout is not None
    for line in parent.stdout:
        if line.strip() == 'parsing':
            break
    (worker,) = workers(parent.pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + DEADLINE_S
    while worker in workers():
        assert time.monotonic() < deadline, 'the worker outlives its parent'
    assert ensure_engine(cache, small, spec)


def test_graph_that_the_parser_refuses_is_an_error_with_its_words(
    rtx: Library, tmp_path: Path, cache: EngineCache
) -> None:
    onnx = pytest.importorskip('onnx')
    bundle = small_bundle(tmp_path / 'model')
    model = onnx.load(bundle.model_path)
    model.graph.node[-1].op_type = 'Frobnicate'
    model.graph.node[-1].domain = 'nowhere'
    onnx.save(model, bundle.model_path)
    rewrite_manifest(bundle.path)
    bundle = Bundle.load(bundle.path)
    with pytest.raises(EngineError, match='does not take the graph') as caught:
        ensure_engine(cache, bundle, make_spec(rtx, bundle, 'sm86', 'fp32', None))
    assert 'Frobnicate' in str(caught.value)


def test_garbage_is_an_error(rtx: Library, tmp_path: Path, cache: EngineCache) -> None:
    folder = small_bundle(tmp_path / 'model').path
    (folder / 'model.onnx').write_bytes(b'not a graph')
    rewrite_manifest(folder)
    bundle = Bundle.load(folder)
    for precision in ('fp16', 'fp32'):
        with pytest.raises(EngineError):
            ensure_engine(cache, bundle, make_spec(rtx, bundle, 'sm86', precision, None))


def test_graph_that_was_replaced_meanwhile_is_not_built(
    rtx: Library, tmp_path: Path, cache: EngineCache
) -> None:
    bundle = small_bundle(tmp_path / 'model')
    bundle.model_path.write_bytes(small_graph(1))
    with pytest.raises(EngineError, match='replaced'):
        ensure_engine(cache, bundle, make_spec(rtx, bundle, 'sm86', 'fp32', None))


def test_full_disk_is_an_error_and_leaves_nothing(
    cache: EngineCache, spec: EngineSpec, small: Bundle
) -> None:
    program = (
        f'import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100000,) * 2)\n{ORPHAN}'
    )
    done = subprocess.run(
        [sys.executable, '-c', program, str(small.path), str(cache.folder)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        cwd=ROOT,
        check=False,
    )
    assert 'EngineError' in done.stderr
    assert f'cannot be written to {cache.folder}: File too large' in done.stderr
    assert [p.suffix for p in cache.folder.iterdir()] == [LOCK]


def test_targets_and_precisions_are_checked(rtx: Library, small: Bundle, tmp_path: Path) -> None:
    assert {'sm80', 'sm86', 'sm89', 'sm120'} <= set(rtx.targets)
    with pytest.raises(EngineError, match='sm90') as caught:
        make_spec(rtx, small, 'sm90', '', None)
    assert 'sm86' in caught.value.hint
    with pytest.raises(EngineError, match='no GPU') as caught:
        make_spec(rtx, small, 'current', '', None)
    assert '--target' in caught.value.hint
    with pytest.raises(ConfigError, match='precision'):
        make_spec(rtx, small, 'sm86', 'fp64', None)
    with pytest.raises(ConfigError, match='is fp32, not int8') as caught_int8:
        make_spec(rtx, small, 'sm86', 'int8', None)
    assert 'quantize' in caught_int8.value.hint
    assert make_spec(rtx, small, 'sm86', '', None).precision == 'fp16'


@pytest.mark.parametrize('precision', ['fp32', 'fp16'])
def test_parser_takes_the_shipped_graph(rtx: Library, precision: str) -> None:
    pytest.importorskip('onnx')
    model = (MODEL / 'model.onnx').read_bytes()
    if precision == 'fp16':
        model = to_half(model)
    messages: list[str] = []
    logger = rtx.logger(lambda severity, text: messages.append(f'{severity}: {text}'))
    builder = rtx.module.Builder(logger)
    network = rtx.create_network(builder)
    parser = rtx.module.OnnxParser(network, logger)
    assert parser.parse(model), [str(parser.get_error(i)) for i in range(parser.num_errors)]
    assert [m for m in messages if m.startswith('error')] == []
    types = {network.get_output(i).name: network.get_output(i).dtype for i in range(7)}
    assert set(types) == set(OUTPUT_NAMES)
    assert types['tokens'] == types['box_class'] == rtx.module.DataType.INT64
    assert types['scene'] == types['boxes'] == rtx.module.DataType.FLOAT
    assert network.get_input(0).dtype == rtx.module.DataType.UINT8
