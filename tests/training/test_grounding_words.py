# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What may be said depends on what is published."""

import pytest
import torch

from caption_node.description import FIELDS, OBJECT_CLASSES
from caption_node.training.grounding_words import (
    GROUPS,
    TRUE,
    group_matrix,
    trigger_matrix,
)
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.detection import SCHEMA_COLUMNS
from caption_node.training.model.nanodet import NanoDet
from caption_node.training.model.scene import Features, SceneConfig, field_starts
from caption_node.vocabulary import SPECIAL, Vocabulary

WORDS = (
    'a', 'car', 'is', 'far', 'ahead', 'oncoming', 'parked', 'truck', 'bus', 'free', 'dry',
    'roadworks', 'crosswalk', 'red', 'light',
)  # fmt: skip


@pytest.fixture(scope='module')
def model() -> Captioner:
    torch.manual_seed(0)
    return Captioner(
        SceneConfig(), Vocabulary([*SPECIAL, *WORDS]), NanoDet(len(SCHEMA_COLUMNS))
    ).eval()


def allowed(model: Captioner, boxes: dict[str, float], fields: dict[str, str]) -> set[str]:
    """Return the words that may follow the word car."""
    classes, scores = torch.zeros(1, 32, dtype=torch.int64), torch.zeros(1, 32)
    for k, (name, score) in enumerate(boxes.items()):
        classes[0, k], scores[0, k] = OBJECT_CLASSES.index(name), score
    none = torch.zeros(1)
    features = Features(none, none, none, none, classes, scores, none, none)
    logits = torch.full((1, sum(f.width for f in FIELDS.values())), -1.0)
    for name, start in field_starts().items():
        if name in fields and fields[name] == TRUE:
            logits[0, start] = 1.0
        elif FIELDS[name].kind == 'categorical':
            values = FIELDS[name].values
            value = fields.get(name, 'none' if 'none' in values else values[0])
            logits[0, start + values.index(value)] = 1.0
    evidence = model.evidence(features, logits)
    car = torch.tensor([[model.decoder.embedding.num_embeddings - len(WORDS) + 1]])
    shut = model.decoder.shut(car, evidence)[0, 0, len(SPECIAL) :]
    return {word for word, value in zip(WORDS, shut.tolist(), strict=True) if value > -100}


@pytest.mark.parametrize(
    ('word', 'boxes', 'fields'),
    [
        ('oncoming', {}, {'oncoming': TRUE}),
        ('parked', {}, {'parked': TRUE}),
        ('crosswalk', {}, {'crosswalk': TRUE}),
        ('roadworks', {}, {'construction': TRUE}),
        ('ahead', {}, {'lead': 'car'}),
        ('truck', {'truck': 0.8}, {}),
        ('bus', {}, {'lead': 'bus'}),
        ('dry', {}, {'surface': 'dry'}),
    ],
)
def test_word_needs_what_bears_it_out(
    model: Captioner, word: str, boxes: dict[str, float], fields: dict[str, str]
) -> None:
    other = {'surface': 'wet'} if word == 'dry' else {}
    assert word not in allowed(model, {}, other)
    assert word in allowed(model, boxes, fields)


def test_lane_is_free_only_without_a_vehicle_near(model: Captioner) -> None:
    assert 'free' in allowed(model, {}, {})
    near = {'lead': 'car', 'lead_range': 'near'}
    assert 'free' not in allowed(model, {}, near)
    assert 'free' in allowed(model, {}, {'lead': 'car', 'lead_range': 'far'})


def test_every_field_and_class_that_a_group_names_exists() -> None:
    for group in GROUPS:
        assert set(group.classes) <= set(OBJECT_CLASSES)
        for name, value in group.values:
            spec = FIELDS[name]
            assert value == TRUE if spec.kind == 'boolean' else value in spec.values


def test_rules_of_grammar_hold_whatever_the_picture_shows() -> None:
    names = [*SPECIAL, 'a', 'an', 'the', 'one-way', 'oncoming', 'car', 'on', ',', 'with']
    vocabulary = Vocabulary(names)
    never = torch.tensor([not (g.classes or g.values) for g in GROUPS]).float()
    shut = (trigger_matrix(vocabulary) * never) @ group_matrix(vocabulary)

    def refused(before: str) -> set[str]:
        row = shut[names.index(before)]
        return {word for word, no in zip(names, row.tolist(), strict=True) if no}

    assert refused('a') == {'oncoming', 'a', 'an', 'the', 'on', ',', 'with', '<eos>'}
    assert {'car', 'one-way', 'oncoming'} - refused('an') == {'one-way', 'oncoming'}
    assert {'oncoming', 'car', '<eos>'} & refused('the') == {'<eos>'}
    assert {'<eos>', ',', 'car'} & refused('with') == {'<eos>', ','}
    assert not refused('car')
    assert '<eos>' not in refused('on')
