# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""How often fields are published, where training weighed, simulated or rendered them otherwise."""

from collections.abc import Sequence
import math

import torch

from caption_node.description import FIELDS
from caption_node.training.config import TrainConfig
from caption_node.training.field_loss import field_weights
from caption_node.training.model.scene import SCENE_WIDTH, field_starts


def prior_for(config: TrainConfig, targets: torch.Tensor) -> torch.Tensor:
    """
    Return what is added to the logits of fields when they are published, (S,).

    :param targets: (N, fields) int64 class numbers of the training samples.
    """
    prior = prior_of(field_weights(targets), config.prior_corrected)
    prior = prior + shift_to(targets, 'time', 'night', config.night_share)
    for name, share in config.flag_share.items():
        prior = prior + shift_to(targets, name, True, share)
    return prior


def prior_of(weights: dict[str, torch.Tensor], corrected: Sequence[str]) -> torch.Tensor:
    """
    Return what undoes the weights of rare values in the logits.

    Source: Long-tail learning via logit adjustment, arXiv 2007.07314.

    :param weights: As :func:`~caption_node.training.objectives.mle.field_weights` gives them.
    :param corrected: Fields whose values are to be as rare as they were in training; no counts.
    :returns: (S,), 0 for all other fields.
    """
    prior = torch.zeros(SCENE_WIDTH)
    for name in corrected:
        start, odds = field_starts()[name], -weights[name].log()
        if FIELDS[name].kind == 'boolean':
            odds = odds[1:] - odds[:1]
        prior[start : start + FIELDS[name].width] = odds
    return prior


def shift_to(targets: torch.Tensor, name: str, value: str | bool, share: float) -> torch.Tensor:
    """
    Return what makes a value as frequent as it is in use, not as it is among the samples.

    Source: Adjusting the outputs of a classifier to new a priori probabilities, Saerens 2002.

    :param targets: (N, fields) int64 class numbers of the training samples.
    :param name: A field of words, or a flag.
    :param share: Of the value in use, between 0 and 1.
    :returns: (S,), 0 but for the value.
    """
    spec = FIELDS[name]
    number = int(value) if isinstance(value, bool) else spec.values.index(value)
    found = (targets[:, list(FIELDS).index(name)] == number).float()
    trained = min(max(float(found.mean()), 1e-3), 1 - 1e-3)
    shift = torch.zeros(SCENE_WIDTH)
    place = 0 if spec.kind == 'boolean' else number
    odds = math.log(share / (1 - share)) - math.log(trained / (1 - trained))
    shift[field_starts()[name] + place] = odds
    return shift
