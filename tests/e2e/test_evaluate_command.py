# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption evaluate``: from labelled pictures to figures, and every way in which input is bad."""

from collections.abc import Callable
import io
import json
import os
from pathlib import Path
import signal
from time import monotonic
from typing import Any
import xml.etree.ElementTree as ElementTree

import pytest

from caption_node.cli import main
from caption_node.commands.evaluate_files import frame_path
from tests.drawn import draw_street, jpeg
from tests.e2e.command import DEADLINE_S, caption, lines, start
from tests.schema import check_line
from tests.unit.evaluation.examples import FIELDS, annotation, label_line

Run = Callable[..., tuple[int, str, str]]
NAMES = ('a', 'b', 'c', 'd')


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Four labelled frames of two sources; the picture of the last one is missing."""
    folder = tmp_path / 'data' / 'frames' / 'val'
    folder.mkdir(parents=True)
    rows = []
    for number, name in enumerate(NAMES):
        if name != 'd':
            (folder / f'{name}.jpg').write_bytes(jpeg(draw_street(number)))
        said = [annotation(f'A street with {number} cars.', vehicles=number) for _ in range(2)]
        rows.append(label_line(name, *said, source='here' if number < 2 else 'there'))
    file = tmp_path / 'data' / 'labels.jsonl'
    file.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return file


@pytest.fixture
def run(labels: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process."""

    def runner(*arguments: object) -> tuple[int, str, str]:
        status = main(['evaluate', '--labels', str(labels), *(str(a) for a in arguments)])
        out, err = capsys.readouterr()
        return status, out, err

    return runner


def said(name: str, number: int = 0, **more: Any) -> str:
    scene = {
        f: {'value': v, 'confidence': 0.75} for f, v in {**FIELDS, 'vehicles': number}.items()
    }
    line = {
        'file': f'{name}.jpg',
        'caption': f'A street with {number} cars.',
        'status': 'ok',
        'confidence': 0.75,
        'scene': scene,
        'objects': [],
    }
    return json.dumps({**line, **more}) + '\n'


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """Perfect descriptions of all four frames."""
    file = tmp_path / 'said.jsonl'
    file.write_text(''.join(said(name, number) for number, name in enumerate(NAMES)))
    return file


