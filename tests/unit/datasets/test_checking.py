# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Data sets that are bad in every way: each problem is named with its line, nothing crashes."""

from collections.abc import Sequence
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from caption_node.cli import main
from caption_node.datasets.checking import check_data, open_data
from caption_node.datasets.fields import read_table
from caption_node.datasets.items import DataSet
from caption_node.errors import ConfigError
from tests.drawn import draw_street

TABLE = read_table(
    [
        {'name': 'shape', 'kind': 'categorical', 'values': ['round', 'square']},
        {'name': 'broken', 'kind': 'boolean'},
        {'name': 'parts', 'kind': 'count'},
    ]
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / 'images'
    pictures.mkdir()
    for k in range(4):
        pixels = draw_street(k, 160, 96)
        # Streets of other seeds may be alike: other corners are not.
        pixels[: 20 * (k + 1), : 30 * (k + 1)] = 40 * k
        cv2.imwrite(str(pictures / f'{k}.png'), pixels[:, :, ::-1])
    return tmp_path


def coco(folder: Path, images: Sequence[Any], annotations: Sequence[Any]) -> Path:
    rows = [
        f'"{name}": [\n' + ',\n'.join(json.dumps(i, ensure_ascii=False) for i in items) + '\n]'
        for name, items in (('images', images), ('annotations', annotations))
    ]
    file = folder / 'captions.json'
    file.write_text('{\n' + ',\n'.join(rows) + '\n}\n', encoding='utf-8')
    return file


def image(k: int, **more: Any) -> dict[str, Any]:
    return {'id': k, 'file_name': f'{k}.png', 'width': 160, 'height': 96, **more}


def said(k: int, caption: Any = 'a grey road with a house on the left', **more: Any) -> Any:
    return {'id': k, 'image_id': k, 'caption': caption, **more}


def check(file: Path, **how: Any) -> DataSet:
    data = open_data(file, None, TABLE)
    check_data(data, **how)
    return data


def found(data: DataSet) -> list[tuple[str, str, int]]:
    return [(p.severity, p.kind, p.line) for p in data.problems]


def test_a_good_file_has_no_problems_and_its_values_are_read(folder: Path) -> None:
    attributes = {'shape': 'round', 'broken': True, 'parts': 3}
    file = coco(
        folder,
        [image(0), image(1, split='val')],
        [said(0, attributes=attributes, bbox=[0, 0, 160, 96]), said(1)],
    )
    data = check(file)
    assert found(data) == []
    assert data.items[0].values == attributes
    assert [i.split for i in data.items] == ['', 'val']
    assert data.summary()['captions'] == 2


# Images begin in line 3; annotations two lines behind the last image.
@pytest.mark.parametrize(
    ('images', 'annotations', 'problem'),
    [
        ([image(0), image(9)], [said(0), said(9)], ('error', 'missing-picture', 4)),
        ([image(0)], [said(0, '')], ('error', 'empty-caption', 6)),
        ([image(0)], [said(0, ' . ')], ('error', 'empty-caption', 6)),
        ([image(0)], [said(0), said(0, 7)], ('error', 'caption', 7)),
        ([image(0)], [said(0), said(0)], ('warning', 'duplicate-id', 7)),
        ([image(0)], [said(0), {**said(0), 'id': 5}], ('warning', 'duplicate-caption', 7)),
        ([image(0)], [said(0), said(5)], ('error', 'unknown-image', 7)),
        ([image(0), image(0)], [said(0)], ('error', 'duplicate-id', 4)),
        ([image(0), {**image(1), 'file_name': '0.png'}], [said(0)], ('warning', 'no-caption', 4)),
        ([image(0), {'id': 3}], [said(0)], ('error', 'format', 4)),
        ([image(0), 'x'], [said(0)], ('error', 'format', 4)),
        ([image(0)], [said(0), ['x']], ('error', 'format', 7)),
        ([image(0)], [said(0, bbox=[0, 0, 200, 10])], ('error', 'box', 6)),
        ([image(0)], [said(0, bbox=[0, 0, -4, 10])], ('error', 'box', 6)),
        ([image(0)], [said(0, bbox=[0, 0, 10])], ('error', 'box', 6)),
        ([image(0)], [said(0, bbox=[0, 0, 'a', 10])], ('error', 'box', 6)),
        ([image(0)], [said(0, bbox=[float('nan'), 0, 1, 10])], ('error', 'box', 6)),
        ([image(0)], [said(0, bbox='all')], ('error', 'box', 6)),
        ([image(0, width=99)], [said(0)], ('warning', 'picture-size', 3)),
        ([{**image(0), 'file_name': '../images/0.png'}], [said(0)], ('error', 'picture-path', 3)),
        ([{**image(0), 'file_name': '/etc/passwd'}], [said(0)], ('error', 'picture-path', 3)),
        ([{**image(0), 'file_name': 'a\0b'}], [said(0)], ('error', 'picture-path', 3)),
        ([image(0)], [said(0, attributes={'shape': 'oval'})], ('error', 'field-value', 6)),
        ([image(0)], [said(0, attributes={'parts': -1})], ('error', 'field-value', 6)),
        ([image(0)], [said(0, 'a house with a t\u00c3\u00bcr')], ('error', 'garbled-text', 6)),
        ([image(0)], [said(0, 'a house \ufffd on a road')], ('error', 'garbled-text', 6)),
        ([image(0)], [said(0, 'a house \x07 on a road')], ('error', 'garbled-text', 6)),
        ([image(0)], [said(0, 'a cafe\u0301 on a road')], ('warning', 'garbled-text', 6)),
        ([image(0)], [said(0, 'a \u202edaor on a road')], ('error', 'garbled-text', 6)),
        ([image(0, width=10**4000)], [said(0)], ('warning', 'picture-size', 3)),
        ([image(0)], [said(0, '左肺上野有一个圆形阴影')], ('error', 'language', 6)),
        (
            [image(0), image(1)],
            [said(0, 'ein graues Haus steht links'), said(1, 'die Straße ist nass')],
            ('warning', 'language', 7),
        ),
        (
            [image(0), image(1)],
            [said(0, 'ein Haus in der Stadt'), said(1, 'la maison a un toit')],
            ('warning', 'language', 7),
        ),
    ],
)
def test_every_problem_is_named_with_its_line(
    folder: Path, images: list[Any], annotations: list[Any], problem: tuple[str, str, int]
) -> None:
    assert problem in found(check(coco(folder, images, annotations)))


def test_captions_with_errors_do_not_train_and_the_rest_does(folder: Path) -> None:
    sayings = [said(0, 'a house \ufffd on a road'), {**said(0), 'id': 1}, said(1)]
    stranger = {**said(1, '左肺上野有一个圆形阴影'), 'id': 3}
    data = check(coco(folder, [image(0), image(1)], [*sayings, stranger]))
    assert [len(i.captions) for i in data.items] == [1, 1]
    language = next(p for p in data.problems if p.kind == 'language')
    assert 'left out' in language.message
    assert 'tokenizer' not in language.message


def test_a_quotation_mark_left_open_is_named_and_swallows_no_row_in_silence(folder: Path) -> None:
    file = folder / 'captions.csv'
    file.write_text('file,caption\n0.png,"a road\n1.png,a house\n2.png,a bus"\n3.png,a tree\n')
    data = check(file)
    assert found(data) == [('error', 'format', 2)]
    assert [i.file for i in data.items] == ['3.png']


def test_many_pictures_alike_are_named_once_each(folder: Path) -> None:
    blank = np.full((96, 160, 3), 90, np.uint8)
    for k in range(20, 60):
        cv2.imwrite(str(folder / 'images' / f'{k}.png'), blank)
    images = [image(k) for k in range(20, 60)]
    data = check(coco(folder, images, [said(k) for k in range(20, 60)]))
    assert [p.kind for p in data.problems] == ['near-duplicate'] * 39


def test_unspaced_writing_is_fine_with_the_tokenizer_for_it(folder: Path) -> None:
    file = coco(folder, [image(0)], [said(0, '左肺上野有一个圆形阴影')])
    assert found(check(file, tokenizer='characters')) == []
    spaced = coco(folder, [image(0)], [said(0)])
    assert found(check(spaced, tokenizer='characters')) == [('warning', 'language', 6)]


def test_captions_longer_than_the_model_says_are_named(folder: Path) -> None:
    file = coco(folder, [image(0)], [said(0)])
    assert found(check(file, tokens=5)) == [('warning', 'long-caption', 6)]


def test_the_same_picture_in_two_splits_is_a_leak_however_it_was_saved(folder: Path) -> None:
    original = cv2.imread(str(folder / 'images' / '1.png'))
    larger = cv2.resize(original, None, fx=1.7, fy=1.7)
    brighter = np.clip(larger * 0.9 + 14, 0, 255).astype(np.uint8)
    cv2.imwrite(str(folder / 'images' / '7.jpg'), brighter, [cv2.IMWRITE_JPEG_QUALITY, 70])
    copy = {'id': 7, 'file_name': '7.jpg', 'split': 'val'}
    images = [image(0, split='train'), image(1, split='train'), image(2, split='val'), copy]
    data = check(coco(folder, images, [said(k) for k in (0, 1, 2, 7)]))
    assert found(data) == [('error', 'leak', 6)]
    assert '7.jpg looks like 1.png (line 4)' in data.problems[0].message
    copy['split'] = 'train'
    data = check(coco(folder, images, [said(k) for k in (0, 1, 2, 7)]))
    assert found(data) == [('warning', 'near-duplicate', 6)]


def test_every_picture_of_a_group_across_splits_is_a_leak(folder: Path) -> None:
    blank = np.full((96, 160, 3), 90, np.uint8)
    for k in range(20, 24):
        cv2.imwrite(str(folder / 'images' / f'{k}.png'), blank)
    images = [image(k, split='train' if k < 22 else 'val') for k in range(20, 24)]
    data = check(coco(folder, images, [said(k) for k in range(20, 24)]))
    assert [(p.kind, p.line) for p in data.problems] == [('leak', k) for k in (4, 5, 6)]
    assert '21.png looks like 22.png (line 5)' in data.problems[0].message


def test_pictures_of_another_file_are_leaks_however_they_were_saved(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / 'held'
    other.mkdir()
    brighter = cv2.convertScaleAbs(cv2.imread(str(folder / 'images' / '1.png')), beta=8)
    cv2.imwrite(str(other / 'copy.jpg'), brighter)
    (other / 'val.csv').write_text('file,caption\ncopy.jpg,a grey road with a house on the left\n')
    file = coco(folder, [image(0), image(1)], [said(0), said(1)])
    command = ['data', 'check', str(file), '-q', '--against', str(other / 'val.csv')]
    assert main(command) == 1
    assert 'line 4, image 1: 1.png looks like copy.jpg of' in capsys.readouterr().out
    (other / 'val.csv').write_text('file,caption\nnone.jpg,a grey road\n')
    assert main(command) == 1
    assert 'none of its pictures can be read' in capsys.readouterr().err


@pytest.mark.parametrize('content', [b'', b'no picture', b'\x89PNG\r\n\x1a\n' + b'\0' * 40])
def test_pictures_that_cannot_be_decoded_are_named(folder: Path, content: bytes) -> None:
    (folder / 'images' / '5.png').write_bytes(content)
    data = check(coco(folder, [image(0), image(5)], [said(0), said(5)]))
    assert ('error', 'picture', 4) in found(data)
    assert [i.usable for i in data.items] == [True, False]


def test_a_table_is_read_with_its_fields_and_named_by_line(folder: Path) -> None:
    file = folder / 'captions.csv'
    text = (
        'file;caption;split;shape;parts\n'
        '0.png;"a road; and a house on it";train;round;2\n'
        '1.png;;train;;\n'
        '2.png;a road with trees;train;oval;many\n'
        '0.png;the same road once more;val;;\n'
        '3.png\n'
        '9.png;a road that is not there;train;;;;\n'
        '\n'
    )
    file.write_bytes(b'\xef\xbb\xbf' + text.encode())
    data = check(file)
    assert set(found(data)) == {
        ('warning', 'encoding', 0),
        ('error', 'empty-caption', 3),
        ('error', 'field-value', 4),
        ('error', 'split', 5),
        ('error', 'format', 6),
        ('warning', 'no-caption', 6),
        ('error', 'format', 7),
    }
    assert data.items[0].values == {'shape': 'round', 'parts': 2}
    assert data.items[0].captions[0].text == 'a road; and a house on it'


@pytest.mark.parametrize(
    ('raw', 'kinds'),
    [
        ('file,caption\n0.png,a caf\xe9 on the road\n'.encode('latin-1'), {'encoding'}),
        ('file,caption\n0.png,a café on the road\n'.encode('utf-16'), {'encoding'}),
        (b'file,caption\n0.png,"a road', {'format', 'empty'}),
        (b'file,caption\n0.png,a \0 road\n', {'garbled-text', 'empty'}),
        (b'file,caption,width,height\n0.png,a road,99,96\n', {'picture-size'}),
    ],
)
def test_tables_of_other_encodings_or_damaged_ones_are_read_as_far_as_they_go(
    folder: Path, raw: bytes, kinds: set[str]
) -> None:
    file = folder / 'captions.csv'
    file.write_bytes(raw)
    data = check(file)
    assert {p.kind for p in data.problems} == kinds
    assert data.problems


@pytest.mark.parametrize(
    ('name', 'raw'),
    [
        ('a.json', b''),
        ('a.json', b'{"images": [}'),
        ('a.json', b'[]'),
        ('a.json', b'{"images": {}, "annotations": []}'),
        ('a.json', b'{"images": [], "annotations": ' + b'[' * 100_000),
        ('a.csv', b'name,text\n'),
        ('a.txt', b'0.png a road'),
    ],
)
def test_files_of_no_known_format_are_refused_with_a_hint(
    folder: Path, name: str, raw: bytes
) -> None:
    file = folder / name
    file.write_bytes(raw)
    with pytest.raises(ConfigError):
        open_data(file, None, TABLE)


def test_missing_files_and_folders_are_refused(folder: Path) -> None:
    for file, images in ((folder / 'no.json', None), (folder, None), (folder, folder / 'no')):
        with pytest.raises(ConfigError):
            open_data(file, images, TABLE)


@pytest.mark.parametrize(
    'rows',
    [
        ['shape'],
        [{'name': 'shape'}],
        [{'name': 'light', 'kind': 'boolean'}],
        [{'name': 'Shape', 'kind': 'boolean'}],
        [{'name': 'shape', 'kind': 'text'}],
        [{'name': 'shape', 'kind': 'categorical', 'values': ['one']}],
        [{'name': 'shape', 'kind': 'categorical', 'values': 'one'}],
        [{'name': 'shape', 'kind': 'boolean', 'values': ['a', 'b']}],
        [{'name': 'shape', 'kind': 'boolean'}, {'name': 'shape', 'kind': 'count'}],
        [{'name': 'shape', 'kind': 'boolean', 'color': 'red'}],
    ],
)
def test_tables_that_are_none_are_refused(rows: list[Any]) -> None:
    with pytest.raises(ConfigError):
        read_table(rows)
