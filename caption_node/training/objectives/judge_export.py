# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Write a discriminator with the encoder that it looks through as one ONNX graph."""

import json
import os
from pathlib import Path
import warnings

import onnx
import torch
from torch import Tensor, nn

from caption_node.training.objectives.protocol import Describer
from caption_node.vocabulary import BOS, Vocabulary

JUDGE_FILE = 'judge.onnx'
_OPSET = 17


class JudgeGraph(nn.Module):
    """Pixels and words to the probabilities of the discriminator's three answers."""

    def __init__(self, model: Describer, discriminator: nn.Module) -> None:
        super().__init__()
        self.model, self.discriminator = model, discriminator

    def forward(self, image: Tensor, tokens: Tensor) -> Tensor:
        """
        Judge sentences.

        :param image: (B, H, W, 3) uint8 RGB, letterboxed.
        :param tokens: (B, T) int64 behind BOS, PAD behind the end.
        """
        answers: Tensor = self.discriminator(tokens, *self.model.memory_of(image))
        return answers.softmax(1)


def write_judge(
    path: Path, model: Describer, discriminator: nn.Module, vocabulary: Vocabulary
) -> None:
    """Write a judge beside its name and rename it."""
    graph = JudgeGraph(model, discriminator).cpu().eval()
    image = torch.zeros(2, model.config.height, model.config.width_px, 3, dtype=torch.uint8)
    tokens = torch.full((2, model.config.tokens), BOS)
    scratch = path.with_suffix('.tmp')
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), torch.no_grad():
        # Sizes that are fixed on purpose, and the exporter's own deprecation notice.
        warnings.simplefilter('ignore')
        torch.onnx.export(
            graph,
            (image, tokens),
            str(scratch),
            input_names=['image', 'tokens'],
            output_names=['answers'],
            opset_version=_OPSET,
            dynamo=False,
            dynamic_axes={n: {0: 'batch'} for n in ('image', 'tokens', 'answers')},
        )
    written = onnx.load(str(scratch))
    onnx.helper.set_model_props(written, {'words': json.dumps(list(vocabulary.words))})
    onnx.save(written, str(scratch))
    os.replace(scratch, path)
