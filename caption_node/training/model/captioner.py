# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The whole network, from uint8 pixels to words, boxes and facts, as one exportable graph."""

import torch
from torch import Tensor, nn

from caption_node.description import FIELDS, OBJECT_CLASSES
from caption_node.training.grounding_words import (
    GROUPS,
    OFF_MIDDLE,
    TRUE,
    group_matrix,
    phrases_of,
    trigger_matrix,
    weary_words,
)
from caption_node.training.model.decoder import TextDecoder
from caption_node.training.model.detection import BoxDecoder, sample_objects
from caption_node.training.model.encoders import Detector
from caption_node.training.model.latent import Latent
from caption_node.training.model.lstm import LstmDecoder
from caption_node.training.model.scene import (
    CAR_SCORE,
    LAMP_SCORE,
    LEAST_SURE,
    SCENE_WIDTH,
    SPOKEN_SCORE,
    Features,
    SceneConfig,
    SceneEncoder,
    field_starts,
)
from caption_node.training.model.writing import for_each
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

DECODERS: dict[str, type[TextDecoder] | type[LstmDecoder]] = {
    'transformer': TextDecoder,
    'lstm': LstmDecoder,
}


class Captioner(nn.Module):
    """
    Perception (encoder and detector), scene encoder and text decoder.

    :param vocabulary: The words that it can say.
    """

    by_class: Tensor
    by_value: Tensor
    by_column: Tensor
    values_of: Tensor
    values: Tensor
    field_of: Tensor
    flags: Tensor
    limits: Tensor
    both: Tensor
    least: Tensor
    sides: Tensor

    def __init__(self, config: SceneConfig, vocabulary: Vocabulary, detector: Detector) -> None:
        super().__init__()
        self.config = config
        self.detector = detector
        self.boxes = BoxDecoder(config.height, config.width_px, config.boxes)
        self.scene = SceneEncoder(config)
        groups, triggers = group_matrix(vocabulary), trigger_matrix(vocabulary)
        self._register_evidence()
        weary = weary_words(vocabulary)
        kind = DECODERS[config.decoder]
        rules = (groups, triggers, weary, phrases_of(vocabulary))
        self.decoder = kind(config, len(vocabulary), *rules)
        self.latent = Latent(config) if config.latent else None

    def _register_evidence(self) -> None:
        by_class = [[float(c in g.classes) for g in GROUPS] for c in OBJECT_CLASSES]
        chosen = [f for f in FIELDS.values() if f.kind == 'categorical']
        starts = field_starts()
        columns = [list(range(starts[f.name], starts[f.name] + f.width)) for f in chosen]
        widest = max(f.width for f in chosen)
        # Rows of equal length: a narrow field names its first column again.
        values_of = [c + c[:1] * (widest - len(c)) for c in columns]
        flags = [f for f in FIELDS.values() if f.kind == 'boolean']
        pairs = [(f.name, v) for f in chosen for v in f.values]
        pairs += [(f.name, TRUE) for f in flags]
        by_value = [[float(pair in g.values) for g in GROUPS] for pair in pairs]
        field_of = [i for i, c in enumerate(columns) for _ in c]
        for name, index in (
            ('values_of', values_of),
            ('values', [c for field in columns for c in field]),
            ('field_of', field_of),
            ('flags', [starts[f.name] for f in flags]),
        ):
            self.register_buffer(name, torch.tensor(index), persistent=False)
        own = {'traffic light': LAMP_SCORE, 'car': CAR_SCORE}
        limits = [own.get(c, SPOKEN_SCORE) for c in OBJECT_CLASSES]
        self.register_buffer('by_class', torch.tensor(by_class), persistent=False)
        self.register_buffer('by_value', torch.tensor(by_value), persistent=False)
        by_column = torch.zeros(SCENE_WIDTH, len(GROUPS))
        by_column[[*(c for field in columns for c in field), *(starts[f.name] for f in flags)]] = (
            torch.tensor(by_value)
        )
        self.register_buffer('by_column', by_column, persistent=False)
        self.register_buffer('limits', torch.tensor(limits), persistent=False)
        self.register_buffer('both', torch.tensor([g.both for g in GROUPS]), persistent=False)
        least = [float(g.least) for g in GROUPS]
        sides = [[float(g.side == side) for g in GROUPS] for side in ('', 'left', 'right', 'off')]
        self.register_buffer('least', torch.tensor(least), persistent=False)
        self.register_buffer('sides', torch.tensor(sides), persistent=False)

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

    @property
    def facts(self) -> int:
        """Tokens that the memory ends in: one of every field, and one of all."""
        return len(FIELDS) + 1

    def memory_of(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the decoder reads of pictures (B, H, W, 3): memory and attention bias."""
        scene = self.scene(self.perceive(image))
        return scene.memory, scene.bias

    def evidence(
        self, features: Features, logits: Tensor, least_sure: float = LEAST_SURE
    ) -> Tensor:
        """
        Return (B, G) of 0 and 1: whether the words of each group may be said.

        :param logits: (B, S), those that are published.
        :param least_sure: Probability from which fields bear words out.
        """
        seen = features.scores >= self.limits[features.classes]
        needed = self.by_class[features.classes] * seen.to(logits.dtype)[:, :, None]
        width = self.config.width_px
        middle = (features.boxes[..., :1] + features.boxes[..., 2:3] - width) / 2
        off = width * OFF_MIDDLE
        side = torch.cat([middle < width, middle < -off, middle > off, middle.abs() > off], 2).to(
            logits.dtype
        )
        boxed = ((needed * (side @ self.sides)).sum(1) >= self.least).to(logits.dtype)  # (B, G)
        # A field says its likeliest value: the one that equals the largest of all its logits.
        likeliest = logits[:, self.values_of].amax(2)  # (B, categorical fields)
        held = logits[:, self.values] >= likeliest[:, self.field_of]
        held = torch.cat([held, logits[:, self.flags] >= 0], 1)
        valued = (held.to(logits.dtype) @ self.by_value).clamp(max=1.0)
        sure = self.scene.probabilities(logits) @ self.by_column >= least_sure
        valued = valued * sure.to(logits.dtype)
        return torch.where(self.both, boxed * valued, torch.maximum(boxed, valued))

    def forward(
        self, image: Tensor, noise: Tensor | None = None, latent: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """
        Describe one batch.

        :param image: (B, H, W, 3) uint8 RGB, letterboxed.
        :param noise: (1 or B, T, V), or (S, T, V) for S sentences about one picture: added to the
            words' scores before each choice.
        :param latent: (1, B or S, Z) standard normal alike, for other ways to tell the scene.
        :returns: tokens (B, T) int64, token_logp (B, T), boxes (B, K, 4), box_class (B, K) int64,
            box_score (B, K), scene (B, S) logits, embedding (B, E); with S sentences tokens and
            token_logp are of S.
        """
        return self.describe(self.perceive(image), latent, noise)

    def describe(
        self, f: Features, latent: Tensor | None = None, noise: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Run what follows perception; arguments and outputs as :meth:`forward`."""
        s = self.scene(f)
        evidence = self.evidence(f, s.logits)
        memory, bias, evidence = for_each(noise, s.memory, s.bias, evidence)
        if self.latent is not None:
            memory = self.latent.told(memory, bias, latent)
        tokens, token_logp = self.decoder.greedy(memory, bias, evidence, noise)
        return tokens, token_logp, f.boxes, f.classes, f.scores, s.logits, s.embedding

    def chances(self) -> dict[str, tuple[int, ...]]:
        """Return the sizes of the inputs for chance by name, without the axis of the sentences."""
        found: dict[str, tuple[int, ...]] = {'noise': (self.config.tokens, len(self.decoder.bias))}
        if self.latent is not None:
            found['latent'] = (self.latent.size,)
        return found
