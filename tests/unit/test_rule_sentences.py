# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences by rules: never more than the fields and boxes say, whatever those are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caption_node.description import FIELDS, MAX_COUNT, OBJECT_CLASSES, FieldValue, SceneObject
from caption_node.evaluation.denials import denied_claims
from caption_node.evaluation.frames import Annotation, LabelledFrame
from caption_node.frame import Frame
from caption_node.grounding import place_object
from caption_node.pipeline import CaptionPipeline
from caption_node.rule_sentences import rule_sentence
from caption_node.trust import disagreement
from tests.schema import PLAIN_WORDS
from tests.tiny_model import colour, write_tiny_model


def scene_of(confidence: float = 0.99, **values: Any) -> dict[str, FieldValue]:
    known = {**PLAIN_WORDS, **values}
    return {
        name: FieldValue(known.get(name, 0 if spec.kind == 'count' else False), confidence)
        for name, spec in FIELDS.items()
    }


def box(name: str, left: float, top: float, right: float, bottom: float) -> SceneObject:
    return place_object(name, 0.9, (left, top, right, bottom), 640)


LEFT, RIGHT = box('car', 60, 200, 120, 240), box('car', 520, 200, 580, 240)


def random_scene(rng: np.random.Generator) -> tuple[dict[str, FieldValue], list[SceneObject]]:
    values: dict[str, Any] = {}
    for name, spec in FIELDS.items():
        if spec.kind == 'categorical':
            values[name] = spec.values[int(rng.integers(len(spec.values)))]
        else:
            values[name] = bool(rng.integers(2)) if spec.kind == 'boolean' else None
        if spec.kind == 'count':
            values[name] = int(rng.integers(MAX_COUNT + 1)) * int(rng.integers(2))
    if 'none' in (values['lead'], values['lead_range']):  # the pipeline settles these two
        values['lead'] = values['lead_range'] = 'none'
    objects = []
    for _ in range(int(rng.integers(9))):
        x, y = rng.uniform(0, 600), rng.uniform(100, 300)
        w, h = rng.uniform(6, 200), rng.uniform(6, 160)
        name = OBJECT_CLASSES[int(rng.integers(len(OBJECT_CLASSES)))]
        objects.append(place_object(name, float(rng.uniform(0.3, 1)), (x, y, x + w, y + h), 640))
    scene = {name: FieldValue(v, float(rng.uniform(0.4, 1))) for name, v in values.items()}
    return scene, objects


def test_thousands_of_scenes_get_short_sentences_that_their_fields_bear_out() -> None:
    rng = np.random.default_rng(3)
    for _ in range(1500):
        scene, objects = random_scene(rng)
        text, confidence = rule_sentence(scene, objects)
        assert 8 <= len(text.split()) <= 28, text
        assert text[0].isupper()
        assert text.endswith('.')
        assert 0 < confidence <= 1
        truth = Annotation({name: v.value for name, v in scene.items()}, text)
        frame = LabelledFrame('x', 'val', 's', 'x.jpg', (truth,))
        assert denied_claims(text, frame, truth) == [], (text, scene)
        assert disagreement(text, scene, objects) == '', (text, scene, objects)


def test_a_scene_is_told_in_the_order_of_what_matters() -> None:
    scene = scene_of(lead='car', lead_range='near', light='green', intersection=True, parked=True)
    lamp = box('traffic light', 300, 40, 310, 60)
    text, _ = rule_sentence(scene, [lamp, RIGHT])
    assert text == (
        'Green light at a grey city junction with a car close ahead in our lane '
        'and parked cars on the right.'
    )


@pytest.mark.parametrize(
    ('values', 'objects', 'unsaid'),
    [
        ({'people': 1, 'people_on_road': True}, [], 'pedestrian'),
        ({'cyclists': 2}, [], 'cyclist'),
        ({'light': 'red'}, [], 'red'),
        ({'parked': True}, [LEFT, RIGHT], 'on the left'),
        ({'oncoming': True}, [LEFT, RIGHT], 'on the left'),
        ({}, [box('car', 300, 200, 380, 260)], 'lane is free'),
        ({}, [box('person', 310, 200, 330, 260)], 'lane is free'),
    ],
)
def test_what_no_box_bears_out_stays_unsaid(
    values: dict[str, Any], objects: list[SceneObject], unsaid: str
) -> None:
    assert unsaid not in rule_sentence(scene_of(**values), objects)[0].lower()


def test_unsure_fields_stay_unsaid_and_the_sentence_admits_it() -> None:
    text, confidence = rule_sentence(scene_of(0.3, lead='bus', time='night', parked=True), [])
    assert text == 'We are on a road, and nothing else that we can tell for sure.'
    assert confidence == 1


def test_fields_that_are_missing_are_not_spoken_of() -> None:
    assert rule_sentence({}, [LEFT])[0] == 'We are on a road with a car on the left.'


def test_confidence_falls_with_every_fact_that_is_not_sure() -> None:
    sure, unsure = (
        rule_sentence(scene_of(c, lead='car', lead_range='mid'), [])[1] for c in (0.99, 0.9)
    )
    assert unsure < sure < 1


def test_the_pipeline_words_by_rules_when_asked(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / 'tiny')
    frame = Frame(colour('grey'))
    with (
        CaptionPipeline.open(model) as learnt,
        CaptionPipeline.open(model, sentences='rules') as p,
    ):
        ours, theirs = p.describe([frame])[0], learnt.describe([frame])[0]
    assert ours.scene == theirs.scene
    assert (ours.caption, ours.confidence) == rule_sentence(ours.scene, ours.objects)
    assert ours.caption != theirs.caption
