# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What the scene encoder tells the decoder about every cached sample, worked out once.

While sentences are learnt the encoders stand still, so their output is kept on disk in chunks; a
chunk counts once it bears its name, so an interrupted run goes on with the next one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from caption_node.training.cache import FeatureCache
from caption_node.training.grounding_words import OFF_MIDDLE
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.scene import LEAST_SURE, Features

HIDDEN = -1e4
_CHUNK = 512
_BATCH = 32


@dataclass
class Memories:
    """
    The decoder's inputs for N scenes.

    :param memory: (N, M, D) half precision.
    :param hidden: (N, M) bool, tokens that are absent.
    :param evidence: (N, G) of 0 and 1.
    """

    memory: Tensor
    hidden: Tensor
    evidence: Tensor

    def __len__(self) -> int:
        return int(self.memory.shape[0])

    def take(
        self, chosen: Sequence[int] | Tensor, device: torch.device
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return memory (B, M, D), attention bias (B, 1, 1, M) and evidence (B, G)."""
        index = torch.as_tensor(chosen, dtype=torch.int64)
        bias = self.hidden[index].float()[:, None, None] * HIDDEN
        memory = self.memory[index].float()
        return memory.to(device), bias.to(device), self.evidence[index].float().to(device)

    @staticmethod
    def join(parts: Sequence['Memories']) -> 'Memories':
        """Put several behind each other."""
        return Memories(
            torch.cat([p.memory for p in parts]),
            torch.cat([p.hidden for p in parts]),
            torch.cat([p.evidence for p in parts]),
        )


@torch.no_grad()
def encode_scenes(model: Captioner, features: Features) -> Memories:
    """Run the scene encoder over one batch."""
    scene = model.scene(features)
    return Memories(
        scene.memory.cpu().half(),
        (scene.bias[:, 0, 0] < 0).cpu(),
        model.evidence(features, scene.logits).cpu().to(torch.uint8),
    )


def remember(model: Captioner, cache: FeatureCache, folder: Path) -> Memories:
    """
    Encode all samples of a cache, or read what an earlier run with these weights and rules wrote.

    :param folder: Holds one folder of chunks for every scene encoder and set of rules.
    """
    model.eval()
    device = next(model.scene.parameters()).device
    # What may be said follows from the rules for words, which change without any weight.
    rules = digest_of(_Rules(model))
    place = folder / f'{digest_of(model.scene)}-{rules}-{len(cache)}'
    place.mkdir(parents=True, exist_ok=True)
    parts = []
    for first in range(0, len(cache), _CHUNK):
        file = place / f'{first:06d}.npz'
        if not file.exists():
            last = min(first + _CHUNK, len(cache))
            rows = [range(k, min(k + _BATCH, last)) for k in range(first, last, _BATCH)]
            _write(
                file,
                Memories.join([encode_scenes(model, cache.features(r, device)) for r in rows]),
            )
        parts.append(_read(file))
    return Memories.join(parts)


class _Rules(nn.Module):
    """What decides, beside the scene encoder, which groups of words a scene bears out."""

    def __init__(self, model: Captioner) -> None:
        super().__init__()
        for name in ('by_class', 'by_value', 'by_column', 'limits', 'both', 'least', 'sides'):
            self.register_buffer(name, getattr(model, name))
        self.register_buffer('numbers', torch.tensor([LEAST_SURE, OFF_MIDDLE, model.config.told]))


def digest_of(module: nn.Module) -> str:
    """Return a short hash of weights and buffers, those that are not saved included."""
    digest = hashlib.sha256()
    for name, value in (*sorted(module.named_parameters()), *sorted(module.named_buffers())):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def _write(file: Path, part: Memories) -> None:
    scratch = file.with_suffix('.tmp')
    with scratch.open('wb') as out:
        np.savez(out, memory=part.memory, hidden=part.hidden, evidence=part.evidence)
    os.replace(scratch, file)


def _read(file: Path) -> Memories:
    with np.load(file) as data:
        return Memories(
            torch.from_numpy(data['memory']),
            torch.from_numpy(data['hidden']),
            torch.from_numpy(data['evidence']),
        )
