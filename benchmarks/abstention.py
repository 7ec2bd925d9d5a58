# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
When the model abstains: spoilt and senseless pictures beside good frames, and what it costs.

    python -m benchmarks.abstention --data ../shared/data [--model DIR] [--count N] [--json]

Frames come from splits that trained nothing, and are spoilt in ways, and with seeds, that nothing
was fitted to. Without ``--data`` renders take their place.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
import json
from pathlib import Path
import statistics
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks import unseen_drawn, unseen_spoilt
from caption_node.bundle import find_bundle
from caption_node.frame import Frame
from caption_node.frozen import FrozenWatch
from caption_node.image_codec import read_image
from caption_node.pipeline import CaptionPipeline
from caption_node.preprocess import letterbox
from caption_node.scenes import render_scene
from caption_node.trust import FROZEN_REPEATS, FROZEN_S, Trust

Image = NDArray[np.uint8]
WIDTH, HEIGHT = 640, 360
_RENDER_SEED = 880_000


@dataclass
class Row:
    """
    One line of the table.

    :param part: What the kind belongs to, ``good`` for frames that should be described.
    """

    part: str
    kind: str
    pictures: int = 0
    abstained: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """Share that abstains."""
        return self.abstained / max(1, self.pictures)


def measure(pipeline: CaptionPipeline, part: str, kind: str, images: Iterable[Image]) -> Row:
    """Describe pictures and count those that abstain."""
    row, rest = Row(part, kind), iter(images)
    while group := list(islice(rest, pipeline.bundle.max_batch)):
        for said in pipeline.describe([Frame(image) for image in group]):
            row.pictures += 1
            row.abstained += said.status == 'abstain'
            if said.reason:
                row.reasons[said.reason.split(':')[0].split(' (')[0]] += 1
    return row


def senseless(count: int) -> Iterator[tuple[str, str, Iterator[Image]]]:
    """Yield part, kind and pictures of all that is drawn."""
    parts = (('empty', unseen_drawn.EMPTY), ('not driving', unseen_drawn.NON_DRIVING))
    for part, kinds in parts:
        for n, (kind, draw) in enumerate(kinds.items()):
            yield part, kind, _drawn(draw, n, count)


def spoilt(frames: 'Frames', count: int) -> Iterator[tuple[str, str, Iterator[Image]]]:
    """Yield part, kind and pictures of all that is made of frames."""
    parts = (
        ('covered', unseen_spoilt.COVERED),
        ('blurred', unseen_spoilt.BLURRED),
        ('not driving', unseen_spoilt.STRANGE),
    )
    for part, kinds in parts:
        for n, (kind, make) in enumerate(kinds.items()):
            yield part, kind, _made(make, n, frames, count)


def _drawn(draw: unseen_drawn.Draw, number: int, count: int) -> Iterator[Image]:
    for k in range(count):
        yield draw(np.random.default_rng([77, number, k]), HEIGHT, WIDTH)


def _made(make: unseen_spoilt.Spoil, number: int, frames: 'Frames', count: int) -> Iterator[Image]:
    for k in range(count):
        rng = np.random.default_rng([78, number, k])
        image = frames.read(int(rng.integers(len(frames.paths) or 10_000)))
        yield make(image, rng)


@dataclass(frozen=True)
class Frames:
    """
    Frames of one split; renders where there are none.

    :param paths: Files.
    """

    paths: list[Path]

    def read(self, number: int) -> Image:
        """Return a frame at the model's width."""
        if not self.paths:
            return render_scene(_RENDER_SEED + number, width=WIDTH, height=HEIGHT)[0]
        rgb = read_image(self.paths[number])
        box, fit = letterbox(rgb, round(rgb.shape[0] * WIDTH / rgb.shape[1]), WIDTH)
        return np.ascontiguousarray(fit.inner(box))


def good(data: Path | None, renders: int) -> Iterator[tuple[str, Iterator[Image]]]:
    """Yield names and pictures of what should be described: splits by time of day, renders."""
    for split in ('val', 'adverse_val'):
        if data is None:
            continue
        lines = (data / 'labels.jsonl').read_text(encoding='utf-8').splitlines()
        rows = [r for r in map(json.loads, lines) if r['split'] == split]
        times: dict[str, list[Path]] = {}
        for row in rows:
            times.setdefault(row['labels'][0]['time'], []).append(data / row['file'])
        for time, paths in times.items():
            yield f'{split}, {time}', map(read_image, paths)
    seeds = range(_RENDER_SEED, _RENDER_SEED + renders)
    yield 'renders', (render_scene(seed, width=960, height=540)[0] for seed in seeds)


