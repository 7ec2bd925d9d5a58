# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The shipped model on real frames of a camera and a city that it never saw."""

from collections import Counter
from collections.abc import Mapping
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import pytest

from caption_node.description import FIELDS, Value
from caption_node.frame import Frame
from caption_node.image_codec import read_image
from caption_node.pipeline import CaptionPipeline
from tests.conftest import MODEL


def score(shared: Path, predictions: Path) -> dict[str, Any]:
    command = [sys.executable, str(shared / 'score.py'), str(predictions), '--json']
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return dict(json.loads(done.stdout))


def commonest(rows: list[Mapping[str, Any]]) -> dict[str, Value]:
    train = [label for row in rows if row['split'] == 'train' for label in row['labels']]
    return {f: Counter(label[f] for label in train).most_common(1)[0][0] for f in FIELDS}


@pytest.fixture(scope='module')
def scores(
    shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = tmp_path_factory.mktemp('scores')
    data = shared / 'data'
    rows = [json.loads(line) for line in (data / 'labels.jsonl').read_text().splitlines()]
    val = [row for row in rows if row['split'] == 'val']
    constant = commonest(rows)
    system, baseline = folder / 'system.jsonl', folder / 'baseline.jsonl'
    with CaptionPipeline.open(MODEL, threads=2) as pipeline, system.open('w') as out:
        for start in range(0, len(val), 8):
            frames = [
                Frame(read_image(data / row['file']), file=row['file'])
                for row in val[start : start + 8]
            ]
            for said in pipeline.describe(frames):
                out.write(json.dumps(said.to_json()) + '\n')
    with baseline.open('w') as out:
        for row in val:
            scene = {f: {'value': v, 'confidence': 1.0} for f, v in constant.items()}
            line = {'file': row['file'], 'caption': 'A road.', 'status': 'ok', 'scene': scene}
            out.write(json.dumps(line) + '\n')
    return score(shared, system), score(shared, baseline)


@pytest.mark.parametrize('field', ['road', 'lead', 'vehicles', 'light'])
def test_field_beats_the_commonest_training_value(
    scores: tuple[dict[str, Any], dict[str, Any]], field: str
) -> None:
    system, baseline = (s['fields'][field]['system'] for s in scores)
    assert system > baseline


def test_time_is_as_good_as_the_commonest_training_value(
    scores: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    # Every frame of this split is by day, so the constant answer is right everywhere; one or two
    # in a hundred may be taken for dusk by a model that knows dusk.
    system, baseline = (s['fields']['time']['system'] for s in scores)
    assert baseline == 1.0
    assert system >= 0.98


def test_captions_differ_between_frames(scores: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert scores[0]['missing'] == 0
    assert scores[0]['distinct'] >= 0.4


def test_captions_rarely_claim_what_is_not_there(
    scores: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    assert scores[0]['hallucinated_people'] <= 0.1
    assert scores[0]['hallucinated_cyclists'] <= 0.1


def test_few_good_frames_abstain(scores: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert scores[0]['abstain'] <= 0.15 * scores[0]['frames']
