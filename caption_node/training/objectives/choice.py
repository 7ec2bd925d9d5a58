# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The objective that a configuration names."""

from collections.abc import Callable
from dataclasses import replace

import torch

from caption_node.errors import ConfigError
from caption_node.training.config import TrainConfig
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.latent import Latent
from caption_node.training.objectives.gan import Adversarial
from caption_node.training.objectives.mle import Likelihood
from caption_node.training.objectives.protocol import Describer, Objective
from caption_node.training.objectives.self_critical import SelfCritical
from caption_node.training.objectives.vae import Variational
from caption_node.training.objectives.vae_gan import AdversarialVariational
from caption_node.training.rewards import Judge
from caption_node.vocabulary import Vocabulary

Maker = Callable[[TrainConfig, Describer, Vocabulary, Judge | None], Objective]
OBJECTIVES: dict[str, Maker] = {
    'mle': lambda config, model, _words, _judge: Likelihood(config, model),
    'self_critical': lambda config, model, words, judge: _rewarded(config, model, words, judge),
    'gan': lambda config, model, _words, _judge: Adversarial(config, model),
    'vae': lambda config, model, _words, _judge: Variational(config, model),
    'vae_gan': lambda config, model, _words, _judge: AdversarialVariational(config, model),
}
WITH_LATENT = ('vae', 'vae_gan')


def _rewarded(
    config: TrainConfig, model: Describer, vocabulary: Vocabulary, judge: Judge | None
) -> Objective:
    if judge is None or not isinstance(model, Captioner):
        raise ConfigError('objective self_critical needs the claims of driving')
    return SelfCritical(config, model, vocabulary, judge)


def new_objective(
    config: TrainConfig, model: Describer, vocabulary: Vocabulary, judge: Judge | None
) -> Objective:
    """
    Return the objective of a configuration, with new weights beside the captioner's own.

    A captioner without a latent gets one where the objective needs it.

    :param judge: Of driving, for ``self_critical``; other objectives need none.

    :raises ConfigError: If there is no such objective, or a setting of it makes no sense.
    """
    if config.objective not in OBJECTIVES:
        raise ConfigError(
            f'objective {config.objective!r} is not known', 'known: ' + ', '.join(OBJECTIVES)
        )
    if config.adversarial_gradient not in ('gumbel', 'policy'):
        raise ConfigError(
            f'adversarial_gradient should be gumbel or policy, not {config.adversarial_gradient!r}'
        )
    if config.gumbel_temperature <= 0:
        raise ConfigError('gumbel_temperature should be above 0')
    torch.manual_seed(config.seed)
    if config.objective in WITH_LATENT and model.latent is None:
        if config.latent < 1:
            raise ConfigError(f'objective {config.objective} needs a latent of at least 1')
        model.config = replace(model.config, latent=config.latent)
        device = next(model.decoder.parameters()).device
        model.latent = Latent(model.config).to(device)
    objective = OBJECTIVES[config.objective](config, model, vocabulary, judge)
    objective.parts.to(next(model.decoder.parameters()).device)
    return objective
