# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
How right search is, on rendered drives whose truth is known.

    python benchmarks/relevance.py [--seeds 11 12] [--duration 90] [--rate 1]

Every question is asked of two indexes of the same frames: one of true descriptions, which shows
what search itself gets wrong, and one of the model's, which shows what a user gets. A moment is
right if the truth holds in most of its frames; recall is the share of true frames inside of the
moments that were found.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
import tempfile
from typing import Any

from caption_node.bag.index import Index, IndexedBag, IndexedFrame, Query, open_index
from caption_node.description import FieldValue, ModelInfo, SceneDescription, SceneObject
from caption_node.frame import Frame
from caption_node.pipeline import CaptionPipeline
from caption_node.scenes import render_drive

CAMERA = '/camera/front/image_raw'
Truth = Mapping[str, Any]
QUESTIONS: dict[str, Callable[[Truth], bool]] = {
    'night': lambda t: t['time'] == 'night',
    'evening': lambda t: t['time'] == 'dusk',
    'foggy country road': lambda t: t['weather'] == 'fog' and t['road'] == 'rural',
    'raining': lambda t: t['weather'] == 'rain',
    'motorway': lambda t: t['road'] == 'highway',
    'tunnel': lambda t: t['road'] == 'tunnel',
    'residential street by day': lambda t: t['road'] == 'residential' and t['time'] == 'day',
    'pedestrians': lambda t: t['people'] > 0,
    'person crossing': lambda t: t['people_on_road'],
    'people at night': lambda t: t['people'] > 0 and t['time'] == 'night',
    'cyclist': lambda t: t['cyclists'] > 0,
    'red light': lambda t: t['light'] == 'red',
    'green traffic light': lambda t: t['light'] == 'green',
    'crosswalk': lambda t: t['crosswalk'],
    'junction in town': lambda t: t['intersection'] and t['road'] == 'city',
    'oncoming traffic': lambda t: t['oncoming'],
    'parked cars': lambda t: t['parked'],
}
FILTERS: dict[str, Callable[[Truth], bool]] = {
    'lead=car and road=city': lambda t: t['lead'] == 'car' and t['road'] == 'city',
    'lead!=none and time=night': lambda t: t['lead'] != 'none' and t['time'] == 'night',
    'people>=2': lambda t: t['people'] >= 2,
    'light=red or people_on_road': lambda t: t['light'] == 'red' or t['people_on_road'],
}


@dataclass(frozen=True, slots=True)
class Score:
    """Moments found and right, true frames and those inside of moments."""

    found: int
    right: int
    true: int
    covered: int


def main() -> None:
    """Render, describe, ask, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[11, 12])
    parser.add_argument('--duration', type=float, default=90.0, help='seconds of every drive')
    parser.add_argument('--rate', type=float, default=1.0, help='frames a second')
    parser.add_argument('--model', help='model folder or name')
    options = parser.parse_args()
    truths: dict[tuple[str, int], Truth] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        CaptionPipeline.open(options.model) as pipeline,
        open_index(Path(folder) / 'true.index', write=True) as true_index,
        open_index(Path(folder) / 'said.index', write=True) as said_index,
    ):
        for seed in options.seeds:
            index_drive(seed, options, pipeline, (true_index, said_index), truths)
        print(f'{len(truths)} frames of {len(options.seeds)} drives')
        print(f'{"":34}{"true descriptions":>24}{"the model":>24}')
        totals = [[Score(0, 0, 0, 0)], [Score(0, 0, 0, 0)]]
        for name, holds in {**QUESTIONS, **FILTERS}.items():
            query = Query(name) if name in QUESTIONS else Query(where=name)
            scores = [score(i, query, holds, truths) for i in (true_index, said_index)]
            if scores[0].true:
                print(f'{name:34}' + ''.join(f'{show(s):>24}' for s in scores))
                for total, one in zip(totals, scores, strict=True):
                    total.append(one)
        print(f'{"all":34}' + ''.join(f'{show(add(t)):>24}' for t in totals))


def index_drive(
    seed: int,
    options: argparse.Namespace,
    pipeline: CaptionPipeline,
    indexes: tuple[Index, Index],
    truths: dict[tuple[str, int], Truth],
) -> None:
    """Render a drive; enter what is true of it, and what the model says of it."""
    path = f'/drives/{seed}'
    true_rows, said_rows = [], []
    for rgb, truth, time_ns in render_drive(seed, options.duration, options.rate):
        truths[path, time_ns] = truth.fields
        (said,) = pipeline.describe([Frame(rgb, stamp_ns=time_ns, camera=CAMERA)])
        said_rows.append(IndexedFrame(said, time_ns))
        objects = tuple(
            SceneObject(o.class_name, 1.0, o.box, o.position, o.range, o.in_lane)
            for o in truth.objects
        )
        scene = {n: FieldValue(v, 1.0) for n, v in truth.fields.items()}
        true_rows.append(
            IndexedFrame(
                SceneDescription(
                    stamp_ns=time_ns,
                    camera=CAMERA,
                    caption=truth.caption,
                    confidence=1.0,
                    scene=scene,
                    hazard=truth.hazard,
                    objects=objects,
                ),
                time_ns,
            )
        )
    for index, rows, model in zip(
        indexes, (true_rows, said_rows), (ModelInfo('truth'), pipeline.model), strict=True
    ):
        index.begin(IndexedBag(path, '', '', 0, round(options.duration * 1e9), model))
        index.add(path, rows)


def score(
    index: Index,
    query: Query,
    holds: Callable[[Truth], bool],
    truths: Mapping[tuple[str, int], Truth],
) -> Score:
    """Ask one question and compare with the truth; partial answers count as wrong."""
    found = index.search(query)
    right, covered = 0, set()
    for moment in found.moments:
        inside = {
            key: bool(holds(t))
            for key, t in truths.items()
            if key[0] == moment.bag and moment.start_ns <= key[1] <= moment.end_ns
        }
        right += sum(inside.values()) * 2 >= len(inside)
        covered |= {key for key, is_true in inside.items() if is_true}
    true = sum(bool(holds(t)) for t in truths.values())
    return Score(len(found.moments), right, true, len(covered))


def add(scores: list[Score]) -> Score:
    """Sum up."""
    return Score(
        sum(s.found for s in scores),
        sum(s.right for s in scores),
        sum(s.true for s in scores),
        sum(s.covered for s in scores),
    )


def show(one: Score) -> str:
    """Write precision with its counts, and recall."""
    precision = f'{one.right / one.found:.2f}' if one.found else '-'
    recall = f'{one.covered / one.true:.2f}' if one.true else '-'
    return f'{precision} ({one.right}/{one.found}) r {recall}'


if __name__ == '__main__':
    main()
