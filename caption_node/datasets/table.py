# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A plain folder of pictures with a CSV: columns ``file``, ``caption``, and what else there is."""

from collections.abc import Mapping
import csv
import io
from pathlib import Path

from caption_node.datasets.fields import take_values
from caption_node.datasets.items import Caption, DataSet, Item
from caption_node.description import Field
from caption_node.errors import ConfigError

_NEEDED = ('file', 'caption')
_KNOWN = frozenset([*_NEEDED, 'id', 'split', 'width', 'height'])
_DELIMITERS = ',;\t'


def read_csv(data: DataSet, text: str, folder: Path, table: Mapping[str, Field]) -> None:
    """
    Read a table with one caption a row; rows of the same file are about one picture.

    Cells are parted by commas, semicolons or tabs, as the first line shows.

    :param folder: Of the pictures.
    :param table: The fields whose values are read from the columns of their names.
    :raises ConfigError: If the columns are missing.
    """
    head = text.split('\n', 1)[0]
    delimiter = max(_DELIMITERS, key=head.count)
    rows = csv.DictReader(
        io.StringIO(text.replace('\0', '\ufffd'), newline=''), delimiter=delimiter, strict=True
    )
    try:
        names = [n.strip() for n in rows.fieldnames or () if n is not None]
    except csv.Error as err:
        raise ConfigError(f'{data.file}, line 1: not CSV ({err})') from err
    missing = [n for n in _NEEDED if n not in names]
    if missing:
        raise ConfigError(
            f'{data.file}, line 1: no column {", ".join(missing)}',
            'the first line names the columns: file, caption, then split and fields if any',
        )
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        data.error('format', f'two columns are called {", ".join(twice)}: the last counts', line=1)
    rows.fieldnames = names
    data.fields |= set(names) - _KNOWN
    items: dict[str, Item] = {}
    while True:
        line = rows.line_num + 1
        try:
            cells = next(rows, None)
        except csv.Error as err:
            data.error('format', f'not CSV ({err}); what follows cannot be read', line=line)
            return
        if cells is None:
            return
        _read_row(data, items, cells, line, folder, table)


def _read_row(
    data: DataSet,
    items: dict[str, Item],
    cells: Mapping[str | None, str | list[str] | None],
    line: int,
    folder: Path,
    table: Mapping[str, Field],
) -> None:
    if None in cells:
        message = 'more cells than columns: put quotes around captions that have commas'
        data.error('format', message, line=line)
        return
    texts = {str(k): v.strip() if isinstance(v, str) else '' for k, v in cells.items()}
    if any('\n' in text or '\r' in text for text in texts.values()):
        # A quotation mark that was left open swallows all rows up to the next one.
        message = 'a cell goes on over several lines: is a quotation mark open? It is left out'
        data.error('format', message, texts['file'].split('\n')[0], line)
        return
    if not any(texts.values()):
        return
    file = texts['file']
    if not file:
        data.error('format', 'there is no file', line=line)
        return
    item = items.get(file)
    if item is None:
        name = texts.get('id') or file
        item = items[file] = Item(name, file, folder / file, file, line, texts.get('split', ''))
        data.take_size(item, texts.get('width'), texts.get('height'))
        data.items.append(item)
    elif item.split != texts.get('split', ''):
        message = f'{file} is in split {item.split!r} and in {texts.get("split", "")!r}'
        data.error('split', message, file, line)
    values, faults = take_values(texts, table)
    for fault in faults:
        data.error('field-value', fault, file, line)
    for key, value in values.items():
        item.values.setdefault(key, value)
    if cells.get('caption') is None:
        data.error('format', 'fewer cells than columns: there is no caption', file, line)
        return
    item.captions.append(Caption(texts['caption'], file, line))
