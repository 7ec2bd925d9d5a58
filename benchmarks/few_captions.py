# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What pictures without captions bring where captions are few: phantoms, trained both ways.

    python -m benchmarks.few_captions

A few phantoms have captions, many more have none. The same encoder learns the captions from random
weights, and after it put spoilt pictures right; both models are exported and describe the same
phantoms that trained nothing. Prints the share of right facts by seed.
"""

import argparse
from collections.abc import Sequence
import json
from pathlib import Path
import sys
from typing import Any

import numpy as np
import yaml

from benchmarks.phantoms import CONFIG, judge, run

WAYS = ('random', 'pre-trained')


def main() -> int:
    """Train and judge both ways with every seed, and print a table."""
    parser = argparse.ArgumentParser(description='Measure pre-training on phantoms.')
    parser.add_argument('--work', type=Path, default=Path('runs/few_captions'))
    parser.add_argument('--captioned', type=int, default=200, help='phantoms with captions')
    parser.add_argument('--unlabelled', type=int, default=1500, help='phantoms without')
    parser.add_argument('--held-out', type=int, default=200, help='phantoms that judge')
    parser.add_argument('--steps', type=int, default=500)
    parser.add_argument('--pretrain-steps', type=int, default=500)
    parser.add_argument('--seeds', type=int, nargs='+', default=[1, 2, 3])
    options = parser.parse_args()
    data, spare = options.work / 'data', options.work / 'unlabelled'
    counts = ['--count', options.captioned, '--held-out', options.held_out, '--seed', 1]
    run('data', 'phantoms', '-o', data, *counts)
    run(
        'data',
        'phantoms',
        '-o',
        spare,
        '--count',
        options.unlabelled,
        '--held-out',
        0,
        '--seed',
        10_000,
    )
    shares: dict[str, list[float]] = {way: [] for way in WAYS}
    for seed in options.seeds:
        for way in WAYS:
            result = learn(options, way, seed, data, spare / 'images')
            shares[way].append(result['facts_right'])
            print(f'seed {seed}, {way}: {result["facts_right"]:.3f}', file=sys.stderr, flush=True)
    print('| encoder at first | facts right | by seed |')
    print('|---|---|---|')
    for way in WAYS:
        print(f'| {way} | {spread(shares[way])} | {", ".join(f"{s:.3f}" for s in shares[way])} |')
    return 0


def learn(
    options: argparse.Namespace, way: str, seed: int, data: Path, spare: Path
) -> dict[str, Any]:
    """Train one model and return what :func:`benchmarks.phantoms.judge` says of it."""
    folder = options.work / f'{way}-{seed}'
    folder.mkdir(parents=True, exist_ok=True)
    settings = yaml.safe_load(CONFIG.read_text(encoding='utf-8'))
    settings |= {'seed': seed, 'steps': options.steps, 'threads': 1}
    if way == 'pre-trained':
        settings |= {'pretrain_steps': options.pretrain_steps, 'unlabelled': str(spare)}
    config = folder / 'config.yaml'
    config.write_text(yaml.safe_dump(settings), encoding='utf-8')
    where = ['--output', folder / 'model', '--work', folder / 'training']
    run('train', '--data', data / 'captions.json', '--config', config, *where)
    result = judge(data, folder / 'model')
    (folder / 'result.json').write_text(json.dumps(result, indent=1), encoding='utf-8')
    return result


def spread(values: Sequence[float]) -> str:
    """Return the mean, and how far seeds lie apart."""
    apart = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f'{np.mean(values):.3f} ± {apart:.3f}'


if __name__ == '__main__':
    sys.exit(main())
