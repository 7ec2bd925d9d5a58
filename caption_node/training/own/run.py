# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
From checked data of one's own to a written bundle: ``caption train --data`` calls this.

Killed at any point, the same command goes on from the last checkpoint.
"""

from collections.abc import Sequence
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caption_node.datasets.items import Item
from caption_node.errors import ConfigError
from caption_node.training.calibrate import fit_logistic, fit_temperatures
from caption_node.training.config import RANDOM
from caption_node.training.export import write_bundle
from caption_node.training.limits import check_device, check_output
from caption_node.training.model.encoders import load_detector
from caption_node.training.model.scene import SceneConfig
from caption_node.training.objectives.judge_export import JUDGE_FILE, write_judge
from caption_node.training.objectives.mle import SentenceEncoder, contrast_loss, word_loss
from caption_node.training.own.config import PLAIN, OwnConfig
from caption_node.training.own.data import OwnBatch, OwnData
from caption_node.training.own.model import OwnCaptioner, field_loss
from caption_node.training.own.objective import OwnObjectiveRun
from caption_node.training.own.pretraining import PretrainRun, groups_of
from caption_node.training.progress import Journal, log
from caption_node.training.stage import Stage
from caption_node.vocabulary import PAD, split_words

CHECKPOINT = 'checkpoint.pt'
FEWEST = 10
"""Pictures below which there is nothing to learn from."""
_SAVE_EVERY = 100
_EVALUATED = 64


class OwnRun(Stage):
    """All steps of a run."""

    def __init__(self, config: OwnConfig, model: OwnCaptioner, data: OwnData, work: Path) -> None:
        self.config = config
        self.model = model
        self.data = data
        self.work = work
        self.sentences = SentenceEncoder(len(data.vocabulary), model.config.embedding)
        trained = nn.ModuleDict({'model': model, 'sentences': self.sentences})
        trained.to(model.queries.device)
        optimiser = torch.optim.AdamW(
            groups_of(config, trained), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        super().__init__('own', trained, optimiser, work / CHECKPOINT, config.average)

    def train(self) -> None:
        """Take all steps that remain; then put the averaged weights in place."""
        config = self.config
        with Journal(self.work / 'tensorboard', 'own', config.steps, self.step) as journal:
            while self.step < config.steps:
                parts = self.take_step()
                journal.step(self.step, parts)
                if self.step % _SAVE_EVERY == 0:
                    self.save()
        self.finish()

    def take_step(self) -> dict[str, float]:
        """Take one step; returns the parts of its loss."""
        config = self.config
        # A generator per step: a resumed run draws what an uninterrupted one would.
        rng = np.random.default_rng([config.seed, self.step])
        torch.manual_seed(config.seed * 1_000_003 + self.step)
        chosen = rng.choice(self.data.train, config.batch).tolist()
        for group in self.optimiser.param_groups:
            group['lr'] = rate_at(self.step, config) * group['share']
        self.trained.train()
        loss, parts = self.losses(self.data.take(chosen, rng))
        self.descend(loss, 1.0)
        return parts

    def losses(self, batch: OwnBatch) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch, and its parts."""
        config, model = self.config, self.model
        device = model.queries.device
        tokens = batch.tokens.to(device)
        told = model.tell(batch.image.to(device))
        logits = model.decoder(tokens[:, :-1], told.memory, told.bias)
        words = word_loss(logits, tokens[:, 1:], config.label_smoothing)
        fields = field_loss(told.logits, batch.targets.to(device), config.fields)
        said = torch.ones(len(tokens), dtype=torch.bool, device=device)
        near = contrast_loss(told.embedding, self.sentences(tokens), said, batch.ids)
        total = words + config.field_weight * fields + config.contrast_weight * near
        return total, {'words': float(words.detach()), 'fields': float(fields.detach())}


def rate_at(step: int, config: OwnConfig) -> float:
    """Warm up linearly, then fall as a half cosine."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * (0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * progress))))


def train_own(
    config: OwnConfig,
    items: Sequence[Item],
    pairs: Sequence[tuple[int, int]],
    output: Path,
    work: Path,
) -> None:
    """
    Train on checked data and write the bundle.

    :param items: As the checks left them.
    :param pairs: Pictures that are all but the same.
    :param output: Model folder to write.
    :param work: Scaled pictures, checkpoints and logs; may be deleted afterwards.
    :raises CaptionError: If there is too little to learn from, or the encoder is not usable.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    check_device(config.name, config.device)
    check_output(output)
    try:
        work.mkdir(parents=True, exist_ok=True)
        data = OwnData(config, items, pairs, work / 'pictures.npy')
        _keep_what_fits(work, config, data)
    except OSError as err:
        raise ConfigError(f'{work} cannot be written: {err.strerror or err}') from err
    if len(data.train) < FEWEST:
        raise ConfigError(
            f'{len(data.train)} pictures with captions are too few to learn from',
            f'{FEWEST} and more train; splits that never do: ' + ', '.join(config.hold_splits),
        )
    log(
        f'{len(data.train)} pictures train, {len(data.held_out)} calibrate, '
        f'{len(data.vocabulary)} words, {len(config.fields)} fields'
    )
    model = new_model(config, len(data.vocabulary)).to(config.device)
    learn(config, model, data, output, work)
    settings = calibrate_own(config, model, data)
    settings['training'] = {
        'steps': config.steps,
        'seed': config.seed,
        'pictures': len(data.train),
        'held_out_pictures': len(data.held_out),
        'encoder': config.encoder_kind,
        'decoder': config.decoder,
        'objective': config.objective,
    }
    vocabulary = data.vocabulary
    write_bundle(
        output, model, vocabulary, config.name, config.licence, settings, dict(config.fields)
    )
    log(f'wrote {output}')


