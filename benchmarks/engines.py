# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What TensorRT for RTX makes of the graph, without a GPU: size, layers and build time by target.

    python benchmarks/engines.py [--model DIR] [--targets sm80 sm86 ...] [--precisions fp16 fp32]
"""

import argparse
from pathlib import Path
import sys
import tempfile

from caption_node.backends.engine_build import ensure_engine, make_spec
from caption_node.backends.engine_cache import EngineCache
from caption_node.backends.libraries import load_library
from caption_node.bundle import Bundle, find_bundle


def main() -> None:
    """Build all and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--model', help='model folder or name')
    parser.add_argument('--targets', nargs='+', default=['sm80', 'sm86', 'sm89', 'sm120'])
    parser.add_argument('--precisions', nargs='+', default=['fp16'])
    options = parser.parse_args()
    bundle = Bundle.load(find_bundle(options.model))
    library = load_library('tensorrt_rtx')
    print(f'{bundle.name} {bundle.sha256[:12]}, {library.name} {library.version}, no GPU needed')
    print('| target | precision | layers | engine, MB | build, s |')
    print('|---|---|---|---|---|')
    with tempfile.TemporaryDirectory() as scratch:
        cache = EngineCache(Path(scratch))
        for precision in options.precisions:
            for target in options.targets:
                spec = make_spec(library, bundle, target, precision, None)
                ensure_engine(cache, bundle, spec)
                path = cache.path(spec.key(bundle))
                entry = next(e for e in cache.entries() if e.path == path)
                print(
                    f'| {target} | {precision} | {entry.layers} | {entry.size / 1e6:.1f} '
                    f'| {entry.build_s:.0f} |'
                )
                sys.stdout.flush()
                cache.remove(path)


if __name__ == '__main__':
    main()
