# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
``caption doctor``: what this machine has, and what to do about what is missing.

Every probe is bounded in time; what may hang or crash (drivers, ROS) is asked in another process.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
import importlib
from importlib import metadata
import importlib.util
import json
import os
from pathlib import Path
import platform
import shutil
import subprocess
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from caption_node import __version__
from caption_node.errors import CaptionError

if TYPE_CHECKING:
    from caption_node.bundle import Bundle

State = Literal['ok', 'missing', 'broken']
PROBE_TIMEOUT_S = 20.0
GPU_TIMEOUT_S = 5.0
_HIGHEST_DOMAIN = 232

_PACKAGES = (
    ('numpy', ('numpy',), True, 'all that is done with pictures'),
    (
        'opencv',
        ('opencv-python-headless', 'opencv-python', 'opencv-contrib-python'),
        True,
        'images',
    ),
    ('onnxruntime', ('onnxruntime', 'onnxruntime-gpu', 'onnxruntime-openvino'), True, 'the model'),
    ('rosbags', ('rosbags',), False, '`caption bag` and `caption replay`'),
    ('mcap', ('mcap',), False, '`caption bag` and `caption replay`'),
    ('rich', ('rich',), False, 'the progress bar'),
)
_TENSORRT = (
    'tensorrt',
    'tensorrt-cu13',
    'tensorrt-cu12',
    'tensorrt-lean-cu13',
    'tensorrt-lean-cu12',
)
_TENSORRT_RTX = ('tensorrt-rtx', 'tensorrt-rtx-cu13', 'tensorrt-rtx-cu12')
_ASK_ROS = """
import os, rclpy
print(rclpy.get_rmw_implementation_identifier())
print(os.environ.get('ROS_DISTRO', ''))
"""
_ASK_MESSAGES = """
from caption_msgs.msg import SceneDescription
from rclpy.type_support import check_for_type_support
check_for_type_support(SceneDescription)
print(SceneDescription.__module__.split('.')[0])
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What one probe found.

    :param name: What was looked for.
    :param state: ``ok``, ``missing``, or ``broken``: there, but not usable.
    :param detail: Version, size, time and so on.
    :param hint: What to do if it is not ok.
    :param is_needed: Whether captions cannot be made without it.
    """

    name: str
    state: State
    detail: str
    hint: str = ''
    is_needed: bool = False


def run_doctor(options: argparse.Namespace) -> int:
    """
    Print the findings.

    :returns: 0 if captions can be made on this machine, else 1.
    """
    from caption_node.commands.lines import print_text

    findings: list[Finding] = []
    for finding in examine(options.model):
        findings.append(finding)
        if not options.json:
            print_text(_line(finding))
    works = all(f.state == 'ok' for f in findings if f.is_needed)
    if options.json:
        report = {'works': works, 'findings': [asdict(f) for f in findings]}
        print_text(json.dumps(report, indent=2))
    elif works:
        print_text('captions can be made on this machine')
    else:
        print_text('captions can not be made on this machine: see the lines marked !!')
    return 0 if works else 1


def examine(model: str | None = None) -> Iterator[Finding]:
    """
    Look at everything, one finding after the other.

    :param model: Model folder or name; None is the default model.
    """
    yield _python()
    yield _machine()
    for name, packages, is_needed, purpose in _PACKAGES:
        yield _package(name, packages, is_needed, purpose)
    yield _opencv()
    yield _providers()
    yield from _model(model)
    yield from _ros()
    yield _library('TensorRT', _TENSORRT, 'tensorrt')
    yield _library('TensorRT for RTX', _TENSORRT_RTX, 'tensorrt_rtx')
    yield _gpu()


def _line(finding: Finding) -> str:
    marks: dict[State, str] = {'ok': 'ok', 'missing': '--', 'broken': '!!'}
    mark = '!!' if finding.is_needed and finding.state != 'ok' else marks[finding.state]
    text = f'{mark}  {finding.name:<18}{finding.detail}'
    return f'{text}\n      hint: {finding.hint}' if finding.hint else text


def _python() -> Finding:
    version = platform.python_version()
    detail = f'{version} ({sys.executable}), caption_node {__version__}'
    if (3, 10) <= sys.version_info[:2] <= (3, 12):
        return Finding('Python', 'ok', detail, is_needed=True)
    return Finding('Python', 'broken', detail, 'use Python 3.10, 3.11 or 3.12', is_needed=True)


