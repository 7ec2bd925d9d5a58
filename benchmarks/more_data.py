# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What more frames of other cities, countries and nights would bring: the whole encoder learns.

    python -m benchmarks.more_data configs/drive_small_more.yaml --more adverse_train

From the network that the configuration begins with, the first stage takes its steps without the
further split, with shares of it, and with all of it; nothing else differs. Each is measured by
itself, and averaged with the network that it began with. Runs that are there go on or are not run
again. Models of frames that may be used for measuring only are no models to ship.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
import sys
import zlib

import numpy as np
import torch

from caption_node.description import FIELDS, Value
from caption_node.errors import CaptionError, ConfigError
from caption_node.evaluation.fields import score_fields
from caption_node.pipeline import read_field
from caption_node.training.config import TrainConfig, load_config
from caption_node.training.data import plain_samples
from caption_node.training.end_to_end import EncoderRun
from caption_node.training.labels import Record, read_labels
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.scene import field_starts
from caption_node.training.train import begin, read_frames
from caption_node.training.weights import NETWORK, load_average, load_network, save_network

CONDITIONS = ('all', 'day', 'night')


def main() -> int:
    """Run what is missing and print the table; 1 on an error that the user can mend."""
    parser = argparse.ArgumentParser(description='Learning curve of the whole encoder.')
    parser.add_argument('config', type=Path)
    parser.add_argument('--more', default='adverse_train', help='split that is added')
    parser.add_argument('--shares', type=float, nargs='+', default=[0.0, 0.5, 1.0])
    parser.add_argument('--splits', nargs='+', default=['val', 'adverse_val'])
    parser.add_argument('--work', type=Path, default=Path('runs/more_data'))
    options = parser.parse_args()
    try:
        config = load_config(options.config)
        if len(config.begin) != 1:
            raise ConfigError(f'{options.config}: begin should name one network to go on from')
        torch.set_num_threads(config.threads)
        tests = {s: read_labels(config.labels, config.frames, [s]) for s in options.splits}
        started = Path(config.begin[0])
        print('| further frames | network | ' + ' | '.join(heads(tests)) + ' |')
        print('|---' * (2 + len(heads(tests))) + '|')
        first = load_network(started)[0]
        tell('none', 'as it began', first, tests)
        for share in options.shares:
            file, count = learn(config, options.more, share, options.work)
            for name, files in (('by itself', [file]), ('averaged', [started, file])):
                model = load_average(files)[0]
                # Published alike, or the table would compare priors.
                for part in ('prior', 'share', 'implies'):
                    getattr(model.scene, part).copy_(getattr(first.scene, part))
                tell(str(count), name, model, tests)
    except CaptionError as err:
        print(f'error: {err}\nhint: {err.hint}', file=sys.stderr)
        return 1
    return 0


def learn(config: TrainConfig, more: str, share: float, work: Path) -> tuple[Path, int]:
    """Train with a share of the further split; returns the network's file and its frames."""
    folder = work / f'{more}-{round(100 * share)}'
    folder.mkdir(parents=True, exist_ok=True)
    frames = read_frames(replace(config, work=work))
    further = [
        r
        for r in read_labels(config.labels, config.frames, [more])
        if zlib.crc32(b'more' + r.id.encode()) % 1000 < share * 1000
    ]
    file = folder / NETWORK
    if not file.exists():
        here = replace(config, work=folder)
        model, vocabulary = begin(here, frames)
        run = EncoderRun(here, model, vocabulary, [*frames.real, *further], frames.renders)
        run.resume()
        run.train()
        model.eval()
        save_network(file, model, vocabulary)
    return file, len(further)


def heads(tests: dict[str, list[Record]]) -> list[str]:
    """Return the columns: each split as a whole, by day and by night where it has both."""
    return [f'{split}, {c}' for split in tests for c in CONDITIONS if _of(tests[split], c)]


def _of(records: Sequence[Record], condition: str) -> list[int]:
    """Return the frames of a condition; none where all are of it."""
    times = [str(r.labels[0].fields['time']) for r in records]
    chosen = [k for k, t in enumerate(times) if condition in ('all', t)]
    return chosen if condition == 'all' or len(chosen) < len(records) else []


@torch.no_grad()
def tell(frames: str, name: str, model: Captioner, tests: dict[str, list[Record]]) -> None:
    """Print a row: mean macro-F1 of the fields."""
    model.eval()
    cells = []
    for records in tests.values():
        said = [
            read_fields(model.scene(model.perceive(torch.from_numpy(s.image)[None])).logits[0])
            for s in plain_samples(records, model.config.height, model.config.width_px)
        ]
        for chosen in (_of(records, c) for c in CONDITIONS):
            if chosen:
                cells.append(
                    f'{score([said[k] for k in chosen], [records[k] for k in chosen]):.3f}'
                )
    print(f'| {frames} | {name} | ' + ' | '.join(cells) + ' |', flush=True)


def read_fields(logits: torch.Tensor) -> dict[str, Value]:
    """Read (S,) logits as the product does."""
    starts = field_starts()
    return {
        n: read_field(f, logits[starts[n] : starts[n] + f.width].numpy(), 1.0).value
        for n, f in FIELDS.items()
    }


def score(said: Sequence[dict[str, Value]], records: Sequence[Record]) -> float:
    """Return the mean macro-F1 over fields and annotators."""
    annotators = min(len(r.labels) for r in records)
    rounds = [
        score_fields(said, [dict(r.labels[k].fields) for r in records]) for k in range(annotators)
    ]
    return float(np.mean([r[n] or 0.0 for r in rounds for n in FIELDS]))


if __name__ == '__main__':
    sys.exit(main())
