# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Fields of models of somebody's own, as an index comes to know them: by what is said.

Descriptions carry values, not tables; a word gets its code when it is first said.
"""

from collections.abc import Mapping, Sequence
import json
import sqlite3
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.description import FIELDS, Field, FieldValue, SceneDescription, kind_of
from caption_node.errors import BagError

UNKNOWN = 255
"""Code of a field that was not said."""
PREFIX = 'own.'
"""Before the names of their columns, so that they are never taken for others."""
OWN_TABLE = """
CREATE TABLE own_field (name TEXT PRIMARY KEY, kind TEXT NOT NULL, words TEXT NOT NULL)
"""


def read_own_fields(database: sqlite3.Connection) -> dict[str, Field]:
    """Return the fields beyond those of driving, with the words that were said of them."""
    rows = database.execute('SELECT name, kind, words FROM own_field ORDER BY rowid')
    return {name: Field(name, kind, tuple(json.loads(words))) for name, kind, words in rows}


def own_columns(
    database: sqlite3.Connection, descriptions: Sequence[SceneDescription]
) -> dict[str, NDArray[np.uint8]]:
    """
    Return the columns of their own fields, new words entered; in the caller's transaction.

    :raises BagError: If a field has another kind than other descriptions give it.
    """
    said: dict[str, list[FieldValue | None]] = {}
    for i, item in enumerate(descriptions):
        for name, found in item.scene.items():
            if name not in FIELDS:
                said.setdefault(name, [None] * len(descriptions))[i] = found
    known = read_own_fields(database) if said else {}
    columns = {}
    for name, values in said.items():
        codes = _learn(database, name, [v.value for v in values if v is not None], known)
        column = np.full(len(values), UNKNOWN, dtype=np.uint8)
        for i, value in enumerate(values):
            if value is not None:
                code = codes[value.value] if codes else int(value.value)
                column[i] = min(code, UNKNOWN)
        columns[PREFIX + name] = column
    return columns


def pack_facts(scene: Mapping[str, FieldValue]) -> str:
    """Return the own fields of a scene as JSON; empty if there are none."""
    facts = {n: [v.value, round(v.confidence, 4)] for n, v in scene.items() if n not in FIELDS}
    return json.dumps(facts, ensure_ascii=False) if facts else ''


def unpack_facts(text: str) -> dict[str, FieldValue]:
    """Read :func:`pack_facts` back."""
    return {n: FieldValue(v[0], v[1]) for n, v in json.loads(text or '{}').items()}


def _learn(
    database: sqlite3.Connection, name: str, values: Sequence[Any], known: Mapping[str, Field]
) -> dict[Any, int]:
    """Enter a field and its new words; return the codes of its words, none if it has none."""
    kind = kind_of(values[0])
    spec = known.get(name, Field(name, kind))
    if any(kind_of(v) != spec.kind for v in values):
        raise BagError(
            f'the index holds the field {name!r} as a {spec.kind}, the model says a {kind}',
            'give models that differ in their fields an index each: --index',
        )
    words = dict.fromkeys(spec.values)
    if kind == 'categorical':
        words |= dict.fromkeys(values)
    if name not in known or len(words) > len(spec.values):
        database.execute(
            'INSERT INTO own_field VALUES (?, ?, ?) '
            'ON CONFLICT (name) DO UPDATE SET words = excluded.words',
            (name, kind, json.dumps(list(words), ensure_ascii=False)),
        )
    return {word: i for i, word in enumerate(words)}
