# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What an index costs: build rate, size, time to open, and median and worst times of queries.

    python benchmarks/search.py [--rows 1000000] [--distinct 20000] [--keep FILE] [--lancedb]

Rows are made from the grammar of the renderer: random fields and their sentence, each scene
lasting some seconds as in a drive, embeddings scattered around one centre a scene. ``--lancedb``
puts the same rows into LanceDB (not a requirement; install it to compare) in the same run.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
import statistics
import tempfile
from time import perf_counter, process_time
from typing import Any

import numpy as np

from caption_node.bag.index import IndexedBag, IndexedFrame, Query, open_index
from caption_node.description import (
    FIELDS,
    FieldValue,
    ModelInfo,
    SceneDescription,
    SceneObject,
    Value,
)
from caption_node.scenes import sentence

MODEL = ModelInfo('synthetic', '0' * 64, 'none', 'fp32')
DIMENSIONS = 128
ROWS_A_BAG = 7200  # an hour at two frames a second
ROWS_AT_ONCE = 1024
TEXTS = (
    'person crossing at night',
    'truck in the rain',
    'red light',
    'cyclist on the left',
    'people on a crosswalk',
    'bus in a tunnel',
    'oncoming car in fog',
    'parked cars in a residential street',
    'roadworks on the motorway',
    'snow -night',
    'stop sign at a junction in the country',
    'pedestrian with motorcycle ahead at dusk',
)
FILTERS = (
    'lead=truck and road=highway',
    'people>=2 and not time in (day, dusk)',
    'weather=fog or weather=snow',
    'light=red and crosswalk and vehicles>3',
)


def main() -> None:
    """Build, ask, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--rows', type=int, default=1_000_000)
    parser.add_argument('--distinct', type=int, default=20_000, help='different scenes')
    parser.add_argument('--thumbnail-bytes', type=int, default=0, help='size of a thumbnail')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--keep', type=Path, help='keep the index there; used again if it exists')
    parser.add_argument('--lancedb', action='store_true', help='compare with LanceDB')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.keep or Path(folder) / 'search.index'
        scenes = make_scenes(options.distinct)
        if not path.exists():
            build(path, scenes, options)
        size = path.stat().st_size
        print(f'size         {size / 1e6:.0f} MB, {size / options.rows:.0f} bytes a row')
        ask(path, scenes, options.repeats)
        if options.lancedb:
            compare_lancedb(Path(folder), scenes, options)


def make_scenes(count: int) -> list[SceneDescription]:
    """Return different scenes, each with its embedding."""
    rng = np.random.default_rng(1)
    scenes = []
    for _ in range(count):
        values = {name: draw(name, rng) for name in FIELDS}
        vector = rng.standard_normal(DIMENSIONS).astype(np.float32) + 0.5
        kinds = rng.choice(
            ['car', 'car', 'person', 'truck', 'traffic light'], int(rng.integers(8))
        )
        scenes.append(
            SceneDescription(
                camera='/camera/front/image_raw',
                caption=sentence(values, [], rng),
                confidence=0.8,
                scene={n: FieldValue(v, 0.9) for n, v in values.items()},
                objects=tuple(
                    SceneObject(str(k), 0.6, (10.0, 20.0, 80.0, 64.0), 'ahead', 'mid', False)
                    for k in kinds
                ),
                model=MODEL,
                embedding=vector / np.float32(np.linalg.norm(vector)),
            )
        )
    return scenes


def draw(name: str, rng: np.random.Generator) -> Value:
    """Return a value of a field, the common ones more often."""
    spec = FIELDS[name]
    if spec.kind == 'categorical':
        weight = 1.0 / (1.0 + np.arange(len(spec.values)))
        return spec.values[int(rng.choice(len(spec.values), p=weight / weight.sum()))]
    if spec.kind == 'boolean':
        return bool(rng.random() < 0.25)
    return int(min(rng.geometric(0.4) - 1, 15))


def drives(
    scenes: list[SceneDescription], options: argparse.Namespace
) -> Iterator[tuple[int, list[IndexedFrame]]]:
    """Yield pairs of (number of the bag, next frames of it)."""
    rng = np.random.default_rng(2)
    jpeg = rng.bytes(options.thumbnail_bytes)
    left, scene = 0, scenes[0]
    rows: list[IndexedFrame] = []
    for i in range(options.rows):
        if not left:
            left, scene = int(rng.integers(4, 40)), scenes[int(rng.integers(len(scenes)))]
        left -= 1
        time_ns = 1_700_000_000_000_000_000 + i * 500_000_000
        assert scene.embedding is not None
        vector = scene.embedding + 0.02 * rng.standard_normal(DIMENSIONS, dtype=np.float32)
        rows.append(IndexedFrame(stamped(scene, time_ns, vector), time_ns, jpeg))
        if len(rows) == ROWS_AT_ONCE or (i + 1) % ROWS_A_BAG == 0 or i + 1 == options.rows:
            yield i // ROWS_A_BAG, rows
            rows = []


def stamped(scene: SceneDescription, time_ns: int, vector: Any) -> SceneDescription:
    """Return a scene at another time, seen a little differently."""
    return SceneDescription(
        stamp_ns=time_ns,
        camera=scene.camera,
        caption=scene.caption,
        confidence=scene.confidence,
        scene=scene.scene,
        objects=scene.objects,
        model=scene.model,
        embedding=vector / np.float32(np.linalg.norm(vector)),
    )


def build(path: Path, scenes: list[SceneDescription], options: argparse.Namespace) -> None:
    """Write the index and print how fast."""
    spent_s, spent_cpu_s, longest_s, current = 0.0, 0.0, 0.0, -1
    with open_index(path, write=True) as index:
        for number, rows in drives(scenes, options):
            bag = IndexedBag(
                f'/drives/{number:05d}', str(number), '', rows[0].log_time_ns, 0, MODEL
            )
            begun, begun_cpu = perf_counter(), process_time()
            if number != current:
                index.begin(bag)
                current = number
            index.add(bag.path, rows)
            took_s = perf_counter() - begun
            spent_s += took_s
            spent_cpu_s += process_time() - begun_cpu
            longest_s = max(longest_s, took_s)
    rate = options.rows / spent_s
    print(
        f'build        {options.rows} rows in {spent_s:.1f} s: {rate:.0f} rows/s; '
        f'{spent_cpu_s:.1f} s of the processor: {options.rows / spent_cpu_s:.0f} rows/s'
    )
    print(f'longest add  {longest_s:.2f} s for {ROWS_AT_ONCE} rows')


def ask(path: Path, scenes: list[SceneDescription], repeats: int) -> None:
    """Ask all kinds of questions and print how long they take."""
    begun = perf_counter()
    with open_index(path) as index:
        index.search(Query(TEXTS[0]))
        print(f'first query  {(perf_counter() - begun) * 1e3:.0f} ms, opening included')
        like = scenes[7].embedding
        kinds: dict[str, list[Query]] = {
            'words': [Query(t) for t in TEXTS],
            'filters': [Query(where=w) for w in FILTERS],
            'both': [Query(t, w) for t in TEXTS for w in FILTERS],
            'likeness': [Query(like=s.embedding, like_model=MODEL) for s in scenes[:12]],
            'all three': [Query(t, FILTERS[1], like, MODEL) for t in TEXTS],
        }
        every = []
        for name, queries in kinds.items():
            times = [timed(lambda q=q: index.search(q)) for _ in range(repeats) for q in queries]
            every += times
            print_times(name, times)
        print_times('all queries', every)
        hits = sum(is_found(index.search(q).moments, s) for q, s in
                   zip(kinds['likeness'], scenes[:12], strict=True))  # fmt: skip
        print(f'likeness     the right scene came first for {hits} of 12 pictures')


def is_found(found: list[Any], scene: SceneDescription) -> bool:
    """Say whether the best moment is of that scene."""
    return bool(found) and found[0].best.caption == scene.caption


def timed(action: Callable[[], Any]) -> tuple[float, float]:
    """Return how long it takes by the clock and of the processor, milliseconds."""
    begun, begun_cpu = perf_counter(), process_time()
    action()
    return (perf_counter() - begun) * 1e3, (process_time() - begun_cpu) * 1e3


def print_times(name: str, times_ms: list[tuple[float, float]]) -> None:
    """Print median and worst; on a busy machine the processor's time is the fairer figure."""
    for what, times in zip(('clock', 'cpu'), zip(*times_ms, strict=True), strict=True):
        print(
            f'{name:12} {what:5} p50 {statistics.median(times):6.1f} ms   '
            f'p90 {statistics.quantiles(times, n=10)[-1]:6.1f} ms   max {max(times):6.1f} ms'
        )


