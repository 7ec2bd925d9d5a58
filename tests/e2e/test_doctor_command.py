# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption doctor``."""

import json
import os
import subprocess
import time

from tests.e2e.command import caption, command


def test_report_names_everything_and_captions_work_here() -> None:
    done = caption('doctor', '--json')
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report['works'] is True
    found = {f['name']: f for f in report['findings']}
    for name in (
        'Python',
        'machine',
        'numpy',
        'image decoding',
        'providers',
        'model',
        'backend',
        'inference',
    ):
        assert found[name]['state'] == 'ok', found[name]
    for name in ('ROS 2', 'caption_msgs', 'TensorRT', 'TensorRT for RTX', 'GPU'):
        assert name in found
    assert found['backend']['detail'].startswith(('onnxruntime', 'tensorrt'))
    assert 'CPUExecutionProvider' in found['providers']['detail']
    assert 'ms a frame' in found['inference']['detail']
    for finding in found.values():
        assert finding['state'] == 'ok' or finding['hint'], f'no advice: {finding}'


def test_text_has_a_line_a_finding_and_a_verdict() -> None:
    done = caption('doctor')
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == 'captions can be made on this machine'
    assert 'sha256' in done.stdout
    assert 'verified' in done.stdout


def test_unknown_model_is_a_finding_and_status_1() -> None:
    done = caption('doctor', '--model', '/nowhere/at/all')
    assert done.returncode == 1
    assert '!!  model' in done.stdout
    assert 'captions can not be made' in done.stdout
    assert 'Traceback' not in done.stderr


def test_driver_that_hangs_does_not_hang_the_doctor(tmp_path: object) -> None:
    program = tmp_path / 'nvidia-smi'  # type: ignore[operator]
    program.write_text('#!/bin/sh\nexec sleep 600\n')
    program.chmod(0o755)
    begun = time.monotonic()
    done = subprocess.run(
        command(['doctor', '--json']),
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}'},
        check=False,
    )
    assert time.monotonic() - begun < 60
    (gpu,) = [f for f in json.loads(done.stdout)['findings'] if f['name'] == 'GPU']
    assert gpu['state'] == 'broken'
    assert 'does not answer' in gpu['detail']


def test_wrong_domain_is_named() -> None:
    done = subprocess.run(
        command(['doctor', '--json']),
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, 'ROS_DOMAIN_ID': '4000'},
        check=False,
    )
    found = {f['name']: f for f in json.loads(done.stdout)['findings']}
    if found['ROS 2']['state'] != 'missing':
        assert found['ROS domain']['state'] == 'broken'
        assert '232' in found['ROS domain']['hint']
