# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Label files and prediction files, good and bad."""

import json
from pathlib import Path
from typing import Any

import pytest

from caption_node.errors import ConfigError
from caption_node.evaluation.frames import read_frames
from caption_node.evaluation.json_lines import LONGEST_LINE
from caption_node.evaluation.predictions import Prediction, read_predictions
from tests.unit.evaluation.examples import annotation, label_line


def write_lines(path: Path, *lines: Any) -> Path:
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    return path


def test_frames_are_read_by_split_and_source_and_sorted(tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / 'labels.jsonl',
        label_line('b', annotation(), annotation()),
        label_line('a', annotation(), annotation(), annotation('third')),
        label_line('c', annotation(), split='train'),
        label_line('d', annotation(), source='there'),
    )
    frames = read_frames(file, ['val', 'train'])
    assert [f.id for f in frames['val']] == ['a', 'b', 'd']
    assert [f.id for f in frames['train']] == ['c']
    assert [f.id for f in read_frames(file, ['val'], 'there')['val']] == ['d']
    assert len(frames['val'][0].annotations) == 2


def test_boxes_give_the_sides_that_are_not_in_the_middle(tmp_path: Path) -> None:
    boxes = [
        {'cls': 'car', 'score': 0.5, 'box': [0, 0, 20, 20]},
        {'cls': 'bus', 'score': 0.5, 'box': [45, 0, 55, 20]},
        {'cls': 'person', 'score': 0.5, 'box': [80, 0, 90, 20]},
    ]
    line = label_line('a', annotation(), boxes=boxes, width=100)
    file = write_lines(tmp_path / 'labels.jsonl', line)
    sides = read_frames(file, ['val'])['val'][0].box_sides
    assert sides == {('car', 'left'), ('person', 'right')}


BAD_LABELS = {
    'no json': '{"id": "a", ',
    'no object': '[1, 2]',
    'no labels': json.dumps({**label_line('a'), 'labels': []}),
    'labels of another kind': json.dumps({**label_line('a', annotation()), 'labels': {'a': 1}}),
    'a field is missing': json.dumps({**label_line('a'), 'labels': [{'caption': 'x'}]}),
    'a value is unknown': json.dumps(label_line('a', annotation(road='sea'))),
    'a name with a zero byte': json.dumps(label_line('a', annotation(), file='a\0.jpg')),
    'no id': json.dumps({k: v for k, v in label_line('a', annotation()).items() if k != 'id'}),
    'bytes that are no text': b'\xff\xfe\x00\x00'.decode('latin1'),
    'deep': '[' * 100_000,
}


@pytest.mark.parametrize('line', BAD_LABELS.values(), ids=BAD_LABELS.keys())
def test_bad_label_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / 'labels.jsonl'
    good = json.dumps(label_line('good', annotation()))
    file.write_text(f'{good}\n\n{line}\n', encoding='latin1')
    with pytest.raises(ConfigError, match=r'labels\.jsonl, line 3'):
        read_frames(file, ['val'])


def test_frame_that_stands_twice_is_refused(tmp_path: Path) -> None:
    line = label_line('a', annotation())
    with pytest.raises(ConfigError, match="line 2: frame 'a' stands there twice"):
        read_frames(write_lines(tmp_path / 'labels.jsonl', line, line), ['val'])


def test_unknown_split_is_answered_with_what_there_is(tmp_path: Path) -> None:
    file = write_lines(tmp_path / 'labels.jsonl', label_line('a', annotation()))
    with pytest.raises(ConfigError, match="no frame in split 'test'") as caught:
        read_frames(file, ['test'])
    assert 'val (here)' in caught.value.hint
    with pytest.raises(ConfigError, match="of source 'moon'"):
        read_frames(file, ['val'], 'moon')


def test_missing_and_endless_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='No such file'):
        read_frames(tmp_path / 'nowhere.jsonl', ['val'])
    with pytest.raises(ConfigError, match='Is a directory'):
        read_frames(tmp_path, ['val'])
    with pytest.raises(ConfigError, match=f'longer than {LONGEST_LINE} characters'):
        read_frames(Path('/dev/zero'), ['val'])


def test_predictions_are_found_by_the_name_of_the_file(tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / 'said.jsonl',
        {'file': '/far/away/a.png', 'caption': 'A street.', 'status': 'ok'},
        {'file': 'C:\\drive\\b.c.jpg', 'caption': 'A road.', 'status': 'abstain'},
        {'file': 'other.jpg', 'caption': 3},
    )
    said = dict(read_predictions(file, {'a', 'b.c'}))
    assert {name: p.status for name, p in said.items() if isinstance(p, Prediction)} == {
        'a': 'ok',
        'b.c': 'abstain',
    }


def test_bad_prediction_lines_are_told_and_the_others_count(tmp_path: Path) -> None:
    file = tmp_path / 'said.jsonl'
    bad = [
        '{"file": "a.jpg", "capt',
        '{"caption": "no file"}',
        '{"file": "a.jpg", "scene": 5}',
        '{"file": "a.jpg", "objects": [3]}',
        '{"file": "a.jpg", "confidence": 7}',
        '{"file": "a.jpg", "confidence": NaN}',
        '{"file": "a.jpg", "scene": {"road": {"value": "city", "confidence": "high"}}}',
        '1' * 5000,
    ]
    file.write_text('\n'.join([*bad, '{"file": "a.jpg", "caption": "A street."}']))
    found = list(read_predictions(file, {'a'}))
    errors = [str(said) for name, said in found if not name]
    assert [f'line {i + 1}: ' in text for i, text in enumerate(errors)] == [True] * len(bad)
    assert isinstance(found[-1][1], Prediction)


def test_bare_values_count_and_impossible_ones_do_not() -> None:
    scene = {
        'road': 'city',
        'time': {'value': 'noon', 'confidence': 0.5},
        'parked': {'value': True, 'confidence': 0.75},
        'vehicles': 40,
        'people': float('inf'),
        'cyclists': True,
    }
    said = Prediction.from_json({'file': 'a.jpg', 'scene': scene})
    assert said.values == {'road': 'city', 'parked': True, 'vehicles': 15, 'people': 15}
    assert said.confidences == {'time': 0.5, 'parked': 0.75}
    assert said.classes is None
    assert said.confidence is None


def test_lead_box_is_a_vehicle_in_our_lane() -> None:
    person = {'class': 'person', 'in_lane': True}
    aside = {'class': 'car', 'in_lane': False}
    ahead = {'class': 'car', 'in_lane': True}
    assert not Prediction.from_json({'objects': [person, aside]}).has_lead_box
    assert Prediction.from_json({'objects': [person, ahead]}).has_lead_box
