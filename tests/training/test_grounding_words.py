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
    phrases_of,
    trigger_matrix,
)
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.detection import SCHEMA_COLUMNS
from caption_node.training.model.lstm import LstmDecoder
from caption_node.training.model.nanodet import NanoDet
from caption_node.training.model.scene import Features, SceneConfig, field_starts
from caption_node.vocabulary import BOS, SPECIAL, Vocabulary

WORDS = (
    'a', 'car', 'is', 'far', 'ahead', 'oncoming', 'parked', 'truck', 'bus', 'free', 'dry',
    'roadworks', 'crosswalk', 'red', 'light', 'left', 'right', 'van', 'cars', 'row', 'junction',
    'tram', 'hydrant', 'sign', 'to',
)  # fmt: skip


@pytest.fixture(scope='module')
def model() -> Captioner:
    torch.manual_seed(0)
    return Captioner(
        SceneConfig(), Vocabulary([*SPECIAL, *WORDS]), NanoDet(len(SCHEMA_COLUMNS))
    ).eval()


def allowed(
    model: Captioner,
    boxes: dict[str, float],
    fields: dict[str, str],
    at: float = 0.5,
    copies: int = 1,
    sureness: float = 3.0,
) -> set[str]:
    """
    Return the words that may follow the word car.

    :param at: Where the boxes are, 0 left to 1 right.
    :param copies: How often each of them is there.
    :param sureness: Of the fields: by how much the value's logit is above 0, all others below.
    """
    classes, scores = torch.zeros(1, 32, dtype=torch.int64), torch.zeros(1, 32)
    for k, (name, score) in enumerate(list(boxes.items()) * copies):
        classes[0, k], scores[0, k] = OBJECT_CLASSES.index(name), score
    none = torch.zeros(1)
    middle = at * model.config.width_px
    places = torch.tensor([middle - 9, 90.0, middle + 9, 110.0]).expand(1, 32, 4)
    features = Features(none, none, none, places, classes, scores, none, none)
    logits = torch.full((1, sum(f.width for f in FIELDS.values())), -sureness)
    for name, start in field_starts().items():
        if name in fields and fields[name] == TRUE:
            logits[0, start] = sureness
        elif FIELDS[name].kind == 'categorical':
            values = FIELDS[name].values
            value = fields.get(name, 'none' if 'none' in values else values[0])
            logits[0, start + values.index(value)] = sureness
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


def test_likeliest_value_is_not_enough(model: Captioner) -> None:
    for word, fields in (('oncoming', {'oncoming': TRUE}), ('dry', {'surface': 'dry'})):
        assert word in allowed(model, {}, fields)
        assert word not in allowed(model, {}, fields, sureness=0.4)


def test_values_of_one_field_bear_a_word_out_together(model: Captioner) -> None:
    logits = torch.full((1, sum(f.width for f in FIELDS.values())), -9.0)
    for name, start in field_starts().items():
        if FIELDS[name].kind == 'categorical':
            logits[0, start] = 9.0
    lead, values = field_starts()['lead'], FIELDS['lead'].values
    logits[0, lead : lead + len(values)] = -9.0
    logits[0, [lead + values.index('car'), lead + values.index('van')]] = 1.0
    group = next(i for i, g in enumerate(GROUPS) if 'follow' in g.words)
    none = torch.zeros(1)
    features = Features(
        none, none, none, torch.zeros(1, 32, 4), torch.zeros(1, 32, dtype=torch.int64),
        torch.zeros(1, 32), none, none,
    )  # fmt: skip
    assert model.evidence(features, logits)[0, group] == 1, 'half a car and half a van lead'
    logits[0, lead + values.index('none')] = 0.9
    assert model.evidence(features, logits)[0, group] == 0, 'a third says that none does'


def test_sides_are_named_where_something_is_there(model: Captioner) -> None:
    assert not {'left', 'right'} & allowed(model, {'car': 0.8}, {})
    assert {'left', 'right'} & allowed(model, {'car': 0.8}, {}, at=0.3) == {'left'}
    assert {'left', 'right'} & allowed(model, {'car': 0.8}, {}, at=0.7) == {'right'}
    assert not {'left', 'right'} & allowed(model, {'car': 0.4}, {}, at=0.7)
    # "A car is to the" waits for one.
    assert 'to' in allowed(model, {'car': 0.8}, {}, at=0.7)
    assert 'to' not in allowed(model, {'car': 0.8}, {})
    assert not {'left', 'right'} & allowed(model, {'traffic light': 0.8}, {}, at=0.7)


def test_rows_take_four_vehicles_and_cars_two(model: Captioner) -> None:
    found = [{'cars', 'row'} & allowed(model, {'car': 0.8}, {}, copies=n) for n in (1, 2, 3, 4)]
    assert found == [set(), {'cars'}, {'cars'}, {'cars', 'row'}]


def test_what_nothing_records_is_not_said(model: Captioner) -> None:
    everything = dict.fromkeys(OBJECT_CLASSES, 0.9)
    flags = {name: TRUE for name, f in FIELDS.items() if f.kind == 'boolean'}
    said = allowed(model, everything, flags, at=0.2)
    assert {'junction', 'sign', 'van', 'cars'} <= said
    assert not {'tram', 'hydrant'} & said
    assert not {'junction', 'sign', 'van'} & allowed(model, {}, {})


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

    assert refused('a') == {'a', 'an', 'oncoming', 'on'}
    assert {'car', 'one-way', 'oncoming'} - refused('an') == {'one-way', 'oncoming'}
    assert {'<eos>', ',', 'car'} & refused('with') == {'<eos>', ','}
    assert not refused('car')
    assert '<eos>' not in refused('on')


def test_phrases_are_not_broken_off() -> None:
    names = (
        *SPECIAL, 'a', 'the', 'our', 'free', 'lane', 'car', 'is', 'on', 'and', ',', 'with', 'left',
        'ahead', 'far',
    )  # fmt: skip
    vocabulary, count = Vocabulary(names), len(names)
    nothing = torch.zeros(1, count)
    writer = LstmDecoder(
        SceneConfig(tokens=9), count, nothing, nothing.T, nothing[0], phrases_of(vocabulary)
    )

    def may_follow(said: str) -> set[str]:
        tokens = torch.tensor([[BOS, *vocabulary.encode(said)]])
        row = writer.shut(tokens, torch.ones(1, 1))[0, -1]
        return {names[i] for i in range(len(SPECIAL) - 2, count) if row[i] > -1}

    assert {'lane', 'left', 'free', 'far'} <= may_follow('our')
    assert not {'is', 'on', ',', '<eos>', 'a', 'and', 'ahead'} & may_follow('our free')
    assert {'is', 'on', ',', '<eos>', 'and'} <= may_follow('our free lane')
    assert 'is' not in may_follow('a car on the left with our lane')
    assert 'is' in may_follow('with a lane , our car')
    # The last of nine words can't wait for another.
    last = may_follow('car on the left and a car ahead')
    assert {'lane', 'left', '<eos>'} <= last
    assert not {'on', 'the', 'is', 'and', 'with'} & last
