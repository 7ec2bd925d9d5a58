# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of docs/objectives.md from the results of runs."""

from collections.abc import Callable, Sequence
import json
from pathlib import Path
from typing import Any

import numpy as np

Result = dict[str, Any]
Figure = Callable[[Result], float | None]
COLUMNS: tuple[tuple[str, str, Figure], ...] = (
    ('no claim denied', '%', lambda r: r['greedy']['right']),
    ('claims denied a sentence', '2', lambda r: r['greedy']['denied']),
    ('CIDEr-D', '2', lambda r: r['greedy']['cider']),
    ('distinct-1', '3', lambda r: r['greedy']['distinct_1']),
    ('distinct-2', '3', lambda r: r['greedy']['distinct_2']),
    ('words used', '0', lambda r: r['greedy']['words']),
    ('novel', '%', lambda r: r['greedy']['novel']),
    ('judge', '%', lambda r: r['judged']),
)
DRAWN: tuple[tuple[str, str, Figure], ...] = (
    ('no claim denied', '%', lambda r: r['drawn']['1.0']['right']),
    ('CIDEr-D', '2', lambda r: r['drawn']['1.0']['cider']),
    ('oracle CIDEr-D of 5', '2', lambda r: r['drawn']['1.0']['oracle']),
    ('distinct-1', '3', lambda r: r['drawn']['1.0']['distinct_1']),
    ('distinct-2', '3', lambda r: r['drawn']['1.0']['distinct_2']),
    ('self-BLEU', '2', lambda r: r['drawn']['1.0']['self_bleu']),
    ('words used', '0', lambda r: r['drawn']['1.0']['words']),
    ('novel', '%', lambda r: r['drawn']['1.0']['novel']),
    ('judge', '%', lambda r: r['judged_drawn']),
    ('CPU s', '0', lambda r: r['cost_s']),
)
SWEPT = (
    ('cider', 'CIDEr-D', '2'),
    ('right', 'no claim denied', '%'),
    ('self_bleu', 'self-BLEU', '2'),
    ('oracle', 'oracle CIDEr-D of 5', '2'),
)


def print_tables(folder: Path, names: Sequence[str]) -> None:
    """Print all tables in Markdown."""
    results = read_results(folder)
    others = sorted({name for _, name, _ in results} - set(names))
    # A mean over other sources than its neighbour's would compare sources.
    whole = [s for s in _sources(results) if {n for p, n, _ in results if p == s} >= set(names)]
    for title, sets in (('val', ['val']), (', '.join(whole) + ' left out', whole)):
        if not any(key[0] in sets for key in results):
            continue
        for part, columns in (('one sentence', COLUMNS), ('five drawn', DRAWN)):
            print(f'\n**{title}, {part}**\n')
            rows = [*names, *others] if columns is COLUMNS else names
            _print_table(results, rows, sets, columns)
    print('\n**val, temperature**\n')
    _print_sweep(results, names)
    print()
    for name in names:
        _print_parts(results, name)
    for place in ['val', *_sources(results)]:
        _print_judges(folder, place)


def _print_parts(results: dict[tuple[str, str, int], Result], name: str) -> None:
    """Print whether latents are in use and discriminators look at pictures."""
    rows = {k: r for k, r in results.items() if k[1] == name and k[0] == 'val'}
    for part, figures in (
        ('latent', (('active_units', '1'), ('latent', '0'), ('nats', '1'))),
        ('eyes', (('own', '%'), ('strange', '%'), ('auc', '3'))),
    ):
        if any(r.get(part) for r in rows.values()):
            cells = [
                f'{title} {_cell(rows, lambda r, p=part, t=title: r[p][t], form)}'
                for title, form in figures
            ]
            print(f'{name}: ' + ', '.join(cells))


def _print_judges(folder: Path, place: str) -> None:
    """Print whether the judge of all looks at pictures."""
    found = [
        json.loads(f.read_text(encoding='utf-8')) for f in folder.glob(f'{place}-judged-*.json')
    ]
    for title in ('annotators', 'annotators of other frames', 'area under the curve'):
        values = [scores[title] for scores in found]
        if values:
            spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
            print(f'judge of all, {place}: {title} {np.mean(values):.3f} ± {spread:.3f}')


def read_results(folder: Path) -> dict[tuple[str, str, int], Result]:
    """Return what runs left, by set, objective and seed, with the judge's opinion."""
    found: dict[tuple[str, str, int], Result] = {}
    for file in sorted(folder.glob('*-*-*.json')):
        place, name, seed = file.stem.rsplit('-', 2)
        if name == 'judged':
            continue
        result = json.loads(file.read_text(encoding='utf-8'))
        judged = folder / f'{place}-judged-{seed}.json'
        scores = json.loads(judged.read_text(encoding='utf-8')) if judged.exists() else {}
        if not scores:  # of another origin: every seed's judge has an opinion of it
            opinions = [
                json.loads(f.read_text(encoding='utf-8')).get(name)
                for f in folder.glob(f'{place}-judged-*.json')
            ]
            held = [x for x in opinions if x is not None]
            scores = {name: float(np.mean(held))} if held else {}
        result['judged'], result['judged_drawn'] = scores.get(name), scores.get(f'{name} drawn')
        found[place, name, int(seed)] = result
    return found


def _sources(results: dict[tuple[str, str, int], Result]) -> list[str]:
    return sorted({place for place, _, _ in results} - {'val'})


def _print_table(
    results: dict[tuple[str, str, int], Result],
    names: Sequence[str],
    sets: Sequence[str],
    columns: Sequence[tuple[str, str, Figure]],
) -> None:
    print('| objective | ' + ' | '.join(c[0] for c in columns) + ' |')
    print('|---' * (len(columns) + 1) + '|')
    for name in names:
        rows = {k: r for k, r in results.items() if k[1] == name and k[0] in sets}
        if rows:
            cells = [_cell(rows, figure, form) for _, form, figure in columns]
            print(f'| `{name}` | ' + ' | '.join(cells) + ' |')


def _cell(rows: dict[tuple[str, str, int], Result], figure: Figure, form: str) -> str:
    """Mean over sets and seeds; behind it how far seeds lie apart, each over its sets."""
    by_seed: dict[int, list[float]] = {}
    for (_, _, seed), result in rows.items():
        value = figure(result)
        if value is not None:
            by_seed.setdefault(seed, []).append(value)
    if not by_seed:
        return ''
    means = [float(np.mean(v)) for v in by_seed.values()]
    text = _form(float(np.mean(means)), form)
    return f'{text} ± {_form(float(np.std(means, ddof=1)), form)}' if len(means) > 1 else text


def _form(value: float, form: str) -> str:
    return f'{100 * value:.0f}%' if form == '%' else f'{value:.{form}f}'


def _print_sweep(results: dict[tuple[str, str, int], Result], names: Sequence[str]) -> None:
    heads = ('objective', 'temperature', *(title for _, title, _ in SWEPT))
    print('| ' + ' | '.join(heads) + ' |')
    print('|---' * len(heads) + '|')
    for name in names:
        rows = {k: r for k, r in results.items() if k[0] == 'val' and k[1] == name}
        temperatures = list(next(iter(rows.values()))['drawn']) if rows else []
        for t in temperatures:
            cells = [
                _cell(rows, lambda r, m=m, t=t: r['drawn'][t][m], form) for m, _, form in SWEPT
            ]
            print(f'| `{name}` | {t} | ' + ' | '.join(cells) + ' |')
