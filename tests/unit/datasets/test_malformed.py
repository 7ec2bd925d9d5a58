# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Data sets that nobody would write on purpose: each is refused or named, none is a traceback."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from caption_node.cli import main
from tests.drawn import draw_street

GOOD = {'id': 0, 'file_name': '0.png'}
SAID = {'id': 0, 'image_id': 0, 'caption': 'a grey road with a house'}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / 'images'
    pictures.mkdir()
    cv2.imwrite(str(pictures / '0.png'), draw_street(3, 160, 96))
    (pictures / 'loop.png').symlink_to(pictures / 'loop.png')
    (pictures / 'empty.png').write_bytes(b'')
    (pictures / 'folder.png').mkdir()
    (pictures / 'gone.png').symlink_to(pictures / 'nowhere.png')
    os.mkfifo(pictures / 'pipe.png')
    return tmp_path


def rows(image: object, annotation: object, before: str = '') -> bytes:
    """Write a file whose second image and annotation stand in lines 4 and 8."""
    text = '{%s\n"images": [\n%s,\n%s\n],\n"annotations": [\n%s,\n%s\n]\n}\n'
    parts = (before, *(json.dumps(x) for x in (GOOD, image, SAID, annotation)))
    return (text % parts).encode()


def image(name: object, **more: object) -> bytes:
    return rows({'id': 1, 'file_name': name, **more}, {**SAID, 'id': 1, 'image_id': 1})


def said(**more: object) -> bytes:
    return rows({'id': 1, 'file_name': '0.png'}, {**SAID, 'id': 1, **more})


def nest(depth: int) -> object:
    return [nest(depth - 1)] if depth else None


# What the file is, and what the command says: of which line, and what kind of problem.
IN_LINES = {
    'symlink loop': (image('loop.png'), 'line 4', 'missing-picture'),
    'link to nothing': (image('gone.png'), 'line 4', 'missing-picture'),
    'a folder': (image('folder.png'), 'line 4', 'missing-picture'),
    'a pipe': (image('pipe.png'), 'line 4', 'missing-picture'),
    '0 bytes': (image('empty.png'), 'line 4', 'picture'),
    'very long name': (image('x' * 5000), 'line 4', 'missing-picture'),
    'half a character in the name': (image('a\ud800.png'), 'line 4', 'picture-path'),
    'emoji name': (image('\N{ROCKET}.png'), 'line 4', 'missing-picture'),
    'Windows path': (image('..\\..\\secret.png'), 'line 4', 'picture-path'),
    'path upwards': (image('a/../../0.png'), 'line 4', 'picture-path'),
    'absolute path': (image('/etc/hostname'), 'line 4', 'picture-path'),
    'name of null': (image(None), 'line 4', 'format'),
    'name of blanks': (image('  '), 'line 4', 'format'),
    'id of null': (rows({'id': None, 'file_name': '0.png'}, SAID), 'line 4', 'format'),
    'id of a list': (rows({'id': [[]], 'file_name': '0.png'}, SAID), 'line 4', 'format'),
    'id of a truth': (rows({'id': True, 'file_name': '0.png'}, SAID), 'line 4', 'format'),
    'id twice': (rows(GOOD, SAID), 'line 4', 'duplicate-id'),
    'null for an image': (rows(None, SAID), 'line 4', 'format'),
    'null for an annotation': (rows(GOOD, None), 'line 8', 'format'),
    'nested nulls': (said(caption=nest(60)), 'line 8', 'caption'),
    'id of an annotation deep': (said(image_id=nest(60)), 'line 8', 'unknown-image'),
    'caption of a number': (said(caption=1e300), 'line 8', 'caption'),
    'half a character': (said(caption='a road \udc80 with trees'), 'line 8', 'garbled-text'),
    'escape codes': (said(caption='a road \x1b[31m with trees'), 'line 8', 'garbled-text'),
    'emoji only': (said(caption='\N{ROCKET}'), 'line 8', 'empty-caption'),
    'Chinese': (said(caption='左肺上野有一个圆形阴影'), 'line 8', 'language'),
    'box of NaN': (said(bbox=[0, 0, float('nan'), 1]), 'line 8', 'box'),
    'box of infinity': (said(bbox=[0, 0, float('inf'), 1]), 'line 8', 'box'),
    'box beyond floats': (said(bbox=[10**400, 0, 1, 1]), 'line 8', 'box'),
    'box of truths': (said(bbox=[True, True, True, True]), 'line 8', 'box'),
    'attributes of a list': (said(attributes=['round']), 'line 8', 'format'),
    'other lists of the names before': (
        rows(None, SAID, '"info": {"images": [1], "annotations": [\n2, 3]},'), 'line 5', 'format',
    ),
}  # fmt: skip
AS_A_WHOLE = {
    'cut JSON': ('a.json', image('0.png')[:-40], 'not JSON'),
    'two objects': ('a.json', image('0.png') * 2, 'not JSON'),
    'deep JSON': ('a.json', b'{"images": ' + b'[' * 10**6, 'nested too deeply'),
    'endless number': ('a.json', b'{"images": ' + b'9' * 10**5 + b'}', 'not JSON'),
    'null': ('a.json', b'null', 'no COCO captions file'),
    'lists of null': ('a.json', b'{"images": null, "annotations": null}', 'no COCO captions'),
    'blanks': ('a.csv', b' \r\n \n', 'is empty'),
    'no columns': ('a.csv', b'\xff\xfe\x00\x00', 'no column file'),
    'quote in the head': ('a.csv', b'"file,caption\n0.png,a road', 'not CSV'),
    'bytes of a picture': ('a.csv', b'\x89PNG\r\n\x1a\n' + bytes(range(256)), 'no column file'),
}
IN_TABLES = {
    'odd quotes': (b'file,caption\n0.png,a "grey" road\n0.png,"a "b" road"\n', 'line 3', 'format'),
    'quote without end': (b'file,caption\n0.png,"a road\n\n\n', 'line 2', 'format'),
    'comma too many': (b'file,caption\n0.png,a road, and trees\n', 'line 2', 'format'),
    'columns twice': (b'file,caption,caption\n0.png,a,b\n', 'line 1', 'format'),
    'cell beyond limits': (b'file,caption\n0.png,"' + b'a ' * 10**5 + b'"\n', 'line 2', 'format'),
    'Latin-1': ('file,caption\n0.png,a café\n'.encode('latin-1'), 'line 2', 'encoding'),
    'UTF-16': ('file,caption\n0.png,a road\n'.encode('utf-16'), '', 'encoding'),
    'UTF-16 without mark': ('file,caption\n0.png,a road\n'.encode('utf-16-be'), '', 'encoding'),
    'UTF-32': ('file,caption\n0.png,a road\n'.encode('utf-32'), '', 'encoding'),
    'old Mac lines': (b'file,caption\r0.png,a road\r1.png,a road\r', 'line 3', 'missing-picture'),
    'zeros': (b'file,caption\n0.png,a \0 road\n', 'line 2', 'garbled-text'),
    'path upwards': (b'file,caption\n../0.png,a road\n', 'line 2', 'picture-path'),
}


