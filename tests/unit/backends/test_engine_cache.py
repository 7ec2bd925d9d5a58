# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The cache with a real engine in it: stale, foreign, truncated, tampered, not writable."""

from collections.abc import Callable
from dataclasses import fields, replace
import json
import os
from pathlib import Path
import stat

import pytest

from caption_node.backends.engine_build import EngineSpec, ensure_engine
from caption_node.backends.engine_cache import (
    CACHE_VARIABLE,
    EngineCache,
    EngineKey,
    default_folder,
)
from caption_node.bundle import Bundle
from caption_node.errors import EngineError


@pytest.fixture
def key(spec: EngineSpec, small: Bundle) -> EngineKey:
    return spec.key(small)


@pytest.fixture
def stored(cache: EngineCache, key: EngineKey, engine: bytes) -> Path:
    cache.prepare()
    return cache.store(key, engine, 1.5, 40)


def test_engine_comes_back_as_it_was_written(
    cache: EngineCache, key: EngineKey, stored: Path, engine: bytes
) -> None:
    assert cache.load(key) == (engine, '')
    assert stored.stat().st_size == len(engine)
    (entry,) = cache.entries()
    assert (entry.path, entry.key, entry.fault) == (stored, key, '')
    assert (entry.build_s, entry.layers, entry.size) == (1.5, 40, len(engine))
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert not cache.leftovers()


def test_empty_cache_has_no_engine_and_no_fault(cache: EngineCache, key: EngineKey) -> None:
    assert cache.load(key) == (b'', '')
    assert list(cache.entries()) == []


@pytest.mark.parametrize('name', [field.name for field in fields(EngineKey)])
def test_any_change_of_the_key_is_another_engine(
    cache: EngineCache, key: EngineKey, stored: Path, name: str
) -> None:
    other = replace(key, **{name: getattr(key, name) + '0'})
    engine, fault = cache.load(other)
    assert engine == b''
    assert cache.path(other) != stored
    if name not in ('model', 'precision', 'target'):  # of those there may be one each
        assert fault == f'built with another {name.replace("_", " ")}'


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b'')


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def lose_record(path: Path) -> None:
    path.with_suffix('.json').unlink()


def lose_engine(path: Path) -> None:
    path.unlink()


def garble_record(path: Path) -> None:
    path.with_suffix('.json').write_text('{"format_version": 1, "key": [')


def list_as_record(path: Path) -> None:
    path.with_suffix('.json').write_text('[]')


def other_key_in_record(path: Path) -> None:
    file = path.with_suffix('.json')
    record = json.loads(file.read_text())
    record['key']['target'] = 'sm120'
    file.write_text(json.dumps(record))


def future_record(path: Path) -> None:
    file = path.with_suffix('.json')
    file.write_text(json.dumps({**json.loads(file.read_text()), 'format_version': 99}))


DAMAGE = {
    truncate: 'bytes',
    empty: '0 bytes',
    flip_a_bit: 'SHA-256',
    lose_record: 'record is missing',
    lose_engine: 'cannot be read',
    garble_record: 'garbled',
    list_as_record: 'garbled',
    other_key_in_record: 'another key',
    future_record: 'format version 99',
}


@pytest.mark.parametrize('damage', DAMAGE, ids=lambda f: f.__name__)
def test_damaged_engine_is_not_loaded_and_named(
    cache: EngineCache, key: EngineKey, stored: Path, damage: Callable[[Path], None]
) -> None:
    damage(stored)
    engine, fault = cache.load(key)
    assert engine == b''
    assert DAMAGE[damage] in fault
    (entry,) = cache.entries()
    assert entry.fault


def test_damaged_engine_is_built_anew_with_the_reason(
    cache: EngineCache, key: EngineKey, stored: Path, spec: EngineSpec, small: Bundle
) -> None:
    flip_a_bit(stored)
    remarks: list[str] = []
    built = ensure_engine(cache, small, spec, on_remark=remarks.append)
    assert cache.load(key) == (built, '')
    (remark,) = remarks
    assert stored.name in remark
    assert 'SHA-256' in remark


def test_folder_that_cannot_be_made_is_named_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(EngineError, match='cannot be kept in') as caught:
        EngineCache(tmp_path / 'file' / 'engines').prepare()
    assert CACHE_VARIABLE in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_folder_without_permission_is_named_with_a_hint(cache: EngineCache) -> None:
    cache.folder.mkdir(mode=0o500)
    with pytest.raises(EngineError, match='Permission denied') as caught:
        cache.prepare()
    assert CACHE_VARIABLE in caught.value.hint


def test_folder_that_everybody_can_write_is_not_trusted(
    cache: EngineCache, key: EngineKey, stored: Path
) -> None:
    cache.folder.chmod(0o777)
    with pytest.raises(EngineError, match='everybody') as caught:
        cache.load(key)
    assert 'chmod 700' in caught.value.hint


def test_kernels_are_kept_and_damaged_ones_are_not_used(
    cache: EngineCache, key: EngineKey, stored: Path
) -> None:
    assert cache.load_kernels(key) == b''
    cache.store_kernels(key, b'compiled' * 100)
    assert cache.load_kernels(key) == b'compiled' * 100
    flip_a_bit(stored.with_suffix('.kernels'))
    assert cache.load_kernels(key) == b''


def test_removing_takes_all_files_of_an_engine(
    cache: EngineCache, key: EngineKey, stored: Path
) -> None:
    cache.store_kernels(key, b'kernels')
    sizes = sum(p.stat().st_size for p in cache.folder.iterdir())
    assert cache.remove(stored) == sizes
    assert not list(cache.folder.iterdir())
    assert cache.remove(stored) == 0


def test_default_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    assert default_folder() == tmp_path / 'caption_node' / 'engines'
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / 'mine'))
    assert default_folder() == tmp_path / 'mine'
