# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Where recordings lie: folders that every worker sees, or an object store by its address."""

from collections.abc import Callable, Iterable, Sequence
import glob
import hashlib
import os
from pathlib import Path
import posixpath
from tempfile import TemporaryDirectory
from typing import Any

from caption_node.bag.fingerprint import fingerprint
from caption_node.bag.layout import METADATA_FILE, storage_suffix
from caption_node.errors import BagError, ConfigError

_UNFINISHED = '.partial'


def is_address(place: str) -> bool:
    """Say whether a place is an address such as ``s3://bucket/drive.mcap``."""
    return '://' in place


def find_recordings(patterns: Sequence[str]) -> list[str]:
    """
    Find recordings by paths, globs and addresses; folders are searched whole.

    :returns: Sorted absolute paths and addresses, each once.
    :raises ConfigError: If a pattern leads nowhere, or the library for an address is missing.
    """
    found: set[str] = set()
    for pattern in patterns:
        here = _find_remote(pattern) if is_address(pattern) else _find_local(pattern)
        if not here:
            raise ConfigError(
                f'{pattern}: no recording there',
                "give folders, files, or a glob in quotes, such as '/drives/**/*.mcap'",
            )
        found.update(here)
    return sorted(found)


def identify(place: str) -> str:
    """
    Return a text that changes when the recording does.

    :raises BagError: If it cannot be read.
    """
    if not is_address(place):
        return fingerprint(Path(place))
    files, path = _open_address(place)
    digest = hashlib.sha256()
    try:
        names = sorted(files.find(path)) if files.isdir(path) else [path]
        for name in names:
            facts = files.info(name)
            seal = facts.get('ETag') or facts.get('etag') or facts.get('mtime') or ''
            digest.update(f'{posixpath.basename(name)},{facts["size"]},{seal};'.encode())
    except Exception as err:  # each file system has errors of its own
        raise BagError(f'{place} cannot be read: {err}') from err
    return digest.hexdigest()


class Fetched:
    """The last recording that was fetched from an address; it goes when another one comes."""

    def __init__(self) -> None:
        self._place = ''
        self._folder: TemporaryDirectory[str] | None = None
        self._path = Path()

    def path(self, place: str) -> Path:
        """
        Return where a recording lies on this machine.

        :raises OSError: If it cannot be fetched; another try may succeed.
        """
        if not is_address(place):
            return Path(place)
        if place != self._place:
            if self._folder is not None:
                self._folder.cleanup()
            self._place, self._folder = '', TemporaryDirectory(prefix='caption_fleet_')
            files, path = _open_address(place)
            self._path = Path(self._folder.name) / posixpath.basename(path.rstrip('/'))
            try:
                files.get(path, str(self._path), recursive=files.isdir(path))
            except Exception as err:  # each file system has errors of its own
                raise OSError(f'{place} cannot be fetched: {err}') from err
            self._place = place
        return self._path


def _find_local(pattern: str) -> list[str]:
    path = Path(pattern)
    places = [pattern] if path.exists() else sorted(glob.glob(pattern, recursive=True))
    files: list[str] = []
    for place in places:
        if os.path.isdir(place):
            for folder, _, names in os.walk(place, followlinks=False):
                files += [os.path.join(folder, n) for n in names]
        else:
            files.append(place)
    return _group([os.path.realpath(f) for f in files], os.path.exists)


def _find_remote(pattern: str) -> list[str]:
    files, path = _open_address(pattern)
    names: list[str] = []
    try:
        for place in files.glob(path) if glob.has_magic(path) else [path]:
            names += files.find(place) if files.isdir(place) else [place]
        return [files.unstrip_protocol(n) for n in _group(names, files.exists)]
    except ConfigError:
        raise
    except Exception as err:  # each file system has errors of its own
        raise ConfigError(f'{pattern} cannot be listed: {err}') from err


def _group(files: Iterable[str], exists: Callable[[str], Any]) -> list[str]:
    """Return the recordings that files make up: a folder with metadata is one, else each file."""
    whole: dict[str, bool] = {}
    found = []
    for file in files:
        if storage_suffix(Path(file)) is None or Path(file).stem.endswith(_UNFINISHED):
            continue
        folder = posixpath.dirname(file)
        if folder not in whole:
            whole[folder] = bool(exists(posixpath.join(folder, METADATA_FILE)))
        found.append(folder if whole[folder] else file)
    return sorted(set(found))


def _open_address(place: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path on it."""
    try:
        import fsspec

        files, path = fsspec.core.url_to_fs(place)
    except ImportError as err:
        raise ConfigError(
            f'{place} needs a library that is missing: {err}',
            'pip install fsspec, and s3fs, gcsfs or adlfs for the store in question',
        ) from err
    except ValueError as err:
        raise ConfigError(f'{place}: {err}') from err
    return files, str(path)
