# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
A question to an index, and the moments that answer it.

Every row is looked at, column by column, and never only the best few: moments can be merged and
counted rightly only where all their rows are known.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
import json
import sqlite3
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.bag.search import moments
from caption_node.bag.search.blocks import block_starts, read_column, read_rows
from caption_node.bag.search.filters import Mask, read_filter
from caption_node.bag.search.likeness import differing_bits, nearest, signatures
from caption_node.bag.search.own_fields import read_own_fields
from caption_node.bag.search.schema import SELECT_FRAME, read_frame
from caption_node.bag.search.words import Idea, read_ideas
from caption_node.description import STATUSES, ModelInfo, SceneDescription
from caption_node.errors import BagError

_NEAREST_ROWS = 2000
_LESS_ALIKE = 0.25
"""Pictures whose cosine is further below the best one's are not what was meant."""
# What it is worth that a row says something: not at all, in words, in its fields, in both.
_SAYS = np.array([0.0, 1.0, 0.75, 1.25], dtype=np.float32)
_ABSTAINED = 0.6
_OUT_OF_QUESTION = 255


@dataclass(frozen=True, slots=True)
class Query:
    """
    What is looked for; all parts that are given must hold.

    :param text: Words, and words with a minus before them.
    :param where: A filter, see :mod:`caption_node.bag.search.filters`.
    :param like: Embedding (D,) of a picture, of unit length.
    :param like_model: The model that made it.
    :param limit: Moments, the best ones.
    :param last: Moments, the newest ones, if above 0.
    :param gap_s: Rows further apart are different moments, seconds.
    """

    text: str = ''
    where: str = ''
    like: NDArray[np.float32] | None = None
    like_model: ModelInfo = field(default_factory=ModelInfo)
    limit: int = 10
    last: int = 0
    gap_s: float = 2.5


