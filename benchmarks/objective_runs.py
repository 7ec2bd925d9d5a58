# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""One run of one objective: where it trains, where it is measured, what it then says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import json
import os
from pathlib import Path
import sys
import time
from typing import Any
import zlib

import numpy as np
import torch

from caption_node.evaluation.frames import LabelledFrame, read_frames
from caption_node.training.config import TrainConfig
from caption_node.training.data import Batches, is_held_out, plain_samples
from caption_node.training.labels import read_labels
from caption_node.training.memory import Memories, digest_of, encode_scenes
from caption_node.training.model.captioner import Captioner
from caption_node.training.objectives.mle import Likelihood
from caption_node.training.objectives.protocol import Objective, Scenes
from caption_node.training.objectives.run import ObjectiveRun
from caption_node.training.objectives.vae import Variational, active_units, kl_normal
from caption_node.training.render_store import RENDER_SOURCE
from caption_node.training.sentence_run import SentenceRun
from caption_node.training.train import fill_cache
from caption_node.training.train import read_frames as read_training_frames
from caption_node.vocabulary import Vocabulary

CPU = torch.device('cpu')
SAMPLES = 5
TEMPERATURES = (0.25, 0.5, 0.75, 1.0, 1.25)
FEW_TEMPERATURES = (0.5, 1.0)
"""For all but likelihood, whose whole curve stands beside them."""
_BATCH = 32
_MOST_FRAMES = 60
"""Of a source that is left out so many frames are measured, spread by a hash of their ids."""
_POOL = 160
"""Sentences about training frames that each run leaves for the discriminator of all."""


def tell(phase: str, step: int, figures: Mapping[str, float]) -> None:
    """Write figures of a step as one line."""
    text = ' '.join(f'{name} {value:.3f}' for name, value in figures.items())
    print(f'{time.strftime("%H:%M:%S")} {phase} {step}: {text}', file=sys.stderr, flush=True)


def write_json(file: Path, data: Any) -> None:
    """Write beside the name and rename, so that what is there is whole."""
    scratch = file.with_suffix('.tmp')
    scratch.write_text(json.dumps(data, indent=1), encoding='utf-8')
    os.replace(scratch, file)


def shortened(config: TrainConfig) -> TrainConfig:
    """Return a configuration with half of the steps of likelihood, for sources left out."""
    return replace(
        config,
        sentence_layouts=config.sentence_layouts // 4,
        layout_steps=config.layout_steps // 2,
        written_steps=config.written_steps // 2,
        mixed_steps=config.mixed_steps // 2,
        objective_steps=config.objective_steps // 2,
    )


@dataclass(frozen=True)
class Test:
    """Frames that trained no decoder, with what the scene encoder tells of them."""

    frames: list[LabelledFrame]
    memories: Memories

    def scenes(self, start: int = 0, end: int | None = None) -> Scenes:
        """Return some of the frames as the decoder sees them."""
        return Scenes(*self.memories.take(range(len(self.frames))[start:end], CPU))


