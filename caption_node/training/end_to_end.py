# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
First stage: encoder, detection head and scene encoder learn together, from freshly varied frames.

A decoder learns beside them so that the features keep what sentences speak of; the words
themselves are learnt in the second stage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from caption_node.image_codec import read_image
from caption_node.training.augment import augment
from caption_node.training.config import TrainConfig
from caption_node.training.data import encode_sentence, is_held_out
from caption_node.training.detection_loss import detection_loss
from caption_node.training.field_loss import field_loss, field_weights
from caption_node.training.labels import Label, Record
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.encoders import early_parts
from caption_node.training.model.roles import DERIVED
from caption_node.training.objectives.mle import SentenceEncoder, contrast_loss, word_loss
from caption_node.training.progress import Journal
from caption_node.training.render_store import RENDER_SOURCE
from caption_node.training.stage import Stage
from caption_node.vocabulary import BOS, Vocabulary


@dataclass
class Views:
    """
    One batch of varied frames.

    :param images: (B, H, W, 3) uint8.
    :param targets: (B, fields) int64.
    :param tokens: (B, T + 1) int64, all PAD without a sentence.
    :param boxes: Per frame (N, 6): box in pixels, class number, score.
    """

    images: Tensor
    targets: Tensor
    tokens: Tensor
    boxes: list[Tensor]
    ids: list[str]