def _machine() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    system = f'{platform.system()} {platform.machine()}'
    return Finding('machine', 'ok', f'{system}, {cores} cores, {_memory()}')


def _memory() -> str:
    try:
        text = Path('/proc/meminfo').read_text(encoding='ascii')
    except OSError:
        return 'memory unknown'
    sizes_kb = {line.split(':')[0]: int(line.split()[1]) for line in text.splitlines()}
    total, free = (sizes_kb.get(k, 0) / (1 << 20) for k in ('MemTotal', 'MemAvailable'))
    return f'{total:.1f} GiB of memory, {free:.1f} GiB free'


def _version(packages: tuple[str, ...]) -> str:
    for package in packages:
        try:
            return f'{metadata.version(package)} ({package})'
        except metadata.PackageNotFoundError:
            continue
    return ''


def _package(name: str, packages: tuple[str, ...], is_needed: bool, purpose: str) -> Finding:
    version = _version(packages)
    if version:
        return Finding(name, 'ok', version, is_needed=is_needed)
    # Debian packages and Jetson images bring modules that pip knows nothing of.
    module = {'opencv': 'cv2'}.get(name, name)
    if importlib.util.find_spec(module) is not None:
        return Finding(name, 'ok', 'installed by the system', is_needed=is_needed)
    hint = f'run `pip install {packages[0]}`'
    return Finding(name, 'missing', f'not installed; needed for {purpose}', hint, is_needed)


def _opencv() -> Finding:
    try:
        cv2 = importlib.import_module('cv2')
    except Exception as err:  # a shared library that is missing or does not fit
        hint = 'opencv-python-headless needs no display libraries: run `pip install` on that'
        return Finding('image decoding', 'broken', f'OpenCV cannot be loaded: {err}', hint, True)
    has_video = 'YES' in next(
        (row for row in cv2.getBuildInformation().splitlines() if 'FFMPEG' in row), ''
    )
    video = 'with video (FFmpeg)' if has_video else 'without video: `caption video` will not work'
    return Finding('image decoding', 'ok', f'OpenCV {cv2.__version__}, {video}', is_needed=True)


def _providers() -> Finding:
    from caption_node.backends.onnx_runtime import available_providers

    try:
        version, providers = available_providers()
    except CaptionError as err:
        return Finding('providers', 'broken', str(err), err.hint, is_needed=True)
    return Finding('providers', 'ok', f'ONNX Runtime {version}: {", ".join(providers)}')


def _model(model: str | None) -> Iterator[Finding]:
    from caption_node.bundle import Bundle, find_bundle

    try:
        bundle = Bundle.load(find_bundle(model))
    except CaptionError as err:
        yield Finding('model', 'broken', str(err), err.hint, is_needed=True)
        return
    size_mb = bundle.model_path.stat().st_size / 1e6
    detail = (
        f'{bundle.name} ({bundle.precision}, {size_mb:.1f} MB, {bundle.licence}), '
        f'sha256 {bundle.sha256[:16]}… verified, {bundle.path}'
    )
    yield Finding('model', 'ok', detail, is_needed=True)
    yield _backend(bundle)
    yield _inference(bundle.path)


def _backend(bundle: 'Bundle') -> Finding:
    from caption_node.backends.registry import choose, options

    _, why = choose(options(bundle))
    return Finding('backend', 'ok', why.removeprefix('backend '))


def _inference(model: Path) -> Finding:
    try:
        import numpy as np

        from caption_node.frame import Frame
        from caption_node.pipeline import CaptionPipeline

        begun = perf_counter()
        with CaptionPipeline.open(model) as pipeline:
            frame = Frame(
                np.full((pipeline.bundle.height, pipeline.bundle.width, 3), 99, np.uint8)
            )
            pipeline.describe([frame])
            loaded_s = perf_counter() - begun
            begun = perf_counter()
            pipeline.describe([frame])
            took_ms = (perf_counter() - begun) * 1e3
    except (CaptionError, ImportError) as err:
        hint = getattr(err, 'hint', '') or 'see the lines above'
        return Finding('inference', 'broken', str(err), hint, is_needed=True)
    detail = f'{took_ms:.0f} ms a frame on {pipeline.model.backend}, ready after {loaded_s:.1f} s'
    return Finding('inference', 'ok', detail, is_needed=True)


