# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
A cache of encoder features, so that heads and decoder train on a CPU in well under an hour.

One shard holds one augmented variant of every frame: half-precision arrays on disk, read through
memory maps, and a JSON file with labels and sentences. A shard counts once its JSON file exists,
so an interrupted run goes on with the next shard.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from caption_node.training.labels import Label
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.scene import Features

Image = NDArray[np.uint8]
_HALF = ('c4', 'c5', 'p5', 'object_features', 'object_colours')
_FULL = ('boxes', 'classes', 'scores')
_INFO = 'labels.json'


@dataclass(frozen=True)
class Sample:
    """An input image (H, W, 3), its label, and where it comes from."""

    image: Image
    label: Label
    source: str
    id: str


def write_shard(folder: Path, samples: Iterator[Sample], count: int, model: Captioner) -> None:
    """
    Run the encoder over samples and keep what it says.

    :param folder: New folder of the shard.
    :param count: How many samples there are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[Any]] = {}
    info: list[dict[str, Any]] = []
    batch: list[Sample] = []

    def flush() -> None:
        images = torch.from_numpy(np.stack([s.image for s in batch]))
        images = images.to(next(model.parameters()).device)
        with torch.no_grad():
            features = model.perceive(images)
        start = len(info)
        for name in (*_HALF, *_FULL):
            value = getattr(features, name).cpu().numpy()
            if name in _HALF:
                value = value.astype(np.float16)
            if name not in arrays:
                arrays[name] = np.lib.format.open_memmap(
                    folder / f'{name}.npy', 'w+', value.dtype, (count, *value.shape[1:])
                )
            arrays[name][start : start + len(batch)] = value
        for s in batch:
            info.append(
                {
                    'id': s.id,
                    'source': s.source,
                    'fields': dict(s.label.fields),
                    'caption': s.label.caption,
                }
            )
        batch.clear()

    model.eval()
    for sample in _prefetched(samples):
        batch.append(sample)
        if len(batch) == 8:
            flush()
    if batch:
        flush()
    for array in arrays.values():
        assert isinstance(array, np.memmap)
        array.flush()
    (folder / _INFO).write_text(json.dumps(info), encoding='utf-8')


def _prefetched(samples: Iterator[Sample], depth: int = 32) -> Iterator[Sample]:
    """Prepare samples in a thread while the encoder works on earlier ones."""
    ready: Queue[Sample | BaseException | None] = Queue(depth)

    def fill() -> None:
        try:
            for sample in samples:
                ready.put(sample)
            ready.put(None)
        except BaseException as err:  # handed over, not swallowed
            ready.put(err)

    Thread(target=fill, daemon=True).start()
    while (item := ready.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item


class FeatureCache:
    """
    All finished shards below a folder, as one list of samples.

    ``first_shard`` is the number of samples in the first of them.

    :param folders: Folders of shards, or of a single shard each.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.info: list[dict[str, Any]] = []
        self._places: list[tuple[int, int]] = []
        self._shards: list[dict[str, NDArray[Any]]] = []
        self.first_shard = 0
        for folder in folders:
            rows = json.loads((folder / _INFO).read_text(encoding='utf-8'))
            arrays = {
                name: np.load(folder / f'{name}.npy', mmap_mode='r') for name in (*_HALF, *_FULL)
            }
            self._places += [(len(self._shards), i) for i in range(len(rows))]
            self._shards.append(arrays)
            self.info += rows
            self.first_shard = self.first_shard or len(rows)

    def __len__(self) -> int:
        return len(self.info)

    def features(self, indices: Sequence[int], device: torch.device) -> Features:
        """Read samples as one batch of float32 features."""

        def read(name: str) -> Tensor:
            rows = [self._shards[s][name][i] for s, i in (self._places[k] for k in indices)]
            value = torch.from_numpy(np.stack(rows)).to(device)
            return value.float() if name in _HALF else value

        return Features(**{name: read(name) for name in (*_HALF, *_FULL)})


def finished_shards(folder: Path) -> list[Path]:
    """Return the shards below a folder that were written to the end, in order of name."""
    return sorted(p.parent for p in folder.glob(f'*/{_INFO}'))