@pytest.mark.parametrize('name', [*IN_LINES, *IN_TABLES])
def test_what_is_wrong_is_named_with_its_line(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    is_table = name in IN_TABLES
    raw, line, kind = IN_TABLES[name] if is_table else IN_LINES[name]
    file = folder / ('a.csv' if is_table else 'a.json')
    file.write_bytes(raw)
    assert main(['data', 'check', str(file), '-q']) == 1
    printed = capsys.readouterr().out.splitlines()
    begins = f'error: {line}'
    assert any(p.startswith(begins) and p.endswith(f'[{kind}]') for p in printed), printed
    assert main(['data', 'check', str(file), '-q', '--json']) == 1
    assert json.loads(capsys.readouterr().out)['errors'] >= 1


@pytest.mark.parametrize('name', AS_A_WHOLE)
def test_what_is_no_data_set_is_refused(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file, raw, says = AS_A_WHOLE[name]
    (folder / file).write_bytes(raw)
    assert main(['data', 'check', str(folder / file), '-q']) == 1
    found = capsys.readouterr()
    assert found.err.startswith('error: ')
    assert says in found.err
    assert not found.out


def test_places_that_are_no_files_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / 'loop.json').symlink_to(folder / 'loop.json')
    os.mkfifo(folder / 'pipe.json')  # to read it would wait for ever
    for name in ('loop.json', 'pipe.json', 'none.json', 'images/0.png'):
        assert main(['data', 'check', str(folder / name), '-q']) == 1
    (folder / 'a.json').write_bytes(image('0.png'))
    line = ['data', 'check', str(folder / 'a.json'), '--images']
    for place, says in (('images/0.png', 'is no folder'), ('none', 'does not exist')):
        capsys.readouterr()
        assert main([*line, str(folder / place)]) == 1
        assert says in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason='the superuser may read every folder')
def test_folders_that_may_not_be_read_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / 'a.json').write_bytes(image('0.png'))
    (folder / 'images').chmod(0)
    try:
        assert main(['data', 'check', str(folder / 'a.json'), '-q']) == 1
        assert '[missing-picture]' in capsys.readouterr().out
    finally:
        (folder / 'images').chmod(0o755)


def test_thousands_of_problems_keep_their_lines(folder: Path) -> None:
    count = 5000
    images = ',\n'.join(f'{{"id": {k}, "file_name": "{k}.png"}}' for k in range(count))
    (folder / 'a.json').write_text(f'{{"images": [\n{images}\n],\n"annotations": []}}')
    from caption_node.datasets.checking import check_data, open_data

    data = open_data(folder / 'a.json', None, {})
    check_data(data)
    missing = [p.line for p in data.problems if p.kind == 'missing-picture']
    assert missing == list(range(3, count + 2))  # line 2 is 0.png, which is there
    assert np.all(np.diff([p.line for p in data.problems if p.line]) >= 0)
