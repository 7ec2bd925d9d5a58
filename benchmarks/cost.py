# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What a graph costs against the size of its input and the length T of its sentences.

    python -m benchmarks.cost [--threads N] [--repeats N]

Weights are random: they do not change the cost. Each graph is measured in turns with its own
encoder and detector; the figures are medians.
"""

import argparse
from functools import partial
from pathlib import Path
import tempfile

import numpy as np
import onnx
import torch

from benchmarks.pipeline import medians_ms, session
from caption_node.training.export import export_graph
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.detection import SCHEMA_COLUMNS
from caption_node.training.model.nanodet import NanoDet
from caption_node.training.model.scene import SceneConfig
from caption_node.vocabulary import SPECIAL, Vocabulary

WORDS = 770
GRAPHS = (
    (384, 640, 28),
    (384, 640, 14),
    (384, 512, 28),
    (256, 512, 28),
    (256, 384, 28),
)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=50)
    options = parser.parse_args()
    print('  input      T   detector     whole   ratio')
    for height, width, length in GRAPHS:
        torch.manual_seed(0)
        words = Vocabulary([*SPECIAL, *(f'w{i}' for i in range(WORDS - len(SPECIAL)))])
        sizes = SceneConfig(height=height, width_px=width, tokens=length)
        model = Captioner(sizes, words, NanoDet(len(SCHEMA_COLUMNS))).eval()
        with tempfile.TemporaryDirectory() as scratch:
            whole, part = Path(scratch) / 'model.onnx', Path(scratch) / 'part.onnx'
            export_graph(model, whole)
            names = ['boxes', 'box_class', 'box_score']
            onnx.utils.extract_model(str(whole), str(part), ['image'], names)
            sessions = {
                n: session(p, options.threads) for n, p in (('part', part), ('all', whole))
            }
            feed = {'image': np.zeros((1, height, width, 3), dtype=np.uint8)}
            sides = {n: partial(s.run, None, feed) for n, s in sessions.items()}
            ms = medians_ms(sides, options.repeats)
        ratio = ms['all'] / ms['part']
        print(
            f'{width} x {height} {length:4d} {ms["part"]:8.1f} ms {ms["all"]:6.1f} ms {ratio:6.2f}'
        )


if __name__ == '__main__':
    main()
