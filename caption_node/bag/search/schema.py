# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The tables of an index, and one row's way into them and back.

``frame``, ``embedding`` and ``thumbnail`` hold what was said, one row a frame, to be read with any
SQLite. ``block_column`` and ``posting`` hold the same once more in columns, for searching; they
can be made anew from the others at any time.
"""

from collections.abc import Sequence
import sqlite3
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.bag.search.own_fields import OWN_TABLE, pack_facts, unpack_facts
from caption_node.description import (
    FIELDS,
    OBJECT_CLASSES,
    POSITIONS,
    RANGES,
    FieldValue,
    ModelInfo,
    SceneDescription,
    SceneObject,
)

FORMAT_VERSION = 2
FIELD_NAMES = tuple(FIELDS)
_FIELD_COLUMNS = ', '.join(f'"{n}"' for n in FIELD_NAMES)
TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE model (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, backend TEXT NOT NULL,
    precision TEXT NOT NULL, centre BLOB, UNIQUE (name, sha256, backend, precision));
CREATE TABLE bag (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL,
    settings TEXT NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
    model_id INTEGER NOT NULL REFERENCES model, images_done INTEGER NOT NULL,
    failed INTEGER NOT NULL, is_complete INTEGER NOT NULL);
CREATE TABLE stream (
    id INTEGER PRIMARY KEY AUTOINCREMENT, bag_id INTEGER NOT NULL REFERENCES bag ON DELETE CASCADE,
    topic TEXT NOT NULL, UNIQUE (bag_id, topic));
CREATE TABLE frame (
    id INTEGER PRIMARY KEY, stream_id INTEGER NOT NULL REFERENCES stream ON DELETE CASCADE,
    stamp_ns INTEGER NOT NULL, log_time_ns INTEGER NOT NULL, frame_id TEXT NOT NULL,
    caption TEXT NOT NULL, confidence REAL NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    hazard TEXT NOT NULL, {_FIELD_COLUMNS}, field_confidence BLOB NOT NULL,
    object BLOB NOT NULL, fact TEXT NOT NULL);
CREATE INDEX frame_of_stream ON frame (stream_id);
CREATE TABLE embedding (
    frame_id INTEGER PRIMARY KEY REFERENCES frame ON DELETE CASCADE, data BLOB NOT NULL);
CREATE TABLE thumbnail (
    frame_id INTEGER PRIMARY KEY REFERENCES frame ON DELETE CASCADE, jpeg BLOB NOT NULL);
CREATE TABLE block (id INTEGER PRIMARY KEY, level INTEGER NOT NULL, count INTEGER NOT NULL);
CREATE TABLE block_column (
    name TEXT NOT NULL, block_id INTEGER NOT NULL REFERENCES block ON DELETE CASCADE,
    data BLOB NOT NULL, PRIMARY KEY (name, block_id));
CREATE TABLE term (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);
CREATE TABLE posting (
    term_id INTEGER NOT NULL REFERENCES term, block_id INTEGER NOT NULL REFERENCES block
    ON DELETE CASCADE, rows BLOB NOT NULL, PRIMARY KEY (term_id, block_id));
CREATE INDEX posting_of_block ON posting (block_id);{OWN_TABLE}"""
INSERT_FRAME = 'INSERT INTO frame VALUES (' + ','.join('?' * (13 + len(FIELD_NAMES))) + ')'
SELECT_FRAME = f"""
SELECT frame.id, frame.stamp_ns, frame.log_time_ns, frame.frame_id, frame.caption,
    frame.confidence, frame.status, frame.reason, frame.hazard, {_FIELD_COLUMNS},
    frame.field_confidence, frame.object, frame.fact, stream.topic, bag.path, model.name,
    model.sha256, model.backend, model.precision
FROM frame JOIN stream ON stream.id = frame.stream_id JOIN bag ON bag.id = stream.bag_id
    JOIN model ON model.id = bag.model_id
"""
_OBJECT_TYPE = np.dtype(
    [
        ('class', 'u1'),
        ('position', 'u1'),
        ('range', 'u1'),
        ('in_lane', 'u1'),
        ('score', '<f4'),
        ('box', '<f4', (4,)),
    ]
)
"""One object in the blob ``frame.object``; the words stand in the order of the schema."""