def _ros() -> Iterator[Finding]:
    setup = 'run scripts/setup.sh, or source a ROS 2 installation'
    if importlib.util.find_spec('rclpy') is None:
        yield Finding('ROS 2', 'missing', 'rclpy is not installed; needed for the node', setup)
    else:
        yield _ask('ROS 2', _ASK_ROS, _read_ros, setup)
        yield _domain()
    build = 'build them: run scripts/setup.sh, or `colcon build` in ros_ws and source it'
    if importlib.util.find_spec('caption_msgs') is None:
        yield Finding('caption_msgs', 'missing', 'not built; needed for the node', build)
    else:
        yield _ask('caption_msgs', _ASK_MESSAGES, lambda _: 'built, type support loads', build)


def _read_ros(answer: list[str]) -> str:
    distro = f'{answer[1]}, ' if len(answer) > 1 and answer[1] else ''
    version = _version(('ros-rclpy', 'rclpy')) or 'of the system'
    return f'{distro}rclpy {version}, {answer[0]}'


def _domain() -> Finding:
    text = os.environ.get('ROS_DOMAIN_ID') or '0'
    if text.isdecimal() and int(text) <= _HIGHEST_DOMAIN:
        reach = os.environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
        return Finding('ROS domain', 'ok', f'{text}, discovery range {reach}')
    hint = f'set ROS_DOMAIN_ID to a number from 0 to {_HIGHEST_DOMAIN}'
    return Finding('ROS domain', 'broken', f'ROS_DOMAIN_ID is {text!r}', hint)


def _ask(name: str, program: str, read: Callable[[list[str]], str], hint: str) -> Finding:
    try:
        answer = subprocess.run(
            [sys.executable, '-c', program],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding(name, 'broken', f'no answer within {PROBE_TIMEOUT_S:g} s', hint)
    except OSError as err:
        return Finding(name, 'broken', f'cannot be asked: {err}', hint)
    if answer.returncode != 0:
        last = (answer.stderr.strip().splitlines() or [f'exit status {answer.returncode}'])[-1]
        return Finding(name, 'broken', last, hint)
    return Finding(name, 'ok', read(answer.stdout.splitlines()))


def _library(name: str, packages: tuple[str, ...], module: str) -> Finding:
    version = _version(packages)
    if version:
        return Finding(name, 'ok', version)
    if importlib.util.find_spec(module) is not None:
        return Finding(name, 'ok', 'installed by the system')
    hint = 'nothing to do without an NVIDIA GPU; with one see docs/tensorrt.md'
    return Finding(name, 'missing', 'not installed', hint)


def _gpu() -> Finding:
    query = '--query-gpu=name,driver_version,memory.total'
    program = shutil.which('nvidia-smi')
    if program is not None:
        try:
            answer = subprocess.run(
                [program, query, '--format=csv,noheader'],
                capture_output=True,
                text=True,
                timeout=GPU_TIMEOUT_S,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            detail = f'nvidia-smi does not answer within {GPU_TIMEOUT_S:g} s'
            return Finding('GPU', 'broken', detail, 'the driver hangs: restart the machine')
        if answer.returncode == 0 and answer.stdout.strip():
            return Finding('GPU', 'ok', '; '.join(answer.stdout.strip().splitlines()))
        text = (answer.stdout + answer.stderr).strip().splitlines()
        hint = 'check that the driver is loaded: `lsmod | grep nvidia`'
        return Finding('GPU', 'broken', text[0] if text else 'nvidia-smi failed', hint)
    jetson = Path('/proc/device-tree/model')
    if jetson.is_file():
        return Finding('GPU', 'ok', jetson.read_text(encoding='utf-8').rstrip('\0'))
    if Path('/proc/driver/nvidia/version').is_file():
        return Finding('GPU', 'ok', 'NVIDIA driver loaded, nvidia-smi not installed')
    return Finding('GPU', 'missing', 'no NVIDIA GPU or driver', 'nothing to do: the CPU is used')
