# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Whether a sentence may be used: confidence, and the reasons to abstain.

A sentence is withheld from use when the picture shows too little, is like none that the model was
trained on, or has been the same for too long, and when what it says of road users and signals
disagrees with the boxes and fields that are published beside it.
"""

from collections.abc import Mapping, Sequence
import math
import re

import numpy as np
from numpy.typing import NDArray

from caption_node.bundle import Bundle, CaptionConfidence
from caption_node.description import FieldValue, SceneObject
from caption_node.frame import Frame
from caption_node.frozen import FrozenWatch
from caption_node.novelty import Novelty

FROZEN_S = 0.5
FROZEN_REPEATS = 3
LEAST_SUPPORT, MOST_SUPPORT = 0.01, 0.97
"""Fields bear out no sentence less, or more: what they do not name may be wrong in any."""

_PERSON = re.compile(
    r'\b(pedestrians?|people|persons?|man|woman|men|women|child(ren)?|workers?|kids?|walkers?|'
    r'joggers?|passers?-?by|someone|crowd|boys?|girls?|couple|officers?|figures?)\b'
)
_NOBODY = re.compile(
    r'\b(no|nobody|without) (\w+ )?(pedestrians?|people|person|cyclists?)\b|\bpeople carrier'
    r'|\bpedestrian (crossings?|zones?|lights?|signals?|bridges?|areas?|streets?)\b'
    r'|\ba couple of\b|\bmotorcycle lanes?\b|\b(bike|bicycle|cycle) (lanes?|paths?|racks?)\b'
)
_RIDER = re.compile(
    r'\b(cyclists?|bicycles?|bikes?|bikers?|motorcycl\w+|motorbikes?|mopeds?|e?-?scooters?|riders?)\b'
)
_COLOUR = '(red|green|yellow|amber)'
_SIGNAL = re.compile(
    rf'\b{_COLOUR}(?:-lit)? (?:traffic )?(?:light|signal|lamp|arrow)s?\b'
    r'|\b(?:light|signal)s? (?:(?:is|are|has|still|now|shows?|showing|turns?|turned|stays?) )+'
    rf'{_COLOUR}\b'
    rf'|\b{_COLOUR}-lit\b'
    rf'|^{_COLOUR} (?:for|at|ahead)\b|\b(?:with|,) {_COLOUR} (?:for us|ahead)\b'
)
_CLOSE_AHEAD = re.compile(
    r'\b(follow(s|ing)?|behind|queue(s|ing)? behind) (a|an|the|another)( [\w-]+)? '
    r'(car|van|truck|lorry|bus|vehicle|suv|pickup)\b|\b(close|just|right|directly) ahead\b'
)
_FREE = re.compile(r'\bno (other )?(traffic|vehicles?|cars?)\b|\broad (ahead )?is (empty|free)\b')
_VEHICLES = frozenset(('car', 'truck', 'bus', 'motorcycle', 'bicycle'))


class Trust:
    """
    The reasons to abstain; remembers the last picture of every camera.

    :param limits: Thresholds of the bundle by name; what a bundle does not limit is not tested.
    :param novelty: Judges what is unlike the training frames; None: nothing does.
    """

    def __init__(self, limits: Mapping[str, float], novelty: Novelty | None) -> None:
        self._limits = limits
        self._novelty = novelty
        self._frozen = FrozenWatch(
            limits.get('frozen_s', FROZEN_S), round(limits.get('frozen_repeats', FROZEN_REPEATS))
        )

    @classmethod
    def of(cls, bundle: Bundle) -> 'Trust':
        """
        Take limits and judges from a bundle.

        :raises BundleError: If the judges cannot be read.
        """
        path = bundle.trust_path
        return cls(bundle.abstain, Novelty.load(path, bundle.abstain) if path else None)

    def forget(self) -> None:
        """Forget the last pictures of all cameras."""
        self._frozen.forget()

    def doubt(self, frame: Frame, image: NDArray[np.uint8], embedding: NDArray[np.float32]) -> str:
        """
        Say why no sentence about a picture can be used, or return an empty text.

        To be called once for every frame, in the order of their stamps.

        :param image: (H, W, 3) the frame scaled to the model's input, without the bars.
        :param embedding: (E,) of the frame.
        """
        stood_s = self._frozen.standing_s(frame.camera, frame.stamp_ns, image)
        reason = picture_fault(image, self._limits)
        if not reason and stood_s > 0:
            return f'the camera has given the same picture for {stood_s:.1f} s: it is frozen'
        if not reason and self._novelty is not None:
            return self._novelty.fault(image, embedding)
        return reason


def word_confidence(
    token_logp: NDArray[np.float32],
    tokens: NDArray[np.int64],
    rule: CaptionConfidence,
    supported: float = 1.0,
) -> float:
    """
    Turn the words' probabilities, and what bears them out, into one calibrated confidence.

    :param token_logp: (T,) log-probabilities.
    :param tokens: (T,) ids; 0 is PAD and does not count.
    :param supported: How likely the published fields deny no claim of the sentence, 0..1.
    :returns: 0..1.
    """
    said = tokens != 0
    if not said.any():
        return 0.0
    mean = float(token_logp[said].mean())
    supported = min(max(supported, LEAST_SUPPORT), MOST_SUPPORT)
    log_odds = math.log(supported / (1.0 - supported))
    return 1.0 / (1.0 + math.exp(-(rule.weight * mean + rule.support * log_odds + rule.bias)))


def picture_fault(image: NDArray[np.uint8], limits: Mapping[str, float]) -> str:
    """
    Say what is wrong with a picture, or return an empty text.

    :param image: (H, W, 3) RGB, scaled to the model's input, without the bars.
    :param limits: ``dark``: grey level that 99 % of pixels stay below; ``contrast``: least
        standard deviation of grey; ``noise``: greatest change from pixel to pixel, in standard
        deviations.
    """
    import cv2

    rows = cv2.cvtColor(np.ascontiguousarray(image[::4]), cv2.COLOR_RGB2GRAY)
    grey = np.ascontiguousarray(rows[:, ::4])
    brightness = np.bincount(grey.ravel(), minlength=256).cumsum()
    if int(np.searchsorted(brightness, 0.99 * grey.size)) < limits['dark']:
        return 'the picture is too dark'
    spread = float(np.ravel(cv2.meanStdDev(grey)[1])[0])
    if spread < limits['contrast']:
        return 'the picture shows next to nothing (covered, blinded or fogged lens)'
    change = cv2.norm(rows[:, 1:], rows[:, :-1], cv2.NORM_L1) / max(1, rows.size)
    if change > limits['noise'] * spread:
        return 'the picture is noise'
    return ''


def disagreement(
    caption: str, scene: Mapping[str, FieldValue], objects: Sequence[SceneObject]
) -> str:
    """Say what the sentence claims and nothing beside it bears out, or return an empty text."""
    text = _NOBODY.sub(' ', caption.lower())
    seen = {o.class_name for o in objects}
    if _PERSON.search(text) and 'person' not in seen:
        return 'the sentence names a person, no box shows one'
    if _RIDER.search(text) and not seen & {'bicycle', 'motorcycle'}:
        return 'the sentence names a two-wheeler, no box shows one'
    if match := _SIGNAL.search(text):
        colour = next(c for c in match.groups() if c)
        colour = 'yellow' if colour == 'amber' else colour
        if scene['light'].value not in (colour, 'unclear'):
            return f'the sentence says {colour} light, the field says {scene["light"].value}'
        if 'traffic light' not in seen:
            return f'the sentence says {colour} light, no box shows a traffic light'
    if _CLOSE_AHEAD.search(text) and not seen & _VEHICLES:
        return 'the sentence names a vehicle close ahead, no box shows one'
    near = any(o.class_name in _VEHICLES and o.in_lane and o.range == 'near' for o in objects)
    if _FREE.search(text) and near:
        return 'the sentence says that the road is free, a box shows a vehicle close ahead'
    return ''
