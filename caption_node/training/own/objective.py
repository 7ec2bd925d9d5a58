# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Take the steps of an objective on one's own pictures, behind the likelihood of all parts."""

from collections.abc import Mapping
from pathlib import Path
import sys

import numpy as np
import torch
from torch import nn

from caption_node.training.config import TrainConfig
from caption_node.training.objectives.choice import new_objective
from caption_node.training.objectives.protocol import Scenes, Spoken
from caption_node.training.objectives.run import ObjectiveStage
from caption_node.training.own.config import OwnConfig
from caption_node.training.own.data import OwnData
from caption_node.training.own.model import OwnCaptioner

_TRIES = 8


class OwnObjectiveRun(ObjectiveStage):
    """
    The last part of a run on one's own data; encoder and fields stand still.

    :param model: Warm from likelihood; gets a latent if the objective needs one.
    """

    def __init__(self, config: OwnConfig, model: OwnCaptioner, data: OwnData, work: Path) -> None:
        self.model, self.data = model, data
        settings = settings_of(config, work)
        # Before a latent is made: these very weights, or another run would be gone on with.
        begin = nn.ModuleList(model.children())
        objective = new_objective(settings, model, data.vocabulary, None)
        said = [
            f'{data.items[k].id}: {c.text}' for k in data.train for c in data.items[k].captions
        ]
        super().__init__(settings, objective, begin, said, tell)

    def draw(self, rng: np.random.Generator, size: int = 0, consensus: bool = True) -> Spoken:
        """See :meth:`ObjectiveStage.draw`; every caption is an annotator's own."""
        chosen = rng.choice(self.data.train, size or self.config.objective_batch).tolist()
        batch = self.data.take(chosen, rng)
        device = self.model.queries.device
        for name, part in self.model.named_children():
            part.train(part.training and name in ('decoder', 'latent'))
        with torch.no_grad():
            memory, bias = self.model.memory_of(batch.image.to(device))
        strange = torch.stack([self._strange(k, rng) for k in chosen])
        scenes = Scenes(memory, bias, torch.ones(len(chosen), 1, device=device))
        # Pictures of which the same is said are no strangers to each other's sentences.
        rows = [{'id': str(row)} for row in batch.tokens.tolist()]
        return Spoken(scenes, batch.tokens.to(device), strange.to(device), rows)

    def _strange(self, k: int, rng: np.random.Generator) -> torch.Tensor:
        """Draw a caption of another picture, one that this picture does not have if found soon."""
        own = {c.text for c in self.data.items[k].captions}
        other, which = k, 0
        for _ in range(_TRIES):
            other = int(rng.choice(self.data.train))
            which = int(rng.integers(len(self.data.tokens[other])))
            if other != k and self.data.items[other].captions[which].text not in own:
                break
        return self.data.tokens[other][which]


def settings_of(config: OwnConfig, work: Path) -> TrainConfig:
    """Return the settings as objectives read them; none of the paths but ``work`` is used."""
    return TrainConfig(
        name=config.name,
        licence=config.licence,
        labels=work,
        frames=work,
        encoder=work,
        output=work,
        work=work,
        seed=config.seed,
        device=config.device,
        objective=config.objective,
        label_smoothing=config.label_smoothing,
        weight_decay=config.weight_decay,
        **config.objective_settings,
    )


def tell(phase: str, step: int, figures: Mapping[str, float]) -> None:
    """Write figures as one line."""
    text = ' '.join(f'{name} {value:.3f}' for name, value in figures.items())
    print(f'own {step} ({phase}): {text}', file=sys.stderr, flush=True)
