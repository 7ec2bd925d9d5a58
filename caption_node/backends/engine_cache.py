# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Where built engines lie, what tells one from another, and which may be loaded.

An engine is two files: ``NAME.engine``, and ``NAME.json`` with all that it was built from and the
engine's own SHA-256. NAME ends in a hash of the key, so that engines of several models, cards and
library versions live beside each other. Both are written under a temporary name first and moved
into place whole. An engine is loaded only if its bytes are those that were written, by a key that
is the one wanted: loading an engine runs code, so the folder is closed to other users, too.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
import hashlib
import json
import os
from pathlib import Path
import stat
import tempfile
from typing import Any

from caption_node.errors import EngineError

FORMAT_VERSION = 1
CACHE_VARIABLE = 'CAPTION_ENGINES'
ENGINE, SIDECAR, KERNELS, LOCK = '.engine', '.json', '.kernels', '.lock'
_TEMPORARY = '.part'
_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class EngineKey:
    """
    All that an engine depends on; engines with equal keys are interchangeable.

    :param model: Name of the bundle, for people.
    :param model_sha256: Hash of the bundle's ONNX file.
    :param library: ``tensorrt`` or ``tensorrt_rtx``.
    :param library_version: Builder and runtime are of one version.
    :param cuda: Major version of the CUDA that the library was built for.
    :param target: Compute capability, as ``sm86``.
    :param precision: ``fp16``, ``fp32`` or ``int8``.
    :param shapes: Smallest, best and largest shape of every input.
    :param options: What else changes the engine: conversion, builder level.
    """

    model: str
    model_sha256: str
    library: str
    library_version: str
    cuda: str
    target: str
    precision: str
    shapes: str
    options: str

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the key."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def name(self) -> str:
        """File name of the engine without suffix."""
        model = ''.join(c if c.isalnum() else '-' for c in self.model)[:40] or 'model'
        return f'{model}-{self.precision}-{self.target}-{self.library}-{self.digest[:16]}'


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """
    One engine of the cache.

    :param path: The engine file.
    :param key: What it was built from; None if that cannot be read.
    :param fault: Why it must not be loaded; empty if nothing is wrong.
    :param size: Bytes of the engine file.
    :param built_at: ISO 8601 time, UTC.
    :param build_s: How long it took, seconds.
    :param layers: Layers of the network that it was built from.
    """

    path: Path
    key: EngineKey | None
    fault: str
    size: int
    built_at: str = ''
    build_s: float = 0.0
    layers: int = 0


