# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Which files make up a recording, in which order, and how they are compressed.

A rosbag2 folder says so in ``metadata.yaml``, which is written last: a recorder that was killed
leaves none, and then the storage files are taken in the order of their numbers.
"""

from dataclasses import dataclass, field
from pathlib import Path
import re
from tempfile import TemporaryDirectory
from typing import Any

from caption_node.bag.storage import STORAGES
from caption_node.errors import BagError

METADATA_FILE = 'metadata.yaml'
_COMPRESSED = '.zstd'
_BLOCK_BYTES = 1 << 20
_MOST_REASON = 160


@dataclass(frozen=True, slots=True)
class Layout:
    """
    The files of one recording.

    :param files: Storage files in the order of recording; some may be missing.
    :param message_count: Messages that the recorder counted, None if it did not come to that.
    :param damage: What is wrong with the folder itself.
    """

    files: list[Path]
    message_count: int | None = None
    damage: list[BagError] = field(default_factory=list)


def read_layout(path: Path) -> Layout:
    """
    Find the files of a recording.

    :param path: A rosbag2 folder or a storage file.
    :raises BagError: If there is no recording at that path.
    """
    if path.is_file():
        if path.name == METADATA_FILE:
            return read_layout(path.parent)
        if storage_suffix(path) is None:
            known = ', '.join(sorted(STORAGES))
            raise BagError(
                f'{path} is not a recording',
                f'give a rosbag2 folder or a file that ends in {known}',
            )
        return Layout([path])
    if not path.is_dir():
        raise BagError(f'{path} {_what_it_is(path)}')
    if (path / METADATA_FILE).is_file():
        try:
            return _from_metadata(path)
        except BagError as err:
            found = _storage_files(path)
            if not found:
                raise
            return Layout(found, damage=[err])
    found = _storage_files(path)
    if not found:
        raise BagError(
            f'{path} holds no recording: neither {METADATA_FILE} nor a storage file',
            'give a rosbag2 folder, or a .mcap, .db3 or .bag file',
        )
    return Layout(found)


def storage_suffix(path: Path) -> str | None:
    """Return the suffix that names the storage format, behind that of the compression, or None."""
    suffix = Path(path.stem).suffix if path.suffix == _COMPRESSED else path.suffix
    return suffix if suffix in STORAGES else None


def unpack(path: Path, folder: TemporaryDirectory[str]) -> tuple[Path, BagError | None]:
    """
    Decompress a storage file, as far as it goes.

    :param folder: Where to put it.
    :returns: The decompressed file, and what is wrong if the compressed one is cut off.
    """
    import zstandard

    target = Path(folder.name) / path.stem
    damage = None
    with path.open('rb') as source, target.open('wb') as sink:
        stream = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
        read_bytes = 0
        try:
            while block := stream.read(_BLOCK_BYTES):
                read_bytes += len(block)
                sink.write(block)
        except zstandard.ZstdError as err:
            damage = BagError(f'{path} is damaged behind {read_bytes} decompressed bytes ({err})')
    return target, damage


def _what_it_is(path: Path) -> str:
    if path.is_symlink() and not path.exists():
        return 'is a link to nothing'
    return 'is neither a file nor a folder' if path.exists() else 'does not exist'


def _storage_files(path: Path) -> list[Path]:
    found = [p for p in path.iterdir() if p.is_file() and storage_suffix(p)]
    return sorted(found, key=_numbered_name)


def _numbered_name(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts ``bag_10`` behind ``bag_9``."""
    return [(int(t), '') if t.isdigit() else (-1, t) for t in re.split(r'(\d+)', path.name)]


def _from_metadata(path: Path) -> Layout:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    file = path / METADATA_FILE
    try:
        text = file.read_text(encoding='utf-8')
        data: dict[str, Any] = YAML(typ='safe').load(text)['rosbag2_bagfile_information']
        names = [str(n) for n in data['relative_file_paths']]
        mode = str(data.get('compression_mode') or '').lower()
        kind = str(data.get('compression_format') or '')
        count = int(data['message_count'])
    except (OSError, ValueError, YAMLError, KeyError, TypeError, AttributeError) as err:
        # Parsers quote the place over several lines.
        reason = ' '.join(str(err).split())[:_MOST_REASON]
        raise BagError(f'{file} cannot be read: {type(err).__name__}, {reason}') from err
    if mode in ('file', 'message') and kind != 'zstd':
        raise BagError(f'{path} is compressed with {kind!r}, only zstd can be read')
    # Old recorders wrote the path from where they were started; the files lie beside the metadata.
    files = [path / Path(n).name for n in names]
    missing = [f for f in files if not f.is_file()]
    damage = [BagError(f'{f} is missing, though {file} lists it') for f in missing]
    return Layout([f for f in files if f not in missing], count, damage)
