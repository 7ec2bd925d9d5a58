# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What boxes and priors do to the published fields."""

from dataclasses import replace

import pytest
import torch

from caption_node.description import FIELDS, OBJECT_CLASSES
from caption_node.training.export import DEFAULT_THRESHOLDS
from caption_node.training.model.attention import CrossAttention
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.detection import SCHEMA_COLUMNS
from caption_node.training.model.nanodet import NanoDet
from caption_node.training.model.roles import DERIVED, ObjectRoles
from caption_node.training.model.scene import Features, SceneConfig, derived_columns, field_starts
from caption_node.training.prior import prior_of
from caption_node.training.train import count_what_is_published
from caption_node.vocabulary import SPECIAL, Vocabulary

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


def test_no_object_no_lead_no_count_no_lamp(captioner: Captioner) -> None:
    nothing = seen(captioner, (0, 0, 0, 0), CAR, 0.0)
    with torch.no_grad():
        derived = captioner.scene(nothing).derived[0]
    start = 0
    for name in DERIVED:
        part = derived[start : start + FIELDS[name].width]
        start += FIELDS[name].width
        if FIELDS[name].kind == 'categorical':
            assert int(part.argmax()) == 0, name
            assert float(part.exp()[0]) == pytest.approx(1.0, abs=1e-3)
    assert start == len(derived) == len(derived_columns())


def test_objects_play_only_the_parts_of_their_class(captioner: Captioner) -> None:
    box = (86.0, 60.0, 106.0, 80.0)
    with torch.no_grad():
        car = captioner.scene(seen(captioner, box, CAR, 0.8)).derived[0].exp()
        person = captioner.scene(seen(captioner, box, PERSON, 0.8)).derived[0].exp()
    assert float(car[0]) < 0.999  # a car may lead
    assert float(person[0]) == pytest.approx(1.0, abs=1e-3)  # people do not


def test_counts_are_bells_around_what_is_seen() -> None:
    roles = ObjectRoles(8)
    with torch.no_grad():
        roles.gate[:, 0] = 30.0  # what is surer than 0.3 counts whole
        roles.gate[:, 2] = 25.0
        roles.more.fill_(-20.0)  # and nothing is unseen
        classes = torch.tensor([[CAR, CAR, CAR, PERSON, CAR]])
        scores = torch.tensor([[0.9, 0.8, 0.7, 0.9, 0.01]])  # the last is not there
        out = roles(torch.zeros(1, 5, 8), classes, scores, torch.full((1, 5), 0.1))[0]
    at = 0
    found = {}
    for name in DERIVED:
        found[name] = int(out[at : at + FIELDS[name].width].argmax())
        at += FIELDS[name].width
    assert (found['vehicles'], found['people'], found['cyclists']) == (3, 1, 0)


def test_published_logits_are_mixed_by_share(captioner: Captioner) -> None:
    f = seen(captioner, (86, 60, 106, 80), CAR, 0.8)
    encoder = captioner.scene
    share = encoder.share.clone()
    columns = derived_columns()
    with torch.no_grad():
        try:
            encoder.share.zero_()
            learnt = encoder(f)
            encoder.share[columns] = 1.0
            derived = encoder(f)
        finally:
            encoder.share.copy_(share)
    weather = columns_of('weather')  # depends on the time as well, see below
    same = [i for i in range(learnt.logits.shape[1]) if i not in weather]
    assert torch.allclose(learnt.logits[:, same], learnt.learnt[:, same])
    assert torch.allclose(derived.logits[:, columns], derived.derived)
    others = [i for i in same if i not in columns]
    assert torch.allclose(derived.logits[:, others], derived.learnt[:, others])


def columns_of(name: str) -> range:
    start = field_starts()[name]
    return range(start, start + FIELDS[name].width)


def test_night_leaves_other_weather_than_unknown_what_it_leaves_open(
    captioner: Captioner,
) -> None:
    f = seen(captioner, (86, 60, 106, 80), CAR, 0.8)
    encoder = captioner.scene
    prior = encoder.prior.clone()
    night = columns_of('time')[FIELDS['time'].values.index('night')]
    unknown = FIELDS['weather'].values.index('unknown')
    weather = list(columns_of('weather'))
    with torch.no_grad():
        try:
            encoder.prior[night] = -30.0
            by_day = encoder(f).logits[0, weather]
            encoder.prior[night] = 30.0
            by_night = encoder(f).logits[0, weather]
        finally:
            encoder.prior.copy_(prior)
    assert torch.equal(by_day[unknown], by_night[unknown])
    assert int(by_night.argmax()) == unknown
    dark, bright = by_night.softmax(0), by_day.softmax(0)
    assert float(dark[unknown]) > 0.9 > float(bright[unknown])


def test_prior_undoes_the_weights_of_the_named_fields_only() -> None:
    weights = {n: torch.full((f.width,), 2.0) for n, f in FIELDS.items()}
    prior = prior_of(weights, ['time'])
    start = field_starts()['time']
    assert prior[start : start + 3].tolist() == pytest.approx([-0.6931] * 3, abs=1e-3)
    prior[start : start + 3] = 0
    assert (prior == 0).all()


def test_few_queries_see_what_attention_gives() -> None:
    torch.manual_seed(0)
    attention = CrossAttention(24, 4)
    queries, memory = torch.randn(2, 5, 24), torch.randn(2, 9, 24)
    bias = torch.zeros(2, 1, 1, 9)
    bias[1, :, :, 6:] = -1e4  # the second memory is shorter
    wanted = attention(queries, *attention.keys_values(memory), bias)
    assert torch.allclose(attention.read(queries, memory, bias), wanted, atol=1e-5)
    alone = attention.read(queries[:1], memory, bias)  # the same queries for the whole batch
    assert torch.allclose(alone[0], wanted[0], atol=1e-5)
    assert alone.shape == wanted.shape


def test_vehicle_counts_from_the_score_at_which_it_is_published() -> None:
    torch.manual_seed(0)
    sizes = SceneConfig()
    model = Captioner(sizes, Vocabulary(SPECIAL), NanoDet(len(SCHEMA_COLUMNS)))
    count_what_is_published(model)
    scores = torch.tensor([[0.2, DEFAULT_THRESHOLDS['car'], 0.6]])
    gates = model.scene.roles.gates(scores, torch.full((1, 3), 0.1))[0, :, 0].tolist()
    assert gates[0] < 0.1
    assert gates[1] == pytest.approx(0.5, abs=1e-4)
    assert gates[2] > 0.95
