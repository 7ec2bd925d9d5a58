# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption export`` and ``caption import``: out to be corrected, back in to train."""

from dataclasses import replace
import json
from pathlib import Path

import cv2
import pytest

from caption_node.cli import main
from caption_node.training.labels import read_labels
from tests.described import describe, write_described
from tests.drawn import draw_street, jpeg
from tests.e2e.command import caption

FRAMES = 12
CORRECTED = 'A corrected sentence of a person, with commas, that is long enough.'
CaptureFixture = pytest.CaptureFixture[str]


@pytest.fixture(scope='module')
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    said = [describe(i, vehicles=i) for i in range(FRAMES)]
    return write_described(tmp_path_factory.mktemp('drive') / 'my drive.mcap', said)


def exported(drive: Path, folder: Path, *options: str) -> Path:
    assert main(['export', str(drive), '-o', str(folder), *options]) == 0
    return folder


@pytest.mark.parametrize(
    ('format', 'file'),
    [('jsonl', 'labels.jsonl'), ('csv', 'labels.csv'), ('coco-captions', 'captions_coco.json')],
)
def test_corrected_labels_come_back_as_training_data(
    drive: Path, tmp_path: Path, format: str, file: str
) -> None:
    folder = exported(drive, tmp_path / 'out', '--format', format)
    labels = folder / file
    text = labels.read_text(encoding='utf-8')
    wrong = 'An empty city street by day, number 3.'
    assert text.count(wrong) == 1
    labels.write_text(text.replace(wrong, CORRECTED), encoding='utf-8')
    train = tmp_path / 'train'
    arguments = ['import', str(folder), '-o', str(train), '--licence', 'CC0-1.0']
    assert main(arguments) == 0
    records = read_labels(train / 'labels.jsonl', train, ['train'])
    assert len(records) == FRAMES
    assert [r.labels[0].fields['vehicles'] for r in records] == list(range(FRAMES))
    assert [r.labels[0].caption == CORRECTED for r in records].count(True) == 1
    assert records[3].labels[0].caption == CORRECTED
    lines = [json.loads(x) for x in (train / 'labels.jsonl').read_text('utf-8').splitlines()]
    assert {x['licence'] for x in lines} == {'CC0-1.0'}
    assert all('confidences' not in x for x in lines)


def test_pictures_are_those_of_the_recording_bit_for_bit(drive: Path, tmp_path: Path) -> None:
    folder = exported(drive, tmp_path / 'out', '--every', '0.5')
    lines = [json.loads(x) for x in (folder / 'labels.jsonl').read_text('utf-8').splitlines()]
    assert [line['labels'][0]['vehicles'] for line in lines] == [0, 5, 10]
    for line in lines:
        drawn = draw_street(line['labels'][0]['vehicles'])
        assert (folder / line['file']).read_bytes() == jpeg(drawn)
        assert (line['height'], line['width']) == drawn.shape[:2]
        assert set(line['confidences']) == {*line['labels'][0]} - {'hazard'}


def test_the_least_sure_frames_can_be_picked(tmp_path: Path) -> None:
    said = [replace(describe(i), confidence=0.2 if i in (4, 7) else 0.9) for i in range(10)]
    said[2] = replace(said[2], status='abstain', reason='too dark')
    said[5] = replace(said[5], status='error', error='broken', scene={})
    drive = write_described(tmp_path / 'd.mcap', said)
    folder = exported(drive, tmp_path / 'out', '--least-sure', '3')
    lines = [json.loads(x) for x in (folder / 'labels.jsonl').read_text('utf-8').splitlines()]
    assert [x['labels'][0]['caption'][-2] for x in lines] == ['2', '4', '7']


def test_every_bad_line_is_named_and_nothing_is_written(
    drive: Path, tmp_path: Path, capsys: CaptureFixture
) -> None:
    folder = exported(drive, tmp_path / 'out')
    labels = folder / 'labels.jsonl'
    lines = [json.loads(x) for x in labels.read_text('utf-8').splitlines()]
    lines[1]['labels'][0]['weather'] = 'sunny'
    lines[4]['id'] = lines[3]['id']
    lines[6]['file'] = '../../../etc/passwd'
    (folder / lines[8]['file']).write_bytes(b'no picture')
    lines[9]['width'] = 7
    lines[10]['boxes'] = [{'cls': 'car', 'score': 0.5, 'box': [0, 0, 5000, 10]}]
    text = '\n'.join(json.dumps(x) for x in lines)
    labels.write_text(text + '\n{"id"', encoding='utf-8')
    capsys.readouterr()
    assert main(['import', str(labels), '-o', str(tmp_path / 'train')]) == 1
    said = capsys.readouterr().err
    for number, fault in {
        2: "'weather' cannot be 'sunny'",
        5: 'stands at',
        7: 'leads out of',
        9: 'not an image',
        10: 'is 320 x 192, not 7 x 192',
        11: 'reaches out of 320 x 192',
        13: 'not JSON',
    }.items():
        found = [line for line in said.splitlines() if f'labels.jsonl, line {number}: ' in line]
        assert len(found) == 1, number
        assert fault in found[0]
    assert not (tmp_path / 'train').exists()


def test_importing_again_adds_what_is_new_and_replaces_what_is_known(
    drive: Path, tmp_path: Path, capsys: CaptureFixture
) -> None:
    folder, train = exported(drive, tmp_path / 'out'), tmp_path / 'train'
    lines = (folder / 'labels.jsonl').read_text('utf-8').splitlines()
    (folder / 'half.jsonl').write_text('\n'.join(lines[:8]), encoding='utf-8')
    assert main(['import', str(folder / 'half.jsonl'), '-o', str(train)]) == 0
    capsys.readouterr()
    assert main(['import', str(folder / 'labels.jsonl'), '-o', str(train)]) == 0
    assert '4 frames added, 8 replaced' in capsys.readouterr().out
    assert len(read_labels(train / 'labels.jsonl', train, ['train'])) == FRAMES
    assert len(list((train / 'frames' / 'train').iterdir())) == FRAMES


def test_corrections_are_never_overwritten_by_an_export(
    drive: Path, tmp_path: Path, capsys: CaptureFixture
) -> None:
    folder = exported(drive, tmp_path / 'out')
    (folder / 'labels.jsonl').write_text('corrected', encoding='utf-8')
    assert main(['export', str(drive), '-o', str(folder)]) == 1
    assert 'exists already' in capsys.readouterr().err
    assert (folder / 'labels.jsonl').read_text('utf-8') == 'corrected'


def test_descriptions_without_images_ask_for_them(
    drive: Path, tmp_path: Path, capsys: CaptureFixture
) -> None:
    alone = write_described(tmp_path / 'alone.mcap', [describe(i) for i in range(3)], False)
    assert main(['export', str(alone), '-o', str(tmp_path / 'out')]) == 1
    assert '--images BAG' in capsys.readouterr().err
    arguments = ['export', str(alone), '-o', str(tmp_path / 'out'), '--images', str(drive)]
    assert main(arguments) == 0
    assert len(list((tmp_path / 'out' / 'frames').iterdir())) == 3


def test_pictures_can_be_read_by_any_tool(drive: Path, tmp_path: Path) -> None:
    done = caption('export', drive, '-o', tmp_path / 'out', '--format', 'coco-captions')
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / 'out' / 'captions_coco.json').read_text('utf-8'))
    for image in data['images']:
        pixels = cv2.imread(str(tmp_path / 'out' / image['file_name']))
        assert pixels.shape[:2] == (image['height'], image['width'])
