# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The shipped graph, parsed and built for four kinds of cards that are not there; its report."""

from dataclasses import replace
from threading import Event

import pytest

from caption_node.backends.engine_build import BuildProgress, ensure_engine, make_spec
from caption_node.backends.engine_cache import LOCK, EngineCache
from caption_node.backends.libraries import Library
from caption_node.bundle import Bundle
from caption_node.errors import BuildCancelledError
from tests.conftest import MODEL

TARGETS = ('sm80', 'sm86', 'sm89', 'sm120')


@pytest.fixture(scope='module')
def bundle() -> Bundle:
    pytest.importorskip('onnx')
    return Bundle.load(MODEL)


def test_shipped_graph_is_built_for_four_targets(
    rtx: Library, bundle: Bundle, cache: EngineCache, capsys: pytest.CaptureFixture[str]
) -> None:
    # One engine for all four takes as long as one for one (benchmarks/engines.py has each alone).
    spec = replace(make_spec(rtx, bundle, 'sm86', 'fp16', None), target='+'.join(TARGETS))
    engine = ensure_engine(cache, bundle, spec)
    assert cache.load(spec.key(bundle)) == (engine, '')
    (entry,) = cache.entries()
    with capsys.disabled():
        print(
            f'\n{bundle.name} {bundle.sha256[:12]} fp16 for {spec.target}, {rtx.name} '
            f'{rtx.version}: {entry.layers} layers, {entry.size / 1e6:.1f} MB, '
            f'{entry.build_s:.0f} s'
        )
    weights = bundle.model_path.stat().st_size
    assert weights / 2 < entry.size < 10 * weights
    assert entry.layers > 1000
    runtime = rtx.module.Runtime(rtx.logger(lambda severity, text: None))
    assert 'malformed' not in rtx.refusal(runtime, engine)
    assert rtx.refusal(runtime, engine[: len(engine) // 2])


def test_build_of_the_shipped_graph_can_be_stopped_in_the_middle(
    rtx: Library, bundle: Bundle, cache: EngineCache
) -> None:
    cancel = Event()

    def stop(progress: BuildProgress) -> None:
        if progress.percent > 6:
            cancel.set()

    spec = make_spec(rtx, bundle, 'sm86', 'fp32', None)
    with pytest.raises(BuildCancelledError):
        ensure_engine(cache, bundle, spec, on_progress=stop, cancel=cancel)
    assert [p.suffix for p in cache.folder.iterdir()] == [LOCK]
