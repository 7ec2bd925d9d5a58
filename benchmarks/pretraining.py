# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What pre-training on unlabelled pictures brings: a dense captioner of 64 x 64 pixels, both ways.

    python -m benchmarks.pretraining configs/dense64.yaml

Prints fields and sentences on frames of another camera, with the encoder random and pre-trained
at first; all else is the same. Results are kept in the work folder, and runs that are there are
not run again.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
import json
from pathlib import Path
import sys
import time

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor, nn
import yaml

from benchmarks.objective_runs import write_json
from benchmarks.readings import read_fields
from caption_node.description import FIELDS
from caption_node.errors import CaptionError, ConfigError
from caption_node.evaluation.cider import CiderD
from caption_node.evaluation.denials import denied_claims
from caption_node.evaluation.fields import score_fields
from caption_node.evaluation.frames import read_frames
from caption_node.image_codec import read_image
from caption_node.training.config import DENSE_SIDE
from caption_node.training.data import build_vocabulary, encode_sentence
from caption_node.training.field_loss import field_loss, field_weights
from caption_node.training.grounding_words import GROUPS
from caption_node.training.labels import Record, read_labels
from caption_node.training.model.decoder import TextDecoder
from caption_node.training.model.scene import SCENE_WIDTH, SceneConfig
from caption_node.training.objectives.autoencoder import (
    Autoencoder,
    DenseEncoder,
    DensePainter,
    pretrain,
)
from caption_node.training.objectives.mle import word_loss
from caption_node.vocabulary import Vocabulary

_TOKENS, _WIDTH = 6, 128


@dataclass(frozen=True)
class DenseConfig:
    """What ``configs/dense64.yaml`` says."""

    labels: Path
    frames: Path
    work: Path
    unlabelled: Path | None = None
    splits: list[str] = field(default_factory=lambda: ['train'])
    held_out: str = 'val'
    code: int = 128
    hidden: int = 256
    pretrain_steps: int = 200
    hidden_share: float = 0.5
    noise: float = 0.05
    steps: int = 250
    batch: int = 32
    learning_rate: float = 1e-3
    encoder_rate: float = 3e-4
    tokens: int = 28
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])


class DenseCaptioner(nn.Module):
    """One code a picture; fields and some tokens of memory from it."""

    def __init__(self, config: DenseConfig, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.encoder = DenseEncoder(config.code, config.hidden)
        self.fields = nn.Linear(config.code, SCENE_WIDTH)
        self.memory = nn.Linear(config.code, _TOKENS * _WIDTH)
        sizes = SceneConfig(
            width=_WIDTH, feed_forward=2 * _WIDTH, decoder_layers=1, tokens=config.tokens
        )
        words = len(vocabulary)
        # No boxes, no rules: the words are free.
        none = torch.zeros(len(GROUPS), words)
        self.decoder = TextDecoder(sizes, words, none, none.T, torch.zeros(words))

    def tell(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return field logits (B, S), memory (B, M, D) and its bias."""
        code = torch.relu(self.encoder(pictures))
        memory = self.memory(code).reshape(-1, _TOKENS, _WIDTH)
        return self.fields(code), memory, memory.new_zeros(len(memory), 1, 1, _TOKENS)


def main() -> int:
    """Run what is missing and print the table; 1 on an error that the user can mend."""
    parser = argparse.ArgumentParser(description='Measure pre-training.')
    parser.add_argument('config', type=Path)
    options = parser.parse_args()
    try:
        torch.set_num_threads(1)
        config = load(options.config)
        compare(config)
    except CaptionError as err:
        print(f'error: {err}\nhint: {err.hint}', file=sys.stderr)
        return 1
    return 0


def load(path: Path) -> DenseConfig:
    """
    Read the configuration.

    :raises ConfigError: If it cannot be read, or has keys that are unknown or missing.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding='utf-8'))
        known = {f.name: str(f.type) for f in fields(DenseConfig)}
        values = {k: Path(v) if 'Path' in known[k] else v for k, v in data.items()}
        return DenseConfig(**values)
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as err:
        raise ConfigError(f'configuration {path}: {err}') from err


