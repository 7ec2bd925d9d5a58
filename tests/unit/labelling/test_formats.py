# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Every format brings every frame back; every mistake is named with its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from caption_node.errors import ConfigError
from caption_node.labelling.formats import LABEL_FILES, read_rows, render_labels
from caption_node.labelling.frames import LabelledFrame, frame_faults, label_faults, prelabelled
from tests.described import PLAIN, describe

SENTENCE = 'A truck, "slow" & heavy, is ahead of us on a wet road.'


def frames() -> list[LabelledFrame]:
    said = [
        describe(0, SENTENCE, lead='truck', lead_range='near', surface='wet', vehicles=3),
        describe(1, people=2, people_on_road=True),
    ]
    return [prelabelled(d, f'f{i}', f'frames/f{i}.jpg', (320, 192)) for i, d in enumerate(said)]


def written(tmp_path: Path, format: str) -> Path:
    path = tmp_path / LABEL_FILES[format]
    path.write_text(render_labels(frames(), format), encoding='utf-8')
    return path


@pytest.mark.parametrize('format', LABEL_FILES)
def test_what_is_written_comes_back_whole(tmp_path: Path, format: str) -> None:
    rows = list(read_rows(written(tmp_path, format)))
    assert [r.faults for r in rows] == [[], []]
    assert [frame_faults(r.data) for r in rows] == [[], []]
    for row, frame in zip(rows, frames(), strict=True):
        expected = frame.to_json()
        for name in ('id', 'file', 'width', 'height', 'labels', 'boxes', 'stamp_ns', 'camera'):
            assert row.data[name] == expected[name], name
    assert frames()[0].confidences['lead'] == 0.8
    assert frames()[0].confidences['caption'] == 0.75


def test_coco_file_has_the_keys_of_the_format(tmp_path: Path) -> None:
    data = json.loads(written(tmp_path, 'coco-captions').read_text(encoding='utf-8'))
    assert set(data) >= {'info', 'licenses', 'images', 'annotations'}
    ids = [i['id'] for i in data['images']]
    assert len(set(ids)) == 2
    for image, note in zip(data['images'], data['annotations'], strict=True):
        assert set(image) >= {'id', 'file_name', 'width', 'height'}
        assert note['image_id'] == image['id']
        assert isinstance(note['caption'], str)


def test_two_annotations_of_one_image_are_two_labels(tmp_path: Path) -> None:
    path = written(tmp_path, 'coco-captions')
    data = json.loads(path.read_text(encoding='utf-8'))
    data['annotations'].append({**data['annotations'][0], 'id': 9, 'caption': SENTENCE})
    path.write_text(json.dumps(data), encoding='utf-8')
    rows = list(read_rows(path))
    assert [len(r.data['labels']) for r in rows] == [2, 1]


@pytest.mark.parametrize('spreadsheet', ['TRUE', 'yes', '1', ' true '])
def test_spreadsheets_may_write_truth_their_way(tmp_path: Path, spreadsheet: str) -> None:
    path = written(tmp_path, 'csv')
    text = path.read_text(encoding='utf-8').replace('false', spreadsheet)
    path.write_bytes(b'\xef\xbb\xbf' + text.replace('\n', '\r\n').encode())
    rows = list(read_rows(path))
    assert [r.faults for r in rows] == [[], []]
    assert rows[0].data['labels'][0]['crosswalk'] is True


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'weather': 'sunny'}, "'weather' cannot be 'sunny', allowed: clear, cloudy"),
        ({'people': 16}, "'people' cannot be 16, allowed: 0..15"),
        ({'people': True}, "'people' cannot be True"),
        ({'oncoming': 'no'}, "'oncoming' cannot be 'no', allowed: true, false"),
        ({'lead': 'car'}, "lead 'car' contradicts lead_range 'none'"),
        ({'people_on_road': True}, 'people_on_road is true, but people is 0'),
        ({'caption': 'Too short.'}, 'caption has 2 words, not 8 to 28'),
        ({'caption': 'word ' * 29}, 'caption has 29 words'),
        ({'caption': 'one two three four\nfive six seven eight'}, 'several lines'),
        ({'hazard': ''}, 'hazard must be a text'),
        ({'mood': 'good'}, "there is no field 'mood'"),
    ],
)
def test_each_rule_of_the_schema_is_kept(changes: dict[str, Any], message: str) -> None:
    label = {**PLAIN, 'hazard': 'none', 'caption': SENTENCE}
    assert label_faults(label) == []
    (fault,) = label_faults({**label, **changes})
    assert message in fault


def test_a_missing_field_is_named() -> None:
    label = {**PLAIN, 'hazard': 'none', 'caption': SENTENCE}
    del label['road']
    assert label_faults(label) == ['road is missing']


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ({'file': 'a.jpg'}, 'id must be a text'),
        ({'labels': []}, 'labels must be a list'),
        ({'labels': ['x']}, "'x' is not a label"),
        ({'boxes': [{'cls': 'car', 'score': 1}]}, 'is not a box'),
        ({'boxes': [{'cls': 'cow', 'score': 1, 'box': [0, 0, 1, 1]}]}, "class 'cow' is none of"),
        ({'boxes': [{'cls': 'car', 'score': 1, 'box': [1, 0, 1, 1]}]}, 'has no area'),
        ({'boxes': 7}, '7 is not a box'),
    ],
)
def test_each_rule_of_a_line_is_kept(row: dict[str, Any], message: str) -> None:
    whole = frames()[0].to_json()
    assert frame_faults(whole) == []
    changed = {**whole, **row} if 'id' not in message else row
    assert any(message in fault for fault in frame_faults(changed))


def test_faults_name_the_line(tmp_path: Path) -> None:
    path = written(tmp_path, 'jsonl')
    path.write_text('\n' + path.read_text(encoding='utf-8') + '{"id": \n[1]\n', encoding='utf-8')
    rows = list(read_rows(path))
    assert [r.place.rsplit(', ')[-1] for r in rows] == ['line 2', 'line 3', 'line 4', 'line 5']
    assert 'not JSON' in rows[2].faults[0]
    assert rows[3].faults == ['not a JSON object']
    path = written(tmp_path, 'csv')
    path.write_text(path.read_text(encoding='utf-8').replace(',wet,', ',damp,'), encoding='utf-8')
    rows = list(read_rows(path))
    assert rows[0].place.endswith('labels.csv, line 2')
    assert "'surface' cannot be 'damp'" in rows[0].faults[0]
    path = written(tmp_path, 'coco-captions')
    lines = path.read_text(encoding='utf-8').split('\n')
    begins = [i for i, line in enumerate(lines, 1) if line == '  {']
    rows = list(read_rows(path))
    assert [r.place.split(', ')[1] for r in rows] == [f'line {n}' for n in begins[-2:]]


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('labels.xml', b'', 'cannot be told from the name'),
        ('labels.jsonl', b'\xff\xfe', 'is not UTF-8'),
        ('labels.csv', b'', 'line 1: no column id'),
        ('labels.csv', b'id,file\n', 'no column caption'),
        ('labels.json', b'[]', 'no COCO captions file'),
        ('labels.json', b'{', 'is not JSON'),
        ('labels.json', b'{"images": 3}', 'no COCO captions file'),
    ],
)
def test_a_file_of_something_else_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        list(read_rows(path))


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='No such file'):
        list(read_rows(tmp_path / 'labels.csv'))
