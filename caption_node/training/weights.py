# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A trained network as one PyTorch file: sizes, words, weights and what was set after training."""

from dataclasses import asdict
import os
from pathlib import Path

import torch

from caption_node.errors import BundleError
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.encoders import new_detector
from caption_node.training.model.scene import SceneConfig
from caption_node.vocabulary import Vocabulary


def save_network(path: Path, model: Captioner, vocabulary: Vocabulary) -> None:
    """Write a network beside its name and rename it."""
    state = {
        'sizes': asdict(model.config),
        'words': list(vocabulary.words),
        'weights': model.state_dict(),
        'prior': model.scene.prior,
        'share': model.scene.share,
    }
    scratch = path.with_suffix('.tmp')
    torch.save(state, scratch)
    os.replace(scratch, path)


def load_network(path: Path) -> tuple[Captioner, Vocabulary]:
    """
    Read a network that :func:`save_network` wrote.

    :raises BundleError: If the file is missing or is not such a network.
    """
    try:
        state = torch.load(path, weights_only=True, map_location='cpu')
        vocabulary = Vocabulary(state['words'])
        sizes = SceneConfig(**state['sizes'])
        model = Captioner(sizes, vocabulary, new_detector(sizes.encoder))
        model.load_state_dict(state['weights'])
        model.scene.prior.copy_(state['prior'])
        model.scene.share.copy_(state['share'])
    except FileNotFoundError as err:
        raise BundleError(f'{path} does not exist', 'caption train writes it') from err
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as err:
        raise BundleError(f'{path} is not a trained network: {err}') from err
    return model.eval(), vocabulary
