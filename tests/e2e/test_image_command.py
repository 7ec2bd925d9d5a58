# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption image``: files, folders, globs, and every way in which they can be bad."""

import os
from pathlib import Path
import signal
import subprocess

import cv2
import pytest

from tests.drawn import draw_street, huge_jpeg, huge_png, jpeg, png, write_video
from tests.e2e.command import DEADLINE_S, caption, command, lines, start
from tests.schema import check_line


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / 'pictures and more'
    (folder / 'b').mkdir(parents=True)
    (folder / '.hidden').mkdir()
    (folder / '2.jpg').write_bytes(jpeg(draw_street(2)))
    (folder / '10.PNG').write_bytes(png(draw_street(10, 641, 359)))
    (folder / 'b' / '1.jpeg').write_bytes(jpeg(draw_street(1, 1280, 720)))
    (folder / 'notes.txt').write_text('not a picture')
    (folder / '.hidden' / 'x.jpg').write_bytes(b'no')
    return folder


def test_files_folders_and_globs_give_schema_lines_in_order(pictures: Path) -> None:
    one = pictures / '2.jpg'
    done = caption(
        'image',
        one,
        pictures,
        pictures / '*.P*',
        '--camera',
        'front',
        '--overlay',
        pictures / 'drawn',
    )
    assert done.returncode == 0, done.stderr
    said = lines(done.stdout)
    for line in said:
        check_line(line)
    names = [os.path.relpath(line['file'], pictures) for line in said]
    assert names == ['2.jpg', '10.PNG', '2.jpg', 'b/1.jpeg', '10.PNG']
    assert {line['camera'] for line in said} == {'front'}
    drawn = sorted(
        str(p.relative_to(pictures / 'drawn')) for p in (pictures / 'drawn').rglob('*.jpg')
    )
    assert drawn == ['10.jpg', '10_2.jpg', '2.jpg', '2_2.jpg', 'b/1.jpg']
    assert cv2.imread(str(pictures / 'drawn' / 'b' / '1.jpg')).shape[1] >= 1280


def test_same_picture_gets_the_same_description_alone_and_in_a_batch(pictures: Path) -> None:
    alone = lines(caption('image', pictures / '2.jpg', '--batch', '1').stdout)[0]
    together = lines(caption('image', pictures, '--batch', '8').stdout)[1]
    for key in ('file', 'caption', 'hazard', 'status'):
        assert alone[key] == together[key]
    values = [{k: v['value'] for k, v in said['scene'].items()} for said in (alone, together)]
    assert values[0] == values[1]


BAD = {
    'zero.jpg': (b'', 'is empty (0 bytes)'),
    'text.jpg': (b'this is text', 'not an image'),
    'truncated.jpg': (jpeg(draw_street())[:2000], 'truncated'),
    'truncated.png': (png(draw_street())[:2000], 'truncated'),
    'huge.jpg': (huge_jpeg(), '60000 x 60000'),
    'huge.png': (huge_png(), '60000 x 60000'),
    'header.jpg': (b'\xff\xd8\xff', 'truncated'),
    'zeros.bmp': (bytes(4000), 'not an image'),
    'a.mp4': (b'video', '`caption video`'),
    'a.mcap': (b'bag', '`caption bag`'),
}


def test_every_bad_file_has_its_own_error_line_and_stops_no_other(tmp_path: Path) -> None:
    for name, (content, _) in BAD.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / 'good.jpg').write_bytes(jpeg(draw_street()))
    (tmp_path / 'empty folder').mkdir()
    (tmp_path / 'link.jpg').symlink_to(tmp_path / 'nowhere')
    expected = {str(tmp_path / name): says for name, (_, says) in BAD.items()} | {
        str(tmp_path / 'empty folder'): 'holds no pictures',
        str(tmp_path / 'link.jpg'): 'No such file',
        str(tmp_path / 'missing.jpg'): 'No such file',
        str(tmp_path / '*.gif'): 'nothing matches',
    }
    done = caption('image', *expected, tmp_path / 'good.jpg')
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    said = lines(done.stdout)
    assert [line['file'] for line in said] == [*expected, str(tmp_path / 'good.jpg')]
    for line in said:
        check_line(line)
    for line, says in zip(said, expected.values(), strict=False):
        assert line['status'] == 'error'
        assert says in line['error']
    assert said[-1]['status'] in ('ok', 'abstain')


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read everything')
def test_folder_without_permission_is_named(tmp_path: Path) -> None:
    locked = tmp_path / 'locked'
    locked.mkdir(mode=0)
    done = caption('image', locked)
    assert done.returncode == 1
    assert 'Permission denied' in lines(done.stdout)[0]['error']


