# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The node with a backend that builds a real engine for a GPU that this machine need not have.

    python -m tests.ros.building_node --ros-args -p backend:=ahead -p engines:=FOLDER
"""

from typing import Any

from caption_node.backends import registry
from caption_node.backends.engine_build import ensure_engine, make_spec
from caption_node.backends.engine_cache import EngineCache
from caption_node.backends.libraries import load_library
from caption_node.errors import EngineError
from caption_node.ros.program import main


def build(bundle: Any, request: Any) -> Any:
    """Build an engine ahead of time; a signal has to come before that ends."""
    spec = make_spec(load_library('tensorrt_rtx'), bundle, 'sm86', '', None)
    cache = EngineCache(request.engines)
    ensure_engine(cache, bundle, spec, on_progress=request.on_progress, cancel=request.cancel)
    raise EngineError('built: the signal came too late')


if __name__ == '__main__':
    registry.BACKENDS['ahead'] = build
    main()
