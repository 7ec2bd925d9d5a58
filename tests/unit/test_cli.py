# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Options of the command line, read in this process."""

import argparse
from pathlib import Path

import pytest

from caption_node.cli import build_parser, count, duration_s, main, positive
from caption_node.commands.image import find_images


@pytest.mark.parametrize(
    ('text', 'seconds'),
    [
        ('0.5', 0.5),
        ('0.5s', 0.5),
        ('500ms', 0.5),
        ('2min', 120),
        ('.25 s', 0.25),
        ('3', 3),
        ('0', 0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    'text', ['', 's', '-1', 'inf', 'nan', '1h', '1e3', '0.5.5', '٣', '9' * 400]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match='is not a duration'):
        duration_s(text)


@pytest.mark.parametrize('text', ['', '-1', '1.5', 'x', '٣', '9' * 12])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        count(text)


def test_counts() -> None:
    assert (count('0'), positive('8')) == (0, 8)
    with pytest.raises(argparse.ArgumentTypeError):
        positive('0')


def test_defaults_are_those_of_the_help() -> None:
    options = build_parser().parse_args(['bag', 'drive'])
    assert (options.every, options.batch, options.threads, options.backend) == (0, 4, 0, 'auto')
    assert (options.topics, options.merge, options.jsonl, options.output) == (
        [],
        False,
        False,
        None,
    )


def test_file_whose_name_looks_like_a_glob_is_a_file(tmp_path: object) -> None:
    path = tmp_path / 'a[1].jpg'  # type: ignore[operator]
    path.write_bytes(b'')
    (found,) = find_images([str(path)])
    assert (found.file, found.problem) == (str(path), '')


@pytest.mark.parametrize(
    ('line', 'named'),
    [
        (['bag', ''], 'an argument'),
        (['index', 'drive', ''], 'an argument'),
        (['image', ''], 'an argument'),
        (['render', ''], 'an argument'),
        (['fleet', 'drives', '--index', ''], '--index'),
        (['train', '--config='], '--config'),
        (['data', 'check', ''], 'an argument'),
        (['search', 'truck', '--like', ''], '--like'),
    ],
)
def test_empty_paths_are_refused(
    line: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line) == 1
    said = capsys.readouterr().err
    assert f'error: {named} is empty' in said
    assert 'hint: ' in said


def test_words_and_filters_may_be_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['search', '', '--where', '', '--index', str(tmp_path / 'none')]) == 1
    assert 'nothing to look for' in capsys.readouterr().err


def test_a_folder_is_no_name_of_a_recording(capsys: pytest.CaptureFixture[str]) -> None:
    for place in ('.', '/'):
        assert main(['render', place, '--seconds', '1', '-q']) == 1
    assert 'Traceback' not in capsys.readouterr().err