def compare_lancedb(
    folder: Path, scenes: list[SceneDescription], options: argparse.Namespace
) -> None:
    """Put the same rows into LanceDB, index them as it advises, and ask the same."""
    begun = perf_counter()
    import lancedb
    from lancedb.index import FTS, IvfPq
    import pyarrow

    print(f'lancedb      import {(perf_counter() - begun) * 1e3:.0f} ms')
    begun = perf_counter()

    def batches() -> Iterator[Any]:
        for number, rows in drives(scenes, options):
            said = [r.description for r in rows]
            columns: dict[str, Any] = {
                'bag': [f'/drives/{number:05d}'] * len(rows),
                'topic': [d.camera for d in said],
                'log_time_ns': [r.log_time_ns for r in rows],
                'caption': [d.caption for d in said],
                **{n: [str(d.scene[n].value) for d in said] for n in FIELDS},
                'embedding': pyarrow.FixedSizeListArray.from_arrays(
                    pyarrow.array(np.concatenate([d.embedding for d in said])), DIMENSIONS
                ),
            }
            yield pyarrow.record_batch(columns)

    stream = batches()
    first = next(stream)
    table = lancedb.connect(str(folder / 'lance')).create_table('frame', first)
    held: list[Any] = []
    for batch in stream:
        held.append(batch)
        if len(held) == 64:
            table.add(pyarrow.Table.from_batches(held))
            held = []
    if held:
        table.add(pyarrow.Table.from_batches(held))
    table.create_index('caption', config=FTS())
    table.create_index('embedding', config=IvfPq(distance_type='cosine'))
    print(f'lancedb      build {options.rows / (perf_counter() - begun):.0f} rows/s')
    size = sum(p.stat().st_size for p in (folder / 'lance').rglob('*') if p.is_file())
    print(f'lancedb      size {size / 1e6:.0f} MB')
    ask_lancedb(table, scenes, options.repeats)


def ask_lancedb(table: Any, scenes: list[SceneDescription], repeats: int) -> None:
    """Ask LanceDB for the best rows: all of a moment's rows cannot be had so quickly."""
    for limit in (10, 1000):

        def words(text: str, limit: int = limit) -> Any:
            return table.search(text, query_type='fts').limit(limit).to_arrow()

        times = [timed(lambda t=t: words(t)) for _ in range(repeats) for t in TEXTS]
        print_times(f'lance {limit}', times)

    def like(scene: SceneDescription) -> Any:
        return table.search(scene.embedding, vector_column_name='embedding').limit(1000).to_arrow()

    times = [timed(lambda s=s: like(s)) for _ in range(repeats) for s in scenes[:12]]
    print_times('lance like', times)


if __name__ == '__main__':
    main()
