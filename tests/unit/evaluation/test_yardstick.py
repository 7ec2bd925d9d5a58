# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Our figures against those of ``../shared/score.py`` on the same predictions.

Predictions are annotators' own descriptions, damaged at random: other frames' sentences and
values, missing lines, lines without a sentence, bare values, abstentions.
"""

from collections.abc import Mapping
import json
from pathlib import Path
import random
import subprocess
import sys
from typing import Any

import pytest

from caption_node.description import FIELDS
from caption_node.evaluation.frames import LabelledFrame, read_frames
from caption_node.evaluation.measure import Evaluation, evaluate
from caption_node.evaluation.predictions import Prediction, read_predictions

pytestmark = pytest.mark.shared


def damaged(frames: list[LabelledFrame], seed: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    lines = []
    for frame in frames:
        own, other = chance.choice(frame.annotations), chance.choice(frames).annotations[0]
        scene = {
            name: {'value': (own if chance.random() < 0.6 else other).fields[name]}
            for name in FIELDS
        }
        line: dict[str, Any] = {
            'file': f'somewhere/{frame.file}',
            'caption': own.caption if chance.random() < 0.3 else other.caption,
            'status': chance.choice(['ok', 'ok', 'abstain']),
            'scene': scene,
        }
        fate = chance.random()
        if fate < 0.05:
            continue
        if fate < 0.1:
            line = {'file': line['file'], 'status': 'error', 'error': 'broken'}
        elif fate < 0.2:
            line['scene'] = {name: item['value'] for name, item in scene.items()}
            line['caption'] += ' No people are on the road.'
        elif fate < 0.3:
            line['caption'] = line['caption'].upper() + ' A red light, and a scooter at night!'
        lines.append(line)
    return lines


def yardstick(shared: Path, file: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, str(shared / 'score.py'), str(file), '--json', *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return dict(json.loads(done.stdout))


def ours(found: Evaluation) -> dict[str, float | int | None]:
    sentences = found.sentences
    cider = sentences['cider_d_one_reference']
    figures = {
        'frames': found.frames,
        'missing': len(found.missing),
        'abstain': found.abstained.count,
        'cider_1ref': cider.system,
        'annotator_cider_1ref': cider.annotators,
        'cider_ratio': cider.share,
        'rouge_l': sentences['rouge_l'].system,
        'bleu4': sentences['bleu_4'].system,
        'distinct': sentences['distinct'].system,
        'field_f1': found.field_f1.system,
        'annotator_field_f1': found.field_f1.annotators,
    }
    for topic in ('people', 'cyclists', 'light', 'night'):
        figures[f'hallucinated_{topic}'] = found.claims[topic].hallucinated.share
        figures[f'omitted_{topic}'] = found.claims[topic].omitted.share
    return figures


def check_equal(found: Evaluation, theirs: Mapping[str, Any]) -> None:
    fields = theirs['fields']
    expected = {k: v for k, v in theirs.items() if k != 'fields'}
    assert ours(found) == {
        k: v if v is None else pytest.approx(v, abs=1e-9) for k, v in expected.items()
    }
    assert set(fields) == set(found.fields)
    for name, score in found.fields.items():
        assert score.system == pytest.approx(fields[name]['system'], abs=1e-9), name
        assert score.annotators == pytest.approx(fields[name]['annotators'], abs=1e-9), name


@pytest.mark.parametrize(
    ('split', 'source'),
    [('val', None), ('adverse_val', None), ('adverse_val', 'wuhan')],
)
def test_figures_equal_the_yardstick(
    shared: Path, tmp_path: Path, split: str, source: str | None
) -> None:
    labels = shared / 'data' / 'labels.jsonl'
    frames = read_frames(labels, [split], source)[split]
    file = tmp_path / 'said.jsonl'
    file.write_text(''.join(json.dumps(line) + '\n' for line in damaged(frames, seed=3)))
    said = {
        name: p
        for name, p in read_predictions(file, {f.id for f in frames})
        if isinstance(p, Prediction)
    }
    found = evaluate(frames, said, groupings=())
    assert 0 < len(found.missing) < found.frames
    options = ['--split', split, *(['--source', source] if source else [])]
    check_equal(found, yardstick(shared, file, *options))


def test_row_of_a_source_equals_the_yardstick_of_that_source(shared: Path, tmp_path: Path) -> None:
    frames = read_frames(shared / 'data' / 'labels.jsonl', ['adverse_val'])['adverse_val']
    file = tmp_path / 'said.jsonl'
    file.write_text(''.join(json.dumps(line) + '\n' for line in damaged(frames, seed=4)))
    said = dict(read_predictions(file, {f.id for f in frames}))
    found = evaluate(frames, said, groupings=('source',))  # type: ignore[arg-type]
    for source, part in found.groups['source'].items():
        check_equal(part, yardstick(shared, file, '--split', 'adverse_val', '--source', source))


def test_annotators_deny_little_of_their_own_and_of_each_other(shared: Path) -> None:
    frames = read_frames(shared / 'data' / 'labels.jsonl', ['val', 'adverse_val'])
    for part in frames.values():
        own = {
            f.id: Prediction(caption=f.annotations[0].caption, values=f.annotations[0].fields)
            for f in part
        }
        found = evaluate(part, own, groupings=())
        assert found.truth.right.annotators is not None
        assert found.truth.right.annotators > 0.9
        assert found.truth.right.system is not None
        assert found.truth.right.system > 0.93
