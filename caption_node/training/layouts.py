# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Synthetic layouts: road users that a camera once saw, put together anew, with everything known.

An object's features, colours and size come from a bank of detected objects; it is moved aside on
its own row, where perspective keeps it plausible. Place, weather and light come from a real frame,
whose grid the decoder does not get to see here, since it shows other road users. The grammar of
``caption_node.scenes`` then says what is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caption_node.description import FIELDS, MAX_COUNT, OBJECT_CLASSES, SceneObject, Value
from caption_node.grounding import distance_m, place_object
from caption_node.training.cache import FeatureCache
from caption_node.training.memory import Memories, encode_scenes
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.scene import SCENE_WIDTH, SPOKEN_SCORE, Features, field_starts

_PERSON, _BICYCLE, _CAR, _MOTORCYCLE, _BUS, _TRUCK, _LIGHT = range(7)
_LEADS = {
    _CAR: 'car',
    _BUS: 'bus',
    _TRUCK: 'truck',
    _MOTORCYCLE: 'motorcycle',
    _BICYCLE: 'bicycle',
}
_VEHICLES = frozenset([_CAR, _MOTORCYCLE, _BUS, _TRUCK])
# Rare classes come oftener than on the road, or their words would hardly be practised.
_DRAWN = np.array([0.2, 0.1, 0.4, 0.07, 0.08, 0.15, 0.0, 0.0, 0.0])
_MOST = 6
_OVERLAP = 0.3
_SURE = 0.9
"""Probability that a layout gives to the true value of every field."""
_BATCH = 32


@dataclass(frozen=True)
class Layout:
    """
    One made-up scene.

    :param chosen: Indices into the bank.
    :param boxes: (N, 4) input pixels.
    :param base: Sample whose place, weather and light it has.
    """

    chosen: list[int]
    boxes: np.ndarray
    base: int
    fields: dict[str, Value]
    objects: list[SceneObject]


class Bank:
    """
    Objects that the detector saw in the frames of a cache.

    :param indices: Samples to take objects and places from.
    """

    def __init__(self, cache: FeatureCache, indices: Sequence[int]) -> None:
        self.cache = cache
        self.indices = np.array(indices)
        seen = [cache.features([i], torch.device('cpu')) for i in indices]
        picked = [(f.scores[0] >= SPOKEN_SCORE) & (f.classes[0] <= _TRUCK) for f in seen]
        pairs = list(zip(seen, picked, strict=True))
        self.boxes = torch.cat([f.boxes[0][p] for f, p in pairs]).numpy()
        self.classes = torch.cat([f.classes[0][p] for f, p in pairs]).numpy()
        self.scores = torch.cat([f.scores[0][p] for f, p in pairs]).numpy()
        self.features = torch.cat([f.object_features[0][p] for f, p in pairs])
        self.colours = torch.cat([f.object_colours[0][p] for f, p in pairs])
        self.sort()

    def sort(self) -> None:
        """Note which objects there are of each class."""
        self._by_class = [np.flatnonzero(self.classes == c) for c in range(len(OBJECT_CLASSES))]

    def draw(self, rng: np.random.Generator, width_px: int) -> Layout:
        """Make up one scene."""
        share = _DRAWN * [len(k) > 0 for k in self._by_class]
        chosen: list[int] = []
        boxes: list[np.ndarray] = []
        for _ in range(int(rng.integers(_MOST + 1)) if share.sum() else 0):
            kind = rng.choice(len(share), p=share / share.sum())
            k = int(rng.choice(self._by_class[kind]))
            box = self.boxes[k].copy()
            # Half of all stay near the middle, where the road is.
            middle = rng.normal(0.5, 0.12) if rng.random() < 0.5 else rng.random()
            box[[0, 2]] += middle * width_px - (box[0] + box[2]) / 2
            box[[0, 2]] = box[[0, 2]].clip(0, width_px - 1)
            if box[2] - box[0] >= 4 and all(_overlap(box, other) < _OVERLAP for other in boxes):
                chosen.append(k)
                boxes.append(box)
        base = int(rng.choice(self.indices))
        objects = [
            place_object(
                OBJECT_CLASSES[self.classes[k]], float(self.scores[k]), _corners(b), width_px
            )
            for k, b in zip(chosen, boxes, strict=True)
        ]
        fields = layout_fields(self.cache.info[base]['fields'], objects, width_px)
        return Layout(chosen, np.array(boxes).reshape(-1, 4), base, fields, objects)

    def encode(self, model: Captioner, layouts: Sequence[Layout]) -> Memories:
        """Give layouts to the scene encoder; the decoder gets their objects and facts."""
        parts = []
        for first in range(0, len(layouts), _BATCH):
            parts.append(self._encode(model, layouts[first : first + _BATCH]))
        return Memories.join(parts)

    @torch.no_grad()
    def _encode(self, model: Captioner, layouts: Sequence[Layout]) -> Memories:
        device = next(model.scene.parameters()).device
        features = self._features([x.base for x in layouts], layouts, device)
        made = encode_scenes(model, features)
        probability = torch.stack([fact_probabilities(x.fields) for x in layouts]).to(device)
        made.memory[:, -1] = model.scene.value(probability).cpu().half()
        made.hidden[:] = True
        made.hidden[:, -1] = False
        boxes = model.config.boxes
        first = made.hidden.shape[1] - len(FIELDS) - 1 - boxes
        for row, x in zip(made.hidden, layouts, strict=True):
            row[first : first + len(x.chosen)] = False
        made.evidence[:] = 1  # the grammar says nothing that is not there
        return made

    def _features(
        self, bases: list[int], layouts: Sequence[Layout], device: torch.device
    ) -> Features:
        f = self.cache.features(bases, torch.device('cpu'))
        boxes, scores = torch.zeros_like(f.boxes), torch.zeros_like(f.scores)
        classes = torch.zeros_like(f.classes)
        features, colours = f.object_features.clone(), f.object_colours.clone()
        for i, x in enumerate(layouts):
            n = len(x.chosen)
            boxes[i, :n] = torch.from_numpy(x.boxes)
            scores[i, :n] = torch.from_numpy(self.scores[x.chosen])
            classes[i, :n] = torch.from_numpy(self.classes[x.chosen])
            features[i, :n] = self.features[x.chosen]
            colours[i, :n] = self.colours[x.chosen]
        made = replace(
            f,
            boxes=boxes,
            scores=scores,
            classes=classes,
            object_features=features,
            object_colours=colours,
        )
        return Features(**{name: value.to(device) for name, value in vars(made).items()})