def test_file_name_that_is_no_text_is_printed_as_json(tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b'caf\xe9 \xff.jpg')
    Path(os.fsdecode(path)).write_bytes(jpeg(draw_street()))
    done = caption('image', tmp_path)
    assert done.returncode == 0, done.stderr
    assert os.fsencode(lines(done.stdout)[0]['file']) == path


def test_one_overlay_file_for_one_picture(pictures: Path) -> None:
    target = pictures / 'new' / 'drawn.png'
    done = caption('image', pictures / '2.jpg', '--overlay', target, '-q')
    assert (done.returncode, done.stderr) == (0, '')
    assert cv2.imread(str(target)) is not None
    done = caption('image', pictures, '--overlay', target)
    assert done.returncode == 1
    assert 'error: --overlay' in done.stderr
    assert 'hint: name a folder' in done.stderr


def test_closed_pipe_ends_the_command_quietly(many: Path) -> None:
    process = start('image', many, '--batch', '1')
    assert process.stdout is not None
    assert process.stderr is not None
    check_line(lines(process.stdout.readline())[0])
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(DEADLINE_S) == 128 + signal.SIGPIPE
    process.stderr.close()
    assert 'Traceback' not in errors
    assert 'error' not in errors.lower()


def test_full_disk_is_an_error_with_its_reason(pictures: Path) -> None:
    with open('/dev/full', 'w') as full:
        process = start('image', pictures, stdout=full)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert 'error: standard output cannot be written: No space left on device' in errors
    assert 'Traceback' not in errors
    assert 'Exception ignored' not in errors


def test_interrupt_keeps_whole_lines_and_says_nothing_more(many: Path) -> None:
    process = start('image', many, '--batch', '1')
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert 'Traceback' not in errors
    said = lines(first + rest)
    assert 0 < len(said) < len(list(many.iterdir()))
    for line in said:
        check_line(line)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / 'many'
    folder.mkdir()
    (tmp_path / 'one.jpg').write_bytes(jpeg(draw_street()))
    for i in range(3000):
        (folder / f'{i:05d}.jpg').symlink_to(tmp_path / 'one.jpg')
    return folder


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        ([], 'COMMAND'),
        (['image'], 'PATH'),
        (['paint', 'a.jpg'], 'paint'),
        (['image', 'a.jpg', '--threads', '-1'], 'whole number'),
        (['image', 'a.jpg', '--batch', '0'], 'from 1 up'),
        (['video', 'a.mp4', '--every', 'often'], '0.5s'),
        (['video', 'a.mp4', '--every', 'nan'], '0.5s'),
        (['video'], 'FILE'),
        (['bag'], 'BAG'),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], says: str) -> None:
    done = caption(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ''
    assert 'Traceback' not in done.stderr


def test_unknown_backend_is_named_with_those_there_are(pictures: Path) -> None:
    done = caption('image', pictures, '--backend', 'abacus')
    assert done.returncode == 1
    assert "error: no backend 'abacus'" in done.stderr
    assert 'onnxruntime' in done.stderr


def test_version_and_help_need_no_model() -> None:
    assert caption('--version').stdout.startswith('caption 0.')
    done = caption('--help')
    assert done.returncode == 0
    for word in ('image', 'video', 'bag', 'replay', 'doctor'):
        assert word in done.stdout


def test_real_frames_are_described(shared: Path) -> None:
    frames = sorted((shared / 'data' / 'frames' / 'val').iterdir())[::15]
    done = caption('image', *frames)
    assert done.returncode == 0, done.stderr
    said = lines(done.stdout)
    assert [line['file'] for line in said] == [str(f) for f in frames]
    for line in said:
        check_line(line)
    assert len({line['caption'] for line in said}) > 1


def test_video_name_among_pictures_is_explained(tmp_path: Path) -> None:
    write_video(str(tmp_path / 'drive.mp4'))
    said = lines(caption('image', tmp_path / 'drive.mp4').stdout)
    assert 'for this kind use `caption video`' in said[0]['error']


def test_output_is_flushed_line_by_line(many: Path) -> None:
    process = start('image', many, '--batch', '1')
    assert process.stdout is not None
    assert process.stdout.readline().startswith('{')
    assert process.poll() is None, 'the first line came while the rest was still to do'
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_S)


def test_closed_standard_output_is_an_error(pictures: Path) -> None:
    done = subprocess.run(
        ['bash', '-c', 'exec "$@" >&-', 'bash', *command(['image', pictures])],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 1
    assert 'error: standard output is closed' in done.stderr


def test_closed_standard_error_does_not_spoil_the_lines(pictures: Path) -> None:
    (pictures / 'bad.jpg').write_bytes(b'')
    done = subprocess.run(
        ['bash', '-c', 'exec "$@" 2>&-', 'bash', *command(['image', pictures])],
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 1
    assert len(lines(done.stdout)) == 4