class ViewSet(Dataset[Views]):
    """
    Step numbers to batches; the same number always gives the same batch.

    :param frames: Labelled frames that train.
    :param renders: Rendered frames that train beside them.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: Captioner,
        vocabulary: Vocabulary,
        frames: Sequence[Record],
        renders: Sequence[Record],
    ) -> None:
        self.config = config
        self.size = (model.config.height, model.config.width_px)
        self.length = model.config.tokens
        self.vocabulary = vocabulary
        self.frames = frames
        self.renders = renders
        self.weights = source_weights(frames, config.balance)

    def __len__(self) -> int:
        return self.config.encoder_steps

    def __getitem__(self, step: int) -> Views:
        config = self.config
        rng = np.random.default_rng([config.seed, 77, step])
        rendered = round(config.encoder_batch * config.render_share) if self.renders else 0
        rows = [
            *rng.choice(len(self.frames), config.encoder_batch - rendered, p=self.weights),
            *rng.choice(max(1, len(self.renders)), rendered),
        ]
        count = config.encoder_batch - rendered
        chosen = [self.frames[i] for i in rows[:count]] + [self.renders[i] for i in rows[count:]]
        views = [self._view(record, rng) for record in chosen]
        return Views(
            images=torch.from_numpy(np.stack([image for image, _ in views])),
            targets=torch.tensor([label.targets() for _, label in views]),
            tokens=torch.stack(
                [self._tokens(r, v[1]) for r, v in zip(chosen, views, strict=True)]
            ),
            boxes=[torch.from_numpy(label.boxes) for _, label in views],
            ids=[record.id for record in chosen],
        )

    def _view(self, record: Record, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Label]:
        rgb = read_image(record.path)
        return augment(
            rgb, record.labels[0], rng, *self.size, weather=record.source != RENDER_SOURCE
        )

    def _tokens(self, record: Record, label: Label) -> Tensor:
        # The grammar's sentences have their place in the second stage.
        caption = None if record.source == RENDER_SOURCE else label.caption
        return encode_sentence(self.vocabulary, caption, self.length)


def source_weights(frames: Sequence[Record], balance: float) -> NDArray[np.float64]:
    """
    Return how often each frame is drawn.

    :param balance: 0 draws all frames alike, 1 all sources alike.
    """
    sources = [r.source for r in frames]
    weights = np.array([sources.count(s) ** -balance for s in sources], dtype=np.float64)
    return np.asarray(weights / weights.sum())


def losses(
    model: Captioner,
    sentences: SentenceEncoder,
    views: Views,
    weights: Mapping[str, Tensor],
    config: TrainConfig,
) -> tuple[Tensor, dict[str, float]]:
    """Return the loss of a batch and its parts."""
    device = next(model.parameters()).device
    targets, tokens = views.targets.to(device), views.tokens.to(device)
    features, heads = model.look(views.images.to(device))
    boxes = detection_loss(heads, model.boxes, [b.to(device) for b in views.boxes])
    if model.training:
        features.scores = features.scores * (torch.rand_like(features.scores) >= config.hide_boxes)
    scene = model.scene(features)
    learnt = field_loss(scene.learnt, targets, weights)
    derived = field_loss(scene.derived, targets, weights, DERIVED)
    inputs, following = tokens[:, :-1], tokens[:, 1:]
    logits = model.decoder(inputs, scene.memory, scene.bias)
    words = word_loss(logits, following, config.label_smoothing)
    said = tokens[:, 0] == BOS
    contrast = contrast_loss(scene.embedding, sentences(tokens), said, views.ids)
    total = (
        config.box_weight * boxes
        + config.field_weight * (learnt + derived)
        + words
        + config.contrast_weight * contrast
    )
    parts = {'boxes': boxes, 'learnt': learnt, 'derived': derived, 'words': words}
    return total, {name: float(value.detach()) for name, value in parts.items()}


def blend(detector: nn.Module, published: Mapping[str, Tensor], share: float) -> None:
    """
    Average tuned weights with those that tuning began from: what both know on any camera stays.

    Source: Robust fine-tuning of zero-shot models, arXiv 2109.01903.

    :param share: Of the tuned weights, 0..1.
    """
    tuned = detector.state_dict()
    mixed = {k: published[k].lerp(v, share) for k, v in tuned.items() if v.is_floating_point()}
    detector.load_state_dict({**tuned, **mixed})


class EncoderRun(Stage):
    """The first stage as something that can be stopped and resumed."""

    def __init__(
        self,
        config: TrainConfig,
        model: Captioner,
        vocabulary: Vocabulary,
        frames: Sequence[Record],
        renders: Sequence[Record],
    ) -> None:
        self.config = config
        self.model = model
        self.published = {k: v.detach().clone() for k, v in model.detector.state_dict().items()}
        used = [r for r in frames if not is_held_out(r.id)]
        self.kept = [r for r in frames if is_held_out(r.id)]
        self.views = ViewSet(config, model, vocabulary, used, renders)
        targets = torch.tensor([r.labels[0].targets() for r in [*used, *renders]])
        self.weights = {k: v.to(config.device) for k, v in field_weights(targets).items()}
        self.sentences = SentenceEncoder(len(vocabulary), model.config.embedding)
        trained = nn.ModuleDict({'model': model, 'sentences': self.sentences})
        trained.to(config.device)
        # Twice as fast on CPUs as the usual order of axes.
        trained.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for part in early_parts(model.detector):
            part.requires_grad_(False)  # edges and textures are the same on every road
        optimiser = torch.optim.AdamW(self._groups(), weight_decay=config.weight_decay)
        file = config.work / 'encoder.pt'
        super().__init__('encoder', trained, optimiser, file, config.encoder_average)

    def _groups(self) -> list[dict[str, Any]]:
        slow = {id(p) for p in self.model.detector.parameters()}
        fast = [p for p in self.model.parameters() if id(p) not in slow]
        fast += self.sentences.parameters()
        tuned = [p for p in self.model.detector.parameters() if p.requires_grad]
        return [
            {'params': tuned, 'peak': self.config.encoder_rate},
            {'params': fast, 'peak': self.config.learning_rate},
        ]

    def train(self, until: int | None = None) -> None:
        """
        Take all steps that remain; then put the averaged weights in place.

        :param until: Step to stop before, for a run in several parts.
        """
        config = self.config
        end = config.encoder_steps if until is None else until
        loader = DataLoader(
            self.views,
            batch_size=None,
            sampler=range(self.step, end),
            num_workers=config.workers,
            prefetch_factor=4 if config.workers else None,
        )
        self.trained.train()
        folder = config.work / 'tensorboard'
        with Journal(folder, 'encoder', config.encoder_steps, self.step) as journal:
            for views in loader:
                parts = self._take(views)
                journal.step(self.step, parts)
                if self.step % 50 == 0:
                    self.save()
        self.finish()
        blend(self.model.detector, self.published, self.config.encoder_mix)

    def _take(self, views: Views) -> dict[str, float]:
        """Take one step and return the parts of its loss."""
        config = self.config
        torch.manual_seed(config.seed * 1_000_003 + self.step)
        for group in self.optimiser.param_groups:
            group['lr'] = group['peak'] * self._rate()
        loss, parts = losses(self.model, self.sentences, views, self.weights, config)
        self.descend(loss, 5.0)
        return parts

    def _rate(self) -> float:
        """Warm up linearly, then fall as a half cosine."""
        config = self.config
        warmup = min(100, config.encoder_steps // 10 + 1)
        if self.step < warmup:
            return (self.step + 1) / warmup
        progress = (self.step - warmup) / max(1, config.encoder_steps - warmup)
        return 0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * progress)))