def frozen(frames: Frames, count: int) -> tuple[Row, Row]:
    """Return the rows of a camera that hangs, and of one on a vehicle that stands."""
    hangs = Row('frozen', 'same bytes, 10 Hz, from 0.6 s on')
    stands = Row('good', 'standing still, sensor noise')
    for k in range(count):
        rng = np.random.default_rng([79, k])
        image = frames.read(int(rng.integers(len(frames.paths) or 10_000)))
        for row, sigma in ((hangs, 0.0), (stands, 0.7)):
            watch = FrozenWatch(FROZEN_S, FROZEN_REPEATS)
            for step in range(12):
                noisy = image + rng.normal(0, sigma, image.shape)
                shown = noisy.round().clip(0, 255).astype(np.uint8)
                stood_s = watch.standing_s('front', 1 + step * 100_000_000, shown)
                if step >= 6:
                    row.pictures += 1
                    row.abstained += stood_s > 0
    return hangs, stands


def cost(pipeline: CaptionPipeline, repeats: int = 50) -> tuple[float, float]:
    """Return the median milliseconds of trust and of the whole way of a frame, in one run."""
    trust = Trust.of(pipeline.bundle)
    rgb, _ = render_scene(1, width=pipeline.bundle.width, height=pipeline.bundle.height)
    embedding = pipeline.describe([Frame(rgb)])[0].embedding
    assert embedding is not None
    times: tuple[list[float], list[float]] = ([], [])
    sides: tuple[Callable[[int], object], ...] = (
        lambda k: trust.doubt(Frame(rgb, stamp_ns=1 + k), rgb, embedding),
        lambda k: pipeline.describe([Frame(rgb, stamp_ns=1 + k)]),
    )
    for k in range(repeats):
        for side, run in zip(times, sides, strict=True):
            begun = perf_counter()
            run(k)
            side.append((perf_counter() - begun) * 1e3)
    return statistics.median(times[0]), statistics.median(times[1])


def run(pipeline: CaptionPipeline, data: Path | None, count: int) -> list[Row]:
    """Measure everything."""
    paths = sorted((data / 'frames' / 'val').glob('*.jpg')) if data else []
    frames = Frames(paths)
    rows = [measure(pipeline, *kind) for kind in (*senseless(count), *spoilt(frames, count))]
    rows += [measure(pipeline, 'good', name, images) for name, images in good(data, 5 * count)]
    return [*rows, *frozen(frames, max(1, count // 4))]


def show(rows: list[Row]) -> None:
    """Print the table and the sum of every part."""
    for row in rows:
        usual = ', '.join(f'{reason} {n}' for reason, n in row.reasons.most_common(2))
        print(f'{row.part:12s} {row.kind:34s} {row.abstained:4d}/{row.pictures:<4d} {usual}')
    for part in dict.fromkeys(row.part for row in rows):
        some = [row for row in rows if row.part == part]
        total = sum(row.pictures for row in some)
        share = sum(row.abstained for row in some) / total
        print(f'{part:12s} {"all":34s} {share:7.1%} of {total} abstain')


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--model', help='model folder or name')
    parser.add_argument('--data', type=Path, help='folder of labels.jsonl and frames/')
    parser.add_argument('--count', type=int, default=20, help='pictures of each kind')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--json', action='store_true', help='print JSON lines')
    options = parser.parse_args()
    with CaptionPipeline.open(find_bundle(options.model), threads=options.threads) as pipeline:
        rows = run(pipeline, options.data, options.count)
        trust_ms, whole_ms = cost(pipeline)
    if options.json:
        for row in rows:
            line = {'part': row.part, 'kind': row.kind, 'pictures': row.pictures}
            print(json.dumps({**line, 'abstained': row.abstained, 'reasons': dict(row.reasons)}))
        print(json.dumps({'trust_ms': trust_ms, 'frame_ms': whole_ms}))
        return
    show(rows)
    print(f'trust {trust_ms:.2f} ms of {whole_ms:.2f} ms a frame: {trust_ms / whole_ms:.1%}')


if __name__ == '__main__':
    main()
