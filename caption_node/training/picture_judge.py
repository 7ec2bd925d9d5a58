# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Train the judge of pictures: three small networks side by side, as one.

They differ in how much the features of a whole group (light, colour, detail, ...) are shifted
together while they learn, as another camera would shift them. Plain NumPy: it takes seconds.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from caption_node.novelty import CLIP, KINDS, PictureJudge, against_road
from caption_node.picture_features import GROUPS

ALARMS = 0.005
"""So many held-out training frames may abstain by each judge."""
MISSES = {'covered': 0.1, 'blurred': 0.1, 'other': 0.2}
"""So many held-out pictures of a kind lie below where its limit begins to give way: more of those
that roads of other cameras resemble most."""
SHIFTS = (0.0, 0.5, 1.0)
_HIDDEN, _STEPS, _BATCH = 48, 600, 128
_RATE, _DECAY, _NOISE = 3e-3, 0.02, 0.3
_DROP_IN, _DROP_HIDDEN, _SMOOTH = 0.2, 0.3, 0.02
Floats = NDArray[np.float32]
Arrays = dict[str, Floats]


def fit_pictures(
    features: Floats, kinds: Sequence[str], held_out: NDArray[np.bool_], seed: int = 0
) -> Arrays:
    """
    Train the judge of pictures.

    :param features: (N, F) of :func:`~caption_node.picture_features.picture_features`.
    :param kinds: N of :data:`~caption_node.novelty.KINDS`.
    :param held_out: (N,) whether it sets the limit instead of weights.
    :returns: Arrays of :class:`~caption_node.novelty.PictureJudge` and ``limit``.
    """
    target = np.array([KINDS.index(k) for k in kinds])
    mean = features[~held_out].mean(0)
    scale = features[~held_out].std(0) + np.float32(0.05)
    x = np.clip((features[~held_out] - mean) / scale, -CLIP, CLIP).astype(np.float32)
    nets = [_train(x, target[~held_out], s, seed + i) for i, s in enumerate(SHIFTS)]
    judge = PictureJudge(
        mean,
        scale,
        hidden=np.concatenate([n[0] for n in nets], axis=1),
        hidden_bias=np.concatenate([n[1] for n in nets]),
        out=(np.concatenate([n[2] for n in nets]) / len(nets)).astype(np.float32),
        out_bias=np.mean([n[3] for n in nets], axis=0, dtype=np.float32),
    )
    return {**vars(judge), 'limit': limits_of(judge, features[held_out], target[held_out])}


def limits_of(judge: PictureJudge, features: Floats, target: NDArray[np.int64]) -> Floats:
    """
    Return the limit of every kind, half way between held-out roads and held-out pictures of it.

    Roads of the same cameras alone would set it too low for the camera that the model will meet.

    :param target: (N,) numbers of kinds, 0 for roads.
    :returns: (3,) in the order of :data:`~caption_node.novelty.KINDS` without ``road``.
    """
    odds = against_road(judge.logits(features))
    limits = []
    for i, kind in enumerate(KINDS[1:]):
        roads = np.quantile(odds[target == 0, i], 1 - ALARMS)
        spoilt = np.quantile(odds[target == i + 1, i], MISSES[kind])
        limits.append((roads + spoilt) / 2)
    return np.array(limits, dtype=np.float32)


def _train(x: Floats, target: NDArray[np.int64], shift: float, seed: int) -> list[Floats]:
    """
    Train one network with Adam (arXiv 1412.6980, decoupled decay of arXiv 1711.05101).

    :param x: (N, F) standardised features.
    :param shift: Standard deviation of the shift of a whole group.
    :returns: Weights and biases of both layers.
    """
    rng = np.random.default_rng(seed)
    drawn = (
        rng.normal(0, x.shape[1] ** -0.5, (x.shape[1], _HIDDEN)),
        np.zeros(_HIDDEN),
        rng.normal(0, 0.1, (_HIDDEN, len(KINDS))),
        np.zeros(len(KINDS)),
    )
    net: list[Floats] = [p.astype(np.float32) for p in drawn]
    first, second = [np.zeros_like(p) for p in net], [np.zeros_like(p) for p in net]
    # Roads weigh as much as everything else together: both mistakes cost alike.
    weight = 1 / np.maximum(1, np.bincount(target, minlength=len(KINDS)))
    weight[0] *= len(KINDS) - 1
    chance = weight[target] / weight[target].sum()
    for step in range(_STEPS):
        chosen = rng.choice(len(x), _BATCH, p=chance)
        slopes = _slopes(net, _disturbed(x[chosen], shift, rng), target[chosen], rng)
        rate = _RATE * 0.5 * (1 + np.cos(np.pi * step / _STEPS))
        for k, slope in enumerate(slopes):
            first[k] = 0.9 * first[k] + 0.1 * slope
            second[k] = 0.999 * second[k] + 0.001 * slope**2
            ahead = first[k] / (1 - 0.9 ** (step + 1))
            size = np.sqrt(second[k] / (1 - 0.999 ** (step + 1))) + 1e-8
            net[k] = (net[k] * (1 - rate * _DECAY) - rate * ahead / size).astype(np.float32)
    return net


def _disturbed(x: Floats, shift: float, rng: np.random.Generator) -> Floats:
    """Add noise, shift whole groups, and leave features out."""
    x = x + _NOISE * rng.standard_normal(x.shape, dtype=np.float32)
    start = 0
    for width in GROUPS.values():
        x[:, start : start + width] += shift * rng.standard_normal((len(x), 1), dtype=np.float32)
        start += width
    return np.asarray(x * (rng.random(x.shape) > _DROP_IN) / (1 - _DROP_IN), dtype=np.float32)


def _slopes(
    net: Sequence[Floats], x: Floats, target: NDArray[np.int64], rng: np.random.Generator
) -> list[Floats]:
    """Return the gradients of the cross-entropy with smoothed targets."""
    hidden = np.maximum(x @ net[0] + net[1], 0)
    keep = (rng.random(hidden.shape) > _DROP_HIDDEN) / (1 - _DROP_HIDDEN)
    kept = (hidden * keep).astype(np.float32)
    logits = kept @ net[2] + net[3]
    power = np.exp(logits - logits.max(axis=1, keepdims=True))
    wanted = np.full_like(power, _SMOOTH / len(KINDS))
    wanted[np.arange(len(x)), target] += 1 - _SMOOTH
    error = (power / power.sum(axis=1, keepdims=True) - wanted) / len(x)
    back = (error @ net[2].T) * keep * (hidden > 0)
    return [x.T @ back, back.sum(axis=0), kept.T @ error, error.sum(axis=0)]
