# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Whether two paths hold the same recording, without reading all of it."""

import hashlib
from pathlib import Path

from caption_node.bag.layout import read_layout
from caption_node.errors import BagError

_SAMPLE_BYTES = 1 << 18


def fingerprint(path: Path) -> str:
    """
    Return a text that differs where the storage files differ in number, size, begin or end.

    :raises BagError: If there is no recording at that path.
    """
    digest = hashlib.sha256()
    try:
        for file in read_layout(path).files:
            size = file.stat().st_size
            digest.update(f'{size},'.encode())
            with file.open('rb') as stream:
                digest.update(stream.read(_SAMPLE_BYTES))
                stream.seek(max(0, size - _SAMPLE_BYTES))
                digest.update(stream.read(_SAMPLE_BYTES))
    except OSError as err:
        raise BagError(f'{path} cannot be read: {err.strerror or err}') from err
    return digest.hexdigest()
