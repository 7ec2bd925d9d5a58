# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
How fields fare on cameras that did not train: learning curve and leave-one-source-out.

    python benchmarks/generalisation.py configs/drive_small.yaml --steps 300

Scene encoders are trained anew on cached features, each on a part of the training frames, and
scored on frames of other cameras. The encoder below them is the one of the cache: what it learnt
from a source that is left out here stays in it, so that the figures flatter a little.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
import sys
import zlib

import numpy as np
import torch

from benchmarks.readings import read_fields
from caption_node.description import FIELDS, Value
from caption_node.errors import CaptionError
from caption_node.evaluation.fields import score_fields
from caption_node.training.config import TrainConfig, load_config
from caption_node.training.data import Batches, is_held_out, plain_samples
from caption_node.training.field_loss import field_loss, field_weights
from caption_node.training.labels import read_labels
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.roles import DERIVED
from caption_node.training.model.scene import Features, SceneEncoder
from caption_node.training.render_store import RENDER_SOURCE
from caption_node.training.train import fill_cache, read_frames
from caption_node.training.weights import load_network, network_of

BATCH = 32
SHARES = (0.25, 0.5, 1.0)
Truth = list[list[dict[str, Value]]]


def main() -> int:
    """Print both tables; 1 on an error that the user can mend."""
    parser = argparse.ArgumentParser(description='Learning curve and leave-one-source-out.')
    parser.add_argument('config', type=Path)
    parser.add_argument('--steps', type=int, default=300)
    parser.add_argument('--splits', nargs='*', default=['val'], help='frames to score on')
    options = parser.parse_args()
    try:
        config = load_config(options.config)
        model, vocabulary = load_network(network_of(config))
        cache = fill_cache(config, model, read_frames(config))
        batches = Batches(cache, vocabulary, range(len(cache)), model.config.tokens)
        tests = {s: split_features(model, config, s) for s in options.splits}
    except CaptionError as err:
        print(f'error: {err}\nhint: {err.hint}', file=sys.stderr)
        return 1
    torch.set_num_threads(config.threads)
    info = cache.info
    used = [i for i, row in enumerate(info) if not is_held_out(row['id'])]
    for share in SHARES:
        chosen = [i for i in used if _in_share(info[i]['id'], share)]
        frames = len({info[i]['id'] for i in chosen if info[i]['source'] != RENDER_SOURCE})
        scene = train_fields(model, batches, chosen, options.steps)
        for split, (features, truth) in tests.items():
            print(f'{frames} frames, {split}: field F1 {score(scene, features, truth):.3f}')
    for source in sorted({row['source'] for row in info} - {RENDER_SOURCE}):
        chosen = [i for i in used if info[i]['source'] != source]
        scene = train_fields(model, batches, chosen, options.steps)
        left = [i for i, row in enumerate(info[: cache.first_shard]) if row['source'] == source]
        features = cache.features(left, torch.device('cpu'))
        truth = [[dict(info[i]['fields']) for i in left]]
        print(f'without {source}: field F1 on its {len(left)} frames', end=' ')
        print(f'{score(scene, features, truth):.3f}')
    return 0


def _in_share(frame_id: str, share: float) -> bool:
    return zlib.crc32(b'share' + frame_id.encode()) % 1000 < share * 1000


def train_fields(
    model: Captioner, batches: Batches, chosen: Sequence[int], steps: int
) -> SceneEncoder:
    """Train a new scene encoder on these samples of the cache."""
    torch.manual_seed(1)
    scene = SceneEncoder(model.config)
    weights = field_weights(batches.targets[list(chosen)])
    optimiser = torch.optim.AdamW(scene.parameters(), lr=1e-3, weight_decay=0.03)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=steps)
    device = torch.device('cpu')
    scene.train()
    for step in range(steps):
        rows = np.random.default_rng([1, step]).choice(np.array(chosen), BATCH)
        batch = batches.take(rows.tolist(), device)
        out = scene(batch.features)
        loss = field_loss(out.learnt, batch.targets, weights)
        loss = loss + field_loss(out.derived, batch.targets, weights, DERIVED)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(scene.parameters(), 1.0)
        optimiser.step()
        plan.step()
    return scene.eval()


def split_features(model: Captioner, config: TrainConfig, split: str) -> tuple[Features, Truth]:
    """Run the encoder over a split; fields of every annotator, frame by frame."""
    records = read_labels(config.labels, config.frames, [split])
    parts = []
    for sample in plain_samples(records, model.config.height, model.config.width_px):
        with torch.no_grad():
            parts.append(model.perceive(torch.from_numpy(sample.image)[None]))
    names = list(vars(parts[0]))
    joined = Features(**{n: torch.cat([getattr(p, n) for p in parts]) for n in names})
    annotators = min(len(r.labels) for r in records)
    return joined, [[dict(r.labels[k].fields) for r in records] for k in range(annotators)]


def score(scene: SceneEncoder, features: Features, truth: Truth) -> float:
    """Return the mean macro-F1 over fields and annotators."""
    said: list[dict[str, Value]] = []
    count = len(features.scores)
    for start in range(0, count, BATCH):
        part = {n: v[start : start + BATCH] for n, v in vars(features).items()}
        with torch.no_grad():
            said += [read_fields(row) for row in scene(Features(**part)).logits]
    rounds = [score_fields(said, fields) for fields in truth]
    return float(np.mean([s[n] or 0.0 for s in rounds for n in FIELDS]))


if __name__ == '__main__':
    sys.exit(main())
