# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A model folder of one's own data with random weights, made in a second: no roads, own fields."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caption_node.datasets.fields import read_table
from caption_node.description import Field
from caption_node.vocabulary import SPECIAL, Vocabulary

ROWS = [
    {'name': 'shape', 'kind': 'categorical', 'values': ['none', 'round', 'square']},
    {'name': 'shadows', 'kind': 'count'},
    {'name': 'device', 'kind': 'boolean'},
]
TABLE = read_table(ROWS)
SIZE = 64
_WORDS = ['a', 'round', 'square', 'shadow', 'in', 'the', 'left', 'right', 'lung', 'two', 'small']


def write_own_model(
    folder: Path,
    table: Mapping[str, Field] = TABLE,
    tokenizer: str = 'words',
    decoder: str = 'transformer',
) -> Any:
    """Write the folder; returns the network that it was made of."""
    import torch

    from caption_node.training.export import write_bundle
    from caption_node.training.model.scene import SceneConfig
    from caption_node.training.own.model import OwnCaptioner

    torch.manual_seed(5)
    words = list('左右肺有圆形影') if tokenizer == 'characters' else _WORDS
    vocabulary = Vocabulary([*SPECIAL, *words], tokenizer)
    sizes = SceneConfig(
        height=SIZE, width_px=SIZE, width=32, heads=2, feed_forward=48, tokens=8, dropout=0.0,
        decoder=decoder,
    )  # fmt: skip
    model = OwnCaptioner(sizes, len(vocabulary), table).eval()
    for p in model.decoder.parameters():  # random weights of ordinary size write varied words
        torch.nn.init.normal_(p, std=0.3)
    for layer in model.encoder.modules():  # and these tell pictures apart
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    limits = {'dark': 0.0, 'contrast': 0.0, 'noise': 1e9}
    write_bundle(folder, model, vocabulary, 'own', 'CC0-1.0', {'abstain': limits}, dict(table))
    return model
