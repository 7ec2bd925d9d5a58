# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption engine``: real engines from a process of its own."""

import json
from pathlib import Path
import signal

import pytest

from caption_node.backends.libraries import installed_libraries
from caption_node.bundle import Bundle
from tests.e2e.command import DEADLINE_S, caption, lines, start
from tests.small_model import small_bundle

pytestmark = pytest.mark.skipif(
    'tensorrt_rtx' not in installed_libraries(),
    reason='tensorrt-rtx is not installed (requirements/tensorrt.txt)',
)


@pytest.fixture(scope='module')
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    pytest.importorskip('onnx')
    return small_bundle(tmp_path_factory.mktemp('models') / 'small')


def test_built_listed_verified_damaged_cleaned(small: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / 'engines'
    build = ('engine', 'build', '--model', small.path, '--target', 'sm89', '--folder', folder)
    done = caption(*build)
    assert done.returncode == 0, done.stderr
    (line,) = lines(done.stdout)
    engine = Path(line['engine'])
    assert (line['target'], line['precision'], line['found']) == ('sm89', 'fp16', False)
    assert engine.stat().st_size > 100_000
    assert 'parsing, ' in done.stderr
    again = caption(*build)
    assert again.returncode == 0
    assert lines(again.stdout)[0]['found'] is True
    assert 'parsing' not in again.stderr

    (entry,) = lines(caption('engine', 'list', '--folder', folder, '--json').stdout)
    assert entry['key']['model'] == 'small'
    assert entry['fault'] == ''
    assert caption('engine', 'verify', '--folder', folder).returncode == 0

    engine.write_bytes(engine.read_bytes()[:-1])
    checked = caption('engine', 'verify', '--folder', folder)
    assert checked.returncode == 1
    assert checked.stdout.startswith(f'!!  {engine.name}  it has ')
    cleaned = caption('engine', 'clean', '--folder', folder)
    assert cleaned.returncode == 0
    assert cleaned.stdout.splitlines()[-1].startswith('1 engines removed')
    assert not engine.exists()


def test_interrupted_build_ends_at_once_and_leaves_nothing(small: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / 'engines'
    process = start(
        'engine', 'build', '--model', small.path, '--target', 'sm86', '--folder', folder
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith('parsing'):
            break
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert 'Traceback' not in rest
    assert [p.suffix for p in folder.iterdir()] == ['.lock']


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (('--target', 'sm90'), 'does not build for sm90'),
        (('--target', 'gpu'), 'does not build for gpu'),
        (('--target', 'sm86', '--precision', 'int8'), 'is fp32, not int8'),
        (('--target', 'sm86', '--library', 'abacus'), "no library 'abacus'"),
        (('--target', 'sm86', '--folder', '/proc/engines'), 'engines cannot be kept'),
        (('--target', 'sm86', '--model', '/nowhere/at/all'), 'does not exist'),
    ],
)
def test_what_cannot_be_built_is_said(
    small: Bundle, arguments: tuple[str, ...], says: str
) -> None:
    done = caption('engine', 'build', '--model', small.path, *arguments)
    assert done.returncode == 1
    error, *more = done.stderr.splitlines()[-2:]
    assert error.startswith('error: ')
    assert says in error
    assert says == 'does not exist' or more[0].startswith('hint: ')


def test_int8_model_is_made_and_built(small: Bundle, tmp_path: Path) -> None:
    pictures = Path(__file__).parents[1] / 'contract' / 'golden'
    target = tmp_path / 'small_int8'
    made = caption('engine', 'quantize', '--model', small.path, '--frames', pictures, '-o', target)
    assert made.returncode == 0, made.stderr
    assert lines(made.stdout)[0]['pictures'] >= 4
    bundle = Bundle.load(target)
    assert (bundle.name, bundle.precision) == ('small-int8', 'int8')
    told = caption('image', next(pictures.glob('*.png')), '--model', target)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)['model']['precision'] == 'int8'
    folder = tmp_path / 'engines'
    built = caption('engine', 'build', '--model', target, '--target', 'sm86', '--folder', folder)
    assert built.returncode == 0, built.stderr
    assert lines(built.stdout)[0]['precision'] == 'int8'
    assert caption('engine', 'quantize', '--frames', pictures, '-o', target).returncode == 1
