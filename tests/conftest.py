# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several levels of tests share."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import shutil

import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.bundle import sha256_of

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / 'shared'
MODEL = ROOT / 'models' / 'drive_small'


@pytest.fixture(scope='session')
def shared() -> Path:
    """Folder of the labelled frames and the encoder's weights; skips where it is absent."""
    if not (SHARED / 'data' / 'labels.jsonl').is_file():
        pytest.skip('the labelled frames (../shared) are not beside this repository')
    return SHARED


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Turn skips of tests for a GPU into failures where a GPU has to be there."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and item.get_closest_marker('gpu') and os.environ.get('CAPTION_REQUIRE_GPU'):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = 'failed'
        report.longrepr = f'CAPTION_REQUIRE_GPU is set, so this must not be skipped: {why}'


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    """A copy of the shipped model folder, to be damaged."""
    target = tmp_path / 'model'
    shutil.copytree(MODEL, target)
    return target


def rewrite_manifest(folder: Path, **changes: object) -> None:
    """Change keys of a manifest and bring its hashes up to date."""
    file = folder / 'manifest.json'
    manifest = json.loads(file.read_text(encoding='utf-8'))
    manifest.update(changes)
    for name in manifest['sha256']:
        manifest['sha256'][name] = sha256_of(folder / name)
    file.write_text(json.dumps(manifest), encoding='utf-8')


def street(width: int = 640, height: int = 360, shift: int = 0) -> NDArray[np.uint8]:
    """Draw a plain street: sky, ground, a road and a car-like block; ``shift`` moves the block."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[: height // 2] = (150, 180, 220)
    image[height // 2 :] = (60, 90, 50)
    for y in range(height // 2, height):
        half = int((y - height / 2) * 1.2) + 2
        image[y, max(0, width // 2 - half) : width // 2 + half] = (95, 95, 98)
    top, left = height // 2, min(max(0, width // 2 - 30 + shift), width - 60)
    image[top : top + 45, left : left + 60] = (170, 20, 25)
    return image
