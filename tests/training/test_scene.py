# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What boxes and priors do to the published fields."""

from dataclasses import replace

import pytest
import torch

from caption_node.description import FIELDS, OBJECT_CLASSES
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.scene import LEAD_DOUBT, Features, field_starts
from caption_node.training.train import prior_of

CAR = OBJECT_CLASSES.index('car')
PERSON = OBJECT_CLASSES.index('person')


def seen(
    model: Captioner, box: tuple[float, float, float, float], kind: int, score: float
) -> Features:
    image = torch.zeros(1, model.config.height, model.config.width_px, 3, dtype=torch.uint8)
    with torch.no_grad():
        f = model.perceive(image)
    boxes = torch.zeros_like(f.boxes)
    boxes[0, 0] = torch.tensor(box)
    classes, scores = torch.zeros_like(f.classes), torch.zeros_like(f.scores)
    classes[0, 0], scores[0, 0] = kind, score
    return replace(f, boxes=boxes, classes=classes, scores=scores)


@pytest.mark.parametrize(
    ('box', 'kind', 'score', 'doubted'),
    [
        ((86, 60, 106, 80), CAR, 0.8, False),  # straight ahead
        ((86, 60, 106, 80), CAR, 0.2, True),  # too unsure to be published
        ((86, 60, 106, 80), PERSON, 0.8, True),  # people do not lead
        ((10, 60, 30, 80), CAR, 0.8, True),  # 76 px aside at 20 px tall: 5.7 m
    ],
)
def test_lead_is_doubted_unless_a_published_vehicle_stands_in_our_lane(
    captioner: Captioner,
    box: tuple[float, float, float, float],
    kind: int,
    score: float,
    doubted: bool,
) -> None:
    with torch.no_grad():
        raw, published, *_ = captioner.scene(seen(captioner, box, kind, score))
    shift = (published - raw)[0]
    starts = field_starts()
    for name in ('lead', 'lead_range'):
        assert float(shift[starts[name]]) == pytest.approx(LEAD_DOUBT if doubted else 0, abs=1e-5)
        shift[starts[name]] = 0
    assert float(shift.abs().max()) < 1e-5


def test_prior_undoes_the_weights_of_the_named_fields_only() -> None:
    weights = {n: torch.full((f.width,), 2.0) for n, f in FIELDS.items()}
    prior = prior_of(weights, ['time'])
    start = field_starts()['time']
    assert prior[start : start + 3].tolist() == pytest.approx([-0.6931] * 3, abs=1e-3)
    prior[start : start + 3] = 0
    assert (prior == 0).all()
