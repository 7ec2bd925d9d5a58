# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption index``, ``search`` and ``clip`` as users start them, on a rendered drive."""

from pathlib import Path
import shlex
import sqlite3

import pytest

from caption_node.bag.reader import BagReader
from caption_node.bag.writer import BagWriter
from caption_node.scenes import render_drive
from tests.conftest import rewrite_manifest
from tests.drawn import jpeg, png
from tests.e2e.command import DEADLINE_S, caption, lines, start

CAMERA = '/camera/front/image_raw/compressed'
START_NS = 1_700_000_000_000_000_000
FRAMES = 12


@pytest.fixture(scope='module')
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered drive with blanks in its name, one frame a second."""
    folder = tmp_path_factory.mktemp('drive')
    path = folder / 'my drive.mcap'
    with BagWriter(path) as writer:
        for i, (rgb, _, time_ns) in enumerate(render_drive(3, FRAMES, 1.0, 320, 180)):
            writer.write_compressed_image(CAMERA, START_NS + time_ns, 'optical', jpeg(rgb))
            if i == 6:
                (folder / 'like.png').write_bytes(png(rgb))
    return path


@pytest.fixture(scope='module')
def index(drive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drive, indexed by a run that was killed and by another that went on."""
    path = tmp_path_factory.mktemp('index') / 'drives.index'
    arguments = (
        'index', drive, '--index', path, '--every', '1s', '--batch', '1', '--jobs', '1',
    )  # fmt: skip
    process = start(*arguments)
    while not (path.exists() and rows(path)):
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate(timeout=DEADLINE_S)
    assert rows(path) == 8
    done = caption(*arguments)
    assert done.returncode == 0, done.stderr
    assert rows(path) == FRAMES
    again = caption(*arguments)
    assert again.returncode == 0
    assert 'is indexed already' in again.stderr
    assert rows(path) == FRAMES
    return path


def rows(path: Path) -> int:
    """Count the frames of an index, 0 before there are tables."""
    try:
        with sqlite3.connect(f'file:{path}?mode=ro', uri=True, timeout=10) as database:
            return int(database.execute('SELECT count(*) FROM frame').fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def test_newest_moment_plays_and_clips(drive: Path, index: Path, tmp_path: Path) -> None:
    done = caption('search', '--last', '1', '--json', '--index', index)
    assert done.returncode == 0, done.stderr
    (moment,) = lines(done.stdout)
    assert (moment['start_offset_s'], moment['duration_s']) == (0.0, FRAMES - 1.0)
    assert moment['bag'] == str(drive)
    assert moment['frames'] == FRAMES
    assert moment['best']['caption']
    play, replay = shlex.split(moment['play']), shlex.split(moment['replay'])
    assert play[:4] == ['ros2', 'bag', 'play', str(drive)]
    assert play[4:6] == ['--start-offset', '0.0']
    assert replay[:3] == ['caption', 'replay', str(drive)]
    cut = caption('clip', drive, '--start-offset', '3', '--playback-duration', '2s',
                  '-o', tmp_path / 'c.mcap')  # fmt: skip
    assert cut.returncode == 0, cut.stderr
    with BagReader(tmp_path / 'c.mcap') as clip:
        assert [m.log_time_ns - START_NS for m in clip.messages()] == [
            i * 1_000_000_000 for i in (3, 4, 5)
        ]
    text = caption('search', '--last', '1', '--index', index).stdout
    assert moment['play'] in text
    assert moment['replay'] in text


def test_the_picture_itself_is_the_most_alike(drive: Path, index: Path) -> None:
    done = caption(
        'search', '--like', drive.parent / 'like.png', '--gap', '0.1', '--json', '--index', index
    )
    assert done.returncode == 0, done.stderr
    best, *rest = lines(done.stdout)
    assert best['start_offset_s'] == 6.0
    assert best['similarity'] > 0.97
    assert all(m['similarity'] <= best['similarity'] for m in rest)
    filtered = caption(
        'search', '--like', drive.parent / 'like.png', '--where', 'recorded>=2030-01-01',
        '--index', index,
    )  # fmt: skip
    assert filtered.returncode == 1
    assert filtered.stdout == ''


def test_picture_of_another_model_is_refused(drive: Path, index: Path, model_copy: Path) -> None:
    graph = model_copy / 'model.onnx'
    # Another remark (doc_string) in the file: the same network under another hash.
    graph.write_bytes(graph.read_bytes() + b'\x32\x01x')
    rewrite_manifest(model_copy)
    done = caption(
        'search', '--like', drive.parent / 'like.png', '--model', model_copy, '--index', index
    )
    assert done.returncode == 1
    assert 'embeddings cannot be compared' in done.stderr
    assert 'hint: index the recordings anew' in done.stderr


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (['--where', 'lead=trck'], "hint: did you mean 'truck'?"),
        (['--like', '/none.jpg'], 'error: /none.jpg cannot be read'),
        ([], 'error: nothing to look for'),
        (['x', '--index', '/none/x.index'], 'error: the index /none/x.index does not exist'),
    ],
)
def test_wrong_questions_get_an_error_and_a_hint(
    index: Path, arguments: list[str], says: str
) -> None:
    done = caption('search', '--index', index, *arguments)
    assert done.returncode == 1
    assert done.stdout == ''
    assert says in done.stderr
    assert 'Traceback' not in done.stderr


def test_bad_recordings_are_named_and_the_rest_is_listed(index: Path, tmp_path: Path) -> None:
    (tmp_path / 'bad.mcap').write_bytes(b'')
    done = caption('index', tmp_path / 'bad.mcap', tmp_path / 'none', '--list', '--index', index)
    assert done.returncode == 1
    assert 'bad.mcap is empty' in done.stderr
    assert 'none does not exist' in done.stderr
    assert f'{FRAMES} frames' in done.stdout
    gone = caption('index', tmp_path / 'none', '--remove', '--index', index)
    assert gone.returncode == 1
    assert 'is not in the index' in gone.stderr
