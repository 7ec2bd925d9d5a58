# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Scene fields learnt by heads beside the same fields read from the objects: which is better where.

    python benchmarks/readings.py configs/drive_small.yaml --split val

Prints the macro-F1 of both and of equal parts of both, against all annotators of each frame.
"""

from collections.abc import Sequence
import sys

import numpy as np
import torch

from caption_node.description import FIELDS, MAX_COUNT, Value
from caption_node.evaluation.fields import score_fields
from caption_node.training.data import plain_samples
from caption_node.training.labels import Record
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.roles import DERIVED
from caption_node.training.model.scene import derived_columns
from caption_node.training.programs import open_trained, run_program, trained_parser


def main() -> int:
    """Print the table; 1 on an error that the user can mend."""
    options = trained_parser('Compare learnt fields with derived ones.').parse_args()

    def compare() -> None:
        _, model, records = open_trained(options)
        print_table(records, *readings(model, records))

    return run_program(compare)


def readings(model: Captioner, records: Sequence[Record]) -> list[list[dict[str, Value]]]:
    """Return what heads, objects and both in equal parts say of every frame."""
    said: list[list[dict[str, Value]]] = [[], [], []]
    columns = derived_columns()
    for sample in plain_samples(records, model.config.height, model.config.width_px):
        with torch.no_grad():
            scene = model.scene(model.perceive(torch.from_numpy(sample.image)[None]))
            learnt = scene.learnt[0] + model.scene.prior
            derived, mixed = learnt.clone(), learnt.clone()
            derived[columns] = scene.derived[0]
            mixed[columns] = (scene.derived[0] + learnt[columns]) / 2
        for rows, logits in zip(said, (learnt, derived, mixed), strict=True):
            rows.append(read_fields(logits))
    return said


def read_fields(logits: torch.Tensor) -> dict[str, Value]:
    """Turn (S,) logits into the likeliest values, counts into their medians."""
    values: dict[str, Value] = {}
    start = 0
    for name, field in FIELDS.items():
        part = logits[start : start + field.width]
        start += field.width
        if field.kind == 'boolean':
            values[name] = bool(part[0] >= 0)
        elif field.kind == 'count':
            below = part.softmax(0).cumsum(0).numpy()
            values[name] = min(int(np.searchsorted(below, 0.5)), MAX_COUNT)
        else:
            values[name] = field.values[int(part.argmax())]
    return values


def print_table(
    records: Sequence[Record],
    learnt: list[dict[str, Value]],
    derived: list[dict[str, Value]],
    mixed: list[dict[str, Value]],
) -> None:
    """Print one line a field that has both readings."""
    annotators = max(len(r.labels) for r in records)
    scores = []
    for said in (learnt, derived, mixed):
        rounds = [
            score_fields(said, [r.labels[min(k, len(r.labels) - 1)].fields for r in records])
            for k in range(annotators)
        ]
        scores.append({n: float(np.mean([s[n] or 0.0 for s in rounds])) for n in FIELDS})
    print(f'{"field":16s} {"learnt":>8s} {"derived":>8s} {"mixed":>8s}')
    for name in FIELDS:
        note = '' if name in DERIVED else '  (learnt only)'
        print(f'{name:16s} ' + ' '.join(f'{s[name]:8.3f}' for s in scores) + note)
    print(f'{"mean":16s} ' + ' '.join(f'{np.mean(list(s.values())):8.3f}' for s in scores))


if __name__ == '__main__':
    sys.exit(main())
