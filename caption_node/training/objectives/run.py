# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Take the steps of an objective over cached memories; killed, the same run goes on where it was.

The captioner that it begins with is warm from likelihood (:mod:`..sentence_run`); the averaged
weights stay in it at the end.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
import hashlib
import math
from typing import Any

import numpy as np
import torch
from torch import nn

from caption_node.errors import ConfigError
from caption_node.training.config import OBJECTIVE_KEYS, TrainConfig
from caption_node.training.memory import digest_of
from caption_node.training.objectives.choice import new_objective
from caption_node.training.objectives.protocol import Objective, Scenes, Spoken
from caption_node.training.rewards import false_claims
from caption_node.training.sentence_run import SentenceRun, Tell
from caption_node.training.stage import Stage

_WARMUP = 30
_SAVE_EVERY = 100
_TELL_EVERY = 20
_KEEP = 0.99
_DRAW_SEED, _SCHOOL_SEED = 17, 19
_TRIES = 4
_SETTINGS = (
    'seed', 'weight_decay', 'label_smoothing', 'memory_drop', 'memory_noise', 'consensus_share',
    'consensus_warmth', 'reward_samples', 'reward_keep', 'reward_neighbours', 'reward_own',
    'claim_penalty', 'form_penalty',
)  # fmt: skip
"""What else a run goes by, beside the settings of objectives."""


class ObjectiveStage(Stage):
    """
    Steps of an objective; subclasses draw what it learns from.

    A beginning, settings or sentences that are others have a checkpoint of their own: to go on
    from it would mix two runs.

    :param begin: The weights that it begins with.
    :param sentences: All that it may learn from.
    :param tell: Takes phase, step and figures now and then.
    """

    def __init__(
        self,
        config: TrainConfig,
        objective: Objective,
        begin: nn.Module,
        sentences: Iterable[str],
        tell: Tell,
    ) -> None:
        self.config, self.objective, self.tell = config, objective, tell
        trained: nn.ModuleDict = objective.parts
        rates = {
            'discriminator': config.discriminator_rate,
            'latent': config.latent_rate,
            'reader': config.latent_rate,
        }
        groups = [
            {'params': list(part.parameters()), 'peak': rates.get(name, config.objective_rate)}
            for name, part in trained.items()
        ]
        optimiser = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
        mark = run_digest(config, begin, sentences)
        file = config.work / f'objective-{config.objective}-{mark}.pt'
        super().__init__(f'objective {config.objective}', trained, optimiser, file, _KEEP)

    @abstractmethod
    def draw(self, rng: np.random.Generator, size: int = 0, consensus: bool = True) -> Spoken:
        """
        Draw pictures with their sentences, and sentences about others.

        :param size: Pictures; 0 takes as many as a step of the objective.
        :param consensus: Whether a sentence may be one that was written about a like picture.
        """

    def _prepare(self) -> None:
        """Let the objective bring its new parts on their way; the same again if interrupted."""
        config = self.config
        torch.manual_seed(config.seed * 1_000_003 - 1)
        self.trained.train()  # memories are drawn with noise
        self.objective.prepare(
            lambda step: self.draw(
                np.random.default_rng([config.seed, _SCHOOL_SEED, step]),
                config.school_batch,
                consensus=False,
            )
        )
        self.average = {k: v.detach().clone() for k, v in self.trained.state_dict().items()}

    def rate(self) -> float:
        """Warm up linearly, then fall as a half cosine; a share of the peak."""
        progress = self.step / max(1, self.config.objective_steps)
        warm = min(1.0, (self.step + 1) / _WARMUP)
        return warm * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * progress)))

    def take_step(self) -> dict[str, float]:
        """Take one step and return its figures."""
        if self.step == 0:
            self._prepare()
        # A generator per step: a resumed run draws what an uninterrupted one would.
        rng = np.random.default_rng([self.config.seed, _DRAW_SEED, self.step])
        torch.manual_seed(self.config.seed * 1_000_003 + self.step)
        self.trained.train()
        for group in self.optimiser.param_groups:
            group['lr'] = group['peak'] * self.rate()
        progress = self.step / max(1, self.config.objective_steps)
        loss, figures = self.objective.loss(self.draw(rng), progress)
        # Each part by itself: a writer is not to learn less since its discriminator learns much.
        self.descend(loss, 1.0, apart=True)
        return figures

    def train(self) -> None:
        """Take all steps that remain; then put the averaged weights in place."""
        steps = self.config.objective_steps
        while self.step < steps:
            figures = self.take_step()
            if self.step % _TELL_EVERY == 0:
                self.tell(self.config.objective, self.step, figures)
            if self.step % _SAVE_EVERY == 0 and self.step < steps:
                self.save()
        self.finish()
        self.trained.eval()


def run_digest(config: TrainConfig, begin: nn.Module, sentences: Iterable[str]) -> str:
    """Return what tells a run from others: where it begins, its settings, its sentences."""
    settings = {name: getattr(config, name) for name in (*OBJECTIVE_KEYS, *_SETTINGS)}
    digest = hashlib.sha256(f'{digest_of(begin)} {settings!r}'.encode())
    for text in sentences:
        digest.update(text.encode('utf-8', 'replace') + b'\0')
    return digest.hexdigest()[:12]


class ObjectiveRun(ObjectiveStage):
    """
    The last part of the sentence stage.

    :param warm: Brings captioner, memories, sentences and judge; its own steps may be none.
    :param tell: Takes phase, step and figures now and then.
    """

    def __init__(self, config: TrainConfig, warm: SentenceRun, tell: Tell) -> None:
        self.material = warm
        self.others = {warm.info[i]['id']: str(warm.info[i]['caption']) for i in warm.written}
        if len(self.others) < 2:
            raise ConfigError('learning to tell frames apart needs sentences about two at least')
        self._ids = sorted(self.others)
        # Before a latent is made: these very weights, or another run would be gone on with.
        begin = nn.ModuleList([warm.model.scene, warm.model.decoder])
        objective = new_objective(config, warm.model, warm.vocabulary, warm.judge)
        said = [f'{name}: {text}' for name, text in sorted(self.others.items())]
        super().__init__(config, objective, begin, said, tell)

    def draw(self, rng: np.random.Generator, size: int = 0, consensus: bool = True) -> Spoken:
        """See :meth:`ObjectiveStage.draw`."""
        config, material = self.config, self.material
        chosen = rng.choice(material.written, size or config.objective_batch).tolist()
        rows = [material.info[i] for i in chosen]
        said, strange = [], []
        for row in rows:
            text = row['caption']
            if consensus and rng.random() < config.consensus_share:
                texts, share = material.judge.consensus(row, config.consensus_warmth)
                text = texts[int(rng.choice(len(texts), p=share))]
            said.append(text)
            strange.append(self._other(row, rng))
        x = material.frames(chosen, said, 0.0)
        scenes = Scenes(x.memory, x.bias, x.evidence)
        return Spoken(scenes, x.tokens, material.encode(strange).to(x.tokens.device), rows)

    def _other(self, row: Mapping[str, Any], rng: np.random.Generator) -> str:
        """Draw a sentence about another frame, one that the frame's labels deny if found soon."""
        text = ''
        for _ in range(_TRIES):
            drawn = row['id']
            while drawn == row['id']:
                drawn = self._ids[int(rng.integers(len(self._ids)))]
            text = self.others[drawn]
            if false_claims(text, row):
                break
        return text
