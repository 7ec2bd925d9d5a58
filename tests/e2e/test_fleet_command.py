# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption fleet``: the same rows on every engine, whoever is killed on the way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import importlib.util
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import tempfile
from threading import Event
import time
from typing import Any

import pytest
from rosbags.rosbag2 import StoragePlugin

from caption_node.bag.index import open_index
from caption_node.cli import main
from caption_node.errors import BagError
from tests.e2e.command import DEADLINE_S, caption, command, heed_interrupts
from tests.recordings import COMPRESSED_CAMERA, cut, storage_file, write_rosbag2

FRAMES = 12
TOPICS = {COMPRESSED_CAMERA: 'sensor_msgs/msg/CompressedImage'}
OPTIONS = ('--every', '0', '--segment', '4', '--quiet')
Row = tuple[Any, ...]

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec('ray') is None, reason='Ray is missing: requirements/fleet.txt'
)


@pytest.fixture(scope='module')
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rosbag2 folders, one of each storage; a text file beside them."""
    folder = tmp_path_factory.mktemp('the drives')
    write_rosbag2(folder / 'a', StoragePlugin.MCAP, frames=FRAMES, topics=TOPICS)
    write_rosbag2(folder / 'b', StoragePlugin.SQLITE3, frames=FRAMES + 2, topics=TOPICS)
    (folder / 'readme.txt').write_text('not a recording', encoding='utf-8')
    return folder


@pytest.fixture(scope='module')
def expected(drives: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """What `caption index` makes of the drives, one after another."""
    index = tmp_path_factory.mktemp('index') / 'plain.index'
    bags = [str(drives / 'a'), str(drives / 'b')]
    arguments = ['index', *bags, '--index', str(index), '--every', '0']
    assert main([*arguments, '--jobs', '1', '--threads', '1', '--quiet']) == 0
    return rows_of(index)


def rows_of(index: Path) -> list[Row]:
    """Return everything that an index says of every frame."""
    with open_index(index) as found:
        assert all(bag.is_complete for bag in found.bags())
        rows = []
        for row in found.frames(with_thumbnails=True):
            said = row.description.to_json()
            vector = found.frame(row.id).description.embedding
            assert vector is not None
            bag = Path(said.pop('file')).name
            rows.append((bag, row.log_time_ns, said, row.thumbnail, vector.tobytes()))
    assert rows
    return rows


@contextmanager
def running(*arguments: object) -> Iterator['subprocess.Popen[str]']:
    """Run the command beside the test, in a group of processes that ends with it."""
    process = subprocess.Popen(
        command(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline_s = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline_s
        Event().wait(0.01)
    return found


def workers_of(pid: int, mark: bytes) -> list[int]:
    """Return the descendants of a process whose command line holds a mark."""
    parents: dict[int, int] = {}
    lines: dict[int, bytes] = {}
    for folder in Path('/proc').iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / 'stat').read_text()
                lines[int(folder.name)] = (folder / 'cmdline').read_bytes()
            except OSError:
                continue  # it has just ended
            parents[int(folder.name)] = int(stat.rsplit(')', 1)[1].split()[1])
    found = []
    for number, line in lines.items():
        above = number
        while above in parents and above != pid:
            above = parents[above]
        if above == pid and number != pid and mark in line:
            found.append(number)
    return found


def count_of(index: Path) -> int:
    try:
        with open_index(index) as found:
            return found.count()
    except BagError:
        return 0  # not made yet


@pytest.mark.parametrize(
    ('engine', 'mark'),
    [('local', b'spawn_main'), pytest.param('ray', b'ray::_run', marks=needs_ray)],
)
def test_two_workers_one_of_them_killed_give_the_rows_of_one_process(
    drives: Path, expected: list[Row], tmp_path: Path, engine: str, mark: bytes
) -> None:
    index = tmp_path / 'fleet.index'
    arguments = ('fleet', drives, '--index', index, '--engine', engine, '--jobs', '2', *OPTIONS)
    with running(*arguments) as process:
        wait_for(lambda: count_of(index) or process.poll() is not None)
        if process.poll() is not None:
            errors = process.communicate()[1]
            if 'no Ray cluster on this machine' in errors:
                pytest.skip('this machine is too busy to start Ray, which waits for 15 s')
            pytest.fail(f'it ended before a worker could be killed: {errors}')
        (victim, *_) = wait_for(lambda: workers_of(process.pid, mark))
        os.kill(victim, signal.SIGKILL)
        out, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, errors
    assert '2 of 2 recordings' in out
    assert rows_of(index) == expected


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Ray cluster of this machine's own, as `ray start` makes it; yields its address."""
    monkeypatch.setenv('RAY_AUTH_MODE', 'disabled')
    monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '0')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    # A Unix socket of Ray's lies in there: its path must be short.
    with tempfile.TemporaryDirectory(prefix='ray', ignore_cleanup_errors=True) as folder:
        line = ['ray', 'start', '--head', '--block', '--num-cpus=2', f'--port={port}']
        line += ['--node-ip-address=127.0.0.1', '--include-dashboard=false']
        head = subprocess.Popen(
            [str(Path(sys.executable).with_name(line[0])), *line[1:], f'--temp-dir={folder}'],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=os.setpgrp,
        )
        assert head.stdout is not None
        try:
            if not any('Ray runtime started' in text for text in head.stdout):
                pytest.skip('this machine is too busy to start Ray, which waits for 15 s')
            yield f'127.0.0.1:{port}'
        finally:
            # It would wait for its processes one after another.
            with suppress(ProcessLookupError):
                os.killpg(head.pid, signal.SIGKILL)
            head.wait(20)
            head.stdout.close()


