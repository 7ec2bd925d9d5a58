# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The whole evaluation on frames in memory, as training calls it."""

import json
from typing import Any
import xml.etree.ElementTree as ElementTree

import pytest

from caption_node.description import FIELDS
from caption_node.evaluation.claims import Rate
from caption_node.evaluation.diagram import reliability_svg
from caption_node.evaluation.measure import DISPUTED, evaluate
from caption_node.evaluation.predictions import Prediction
from caption_node.evaluation.report import to_json
from caption_node.evaluation.tables import all_tables
from tests.unit.evaluation.examples import annotation, frame, prediction

CAPTIONS = (
    'A quiet city street with trees on both sides.',
    'Two people cross the road at a red light.',
    'A wet motorway with a truck far ahead in our lane.',
)


def frames(annotators: int = 2) -> list[Any]:
    return [
        frame('a', *[annotation(CAPTIONS[0])] * annotators),
        frame('b', *[annotation(CAPTIONS[1], people=2, light='red')] * annotators),
        frame(
            'c',
            *[annotation(CAPTIONS[2], lead='truck', road='highway', surface='wet')] * annotators,
            source='there',
        ),
    ]


def perfect() -> dict[str, Prediction]:
    return {
        'a': prediction(CAPTIONS[0], 1.0),
        'b': prediction(CAPTIONS[1], 1.0, people=2, light='red'),
        'c': prediction(CAPTIONS[2], 1.0, lead='truck', road='highway', surface='wet'),
    }


def test_what_annotators_say_is_perfect() -> None:
    found = evaluate(frames(), perfect())
    assert found.field_f1.system == found.field_f1.annotators == found.field_f1.share == 1.0
    assert found.sentences['cider_d_one_reference'].system == pytest.approx(10.0)
    assert found.sentences['rouge_l'].system == pytest.approx(1.0)
    assert found.sentences['bleu_4'].system == pytest.approx(1.0)
    assert found.truth.right.system == 1.0
    assert found.missing == ()
    assert found.confidences.pooled is not None
    assert found.confidences.pooled.ece == 0.0
    assert (found.confidences.mean_ece, found.confidences.mean_by_chance) == (0.0, 0.0)


def test_missing_frame_is_named_and_wrong_in_all() -> None:
    said = perfect()
    del said['b']
    said['c'] = Prediction(caption='', status='error')
    found = evaluate(frames(), said)
    assert found.missing == ('b', 'c')
    assert found.frames == 3
    assert found.fields['road'].system == pytest.approx((2 / 3 + 0) / 2)
    assert found.sentences['cider_d_one_reference'].system == pytest.approx(10 / 3)
    assert found.claims['people'].omitted == Rate(1, 1)
    assert found.confidences.fields['road'].samples == 1


def test_no_prediction_at_all_scores_nothing() -> None:
    found = evaluate(frames(), {})
    assert found.field_f1.system == 0.0
    assert found.sentences['bleu_4'].system == 0.0
    assert found.confidences.pooled is None
    assert found.confidences.mean_ece is None
    assert found.confidences.mean_by_chance is None


def test_one_annotator_leaves_no_ceiling() -> None:
    found = evaluate(frames(annotators=1), perfect())
    assert found.annotators == 1
    assert found.field_f1.system == 1.0
    assert found.field_f1.annotators is None
    assert found.field_f1.share is None
    assert found.sentences['cider_d_one_reference'].annotators is None
    assert found.annotator_claims == {}


def test_frames_with_fewer_annotators_are_left_out_and_counted() -> None:
    found = evaluate([*frames(), frame('d', annotation())], perfect())
    assert (found.frames, found.left_out) == (3, 1)


def test_groups_part_the_frames() -> None:
    disputed = frame('d', annotation(surface='wet'), annotation(surface='dry'))
    found = evaluate([*frames(), disputed], perfect())
    assert {g: v.frames for g, v in found.groups['surface'].items()} == {
        'dry': 2,
        'wet': 1,
        DISPUTED: 1,
    }
    assert set(found.groups['source']) == {'here', 'there'}
    alone = evaluate(frames()[2:], perfect(), groupings=())
    assert found.groups['source']['there'] == alone


def test_denied_claims_make_the_sentence_wrong_for_its_confidence() -> None:
    said = perfect()
    said['a'] = prediction('A pedestrian waits on the wet street.', 0.8)
    said['b'] = prediction(CAPTIONS[1], 0.8, people=2, light='red')
    found = evaluate(frames()[:2], said)
    assert found.truth.denied == {'people': 2, 'wet': 2}
    assert found.truth.right.system == 0.5
    assert found.confidences.caption is not None
    assert found.confidences.caption.ece == pytest.approx(0.3)


def test_field_is_half_right_where_annotators_differ() -> None:
    split = [frame('a', annotation(road='city'), annotation(road='rural'))]
    found = evaluate(split, {'a': prediction(sure=0.5, road='city')})
    assert found.confidences.fields['road'].accuracy == 0.5
    assert found.confidences.fields['road'].ece == 0.0


def test_sentences_that_abstain_are_told_apart() -> None:
    said = perfect()
    good = said['a']
    said['a'] = Prediction(good.caption, 'abstain', good.values, good.confidences, 0.2)
    found = evaluate(frames(), said)
    assert found.abstained == Rate(1, 3)
    assert found.confidences.caption is not None
    assert found.confidences.caption_used is not None
    assert (found.confidences.caption.samples, found.confidences.caption_used.samples) == (3, 2)


def test_json_holds_every_field_and_no_nan() -> None:
    data = to_json(evaluate(frames(), perfect()))
    text = json.dumps(data, allow_nan=False)
    assert set(data['fields']) == set(data['calibration']['fields']) == set(FIELDS)
    assert data['groups']['source']['there']['frames'] == 1
    assert 'bins' in data['calibration']['pooled']
    assert len(text) < 200_000


@pytest.mark.parametrize('said', [perfect(), {}], ids=['perfect', 'nothing'])
@pytest.mark.parametrize('annotators', [1, 2])
def test_markdown_tables_are_even(said: dict[str, Prediction], annotators: int) -> None:
    tables = all_tables({'one': evaluate(frames(annotators), said), 'two': evaluate(frames(), {})})
    assert len({t.title for t in tables}) == len(tables) == 8
    for table in tables:
        lines = [line for line in table.to_markdown().splitlines() if line.startswith('|')]
        assert len(lines) == len(table.rows) + 2
        assert {line.count('|') for line in lines} == {len(table.columns) + 1}


def test_diagram_is_xml_with_a_bar_for_every_filled_bin() -> None:
    found = evaluate(frames(), {'a': prediction(sure=0.85), 'b': prediction(sure=0.35)})
    assert found.confidences.pooled is not None
    svg = reliability_svg({'all <fields>': found.confidences.pooled})
    root = ElementTree.fromstring(svg)
    bars = [r for r in root.iter() if r.tag.endswith('rect') and r.get('fill') == '#4477aa']
    assert len(bars) == 2
    assert 'all <fields>' in ''.join(root.itertext())
