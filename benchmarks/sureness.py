# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
How sure fields should be before a sentence may speak of them: likeness against truth.

    python benchmarks/sureness.py configs/drive_small.yaml --split held-out

Prints, for several least probabilities, CIDEr-D against the annotators' sentences and the share of
sentences of which no annotator denies a claim. Labelled boxes, which may bear out a side, are not
asked.
"""

from collections.abc import Sequence
import sys

import torch

from caption_node.evaluation.cider import CiderD
from caption_node.training.data import plain_samples
from caption_node.training.labels import Record
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.scene import LEAST_SURE
from caption_node.training.programs import open_trained, run_program, trained_parser
from caption_node.training.rewards import false_claims
from caption_node.training.weights import load_network, network_of

LEAST = (0.0, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)


def main() -> int:
    """Print the table; 1 on an error that the user can mend."""
    options = trained_parser('Compare how sure fields have to be.').parse_args()

    def compare() -> None:
        config, model, records = open_trained(options)
        _, vocabulary = load_network(options.network or network_of(config))
        print(f'{len(records)} frames of {options.split}\nleast   CIDEr-D   true')
        for least, tokens in zip(LEAST, written(model, records), strict=True):
            said = [vocabulary.decode(t) for t in tokens]
            mark = '  published' if least == LEAST_SURE else ''
            print(
                f'{least:5.2f} {cider(records, said):9.3f} {true_share(records, said):6.1%}{mark}'
            )

    return run_program(compare)


@torch.no_grad()
def written(model: Captioner, records: Sequence[Record]) -> list[list[list[int]]]:
    """Return the words about every frame, for every least probability."""
    found: list[list[list[int]]] = [[] for _ in LEAST]
    for sample in plain_samples(records, model.config.height, model.config.width_px):
        seen = model.perceive(torch.from_numpy(sample.image)[None])
        scene = model.scene(seen)
        for rows, least in zip(found, LEAST, strict=True):
            evidence = model.evidence(seen, scene.logits, least)
            rows += model.decoder.greedy(scene.memory, scene.bias, evidence)[0].tolist()
    return found


def cider(records: Sequence[Record], said: Sequence[str]) -> float:
    """Return the mean CIDEr-D against one annotator at a time."""
    scorer = CiderD([[label.caption or '' for label in r.labels] for r in records])
    scores = [
        scorer.score(text, [label.caption or ''])
        for r, text in zip(records, said, strict=True)
        for label in r.labels
    ]
    return sum(scores) / len(scores)


def true_share(records: Sequence[Record], said: Sequence[str]) -> float:
    """Return the share of sentences, by annotator, of which no claim is denied."""
    rows = [
        (text, {'id': r.id, 'source': r.source, 'fields': x.fields, 'caption': x.caption or ''})
        for r, text in zip(records, said, strict=True)
        for x in r.labels
    ]
    return sum(not false_claims(text, row) for text, row in rows) / len(rows)


if __name__ == '__main__':
    sys.exit(main())