def test_pictures_are_described_measured_and_written(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    done = caption(
        'evaluate', '--labels', labels, '--frames', labels.parent, '--json', '--output', out
    )
    assert 'Traceback' not in done.stderr
    assert done.returncode == 1
    assert 'd.jpg' in done.stderr
    assert '1 of 4 frames of val have no description and count as wrong: d' in done.stderr
    assert 'caption: 4 frames, 1 failed' in done.stderr
    printed = lines(done.stdout)[0]
    figures = printed['splits']['val']
    assert figures['missing_frames'] == ['d']
    assert figures['frames'] == 4
    assert set(figures['groups']) == {'source', 'time', 'surface', 'weather'}
    assert json.loads((out / 'evaluation.json').read_text()) == printed
    kept = lines((out / 'predictions.jsonl').read_text())
    for line in kept:
        check_line(line)
    assert [Path(line['file']).stem for line in kept] == list(NAMES)
    assert '**Macro-F1 of the fields**' in (out / 'evaluation.md').read_text()
    ElementTree.parse(out / 'reliability.svg')
    # What it wrote gives the same figures again.
    again = caption(
        'evaluate', '--labels', labels, '--predictions', out / 'predictions.jsonl', '--json'
    )
    assert lines(again.stdout)[0]['splits'] == printed['splits']


@pytest.mark.parametrize('folder', ['.', 'frames', 'frames/val'])
def test_any_folder_on_the_way_holds_the_pictures(labels: Path, folder: str) -> None:
    found = frame_path(labels.parent / folder, 'frames/val/a.jpg')
    assert found.samefile(labels.parent / 'frames' / 'val' / 'a.jpg')
    missing = frame_path(labels.parent / folder, 'frames/val/d.jpg')
    assert missing == labels.parent / folder / 'frames' / 'val' / 'd.jpg'


def test_perfect_descriptions_reach_the_annotators(run: Run, predictions: Path) -> None:
    status, out, err = run('--predictions', predictions, '--json')
    figures = json.loads(out)['splits']['val']
    assert (status, err) == (0, '')
    assert figures['field_f1'] == {'system': 1.0, 'annotators': 1.0, 'share': 1.0}
    assert figures['sentences']['cider_d_one_reference']['share'] == 1.0
    assert figures['calibration']['pooled']['ece'] == pytest.approx(0.25)


def test_predictions_may_come_from_standard_input_and_from_several_files(
    run: Run, predictions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = predictions.read_text().splitlines(keepends=True)
    (tmp_path / 'first.jsonl').write_text(''.join(rows[:2]))
    monkeypatch.setattr('sys.stdin', io.StringIO(''.join(rows[2:])))
    status, out, _ = run('--predictions', tmp_path / 'first.jsonl', '-', '--json')
    assert status == 0
    assert json.loads(out)['splits']['val']['missing'] == 0


def test_tables_are_printed_for_people_and_for_the_model_card(run: Run, predictions: Path) -> None:
    status, out, _ = run('--predictions', predictions)
    assert status == 0
    assert 'Macro-F1 of the fields' in out
    assert 'mean of the fields' in out
    _, markdown, _ = run('--predictions', predictions, '--table', 'markdown')
    assert '| **mean of the fields** | 1.000 | 1.000 | 100.0% |' in markdown
    assert '| source: there | 2 |' in markdown


def test_source_restricts_the_frames(run: Run, predictions: Path) -> None:
    _, out, _ = run('--predictions', predictions, '--source', 'here', '--json')
    assert json.loads(out)['splits']['val']['frames'] == 2


def test_each_source_is_measured_by_the_model_that_did_not_know_it(
    run: Run, tmp_path: Path
) -> None:
    # Each file holds all frames, but is right only where its model was not trained.
    for source, right in (('here', 'ab'), ('there', 'cd')):
        rows = (said(n, i if n in right else 9) for i, n in enumerate(NAMES))
        (tmp_path / f'{source}.jsonl').write_text(''.join(rows))
    pairs = [f'{source}={tmp_path / source}.jsonl' for source in ('here', 'there')]
    status, out, err = run('--leave-one-out', *pairs, '--json')
    figures = json.loads(out)['splits']['val']
    assert (status, err) == (0, '')
    assert figures['fields']['vehicles']['system'] == 1.0
    assert {s: g['frames'] for s, g in figures['groups']['source'].items()} == {
        'here': 2,
        'there': 2,
    }
    status, out, err = run('--leave-one-out', pairs[0], '--json')
    assert json.loads(out)['splits']['val']['frames'] == 2
    assert 'not measured, no file was given for it: there' in err
    status, _, err = run('--leave-one-out', 'moon=x.jsonl')
    assert status == 1
    assert 'hint: write SOURCE=FILE; sources: here, there' in err


def test_bad_lines_are_named_and_the_rest_is_measured(
    run: Run, predictions: Path, tmp_path: Path
) -> None:
    rows = predictions.read_text().splitlines(keepends=True)
    # The writer was killed in the middle of the last line.
    predictions.write_text(''.join([*rows[:3], 'no json\n', rows[3][:90]]))
    status, out, err = run('--predictions', predictions, '--json')
    assert status == 1
    assert json.loads(out)['splits']['val']['missing_frames'] == ['d']
    assert f'error: {predictions}, line 4: not JSON' in err
    assert f'error: {predictions}, line 5: not JSON' in err
    assert 'warning: 1 of 4 frames of val' in err


@pytest.mark.parametrize(
    ('arguments', 'message', 'hint'),
    [
        (['--predictions', '/nowhere.jsonl'], '/nowhere.jsonl cannot be read: No such file', ''),
        (['--predictions', '/dev/null'], 'no frame has a description', 'for instance a.jpg'),
        (['--predictions', '/dev/zero'], 'longer than', 'one object a line'),
        (
            ['--predictions', '/dev/null', '--split', 'test'],
            "in split 'test'",
            'val (here, there)',
        ),
        (['--predictions', '/dev/null', '--source', 'x'], "of source 'x'", 'val (here, there)'),
        (['--predictions', '/dev/null', '--diagram', 'a.png'], 'is no .svg file', ''),
        (['--predictions', '/dev/null', '-o', '/dev/null/x'], 'cannot be written', '--output'),
        (['--frames', '/nowhere'], 'folder of frames /nowhere does not exist', ''),
    ],
)
def test_unusable_input_is_an_error_with_a_hint(
    run: Run, arguments: list[str], message: str, hint: str
) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (1, '')
    assert err.startswith('error: ')
    assert message in err
    assert hint in err


def test_folder_without_any_picture_is_an_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / 'empty').mkdir()
    status, out, err = run('--frames', tmp_path / 'empty', '-q', '--threads', 1)
    assert (status, out) == (1, '')
    assert 'error: no frame has a description: there is nothing to measure' in err


def test_full_disk_is_an_error_line(run: Run, predictions: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'evaluation.json').mkdir()
    status, printed, err = run('--predictions', predictions, '--output', out)
    assert (status, printed) == (1, '')
    assert 'evaluation.json cannot be written' in err


def test_interrupted_run_keeps_the_descriptions_made_so_far(labels: Path, tmp_path: Path) -> None:
    folder = labels.parent / 'frames' / 'val'
    rows = labels.read_text().splitlines(keepends=True)
    picture = jpeg(draw_street(1, 1280, 720))
    for number in range(2000):
        row = json.loads(rows[0])
        rows.append(json.dumps({**row, 'id': f'x{number}', 'file': f'x{number}.jpg'}) + '\n')
        os.symlink('x.jpg', folder / f'x{number}.jpg')
    (folder / 'x.jpg').write_bytes(picture)
    labels.write_text(''.join(rows))
    kept = tmp_path / 'out' / 'predictions.jsonl'
    process = start('evaluate', '--labels', labels, '--frames', folder, '-o', kept.parent, '-q')
    try:
        deadline = monotonic() + DEADLINE_S
        while not (kept.is_file() and kept.read_bytes().count(b'\n') > 4):
            assert process.poll() is None
            assert monotonic() < deadline
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert 'Traceback' not in err
    text = kept.read_text()
    assert text.endswith('\n')
    assert len(lines(text)) > 4