def frame_values(
    number: int, stream: int, log_time_ns: int, said: SceneDescription
) -> tuple[Any, ...]:
    """
    Return one row of ``frame``.

    :param number: Its id.
    :param stream: The id of its recording's topic.
    """
    scene = [said.scene.get(name) for name in FIELD_NAMES]
    return (
        number,
        stream,
        said.stamp_ns,
        log_time_ns,
        said.frame_id,
        said.caption,
        round(float(said.confidence), 6),
        said.status,
        said.reason,
        said.hazard,
        *(None if v is None else v.value for v in scene),
        bytes(0 if v is None else round(v.confidence * 255) for v in scene),
        _pack_objects(said.objects),
        pack_facts(said.scene),
    )


def read_frame(row: Sequence[Any]) -> tuple[int, int, SceneDescription]:
    """
    Read one row of :data:`SELECT_FRAME` back.

    :returns: Id, log time in nanoseconds, and what was said; confidences are in steps of 1/255.
    """
    number, stamp_ns, log_time_ns, frame_id, caption, confidence, status, reason, hazard = row[:9]
    values = row[9 : 9 + len(FIELD_NAMES)]
    sureness, objects, facts, topic, path, *model = row[9 + len(FIELD_NAMES) :]
    scene = {
        name: FieldValue(bool(value) if FIELDS[name].kind == 'boolean' else value, sure / 255)
        for name, value, sure in zip(FIELD_NAMES, values, sureness, strict=True)
        if value is not None
    }
    said = SceneDescription(
        stamp_ns=stamp_ns,
        frame_id=frame_id,
        camera=topic,
        file=path,
        caption=caption,
        confidence=confidence,
        status=status,
        reason=reason,
        scene=scene | unpack_facts(facts),
        hazard=hazard,
        objects=_unpack_objects(objects),
        model=ModelInfo(*model),
    )
    return number, log_time_ns, said


def class_counts(objects: Sequence[SceneObject]) -> list[int]:
    """Return how many objects of every class there are, in the order of the schema."""
    counts = dict.fromkeys(OBJECT_CLASSES, 0)
    for item in objects:
        if item.class_name in counts:
            counts[item.class_name] += 1
    return [min(n, 255) for n in counts.values()]


def centre_of(
    database: sqlite3.Connection, model: int, vectors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the centre of a model's embeddings: the mean of the first that ever came."""
    sha256 = '(SELECT sha256 FROM model WHERE id = ?)'
    row = database.execute(
        f'SELECT centre FROM model WHERE sha256 = {sha256} AND centre IS NOT NULL', (model,)
    ).fetchone()
    if row is not None:
        return np.frombuffer(row[0], dtype='<f4')
    centre: NDArray[np.float32] = vectors.mean(axis=0, dtype=np.float64).astype('<f4')
    database.execute(
        f'UPDATE model SET centre = ? WHERE sha256 = {sha256}', (centre.tobytes(), model)
    )
    return centre


def create(database: sqlite3.Connection) -> None:
    """Make the tables, in the caller's transaction."""
    for statement in TABLES.split(';'):
        if statement.strip():
            database.execute(statement)
    database.execute("INSERT INTO meta VALUES ('format_version', ?)", (str(FORMAT_VERSION),))


def _pack_objects(objects: Sequence[SceneObject]) -> bytes:
    packed: NDArray[np.void] = np.zeros(len(objects), dtype=_OBJECT_TYPE)
    for i, item in enumerate(objects):
        packed[i] = (
            OBJECT_CLASSES.index(item.class_name),
            POSITIONS.index(item.position),
            RANGES.index(item.range),
            item.in_lane,
            item.score,
            item.box,
        )
    return packed.tobytes()


def _unpack_objects(data: bytes) -> tuple[SceneObject, ...]:
    return tuple(
        SceneObject(
            class_name=OBJECT_CLASSES[kind],
            score=score,
            box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            position=POSITIONS[position],
            range=RANGES[distance],
            in_lane=bool(in_lane),
        )
        for kind, position, distance, in_lane, score, box in np.frombuffer(
            data, dtype=_OBJECT_TYPE
        ).tolist()
    )