class Bench:
    """
    What all runs share.

    :param model: A trained network; its encoders are used as they are.
    :param folder: For results, checkpoints, and memories of the tests.
    """

    def __init__(
        self, config: TrainConfig, model: Captioner, vocabulary: Vocabulary, folder: Path
    ) -> None:
        self.config, self.model, self.vocabulary = config, model, vocabulary
        self.folder = folder / digest_of(model.scene)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cache = fill_cache(config, model, read_training_frames(config))
        self.info = self.cache.info
        self.sources = sorted({row['source'] for row in self.info} - {RENDER_SOURCE})
        self._material: dict[str, SentenceRun] = {}

    def material(self, left_out: str, seed: int) -> SentenceRun:
        """Return what a run without a source trains on, its decoder new."""
        config = shortened(self.config) if left_out else self.config
        if left_out not in self._material:
            used = [
                i
                for i, row in enumerate(self.info)
                if not is_held_out(row['id']) and row['source'] != left_out
            ]
            batches = Batches(self.cache, self.vocabulary, used, self.model.config.tokens)
            # Layouts go by the seed, and all seeds are to share them.
            run = SentenceRun(config, self.model, self.vocabulary, batches, tell)
            self._material = {left_out: run}
        shared = self._material[left_out]
        torch.manual_seed(seed)
        fresh = Captioner(
            replace(self.model.config, dropout=config.dropout, latent=0),
            self.vocabulary,
            self.model.detector,
        )
        fresh.scene = self.model.scene
        shared.model, shared.decoder = fresh, fresh.decoder
        shared.config = replace(config, seed=seed)
        shared.step = 0
        shared.optimiser = shared._optimiser()
        shared.average = {k: v.detach().clone() for k, v in fresh.decoder.state_dict().items()}
        shared.checkpoint = self.folder / f'{left_out or "val"}-{seed}-warm.pt'
        return shared

    def test(self, left_out: str) -> Test:
        """Return the frames of a split or of the source that was left out."""
        if left_out:
            labelled = {f.id: f for f in read_frames(self.config.labels, ['train'])['train']}
            rows = [
                i
                for i, row in enumerate(self.info[: self.cache.first_shard])
                if row['source'] == left_out
            ]
            rows.sort(key=lambda i: zlib.crc32(self.info[i]['id'].encode()))
            rows = rows[:_MOST_FRAMES]
            with torch.no_grad():
                parts = [
                    encode_scenes(self.model, self.cache.features(rows[k : k + _BATCH], CPU))
                    for k in range(0, len(rows), _BATCH)
                ]
            return Test([labelled[self.info[i]['id']] for i in rows], Memories.join(parts))
        frames = read_frames(self.config.labels, ['val'])['val']
        records = {r.id: r for r in read_labels(self.config.labels, self.config.frames, ['val'])}
        file = self.folder / 'val.pt'
        if not file.exists():
            height, width = self.model.config.height, self.model.config.width_px
            parts = []
            with torch.no_grad():
                for sample in plain_samples([records[f.id] for f in frames], height, width):
                    seen = self.model.perceive(torch.from_numpy(sample.image)[None])
                    parts.append(encode_scenes(self.model, seen))
            torch.save(vars(Memories.join(parts)), file)
        return Test(frames, Memories(**torch.load(file, weights_only=True)))

    def begin(self, left_out: str, seed: int) -> tuple[SentenceRun, float]:
        """Return a decoder that is warm from likelihood, and its seconds of the CPU."""
        warm, file = (
            self.material(left_out, seed),
            self.folder / f'{left_out or "val"}-{seed}.json',
        )
        warm.resume()
        begun, first = time.process_time(), warm.step
        warm.train([])
        cost = time.process_time() - begun
        if first == 0:
            write_json(file, {'warm_s': cost})
        elif file.exists():
            cost = json.loads(file.read_text(encoding='utf-8'))['warm_s']
        return warm, cost

    def run(self, warm: SentenceRun, name: str) -> tuple[Objective, float | None]:
        """
        Go on with an objective.

        :returns: also the seconds of the CPU that it took, if it was not interrupted.
        """
        config = replace(warm.config, objective=name, work=self.folder)
        run = ObjectiveRun(config, warm, tell)
        run.resume()
        begun, first = time.process_time(), run.step
        run.train()
        cost = time.process_time() - begun
        warm.model.latent = None
        return run.objective, cost if first == 0 else None

    def say(self, objective: Objective, test: Test) -> dict[str, Any]:
        """Return the one sentence of each frame, and several at each temperature."""
        decode = self.vocabulary.decode
        greedy: list[str] = []
        temperatures = TEMPERATURES if type(objective) is Likelihood else FEW_TEMPERATURES
        drawn: dict[str, list[list[str]]] = {str(t): [] for t in temperatures}
        torch.manual_seed(0)
        with torch.no_grad():
            for k in range(0, len(test.frames), _BATCH):
                scenes = test.scenes(k, k + _BATCH)
                greedy += [decode(t) for t in objective.greedy(scenes).tolist()]
                for t in temperatures:
                    rows = objective.sample(scenes, SAMPLES, t)[:, 1:].tolist()
                    texts = [decode(row) for row in rows]
                    drawn[str(t)] += [
                        texts[i : i + SAMPLES] for i in range(0, len(texts), SAMPLES)
                    ]
        return {'greedy': greedy, 'drawn': drawn}

    def pool(self, objective: Objective, warm: SentenceRun) -> list[tuple[int, str]]:
        """Return sentences that the objective draws about training frames, by sample."""
        chosen = np.random.default_rng(3).choice(warm.written, _POOL).tolist()
        said: list[tuple[int, str]] = []
        with torch.no_grad():
            for k in range(0, _POOL, _BATCH):
                part = chosen[k : k + _BATCH]
                scenes = Scenes(*warm.memories.take(part, CPU))
                rows = objective.sample(scenes, 1, 1.0)[:, 1:].tolist()
                said += [(i, self.vocabulary.decode(r)) for i, r in zip(part, rows, strict=True)]
        return said


def latent_use(objective: Objective, run: SentenceRun, rows: Sequence[int]) -> dict[str, float]:
    """Return how much a latent says about sentences: active units, and nats beside the prior."""
    if not isinstance(objective, Variational):
        return {}
    memory, bias, _ = run.memories.take(rows, CPU)
    tokens = run.encode([run.info[i]['caption'] for i in rows])
    with torch.no_grad():
        q, p = objective.reader(tokens, memory, bias), objective.latent(memory, bias)
        nats = float(kl_normal(*q, *p).sum(1).mean())
    return {
        'active_units': active_units(q[0], p[0]),
        'latent': objective.latent.size,
        'nats': nats,
    }
