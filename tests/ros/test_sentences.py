# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences by rules from the node and from recordings: the baseline where one wants it."""

import json
from pathlib import Path

import pytest

from caption_node.cli import main
from caption_node.description import SceneDescription
from caption_node.ros.conversions import message_to_description
from caption_node.rule_sentences import rule_sentence
from tests.described import describe, write_described
from tests.ros.conftest import ColourCamera, Listener, Start, node_line

pytestmark = pytest.mark.ros


def by_rules(said: SceneDescription) -> str:
    return rule_sentence(said.scene, said.objects)[0]


def test_the_node_words_by_rules_when_asked(
    start: Start, listener: Listener, tiny_model: Path
) -> None:
    heard = listener.listen('/caption_node/description')
    parameters = (f'model:={tiny_model}', 'sentences:=rules', 'sentence_hold_s:=0.0',
                  'smoothing_s:=0.0', 'backend:=onnxruntime')  # fmt: skip
    node = start(*node_line(*(a for p in parameters for a in ('-p', p))))
    assert listener.shown(ColourCamera(listener), 'grey', lambda: len(heard) > 2), node.output
    said = message_to_description(heard[-1])
    assert said.caption == by_rules(said)


def test_recordings_are_worded_by_rules_when_asked(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = write_described(tmp_path / 'drive.mcap', [describe(k) for k in range(3)])
    by = ['--model', str(tiny_model), '--backend', 'onnxruntime', '-q']
    said = {}
    for who in ('model', 'rules'):
        out = str(tmp_path / f'{who}.mcap')
        assert main(['bag', str(drive), *by, '--sentences', who, '-o', out, '--jsonl']) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        said[who] = [SceneDescription.from_json(row) for row in rows]
    assert [d.caption for d in said['rules']] == [by_rules(d) for d in said['model']]
    assert said['rules'][0].caption != said['model'][0].caption

    where = ['--index', str(tmp_path / 'x.index')]
    assert main(['index', str(drive), *by, *where]) == 0
    # Another wording is another index; the fleet knows what the other command has made.
    assert main(['index', str(drive), *by, *where, '--sentences', 'rules']) == 0
    assert 'indexed already' not in capsys.readouterr().err
    fleet = ['fleet', str(drive), *by, *where, '--sentences', 'rules', '--jobs', '1']
    assert main(fleet) == 0
    assert '1 of them indexed already' in capsys.readouterr().out
