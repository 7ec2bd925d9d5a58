# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Whether confidences mean what they say: of what is said with 0.8, eight in ten should be right.

Paper: On Calibration of Modern Neural Networks, arXiv 1706.04599 (expected calibration error over
ten bins of equal width); Verification of Forecasts Expressed in Terms of Probability, Brier 1950.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import math

BINS = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One thing that was said.

    :param confidence: 0..1.
    :param right: 1 if it is right, 0 if not; between where annotators differ.
    """

    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Bin:
    """
    The samples whose confidence lies above ``low`` and up to ``high``.

    :param confidence: Their mean confidence; None if there are none.
    :param accuracy: Share of them that is right; None if there are none.
    """

    low: float
    high: float
    samples: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """
    How honest the confidences are.

    :param ece: Expected calibration error: the mean gap of a bin, weighed by its samples.
    :param ece_by_chance: What a perfectly calibrated system with these confidences would show on
        average with so few samples.
    :param brier: Mean squared difference between confidence and what is right.
    :param confidence: Mean confidence; above ``accuracy`` it is too sure of itself.
    """

    samples: int
    accuracy: float
    confidence: float
    ece: float
    ece_by_chance: float
    brier: float
    bins: tuple[Bin, ...]


def calibrate(samples: Sequence[Sample]) -> Calibration | None:
    """Measure the confidences of a set of samples; None if there are none."""
    if not samples:
        return None
    count = len(samples)
    bins = tuple(_bin(number, part) for number, part in enumerate(_binned(samples)))
    return Calibration(
        samples=count,
        accuracy=sum(s.right for s in samples) / count,
        confidence=sum(s.confidence for s in samples) / count,
        ece=_expected_error(samples),
        ece_by_chance=_error_by_chance(samples),
        brier=sum((s.confidence - s.right) ** 2 for s in samples) / count,
        bins=bins,
    )


def _place(confidence: float) -> int:
    return min(BINS - 1, max(0, math.ceil(confidence * BINS) - 1))


def _binned(samples: Sequence[Sample]) -> list[list[Sample]]:
    parts: list[list[Sample]] = [[] for _ in range(BINS)]
    for sample in samples:
        parts[_place(sample.confidence)].append(sample)
    return parts


def _bin(number: int, part: Sequence[Sample]) -> Bin:
    n = len(part)
    return Bin(
        low=number / BINS,
        high=(number + 1) / BINS,
        samples=n,
        confidence=sum(s.confidence for s in part) / n if n else None,
        accuracy=sum(s.right for s in part) / n if n else None,
    )


def _expected_error(samples: Sequence[Sample]) -> float:
    gaps = [0.0] * BINS
    for sample in samples:
        gaps[_place(sample.confidence)] += sample.confidence - sample.right
    return sum(abs(gap) for gap in gaps) / len(samples)


def _error_by_chance(samples: Sequence[Sample]) -> float:
    """
    Expect the error where every sample is right as often as it says.

    A bin's gap is then nearly normal around zero, with the variance of its coin tosses.
    """
    variances = [0.0] * BINS
    for sample in samples:
        variances[_place(sample.confidence)] += sample.confidence * (1 - sample.confidence)
    return sum(math.sqrt(2 / math.pi * v) for v in variances) / len(samples)
