# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The whole network, from uint8 pixels to words, boxes and facts, as one exportable graph."""

import torch
from torch import Tensor, nn

from caption_node.description import FIELDS, OBJECT_CLASSES
from caption_node.training.grounding_words import GROUPS, group_matrix, trigger_matrix
from caption_node.training.model.decoder import TextDecoder
from caption_node.training.model.detection import BoxDecoder, sample_objects
from caption_node.training.model.nanodet import NanoDet
from caption_node.training.model.scene import (
    PUBLISHED_SCORE,
    SPOKEN_SCORE,
    Features,
    SceneConfig,
    SceneEncoder,
    field_starts,
)
from caption_node.vocabulary import Vocabulary

OUTPUT_NAMES = (
    'tokens',
    'token_logp',
    'boxes',
    'box_class',
    'box_score',
    'scene',
    'embedding',
)


class Captioner(nn.Module):
    """
    Perception (encoder and detector), scene encoder and text decoder.

    :param vocabulary: The words that it can say.
    """

    def __init__(self, config: SceneConfig, vocabulary: Vocabulary, detector: NanoDet) -> None:
        super().__init__()
        self.config = config
        self.detector = detector
        self.boxes = BoxDecoder(config.height, config.width_px, config.boxes)
        self.scene = SceneEncoder(config)
        groups, triggers = group_matrix(vocabulary), trigger_matrix(vocabulary)
        self.decoder = TextDecoder(config, len(vocabulary), groups, triggers)

    def perceive(self, image: Tensor) -> Features:
        """
        Run encoder and detector.

        :param image: (B, H, W, 3) uint8 RGB, letterboxed.
        """
        return self.look(image)[0]

    def look(self, image: Tensor) -> tuple[Features, list[Tensor]]:
        """
        Run encoder and detector; boxes carry no gradient.

        :returns: the features, and the detector's raw outputs for its loss.
        """
        # TensorRT takes uint8 only into a cast, so the cast comes before the transpose.
        rgb = image.float().permute(0, 3, 1, 2)
        (_, c4, c5), levels, heads = self.detector(rgb)
        boxes, classes, scores = self.boxes([h.detach() for h in heads])
        features, colours = sample_objects(
            rgb, levels[0], boxes, self.config.patch, self.config.points
        )
        found = Features(c4, c5, levels[2], boxes, classes, scores, features, colours)
        return found, heads

    def evidence(self, features: Features, logits: Tensor) -> Tensor:
        """Return (B, G) of 0 and 1: whether the words of each group may be said."""
        sure = features.scores >= SPOKEN_SCORE
        lamps = features.scores >= PUBLISHED_SCORE  # small, and the field must agree
        likeliest = {
            name: logits[:, start : start + FIELDS[name].width].argmax(1)
            for name, start in field_starts().items()
            if FIELDS[name].kind == 'categorical'
        }
        rows = []
        for group in GROUPS:
            boxed = valued = torch.zeros_like(sure[:, 0])
            for name in group.classes:
                here = features.classes == OBJECT_CLASSES.index(name)
                boxed = boxed | ((lamps if name == 'traffic light' else sure) & here).any(1)
            for field, value in group.values:
                valued = valued | (likeliest[field] == FIELDS[field].values.index(value))
            rows.append(boxed & valued if group.both else boxed | valued)
        return torch.stack(rows, 1).float()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """
        Describe one batch.

        :param image: (B, H, W, 3) uint8 RGB, letterboxed.
        :returns: tokens (B, T) int64, token_logp (B, T), boxes (B, K, 4), box_class (B, K) int64,
            box_score (B, K), scene (B, S) logits, embedding (B, E).
        """
        return self.describe(self.perceive(image))

    def describe(self, f: Features) -> tuple[Tensor, ...]:
        """Run what follows perception; outputs as :meth:`forward`."""
        s = self.scene(f)
        tokens, token_logp = self.decoder.greedy(s.memory, s.bias, self.evidence(f, s.logits))
        return tokens, token_logp, f.boxes, f.classes, f.scores, s.logits, s.embedding
