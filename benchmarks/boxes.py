# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Boxes of the trained head beside those of the published network, on labelled boxes.

    python benchmarks/boxes.py configs/drive_small.yaml --split val

Both run at the model's input size with the same suppression. Prints average precision at an
overlap of one half, and recall and precision, each at the scores from which it publishes: tuning
changes what a score means.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
import sys

import numpy as np
import torch

from caption_node.description import OBJECT_CLASSES
from caption_node.training.data import plain_samples
from caption_node.training.detection_loss import iou
from caption_node.training.export import DEFAULT_THRESHOLDS
from caption_node.training.labels import Record
from caption_node.training.model.detection import SCHEMA_COLUMNS, BoxDecoder
from caption_node.training.model.nanodet import NanoDet, keep_columns, load_nanodet
from caption_node.training.programs import open_trained, run_program, trained_parser

_FEW = 15
UNTUNED_THRESHOLDS = {**DEFAULT_THRESHOLDS, 'car': 0.35, 'traffic light': 0.25}
"""From where the network published while it was not tuned yet."""


@dataclass
class Tally:
    """Found boxes of one class over all frames."""

    scores: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    labelled: int = 0

    def average_precision(self) -> float:
        """Return the area under the curve of the highest precision at each recall."""
        order = np.argsort(-np.array(self.scores))
        right = np.array(self.right, dtype=bool)[order]
        recall = right.cumsum() / max(1, self.labelled)
        precision = right.cumsum() / np.arange(1, len(right) + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        return float(np.sum(np.diff(np.concatenate([[0.0], recall])) * best))

    def at(self, threshold: float) -> tuple[float, float]:
        """Return recall and precision of the boxes with at least this score."""
        chosen = [r for r, s in zip(self.right, self.scores, strict=True) if s >= threshold]
        return sum(chosen) / max(1, self.labelled), sum(chosen) / max(1, len(chosen))


def main() -> int:
    """Print the table; 1 on an error that the user can mend."""
    options = trained_parser('Compare the trained boxes with the published.').parse_args()

    def compare() -> None:
        config, model, records = open_trained(options)
        published = keep_columns(load_nanodet(config.encoder), SCHEMA_COLUMNS).eval()
        before = tally(published, model.boxes, records)
        print_table(before, tally(model.detector, model.boxes, records))

    return run_program(compare)


def tally(detector: NanoDet, boxes: BoxDecoder, records: Sequence[Record]) -> dict[str, Tally]:
    """Match what a detector finds with the labelled boxes, best scores first."""
    found = {name: Tally() for name in OBJECT_CLASSES}
    for sample in plain_samples(records, 384, 640):
        rgb = torch.from_numpy(sample.image)[None].float().permute(0, 3, 1, 2)
        with torch.no_grad():
            corners, classes, scores = (x[0] for x in boxes(detector(rgb)[2]))
        truth = torch.from_numpy(sample.label.boxes)
        free = torch.ones(len(truth), dtype=torch.bool)
        for name in OBJECT_CLASSES:
            found[name].labelled += int((truth[:, 4] == OBJECT_CLASSES.index(name)).sum())
        for box, kind, score in zip(corners, classes.tolist(), scores.tolist(), strict=True):
            if score <= 0:
                continue
            same = free & (truth[:, 4] == kind)
            overlap = iou(box[None], truth[:, :4]) * same if len(truth) else torch.zeros(1)
            best = int(overlap.argmax())
            hit = bool(overlap[best] >= 0.5)
            if hit:
                free[best] = False
            found[OBJECT_CLASSES[kind]].scores.append(score)
            found[OBJECT_CLASSES[kind]].right.append(hit)
    return found


def print_table(before: dict[str, Tally], after: dict[str, Tally]) -> None:
    """Print one line a class with enough labelled boxes."""
    print('                labelled   AP50            recall          precision')
    print('                          published ours  published ours  published ours')
    for name in OBJECT_CLASSES:
        if before[name].labelled < _FEW:
            continue
        sides = []
        for found, least in ((before, UNTUNED_THRESHOLDS), (after, DEFAULT_THRESHOLDS)):
            one = found[name]
            sides.append((one.average_precision(), *one.at(least[name])))
        pairs = '   '.join(f'{a:.2f} {b:.2f}' for a, b in zip(*sides, strict=True))
        print(f'{name:15s} {before[name].labelled:6d}    {pairs}')


if __name__ == '__main__':
    sys.exit(main())
