# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Real engines for cards that are not there."""

import pytest

from caption_node.backends.engine_build import ensure_engine, make_spec
from caption_node.backends.engine_cache import EngineCache
from caption_node.backends.libraries import Library
from caption_node.bundle import Bundle


@pytest.mark.parametrize('target', ['sm80', 'sm120'])
def test_engine_is_built_for_a_card_that_is_not_there(
    rtx: Library, small: Bundle, cache: EngineCache, target: str
) -> None:
    spec = make_spec(rtx, small, target, 'fp16', None)
    engine = ensure_engine(cache, small, spec)
    assert cache.load(spec.key(small)) == (engine, '')
    # The library knows its own engines; without a GPU of that kind it says no more than that.
    runtime = rtx.module.Runtime(rtx.logger(lambda severity, text: None))
    assert 'malformed' not in rtx.refusal(runtime, engine)
    assert 'malformed' in rtx.refusal(runtime, bytes(1000) + engine[1000:])