def compare(config: DenseConfig) -> None:
    """Train and measure both ways with every seed, and print the table."""
    config.work.mkdir(parents=True, exist_ok=True)
    train = read_labels(config.labels, config.frames, config.splits)
    test = read_labels(config.labels, config.frames, [config.held_out])
    pictures = {name: shrunk(config.work / f'{name}.npy', [r.path for r in records])
                for name, records in (('train', train), ('test', test))}  # fmt: skip
    spare = sorted(config.unlabelled.glob('*.jpg')) if config.unlabelled else []
    unlabelled = [
        pictures['train'],
        *([shrunk(config.work / 'spare.npy', spare)] if spare else []),
    ]
    print('| encoder at first | fields, macro-F1 | CIDEr-D | no claim denied | CPU s |')
    print('|---|---|---|---|---|')
    for way in ('random', 'pretrained'):
        rows = []
        for seed in config.seeds:
            file = config.work / f'{way}-{seed}.json'
            if not file.exists():
                begun = time.process_time()
                model, words = learn(
                    config, way, seed, train, pictures['train'], np.concatenate(unlabelled)
                )
                figures = measure(config, model, words, test, pictures['test'])
                write_json(file, {**figures, 'cpu_s': time.process_time() - begun})
            rows.append(json.loads(file.read_text(encoding='utf-8')))
        cells = [[r[k] for r in rows] for k in ('fields', 'cider', 'right', 'cpu_s')]
        text = [f'{np.mean(c):.3f} ± {np.std(c, ddof=1) if len(c) > 1 else 0:.3f}' for c in cells]
        print(f'| {way} | ' + ' | '.join(text) + ' |', flush=True)


def shrunk(file: Path, paths: Sequence[Path]) -> NDArray[np.uint8]:
    """Return pictures of 64 x 64 pixels, (N, 64, 64, 3); those of an earlier run if there."""
    if not file.exists():
        size = (DENSE_SIDE, DENSE_SIDE)
        small = [cv2.resize(read_image(p), size, interpolation=cv2.INTER_AREA) for p in paths]
        scratch = file.with_suffix('.tmp.npy')
        np.save(scratch, np.stack(small))
        scratch.replace(file)
    return np.asarray(np.load(file))


def learn(
    config: DenseConfig,
    way: str,
    seed: int,
    train: Sequence[Record],
    pictures: NDArray[np.uint8],
    unlabelled: NDArray[np.uint8],
) -> tuple[DenseCaptioner, Vocabulary]:
    """Train one captioner."""
    said = [r.labels[0].caption or '' for r in train]
    vocabulary = build_vocabulary(said, 2)
    torch.manual_seed(seed)
    model = DenseCaptioner(config, vocabulary)
    if way == 'pretrained':
        painter = DensePainter(config.code, config.hidden)
        objective = Autoencoder(model.encoder, painter, config.hidden_share, config.noise)
        losses = pretrain(objective, unlabelled, config.pretrain_steps, seed=seed)
        first, last = np.mean(losses[:5]), np.mean(losses[-20:])
        print(f'pre-training {seed}: {first:.4f} to {last:.4f}', file=sys.stderr, flush=True)
    targets = torch.tensor([r.labels[0].targets() for r in train])
    tokens = torch.stack([encode_sentence(vocabulary, s, config.tokens) for s in said])
    weights = field_weights(targets)
    rest = [p for n, p in model.named_parameters() if not n.startswith('encoder.')]
    rates = [config.encoder_rate, config.learning_rate]
    groups = [{'params': list(model.encoder.parameters())}, {'params': rest}]
    optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=0.03)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=config.steps)
    model.train()
    for step in range(config.steps):
        rows = np.random.default_rng([seed, 37, step]).choice(len(train), config.batch)
        logits, memory, bias = model.tell(as_input(pictures[rows]))
        words = word_loss(model.decoder(tokens[rows, :-1], memory, bias), tokens[rows, 1:], 0.1)
        loss = words + 2 * field_loss(logits, targets[rows], weights)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        plan.step()
    return model.eval(), vocabulary


def as_input(pictures: NDArray[np.uint8]) -> Tensor:
    """Return (B, 3, 64, 64) of 0..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def measure(
    config: DenseConfig,
    model: DenseCaptioner,
    vocabulary: Vocabulary,
    test: Sequence[Record],
    pictures: NDArray[np.uint8],
) -> dict[str, float]:
    """Score fields and sentences against all annotators."""
    logits, memory, bias = model.tell(as_input(pictures))
    said = [read_fields(row) for row in logits]
    annotators = min(len(r.labels) for r in test)
    rounds = [
        score_fields(said, [dict(r.labels[k].fields) for r in test]) for k in range(annotators)
    ]
    tokens = model.decoder.greedy(memory, bias, memory.new_ones(len(memory), len(GROUPS)))[0]
    texts = [vocabulary.decode(row) for row in tokens.tolist()]
    split = read_frames(config.labels, [config.held_out])[config.held_out]
    frames = {f.id: f for f in split}
    pairs = [(t, frames[r.id], a) for t, r in zip(texts, test, strict=True)
             for a in frames[r.id].annotations]  # fmt: skip
    cider = CiderD([f.captions for f in frames.values()])
    return {
        'fields': float(np.mean([s[n] or 0.0 for s in rounds for n in FIELDS])),
        'cider': float(np.mean([cider.score(t, [a.caption]) for t, _, a in pairs])),
        'right': float(np.mean([not denied_claims(*p) for p in pairs])),
    }


if __name__ == '__main__':
    sys.exit(main())
