# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A trained network as one safetensors file: sizes, words, weights, and what is set afterwards."""

from collections.abc import Sequence
from dataclasses import asdict
import json
import os
from pathlib import Path

import torch

from caption_node.errors import BundleError
from caption_node.training.config import TrainConfig
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.encoders import new_detector
from caption_node.training.model.scene import SceneConfig
from caption_node.vocabulary import Vocabulary

NETWORK = 'network.safetensors'
"""Left in the work folder by a run, and beside the graph in the model folder."""
_SET_AFTERWARDS = ('prior', 'share', 'implies')


def save_network(path: Path, model: Captioner, vocabulary: Vocabulary) -> None:
    """Write a network beside its name and rename it."""
    from safetensors.torch import save_file

    tensors = dict(model.state_dict())
    tensors |= {f'published.{n}': getattr(model.scene, n) for n in _SET_AFTERWARDS}
    tensors = {n: t.detach().cpu().contiguous().clone() for n, t in tensors.items()}
    about = {'sizes': json.dumps(asdict(model.config)), 'words': json.dumps(vocabulary.words)}
    scratch = path.with_suffix('.tmp')
    save_file(tensors, str(scratch), about)
    os.replace(scratch, path)


def load_network(path: Path) -> tuple[Captioner, Vocabulary]:
    """
    Read a network that :func:`save_network` wrote.

    :raises BundleError: If the file is missing or is not such a network.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise BundleError(f'{path} does not exist', 'caption train writes it')
    try:
        with safe_open(str(path), 'pt') as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        vocabulary = Vocabulary(json.loads(about['words']))
        sizes = SceneConfig(**json.loads(about['sizes']))
        model = Captioner(sizes, vocabulary, new_detector(sizes.encoder))
        with torch.no_grad():
            for name in _SET_AFTERWARDS:
                getattr(model.scene, name).copy_(tensors.pop(f'published.{name}'))
        model.load_state_dict(tensors)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as err:
        raise BundleError(f'{path} is not a trained network: {err}') from err
    return model.eval(), vocabulary


def load_average(paths: Sequence[Path]) -> tuple[Captioner, Vocabulary]:
    """
    Read networks that began alike and return the average of their weights.

    Source: Model soups, arXiv 2203.05482.

    :raises BundleError: If a file cannot be read, or the networks differ in sizes or words.
    """
    model, vocabulary = load_network(paths[0])
    total = {k: v.double() for k, v in model.state_dict().items()}
    for path in paths[1:]:
        other, words = load_network(path)
        if other.config != model.config or words.words != vocabulary.words:
            raise BundleError(
                f'{path} and {paths[0]} differ in sizes or words',
                'only networks that one run after the other began with can be averaged',
            )
        total = {k: v + other.state_dict()[k].double() for k, v in total.items()}
    model.load_state_dict({k: (v / len(paths)).float() for k, v in total.items()})
    return model, vocabulary


def network_of(config: TrainConfig) -> Path:
    """Return where a configuration's network is: trained here, begun with, or shipped."""
    places = [config.work / NETWORK, config.output / NETWORK]
    if config.begin:
        places.insert(1, Path(config.begin[0]))
    return next((place for place in places if place.is_file()), places[0])
