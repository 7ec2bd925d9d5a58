# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What each encoder and each decoder weighs and costs, beside those of the shipped model.

    python -m benchmarks.networks [--threads N] [--repeats N]

Weights are random: they do not change the cost. All sides of a table are measured in turns with
ONNX Runtime; ratios are of medians. Encoders are measured with neck and head, decoders with their
whole loop.
"""

import argparse
from functools import partial
from pathlib import Path
import tempfile
from typing import Any
import warnings

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.pipeline import medians_ms, session
from caption_node.training.export import OPSET
from caption_node.training.grounding_words import GROUPS
from caption_node.training.model.captioner import DECODERS
from caption_node.training.model.encoders import ENCODERS, new_detector
from caption_node.training.model.scene import SceneConfig

WORDS, TOKENS, MEMORY = 770, 28, 64


class Loop(nn.Module):
    """The loop of a decoder alone."""

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, memory: Tensor, bias: Tensor, evidence: Tensor) -> Any:
        return self.decoder.greedy(memory, bias, evidence)


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=30)
    options = parser.parse_args()
    torch.manual_seed(0)
    encoders = {kind: new_detector(kind) for kind in ENCODERS}
    table(encoders, (torch.zeros(1, 3, 384, 640),), options)
    groups = torch.zeros(len(GROUPS), WORDS)
    config = SceneConfig(tokens=TOKENS)
    loops = {
        kind: Loop(made(config, WORDS, groups, groups.T, groups[0]))
        for kind, made in DECODERS.items()
    }
    told = (
        torch.randn(1, MEMORY, config.width),
        torch.zeros(1, 1, 1, MEMORY),
        torch.ones(1, len(GROUPS)),
    )
    table(loops, told, options)


def table(sides: dict[str, Any], inputs: tuple[Tensor, ...], options: argparse.Namespace) -> None:
    """Measure networks side by side; the first one is what the others are held against."""
    names = [f'input{i}' for i in range(len(inputs))]
    feed = {
        name: value.numpy().astype(np.float32) for name, value in zip(names, inputs, strict=True)
    }
    runs = {}
    with tempfile.TemporaryDirectory() as scratch:
        for kind, network in sides.items():
            path = Path(scratch) / f'{kind}.onnx'
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter('ignore')
                torch.onnx.export(
                    network.eval(), inputs, str(path), input_names=names,
                    opset_version=OPSET, dynamo=False,
                )  # fmt: skip
            runs[kind] = partial(session(path, options.threads).run, None, feed)
        ms = medians_ms(runs, options.repeats)
    first = next(iter(sides))
    for kind, network in sides.items():
        weights = sum(p.numel() for p in network.parameters()) / 1e6
        print(f'{kind:14} {weights:6.2f} M {ms[kind]:8.1f} ms {ms[kind] / ms[first]:6.2f}')


if __name__ == '__main__':
    main()
