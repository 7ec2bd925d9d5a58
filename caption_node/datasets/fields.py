# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of one's own fields, and values that label files give for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from caption_node.description import MAX_COUNT, Field, Value, make_field
from caption_node.errors import ConfigError

_TRUE, _FALSE = ('true', 'yes', '1'), ('false', 'no', '0')
_KEYS = frozenset(['name', 'kind', 'values'])


def read_table(rows: Sequence[Any]) -> dict[str, Field]:
    """
    Read a table of fields as a configuration gives it.

    :param rows: Mappings with ``name``, ``kind`` and, for categorical ones, ``values``.
    :raises ConfigError: If a row is no field, or a name stands twice.
    """
    table: dict[str, Field] = {}
    for row in rows:
        if not isinstance(row, Mapping) or not {'name', 'kind'} <= set(row) <= _KEYS:
            raise ConfigError(
                f'not a field: {row!r}', 'write name, kind (categorical, boolean, count), values'
            )
        values = row.get('values') or ()
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise ConfigError(f'field {row["name"]!r}: values should be a list')
        made = make_field(str(row['name']), str(row['kind']), tuple(str(v) for v in values))
        if made.name in table:
            raise ConfigError(f'the field {made.name!r} stands twice')
        table[made.name] = made
    return table


def read_value(field: Field, given: Any) -> Value | None:
    """
    Read one value of a label file.

    :param given: As JSON or a cell of a table has it; None and an empty text are not known.
    :raises ConfigError: If the field cannot have it.
    """
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    text = str(given).strip()
    if field.kind == 'boolean' and text.lower() in _TRUE + _FALSE:
        return text.lower() in _TRUE
    if field.kind == 'count' and text.isascii() and text.isdecimal() and len(text) < 10:
        return min(MAX_COUNT, int(text))
    if field.kind == 'categorical' and text in field.values:
        return text
    allowed = {
        'boolean': 'true, false',
        'count': 'whole numbers from 0',
        'categorical': ', '.join(field.values),
    }[field.kind]
    raise ConfigError(f'{field.name} cannot be {text[:60]!r}', f'allowed: {allowed}')


def take_values(
    given: Mapping[Any, Any], table: Mapping[str, Field]
) -> tuple[dict[str, Value], list[str]]:
    """
    Read the values of one picture.

    :returns: What could be read, and what is wrong with the rest.
    """
    values: dict[str, Value] = {}
    faults = []
    for name, field in table.items():
        try:
            value = read_value(field, given.get(name))
        except ConfigError as err:
            faults.append(f'{err}; {err.hint}')
            continue
        if value is not None:
            values[name] = value
    return values, faults