def default_folder() -> Path:
    """Return where engines lie: ``$CAPTION_ENGINES``, or the user's cache."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given)
    base = os.environ.get('XDG_CACHE_HOME') or str(Path('~').expanduser() / '.cache')
    return Path(base) / 'caption_node' / 'engines'


class EngineCache:
    """
    A folder of engines; several processes may use it at the same time.

    :param folder: It is made when something is written; None is the default folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = default_folder() if folder is None else folder

    def path(self, key: EngineKey, suffix: str = ENGINE) -> Path:
        """Return where a file of an engine lies, or would."""
        return self.folder / (key.name + suffix)

    def prepare(self) -> None:
        """
        Make the folder, and make sure that engines can be written there.

        :raises EngineError: If they cannot.
        """
        hint = f'make it writable, or set {CACHE_VARIABLE} to a folder that is'
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=self.folder, suffix=_TEMPORARY):
                pass
        except OSError as err:
            reason = err.strerror or err
            raise EngineError(f'engines cannot be kept in {self.folder}: {reason}', hint) from err
        self._check_closed()

    def load(self, key: EngineKey) -> tuple[bytes, str]:
        """
        Read an engine if it may be loaded.

        :returns: the engine, empty if there is none or it is faulty; and the fault, empty if there
            simply is none yet.
        :raises EngineError: If the folder is open to other users.
        """
        path = self.path(key)
        if not path.exists() and not path.with_suffix(SIDECAR).exists():
            return b'', self._other_engine(key)
        self._check_closed()
        sidecar, fault = _read_sidecar(path.with_suffix(SIDECAR))
        if not fault and sidecar['key'] != asdict(key):
            fault = 'its record names another key'
        if fault:
            return b'', fault
        try:
            engine = path.read_bytes()
        except OSError as err:
            return b'', f'it cannot be read: {err.strerror or err}'
        fault = _compare(len(engine), hashlib.sha256(engine).hexdigest(), sidecar)
        return (b'', fault) if fault else (engine, '')

    def store(self, key: EngineKey, engine: bytes, build_s: float, layers: int) -> Path:
        """
        Write an engine and its record.

        :raises EngineError: If they cannot be written; what was there before stays.
        """
        path = self.path(key)
        record = {
            'format_version': FORMAT_VERSION,
            'key': asdict(key),
            'engine_sha256': hashlib.sha256(engine).hexdigest(),
            'engine_bytes': len(engine),
            'built_at': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'build_s': round(build_s, 3),
            'layers': layers,
        }
        # Who reads in between sees a hash that does not fit, never half an engine.
        self._write(path, engine)
        self._write(path.with_suffix(SIDECAR), json.dumps(record, indent=2).encode() + b'\n')
        return path

    def load_kernels(self, key: EngineKey) -> bytes:
        """Return the runtime cache beside an engine; empty if there is none, or it is damaged."""
        try:
            data = self.path(key, KERNELS).read_bytes()
        except OSError:
            return b''
        digest, kernels = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        return kernels if hashlib.sha256(kernels).digest() == digest else b''

    def store_kernels(self, key: EngineKey, kernels: bytes) -> None:
        """
        Write the runtime cache beside an engine.

        :raises EngineError: If it cannot be written.
        """
        self._write(self.path(key, KERNELS), hashlib.sha256(kernels).digest() + kernels)

    def entries(self) -> Iterator[EngineEntry]:
        """Go through all engines, hashing each."""
        names = {p.with_suffix('') for s in (ENGINE, SIDECAR) for p in self.folder.glob(f'*{s}')}
        for base in sorted(names):
            yield _examine(base.with_name(base.name + ENGINE))

    def remove(self, path: Path) -> int:
        """
        Remove an engine with all files beside it, its lock excepted.

        :returns: How many bytes became free.
        :raises EngineError: If that is not allowed.
        """
        freed = 0
        for suffix in (SIDECAR, ENGINE, KERNELS):
            file = path.with_suffix(suffix)
            try:
                size = file.stat().st_size
                file.unlink()
                freed += size
            except FileNotFoundError:
                continue
            except OSError as err:
                raise EngineError(f'{file} cannot be removed: {err.strerror or err}') from err
        return freed

    def leftovers(self) -> list[Path]:
        """Return temporary files that killed processes have left."""
        return sorted(self.folder.glob(f'*{_TEMPORARY}'))

    def temporary(self) -> Path:
        """
        Make an empty file in the folder, to be filled and taken over.

        :raises EngineError: If it cannot be made.
        """
        try:
            number, name = tempfile.mkstemp(dir=self.folder, suffix=_TEMPORARY)
        except OSError as err:
            raise EngineError(
                f'nothing can be written to {self.folder}: {err.strerror or err}',
                f'free some space, or set {CACHE_VARIABLE} to another folder',
            ) from err
        os.close(number)
        return Path(name)

    def _write(self, path: Path, data: bytes) -> None:
        part = self.temporary()
        try:
            with part.open('wb') as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as err:
            raise EngineError(
                f'{path} cannot be written: {err.strerror or err}',
                f'{len(data) / 1e6:.0f} MB are needed; or set {CACHE_VARIABLE} to another folder',
            ) from err
        finally:
            part.unlink(missing_ok=True)

    def _check_closed(self) -> None:
        mode = self.folder.stat()
        owners = {0, os.geteuid()} if hasattr(os, 'geteuid') else {mode.st_uid}
        if mode.st_uid not in owners or mode.st_mode & stat.S_IWOTH:
            raise EngineError(
                f'{self.folder} belongs to somebody else or can be written by everybody',
                'loading an engine runs code: `chmod 700` a folder of your own',
            )

    def _other_engine(self, key: EngineKey) -> str:
        """Say what an engine of the same model, card and precision was built from instead."""
        nearest: list[str] | None = None
        for file in self.folder.glob(f'*{SIDECAR}'):
            sidecar, fault = _read_sidecar(file)
            if fault:
                continue
            other = sidecar['key']
            if any(other[n] != getattr(key, n) for n in ('model', 'precision', 'target')):
                continue
            changed = [n for n, value in asdict(key).items() if other[n] != value]
            if nearest is None or len(changed) < len(nearest):
                nearest = changed
        if not nearest:
            return ''
        return 'built with another ' + ', '.join(n.replace('_', ' ') for n in nearest)


def _examine(path: Path) -> EngineEntry:
    sidecar, fault = _read_sidecar(path.with_suffix(SIDECAR))
    size = path.stat().st_size if path.exists() else 0
    if fault:
        return EngineEntry(path, None, fault, size)
    if not path.exists():
        fault = 'the engine file is missing'
    else:
        try:
            with path.open('rb') as file:
                digest = hashlib.sha256()
                while block := file.read(1 << 20):
                    digest.update(block)
            fault = _compare(size, digest.hexdigest(), sidecar)
        except OSError as err:
            fault = f'it cannot be read: {err.strerror or err}'
    key = EngineKey(**sidecar['key'])
    if not fault and key.name != path.stem:
        fault = 'its record belongs to another engine'
    return EngineEntry(
        path, key, fault, size, sidecar['built_at'], sidecar['build_s'], sidecar['layers']
    )


def _compare(size: int, digest: str, sidecar: dict[str, Any]) -> str:
    if size != sidecar['engine_bytes']:
        return f'it has {size} bytes, {sidecar["engine_bytes"]} were written'
    return '' if digest == sidecar['engine_sha256'] else 'its SHA-256 is not the one written'


def _read_sidecar(path: Path) -> tuple[dict[str, Any], str]:
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
        if data['format_version'] != FORMAT_VERSION:
            return {}, f'its record has format version {data["format_version"]!r}'
        names = {field.name for field in fields(EngineKey)}
        if set(data['key']) != names or not all(isinstance(v, str) for v in data['key'].values()):
            raise ValueError('key')
        kept: dict[str, Any] = {
            'key': dict(data['key']),
            'engine_sha256': str(data['engine_sha256']),
            'engine_bytes': int(data['engine_bytes']),
            'built_at': str(data['built_at']),
            'build_s': float(data['build_s']),
            'layers': int(data['layers']),
        }
    except FileNotFoundError:
        return {}, 'its record is missing'
    except OSError as err:
        return {}, f'its record cannot be read: {err.strerror or err}'
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}, 'its record is garbled'
    return kept, ''
