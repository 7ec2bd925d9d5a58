# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Confidence that means something: temperatures per field and a logistic for the sentence.

Source: On Calibration of Modern Neural Networks, arXiv 1706.04599. Fitted on frames that trained
nothing.
"""

from collections.abc import Mapping, Sequence
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from torch.nn import functional as F

from caption_node.description import COUNT_BUCKETS, FIELDS, Field
from caption_node.evaluation.denials import denied_claims, support
from caption_node.evaluation.frames import LabelledFrame
from caption_node.pipeline import read_field
from caption_node.training.data import Batches
from caption_node.training.model.captioner import Captioner
from caption_node.training.rewards import Row, false_claims
from caption_node.trust import LEAST_SUPPORT
from caption_node.vocabulary import PAD, Vocabulary

_TEMPERATURES = np.exp(np.linspace(np.log(0.5), np.log(4.0), 43))


def calibrate(
    model: Captioner,
    vocabulary: Vocabulary,
    batches: Batches,
    held_out: Sequence[int],
    frames: Mapping[str, LabelledFrame],
) -> dict[str, Any]:
    """
    Fit what turns logits into honest confidences.

    :param held_out: Samples that trained nothing, varied ones too: an unknown camera is at least
        as unlike the training frames as they are.
    :param frames: The labelled frames by id; a sentence is right if its annotator denies none of
        its claims.
    :returns: ``temperatures`` by field and ``caption_confidence``, for the manifest.
    """
    model.eval()
    device = next(model.scene.parameters()).device
    logits, targets, said, logp = [], [], [], []
    with torch.no_grad():
        for start in range(0, len(held_out), 32):
            batch = batches.take(held_out[start : start + 32], device)
            tokens, scores, *_, scene, _ = model.describe(batch.features)
            logits.append(scene.cpu())
            targets.append(batch.targets.cpu())
            said.append(tokens.cpu())
            logp.append(scores.cpu())
    every = torch.cat(logits)
    temperatures = fit_temperatures(every, torch.cat(targets))
    features, right = [], []
    for index, scene, tokens, scores in zip(
        held_out, every.numpy(), torch.cat(said), torch.cat(logp), strict=True
    ):
        row = batches.cache.info[index]
        frame = frames.get(row['id'])
        if frame is None:
            continue
        caption = vocabulary.decode(tokens.tolist())
        borne_out = support(caption, published(scene, temperatures))
        mean = float(scores[tokens != PAD].mean())
        features.append((mean, math.log(max(borne_out, LEAST_SUPPORT))))
        plain = index < batches.cache.first_shard
        right.append(float(not _denied(caption, frame if plain else None, row)))
    (weight, of_support), bias = fit_logistic(np.array(features), np.array(right))
    rule = {'weight': weight, 'support': of_support, 'bias': bias}
    return {
        'temperatures': temperatures,
        'caption_confidence': {name: round(value, 4) for name, value in rule.items()},
    }


def _denied(caption: str, frame: LabelledFrame | None, row: Row) -> list[str]:
    """Name denied claims; of a varied frame, boxes and sides are not known."""
    if frame is not None:
        return denied_claims(caption, frame, frame.annotations[0])
    known = {**row, 'caption': row['caption'] or ''}
    return [claim for claim in false_claims(caption, known) if ' on the ' not in claim]


def published(logits: NDArray[np.float32], temperatures: Mapping[str, float]) -> Mapping[str, Any]:
    """Return the fields as the pipeline reads them from the logits of one frame, (S,)."""
    found, start = {}, 0
    for name, spec in FIELDS.items():
        found[name] = read_field(spec, logits[start : start + spec.width], temperatures[name])
        start += spec.width
    return found


def fit_temperatures(
    logits: Tensor, targets: Tensor, table: Mapping[str, Field] = FIELDS
) -> dict[str, float]:
    """
    Find the temperature of every field that makes held-out labels likeliest.

    :param logits: (N, S).
    :param targets: (N, fields) int64; -1 where a value is not known.
    """
    found, start = {}, 0
    for i, (name, spec) in enumerate(table.items()):
        known = targets[:, i] >= 0
        part, target = logits[known, start : start + spec.width], targets[known, i]
        start += spec.width
        if not len(target):
            continue
        scores = []
        for t in _TEMPERATURES:
            if spec.kind == 'boolean':
                loss = F.binary_cross_entropy_with_logits(part[:, 0] / t, target.float())
            elif spec.kind == 'count':
                loss = F.nll_loss(_bucket_log_p(part / t), _bucket(target))
            else:
                loss = F.cross_entropy(part / t, target)
            scores.append(float(loss))
        found[name] = float(_TEMPERATURES[int(np.argmin(scores))])
    return found


def _bucket(count: Tensor) -> Tensor:
    """Return (N,) the bucket of each count."""
    starts = torch.tensor(COUNT_BUCKETS[1:], device=count.device)
    return (count[:, None] >= starts).sum(1)


def _bucket_log_p(logits: Tensor) -> Tensor:
    """(N, 16) logits of counts to (N, buckets) log-probabilities."""
    owner = _bucket(torch.arange(logits.shape[1], device=logits.device))
    whole = torch.zeros(logits.shape[0], len(COUNT_BUCKETS), device=logits.device)
    return whole.index_add_(1, owner, logits.softmax(1)).clamp(min=1e-6).log()


def fit_logistic(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[list[float], float]:
    """
    Fit ``y = 1 / (1 + exp(-(w x + b)))`` by likelihood, with Newton's method.

    :param x: (N, F).
    :param y: (N,) 0..1, fractions allowed.
    :returns: w (F,) and b; a flat 0.5 where there are too few points.
    """
    count, width = x.shape
    if count < 10:
        return [0.0] * width, 0.0
    a = np.concatenate([x, np.ones((count, 1))], 1)
    w = np.zeros(width + 1)
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(a @ w, -30, 30)))
        gradient = a.T @ (y - p) - 1e-3 * w
        hessian = (a * (p * (1 - p))[:, None]).T @ a + 1e-3 * np.eye(width + 1)
        w = w + np.linalg.solve(hessian, gradient)
    return [float(v) for v in w[:-1]], float(w[-1])
