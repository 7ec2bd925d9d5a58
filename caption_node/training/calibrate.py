# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Confidence that means something: temperatures per field, from which the sentence's follows.

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
from caption_node.evaluation.denials import support
from caption_node.pipeline import read_field
from caption_node.training.data import Batches
from caption_node.training.model.captioner import Captioner
from caption_node.training.rewards import false_claims
from caption_node.trust import LEAST_SUPPORT, MOST_SUPPORT
from caption_node.vocabulary import Vocabulary

SENTENCE_SHARE = 0.5
"""How far a sentence's confidence goes towards what held-out frames say: sentences about cameras
that never trained are wrong more often than those."""
_FEW = 30
_TEMPERATURES = np.exp(np.linspace(np.log(0.5), np.log(4.0), 43))


def calibrate(
    model: Captioner, vocabulary: Vocabulary, batches: Batches, held_out: Sequence[int]
) -> dict[str, Any]:
    """
    Fit what turns logits into honest confidences.

    A sentence's confidence goes by how far the published fields bear out its claims, whatever its
    words' probabilities: with these, it was far too sure on other cameras, where fields lose less
    than wording does. Claims are right or wrong together more often than the product of their
    chances says; a logistic of that product's log-odds makes up for it.

    :param held_out: Samples that trained nothing, varied ones too: an unknown camera is at least
        as unlike the training frames as they are.
    :returns: ``temperatures`` by field and ``caption_confidence``, for the manifest.
    """
    model.eval()
    device = next(model.scene.parameters()).device
    logits, targets, said = [], [], []
    with torch.no_grad():
        for start in range(0, len(held_out), 32):
            batch = batches.take(held_out[start : start + 32], device)
            tokens, *_, scene, _ = model.describe(batch.features)
            logits.append(scene.cpu())
            targets.append(batch.targets.cpu())
            said += [vocabulary.decode(t) for t in tokens.tolist()]
    temperatures = fit_temperatures(torch.cat(logits), torch.cat(targets))
    rows = [batches.cache.info[i] for i in held_out]
    return {
        'temperatures': temperatures,
        'caption_confidence': fit_support(said, torch.cat(logits), temperatures, rows),
    }


def fit_support(
    sentences: Sequence[str],
    logits: Tensor,
    temperatures: Mapping[str, float],
    rows: Sequence[Mapping[str, Any]],
) -> dict[str, float]:
    """
    Fit how sure a sentence is to what fields give to its claims.

    :param logits: (N, S).
    :param rows: What is true of each, as a feature cache tells it; those without a sentence tell
        too little.
    :returns: The logistic for the manifest; one that changes nothing where too few can tell.
    """
    given, right = [], []
    for sentence, values, row in zip(sentences, logits.numpy(), rows, strict=True):
        if row['caption'] is None:
            continue
        published, start = {}, 0
        for name, spec in FIELDS.items():
            part = values[start : start + spec.width]
            start += spec.width
            published[name] = read_field(spec, part, temperatures.get(name, 1.0))
        likely = min(max(support(sentence, published), LEAST_SUPPORT), MOST_SUPPORT)
        given.append([math.log(likely / (1 - likely))])
        right.append(float(not false_claims(sentence, row)))
    if len(right) < _FEW or len(set(right)) < 2:
        return {'weight': 0.0, 'support': 1.0, 'bias': 0.0}
    (weight,), bias = fit_logistic(np.array(given), np.array(right))
    weight, bias = 1 + SENTENCE_SHARE * (weight - 1), SENTENCE_SHARE * bias
    return {'weight': 0.0, 'support': round(weight, 4), 'bias': round(bias, 4)}


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