@dataclass(frozen=True, slots=True)
class Moment:
    """
    A stretch of one camera of one recording.

    :param bag: Path of the recording.
    :param topic: Topic of the camera.
    :param start_ns: Log time of its first frame that was found.
    :param end_ns: Log time of its last one.
    :param start_offset_s: From the start of the recording, seconds.
    :param frames: How many frames were found in it.
    :param score: Above 0; comparable within one answer only.
    :param similarity: Cosine of the best frame's embedding with the picture's, None without one.
    :param best: The frame that fits best.
    :param best_id: Its number in the index.
    :param best_log_time_ns: When it was recorded.
    """

    bag: str
    topic: str
    start_ns: int
    end_ns: int
    start_offset_s: float
    frames: int
    score: float
    similarity: float | None
    best: SceneDescription
    best_id: int
    best_log_time_ns: int

    @property
    def duration_s(self) -> float:
        """From the first frame to the last, seconds."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(frozen=True, slots=True)
class Found:
    """
    The answer to a query.

    :param moments: Ranked, or the newest first.
    :param moments_in_all: How many there are beyond the limit too.
    :param rows: Frames that were found.
    :param notes: What people should know about the answer.
    :param elapsed_ms: Time of the search.
    """

    moments: list[Moment]
    moments_in_all: int
    rows: int
    notes: list[str]
    elapsed_ms: float


class Searcher:
    """
    The columns of an index as they were at one time; read when first used, then kept.

    :param database: An index.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._version = self._data_version()
        self._starts = block_starts(database)
        self._own = read_own_fields(database)
        self._columns: dict[str, NDArray[Any]] = {}
        self._words: dict[str, NDArray[np.int64]] = {}
        rows = database.execute(
            'SELECT stream.id, topic, bag.path, bag.start_ns, model.sha256 FROM stream '
            'JOIN bag ON bag.id = bag_id JOIN model ON model.id = model_id'
        ).fetchall()
        self._streams = {int(r[0]): r[1:] for r in rows}
        self._largest = max(self._streams, default=0)
        self._live: Mask | None = None

    def is_current(self) -> bool:
        """Say whether nothing was written since."""
        return self._version == self._data_version()

    def column(self, name: str) -> NDArray[Any]:
        """Return a column; see :class:`~caption_node.bag.search.filters.Rows`."""
        if name not in self._columns:
            self._columns[name] = read_column(self._database, name)
        return self._columns[name]

    def rows_of_streams(self, chooses: Callable[[str, str], bool]) -> Mask:
        """Return rows by bag and topic; see :class:`~caption_node.bag.search.filters.Rows`."""
        return self._of_streams(lambda s: chooses(str(s[1]), str(s[0])))

    def search(self, query: Query) -> Found:
        """
        Find moments.

        :raises ConfigError: If the filter cannot be read.
        :raises BagError: If the index holds no frame of the query's model.
        """
        begun = perf_counter()
        notes: list[str] = []
        mask = self._live_rows()
        if query.where:
            mask = mask & read_filter(query.where, self._own)(self)
        ideas = read_ideas(query.text)
        if query.text.strip() and not ideas:
            notes.append(f'{query.text!r} holds no word that can be looked for')
            mask = np.zeros_like(mask)
        places, scores = self._match(ideas, mask, notes)
        similarity: dict[int, float] = {}
        if query.like is not None:
            matching = places
            mask = np.zeros_like(mask)
            mask[places] = True
            places, similarity = self._resemble(query, mask, notes)
            share = scores[np.searchsorted(matching, places)]
            alike = np.array([similarity[p] for p in places.tolist()], dtype=np.float32)
            scores = np.maximum(alike, 0.01) * (1 + share / max(float(share.max(initial=0)), 1e-6))
        runs, total = moments.merge(
            places,
            scores,
            self.column('stream')[places],
            self.column('log_time_ns')[places],
            round(query.gap_s * 1e9),
            query.last or query.limit,
            newest_first=query.last > 0,
        )
        found = [self._moment(r, similarity.get(r.best)) for r in runs]
        return Found(found, total, len(places), notes, (perf_counter() - begun) * 1e3)

    def _match(
        self, ideas: list[Idea], mask: Mask, notes: list[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows that say everything, or as much as any does, and their scores."""
        wanted = [i for i in ideas if not i.is_excluded]
        for idea in ideas:
            if idea.is_excluded:
                mask = mask & (self._ways_said(idea) == 0)
        codes = [self._ways_said(idea) for idea in wanted]
        said = np.zeros(len(mask), dtype=np.uint8)
        for code in codes:
            said += code != 0
        most = int(said[mask].max(initial=0)) if wanted else 0
        if most < len(wanted):
            if most == 0:
                return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
            notes.append(
                f'no frame says all of {", ".join(repr(i.name) for i in wanted)}; '
                f'these say {most} of {len(wanted)}'
            )
        places = np.flatnonzero(mask & (said >= most))
        scores = np.zeros(len(places), dtype=np.float32)
        for code in codes:
            rarity = np.log1p(len(mask) / max(int(np.count_nonzero(code)), 1))
            scores += (_SAYS * np.float32(rarity))[code[places]]
        if not codes:
            scores += 1
        scores[self.column('status')[places] == STATUSES.index('abstain')] *= _ABSTAINED
        return places, scores

    def _ways_said(self, idea: Idea) -> NDArray[np.uint8]:
        """Return how every row says it: 0 not at all, 1 in words, 2 in its fields, 3 in both."""
        in_words = np.zeros(len(self.column('stream')), dtype=np.uint8)
        for way in idea.ways:
            places = self._places_of(way[0])
            for stem in way[1:]:
                places = np.intersect1d(places, self._places_of(stem), assume_unique=True)
            in_words[places] = 1
        if not idea.fields:
            return in_words
        in_fields = np.zeros(len(in_words), dtype=bool)
        for text in idea.fields:
            in_fields |= read_filter(text)(self)
        return np.asarray(in_words + in_fields.astype(np.uint8) * np.uint8(2), dtype=np.uint8)

    def _places_of(self, stem: str) -> NDArray[np.int64]:
        if stem not in self._words:
            pieces = [
                rows + self._starts[block] for block, rows in read_rows(self._database, stem)
            ]
            empty = np.empty(0, dtype=np.int64)
            self._words[stem] = np.concatenate(pieces).astype(np.int64) if pieces else empty
        return self._words[stem]

    def _resemble(
        self, query: Query, mask: Mask, notes: list[str]
    ) -> tuple[NDArray[np.int64], dict[int, float]]:
        """Return the places of the most alike rows, ascending, and their cosines."""
        assert query.like is not None
        sha256 = query.like_model.sha256
        others = {s[3] for s in self._streams.values()} - {sha256}
        if others:
            mine = self._of_streams(lambda s: s[3] == sha256)
            if not mine.any():
                raise BagError(
                    'no frame of the index was described by the model that looks at the picture, '
                    f'{query.like_model.name} {sha256[:12]}: embeddings cannot be compared',
                    'index the recordings anew with this model, or give --model the folder of '
                    'the model ' + ', '.join(sorted(o[:12] for o in others)),
                )
            left_out = int(np.count_nonzero(mask & ~mine))
            if left_out:
                notes.append(
                    f'{left_out} frames were described by another model and cannot be compared '
                    'with the picture: index their recordings anew'
                )
            mask = mask & mine
        row = self._database.execute(
            'SELECT centre FROM model WHERE sha256 = ? AND centre IS NOT NULL', (sha256,)
        ).fetchone()
        if row is None:
            return np.empty(0, dtype=np.int64), {}
        wanted = signatures(query.like[None], np.frombuffer(row[0], dtype='<f4'))[0]
        bits = differing_bits(self.column('signature'), wanted)
        bits[~mask] = _OUT_OF_QUESTION
        places = nearest(bits, _NEAREST_ROWS)
        cosines = self._cosines(places, query.like)
        order = np.argsort(-cosines, kind='stable')[: _NEAREST_ROWS // 2]
        kept = np.sort(order[cosines[order] >= cosines.max(initial=-1.0) - _LESS_ALIKE])
        places, cosines = places[kept], cosines[kept]
        return places, dict(zip(places.tolist(), cosines.tolist(), strict=True))

    def _cosines(
        self, places: NDArray[np.int64], like: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        numbers = json.dumps(self.column('id')[places].tolist())
        rows = self._database.execute(
            'SELECT key, data FROM json_each(?) JOIN embedding ON frame_id = value', (numbers,)
        ).fetchall()
        vectors = np.zeros((len(places), len(like)), dtype=np.float32)
        stored = np.frombuffer(b''.join(data for _, data in rows), dtype='<f2')
        vectors[[key for key, _ in rows]] = stored.reshape(len(rows), len(like))
        return vectors @ like

    def _live_rows(self) -> Mask:
        if self._live is None:
            self._live = self._of_streams(lambda _: True)
        return self._live

    def _of_streams(self, chooses: Callable[[tuple[Any, ...]], bool]) -> Mask:
        owners = self.column('stream')
        table = np.zeros(max(self._largest, int(owners.max(initial=0))) + 1, dtype=bool)
        for number, stream in self._streams.items():
            table[number] = chooses(stream)
        return np.asarray(table[owners], dtype=bool)

    def _moment(self, run: moments.Run, similarity: float | None) -> Moment:
        topic, bag, bag_start_ns, _ = self._streams[int(self.column('stream')[run.first])]
        times_ns = self.column('log_time_ns')
        number = int(self.column('id')[run.best])
        row = self._database.execute(SELECT_FRAME + ' WHERE frame.id = ?', (number,)).fetchone()
        _, log_time_ns, said = read_frame(row)
        start_ns, end_ns = int(times_ns[run.first]), int(times_ns[run.last])
        return Moment(
            bag=str(bag),
            topic=str(topic),
            start_ns=start_ns,
            end_ns=end_ns,
            start_offset_s=max(0.0, (start_ns - int(bag_start_ns)) / 1e9),
            frames=run.frames,
            score=round(run.score, 4),
            similarity=similarity,
            best=replace(said, file=str(bag)),
            best_id=number,
            best_log_time_ns=log_time_ns,
        )

    def _data_version(self) -> tuple[int, int]:
        """Changes with what other connections commit, and with what this one does."""
        other = self._database.execute('PRAGMA data_version').fetchone()[0]
        return int(other), self._database.total_changes
