# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Whether a sentence may be used: confidence, and the reasons to abstain.

A sentence is withheld from use when the picture shows too little, or when what it says of road
users and signals disagrees with the boxes and fields that are published beside it.
"""

from collections.abc import Mapping, Sequence
import math
import re

import numpy as np
from numpy.typing import NDArray

from caption_node.description import FieldValue, SceneObject

_PERSON = re.compile(
    r'\b(pedestrians?|people|persons?|man|woman|men|women|child(ren)?|workers?)\b'
)
_NOBODY = re.compile(
    r'\b(no|nobody|without) (\w+ )?(pedestrians?|people|person|cyclists?)\b|\bpeople carrier'
)
_RIDER = re.compile(r'\b(cyclists?|bicycles?|bikes?|motorcycl\w+|motorbikes?|scooters?|riders?)\b')
_SIGNAL = re.compile(
    r'\b(red|green|yellow|amber)(-lit)? (traffic )?(light|signal)s?\b'
    r'|\b(?:light|signal)s? (?:is|are|still|shows?|showing|turned?)(?: still)? '
    r'(red|green|yellow|amber)\b'
)


def word_confidence(
    token_logp: NDArray[np.float32], tokens: NDArray[np.int64], weight: float, bias: float
) -> float:
    """
    Turn the words' probabilities into one calibrated confidence.

    :param token_logp: (T,) log-probabilities.
    :param tokens: (T,) ids; 0 is PAD and does not count.
    :param weight: Of the mean log-probability in the logistic.
    :returns: 0..1.
    """
    said = tokens != 0
    if not said.any():
        return 0.0
    mean = float(token_logp[said].mean())
    return 1.0 / (1.0 + math.exp(-(weight * mean + bias)))


def picture_fault(image: NDArray[np.uint8], limits: Mapping[str, float]) -> str:
    """
    Say what is wrong with a picture, or return an empty text.

    :param image: (H, W, 3) RGB, scaled to the model's input, without the bars.
    :param limits: ``dark``: grey level that 99 % of pixels stay below; ``contrast``: least
        standard deviation of grey; ``noise``: greatest change from pixel to pixel, in standard
        deviations.
    """
    grey = image[::4, ::4].mean(axis=2)
    if float(np.percentile(grey, 99)) < limits['dark']:
        return 'the picture is too dark'
    spread = float(grey.std())
    if spread < limits['contrast']:
        return 'the picture shows next to nothing (covered, blinded or fogged lens)'
    row = image[::4].astype(np.int16).mean(axis=2)
    if float(np.abs(np.diff(row, axis=1)).mean()) > limits['noise'] * spread:
        return 'the picture is noise'
    return ''


def disagreement(
    caption: str, scene: Mapping[str, FieldValue], objects: Sequence[SceneObject]
) -> str:
    """Say what the sentence claims and nothing beside it bears out, or return an empty text."""
    text = caption.lower()
    seen = {o.class_name for o in objects}
    if _PERSON.search(_NOBODY.sub(' ', text)) and 'person' not in seen:
        return 'the sentence names a person, no box shows one'
    if _RIDER.search(_NOBODY.sub(' ', text)) and not seen & {'bicycle', 'motorcycle'}:
        return 'the sentence names a two-wheeler, no box shows one'
    match = _SIGNAL.search(text)
    if match:
        colour = match.group(1) or match.group(5)
        colour = 'yellow' if colour == 'amber' else colour
        if scene['light'].value not in (colour, 'unclear'):
            return f'the sentence says {colour} light, the field says {scene["light"].value}'
    return ''
