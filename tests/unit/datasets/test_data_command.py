# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption data``: what it prints, and with which status it ends."""

import json
from pathlib import Path

import pytest

from caption_node.cli import main

pytest.importorskip('yaml', reason='PyYAML is not installed (setup.sh --with-training)')


def test_rendered_phantoms_pass_and_broken_ones_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ['-o', str(tmp_path), '--count', '6', '--held-out', '2']
    assert main(['data', 'phantoms', *where]) == 0
    file = tmp_path / 'captions.json'
    line = ['data', 'check', str(file), '--config', 'configs/phantoms.yaml', '-q']
    assert main(line) == 0
    assert '8 pictures (test 2, train 6), 8 captions, 0 errors' in capsys.readouterr().out

    (tmp_path / 'images' / 'phantom00003.png').unlink()
    assert main(line) == 1
    printed = capsys.readouterr().out
    assert 'error: line 6, image 3: there is no ' in printed
    assert '[missing-picture]' in printed
    assert main([*line, '--json']) == 1
    said = json.loads(capsys.readouterr().out)
    assert said['splits'] == {'test': 2, 'train': 6}
    assert said['errors'] == len(said['problems']) == 1
    assert said['problems'][0] | {'message': ''} == {
        'severity': 'error',
        'kind': 'missing-picture',
        'place': 'image 3',
        'line': 6,
        'message': '',
    }


def test_files_that_cannot_be_read_end_with_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['data', 'check', str(tmp_path / 'no.json')]) == 1
    assert main(['data', 'check', str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.count('error: ') == 2
    assert 'hint: name the file' in said