@needs_ray
def test_a_cluster_that_runs_already_gives_the_same_rows(
    drives: Path, expected: list[Row], tmp_path: Path, cluster: str
) -> None:
    index = tmp_path / 'fleet.index'
    address = ('--engine', 'ray', '--address', cluster)
    done = caption('fleet', drives, '--index', index, *address, *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert '2 of 2 recordings' in done.stdout
    assert rows_of(index) == expected


@needs_ray
@pytest.mark.parametrize(
    'address', ['127.0.0.1:1', '127.0.0.1:99999', 'no.such.host.invalid:6379']
)
def test_a_cluster_that_does_not_answer_is_named_at_once(
    drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    line = ['fleet', str(drives), '--index', str(tmp_path / 'x.index'), *OPTIONS]
    assert main([*line, '--engine', 'ray', '--address', address]) == 1
    assert f'error: no Ray cluster at {address}: ' in capsys.readouterr().err


def test_a_killed_run_goes_on_and_other_commands_know_what_is_done(
    drives: Path, expected: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / 'fleet.index'
    arguments = ('fleet', drives, '--index', index, '--jobs', '1', *OPTIONS)
    with running(*arguments) as process:
        wait_for(lambda: count_of(index))
        process.kill()
    begun = count_of(index)
    assert 0 < begun < len(expected)
    done = caption(*arguments)
    assert done.returncode == 0, done.stderr
    assert f'{len(expected) - begun} images' in done.stdout
    assert rows_of(index) == expected
    assert main([str(a) for a in arguments]) == 0
    assert '2 of them indexed already, 0 images' in capsys.readouterr().out
    again = ['index', str(drives / 'a'), '--index', str(index), '--every', '0', '--jobs', '1']
    assert main(again) == 0
    assert 'is indexed already' in capsys.readouterr().err


def test_a_broken_recording_is_named_and_the_others_are_done(
    expected: list[Row], tmp_path: Path
) -> None:
    write_rosbag2(tmp_path / 'drives' / 'a', StoragePlugin.MCAP, frames=FRAMES, topics=TOPICS)
    broken = write_rosbag2(tmp_path / 'drives' / 'c', frames=4, topics=TOPICS)
    storage_file(broken).write_bytes(b'')
    half = write_rosbag2(tmp_path / 'drives' / 'd', frames=FRAMES, topics=TOPICS)
    cut(storage_file(half), 0.7)
    index = tmp_path / 'fleet.index'
    pattern = str(tmp_path / 'drives' / '*')
    done = caption('fleet', pattern, '--index', index, '--jobs', '1', *OPTIONS)
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert str(broken) in done.stderr
    assert str(half) in done.stderr
    assert '1 failed' in done.stdout
    rows = [r for r in rows_of(index) if r[0] == 'a']
    assert rows == [r for r in expected if r[0] == 'a']


def test_recordings_may_come_from_an_address(
    drives: Path, expected: list[Row], tmp_path: Path
) -> None:
    pytest.importorskip('fsspec', reason='fsspec is missing: requirements/fleet.txt')
    index = tmp_path / 'fleet.index'
    address = f'file://{drives}'
    done = caption('fleet', address, '--index', index, '--jobs', '1', *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert rows_of(index) == expected
    with open_index(index) as found:
        assert [b.path for b in found.bags()] == [f'{address}/a', f'{address}/b']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['/nowhere/*.mcap'], 'no recording there'),
        (['s9://bucket/drives'], 's9'),
        (['{drives}', '--model', '/nowhere'], '/nowhere'),
        (['{drives}', '--topics', '/other'], 'has no topic /other'),
    ],
)
def test_bad_usage_is_an_error(
    drives: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    filled = [a.format(drives=drives) for a in arguments]
    index = str(tmp_path / 'x.index')
    assert main(['fleet', *filled, '--index', index, '--jobs', '1', *OPTIONS]) == 1
    said = capsys.readouterr().err
    assert said.startswith('error: ')
    assert message in said