def layout_fields(
    place: dict[str, Any], objects: Sequence[SceneObject], width_px: int
) -> dict[str, Value]:
    """
    Return every field of a layout: place and weather as given, road users as counted.

    What boxes alone do not tell (who is parked, who comes towards us) is left unsaid.
    """
    vehicles = [o for o in objects if OBJECT_CLASSES.index(o.class_name) in _VEHICLES]
    ahead = [o for o in objects if o.in_lane and OBJECT_CLASSES.index(o.class_name) in _LEADS]
    lead = min(ahead, key=lambda o: _away_m(o, width_px), default=None)
    people = [o for o in objects if o.class_name == 'person']
    riders = [o for o in objects if o.class_name in ('bicycle', 'motorcycle')]
    return {
        **place,
        'lead': _LEADS[OBJECT_CLASSES.index(lead.class_name)] if lead else 'none',
        'lead_range': lead.range if lead else 'none',
        'vehicles': min(MAX_COUNT, len(vehicles)),
        'oncoming': False,
        'parked': False,
        'people': min(MAX_COUNT, len(people)),
        'people_on_road': any(o.in_lane and o.range != 'far' for o in people),
        'cyclists': min(MAX_COUNT, len(riders)),
        'light': 'none',
    }


def fact_probabilities(fields: dict[str, Value]) -> Tensor:
    """Return (S,) probabilities as the scene encoder would give them if it were right."""
    probability = torch.zeros(SCENE_WIDTH)
    starts = field_starts()
    for name, spec in FIELDS.items():
        start, value = starts[name], fields[name]
        if spec.kind == 'boolean':
            probability[start] = _SURE if value else 1 - _SURE
            continue
        index = spec.values.index(str(value)) if spec.kind == 'categorical' else int(value)
        probability[start : start + spec.width] = (1 - _SURE) / spec.width
        probability[start + index] += _SURE
    return probability


def _away_m(item: SceneObject, width_px: int) -> float:
    return distance_m(item.class_name, item.box[3] - item.box[1], width_px)


def _corners(box: np.ndarray) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(v) for v in box)
    return x1, y1, x2, y2


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    inter = float(np.prod(np.clip(high - low, 0, None)))
    union = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - inter
    return inter / max(union, 1e-6)
