# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Whether the exported graph says what the network says, word for word.

    python -m benchmarks.export configs/drive_small.yaml --split val --renders 200

Reads the network that training leaves in the work folder, or the shipped one.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
import sys

import numpy as np
from numpy.typing import NDArray
import torch

from caption_node.backends.registry import open_backend
from caption_node.bundle import Bundle
from caption_node.errors import CaptionError
from caption_node.preprocess import letterbox
from caption_node.scenes import render_scene
from caption_node.training.config import TrainConfig, load_config
from caption_node.training.data import plain_samples
from caption_node.training.labels import read_labels
from caption_node.training.weights import load_network, network_of

FIRST_RENDER = 70_000
"""No render that trained has so high a seed."""


def main() -> int:
    """Print how many sentences are equal; 1 if any differs."""
    parser = argparse.ArgumentParser(description='Compare network and exported graph.')
    parser.add_argument('config', type=Path)
    parser.add_argument('--split', default='val')
    parser.add_argument('--renders', type=int, default=200)
    options = parser.parse_args()
    try:
        config = load_config(options.config)
        model, _ = load_network(network_of(config))
        bundle = Bundle.load(config.output)
        backend = open_backend('onnxruntime', bundle, config.threads)
    except CaptionError as err:
        print(f'error: {err}\nhint: {err.hint}', file=sys.stderr)
        return 1
    equal, total, furthest = 0, 0, 0.0
    for image in pictures(config, options.split, options.renders, bundle):
        outputs = backend.run(image[None])
        with torch.no_grad():
            tokens, _, _, _, _, scene, _ = model(torch.from_numpy(image)[None])
        equal += bool((outputs.tokens == tokens.numpy()).all())
        furthest = max(furthest, float(np.abs(outputs.scene - scene.numpy()).max()))
        total += 1
    backend.close()
    print(f'{equal} of {total} sentences equal; field logits differ by at most {furthest:.1e}')
    return int(equal < total)


def pictures(
    config: TrainConfig, split: str, renders: int, bundle: Bundle
) -> Iterator[NDArray[np.uint8]]:
    """Yield letterboxed frames of a split, then renders."""
    records = read_labels(config.labels, config.frames, [split])
    for sample in plain_samples(records, bundle.height, bundle.width):
        yield sample.image
    for seed in range(FIRST_RENDER, FIRST_RENDER + renders):
        rgb, _ = render_scene(seed, width=640, height=360)
        yield letterbox(rgb, bundle.height, bundle.width)[0]


if __name__ == '__main__':
    sys.exit(main())
