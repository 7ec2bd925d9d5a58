# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Label files as text, whatever encoding a spreadsheet gave them."""

import codecs

from caption_node.datasets.items import DataSet
from caption_node.errors import ConfigError

MOST_BYTES = 1 << 30
_MARKS = (
    (codecs.BOM_UTF32_LE, 'utf-32'),
    (codecs.BOM_UTF32_BE, 'utf-32'),
    (codecs.BOM_UTF16_LE, 'utf-16'),
    (codecs.BOM_UTF16_BE, 'utf-16'),
)


def read_text(data: DataSet) -> str:
    """
    Read the label file; what is not plain UTF-8 is noted, and read as what it seems to be.

    :raises ConfigError: If it cannot be read at all.
    """
    try:
        if data.file.exists() and not data.file.is_file():
            raise ConfigError(f'{data.file} is no file', 'name the label file')
        if data.file.stat().st_size > MOST_BYTES:
            raise ConfigError(f'{data.file} is over 1 GiB: no label file', 'name the label file')
        raw = data.file.read_bytes()
    except OSError as err:
        raise ConfigError(f'{data.file} cannot be read: {err.strerror or err}') from err
    if not raw.strip():
        raise ConfigError(f'{data.file} is empty')
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            data.error('encoding', f'the file is {encoding.upper()}, not UTF-8: save it as UTF-8')
            return raw.decode(encoding, 'replace').lstrip('\ufeff')
    # Both formats begin with ASCII, so a zero there is half of a character of 16 bits.
    for at, encoding in ((1, 'utf-16-le'), (0, 'utf-16-be')):
        if raw[at : at + 1] == b'\0' and raw[1 - at : 2 - at] != b'\0':
            data.error('encoding', 'the file is UTF-16, not UTF-8: save it as UTF-8')
            return raw.decode(encoding, 'replace')
    if raw.startswith(codecs.BOM_UTF8):
        data.warn('encoding', 'the file begins with a UTF-8 byte order mark; it is left aside')
        raw = raw[len(codecs.BOM_UTF8) :]
    try:
        return raw.decode('utf-8')
    except UnicodeDecodeError as err:
        line = raw.count(b'\n', 0, err.start) + 1
        byte = raw[err.start]
        data.error(
            'encoding',
            f'byte 0x{byte:02x} is not UTF-8; it reads as Latin-1: save the file as UTF-8',
            line=line,
        )
        return raw.decode('latin-1')