def learn(config: OwnConfig, model: OwnCaptioner, data: OwnData, output: Path, work: Path) -> None:
    """
    Take all steps that remain: of pictures alone, of captions, and of another objective.

    :param output: Model folder, for the judge that an objective may leave.
    """
    if config.pretrain_steps and not (work / CHECKPOINT).exists():
        first = PretrainRun(config, model, data, work)
        log(f'{first.count} pictures for pre-training')
        first.resume()
        first.train()
    torch.manual_seed(config.seed)  # as if nothing had been drawn before: resumed runs have not
    run = OwnRun(config, model, data, work)
    run.resume()
    run.train()
    judge = None
    if config.objective != 'mle' or config.objective_settings:
        last = OwnObjectiveRun(config, model, data, work)
        last.resume()
        last.train()
        judge = dict(last.trained.named_children()).get('discriminator')
    if judge is not None:
        write_judge(output / JUDGE_FILE, model, judge, data.vocabulary)
        model.to(config.device)
    else:
        (output / JUDGE_FILE).unlink(missing_ok=True)


def new_model(config: OwnConfig, words: int) -> OwnCaptioner:
    """
    Return the network as it begins.

    :raises BundleError: If the encoder's file is missing, or is another network.
    """
    sizes = SceneConfig(
        height=config.height,
        width_px=config.width,
        width=128,
        feed_forward=256,
        tokens=config.tokens,
        dropout=config.dropout,
        encoder=config.encoder_kind,
        decoder=config.decoder,
    )
    detector = None
    if config.encoder_kind not in PLAIN:
        detector = load_detector(config.encoder_kind, Path(config.encoder))
        if config.encoder != RANDOM and not config.encoder_rate:
            detector.requires_grad_(False)
    return OwnCaptioner(sizes, words, config.fields, detector)


@torch.no_grad()
def calibrate_own(config: OwnConfig, model: OwnCaptioner, data: OwnData) -> dict[str, Any]:
    """
    Fit what makes confidences honest, on pictures that trained nothing.

    The confidence in a sentence is the share of its words that the annotator said as well, as far
    as the words' probabilities tell it.
    """
    model.eval()
    held = data.held_out.tolist()
    logits, means, shares = [], [], []
    for first in range(0, len(held), _EVALUATED):
        chosen = held[first : first + _EVALUATED]
        image = data.take(chosen).image.to(model.queries.device)
        tokens, logp, *_, scene, _ = model(image)
        logits.append(scene.cpu())
        for k, said, score in zip(chosen, tokens.cpu(), logp.cpu(), strict=True):
            words = split_words(data.vocabulary.decode(said.tolist()), config.tokenizer)
            known = {
                w for c in data.items[k].captions for w in split_words(c.text, config.tokenizer)
            } | {'.'}
            if words:
                means.append(float(score[said != PAD].mean()))
                shares.append(sum(w in known for w in words) / len(words))
    (weight,), bias = fit_logistic(np.array(means)[:, None], np.array(shares))
    found: dict[str, Any] = {
        'caption_confidence': {'weight': round(weight, 4), 'bias': round(bias, 4)},
        'abstain': picture_limits(data),
    }
    if logits and config.fields:
        targets = data.targets[torch.as_tensor(held)]
        found['temperatures'] = fit_temperatures(torch.cat(logits), targets, config.fields)
    return found


def picture_limits(data: OwnData) -> dict[str, float]:
    """
    Return when a picture shows too little, by what the training pictures show.

    Limits of the shipped models were found on drives; a radiograph may well be darker.
    """
    chosen = data.train[:: max(1, len(data.train) // 512)]
    darks, spreads, noises = [], [], []
    for k in chosen:
        grey = np.asarray(data.pictures[k], dtype=np.float32)[::4, ::4].mean(2)
        spread = max(float(grey.std()), 1e-3)
        darks.append(float(np.percentile(grey, 99)))
        spreads.append(spread)
        noises.append(float(np.abs(np.diff(grey, axis=1)).mean()) / spread)
    return {
        'dark': round(min(darks) / 2, 2),
        'contrast': round(min(spreads) / 2, 2),
        'noise': round(max(noises) * 2, 3),
    }


def _keep_what_fits(work: Path, config: OwnConfig, data: OwnData) -> None:
    """Drop checkpoints of other data or settings: to go on from them would mix two runs."""
    digest = hashlib.sha256(repr((config, data.vocabulary.words, len(data.items))).encode())
    for k, item in enumerate(data.items):
        digest.update(repr((item.id, item.values, item.captions)).encode('utf-8', 'replace'))
        digest.update(np.ascontiguousarray(data.pictures[k]).tobytes())
    if config.encoder != RANDOM and Path(config.encoder).is_file():
        digest.update(Path(config.encoder).read_bytes())
    mark = work / 'run.txt'
    if not mark.exists() or mark.read_text(encoding='utf-8') != digest.hexdigest():
        for pattern in (CHECKPOINT, 'pretraining-*.pt', 'objective-*.pt'):
            for old in work.glob(pattern):
                old.unlink(missing_ok=True)
        mark.write_text(digest.hexdigest(), encoding='utf-8')
