# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A whole index as pages and answers, for one thread at a time or several."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from hashlib import sha256
import html
from pathlib import Path
import shlex
from threading import Lock
from typing import Any

from caption_node.bag.index import IndexedBag, Query, open_index
from caption_node.bag.search.own_fields import PREFIX
from caption_node.closing import Closed
from caption_node.description import FIELDS, MAX_COUNT, Field
from caption_node.web.page import PageContent, fill_template, script_json, write_page

MOST_MOMENTS = 500
LEAD_IN_S = 1.0
_MOST_BAGS = 5000


class Library(Closed):
    """
    An open index, read only.

    :param path: The index; None means the usual one.
    :raises BagError: If there is none, or it cannot be read.
    """

    def __init__(self, path: Path | None) -> None:
        self._index = open_index(path)
        self._lock = Lock()

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def front_page(self) -> str:
        """Return the page over the whole index as HTML."""
        with self._lock:
            bags, frames = self._index.bags(), self._index.count()
        shown = bags[:_MOST_BAGS]
        facts = [str(self._index.path), f'{len(bags)} recordings', f'{frames} frames']
        if len(shown) < len(bags):
            facts.append(f'the first {len(shown)} are listed')
        return fill_template(
            'index.html',
            'index.js',
            is_served=True,
            title=html.escape(f'Drives in {self._index.path.name}'),
            data=script_json({'facts': facts, 'bags': [_bag_to_json(b) for b in shown]}),
        )

    def bag_page(self, key: str) -> str | None:
        """
        Return the page of one recording as HTML, or None if there is none of that key.

        :param key: As :func:`bag_key` gives it.
        """
        with self._lock:
            bag = next((b for b in self._index.bags() if bag_key(b.path) == key), None)
            rows = list(self._index.frames(bag.path)) if bag is not None else []
        if bag is None:
            return None
        rows.sort(key=lambda r: (r.log_time_ns, r.description.camera))
        return write_page(
            PageContent(
                title=Path(bag.path).name,
                facts=[bag.path, f'{len(rows)} frames', *_remarks(bag), bag.model.name],
                frames=[r.description for r in rows],
                times_ns=[r.log_time_ns for r in rows],
                thumbnails=[thumbnail_address(r.id) for r in rows],
                picture_frames=range(len(rows)),
                thumbnail_of=range(len(rows)),
                commands=[
                    f'ros2 bag play {shlex.quote(bag.path)} --start-offset OFFSET',
                    f'caption replay {shlex.quote(bag.path)} --start-offset OFFSET',
                ],
                offset_s=(rows[0].log_time_ns - bag.start_ns) / 1e9 if rows else 0.0,
                home='/',
            ),
            is_served=True,
        )

    def thumbnail(self, number: int) -> bytes:
        """Return the JPEG of a frame; empty if it has none."""
        with self._lock:
            return self._index.thumbnail(number)

    def search(self, text: str, where: str, limit: int) -> dict[str, Any]:
        """
        Return moments that answer a question.

        :param limit: Moments at most; without a question, the newest.
        :raises CaptionError: If the filter cannot be read, or the index cannot.
        """
        wanted = max(1, min(limit, MOST_MOMENTS))
        is_question = bool(text.strip() or where.strip())
        query = Query(text, where, limit=wanted, last=0 if is_question else wanted)
        with self._lock:
            found = self._index.search(query)
        moments = []
        for moment in found.moments:
            start_s = max(0.0, moment.start_offset_s - LEAD_IN_S)
            length_s = moment.start_offset_s + moment.duration_s + LEAD_IN_S - start_s
            moments.append(
                {
                    'name': Path(moment.bag).name,
                    'page': f'/bag/{bag_key(moment.bag)}',
                    'topic': moment.topic,
                    'start_offset_s': round(moment.start_offset_s, 3),
                    'duration_s': round(moment.duration_s, 3),
                    'status': moment.best.status,
                    'caption': moment.best.caption,
                    'thumbnail': thumbnail_address(moment.best_id),
                    'play': f'ros2 bag play {shlex.quote(moment.bag)} '
                    f'--start-offset {start_s:.1f} --playback-duration {length_s:.1f}',
                }
            )
        return {
            'moments': moments,
            'moments_in_all': found.moments_in_all,
            'frames': found.rows,
            'notes': found.notes,
            'elapsed_ms': found.elapsed_ms,
        }

    def conditions(self, text: str, where: str) -> dict[str, Any]:
        """
        Count the frames that answer a question, by every value of every field.

        Behind every value and its count stands the filter that asks for it.

        :raises CaptionError: If the filter cannot be read, or the index cannot.
        """
        with self._lock:
            own = self._index.own_fields()
        fields = []
        for field in (*FIELDS.values(), *own.values()):
            counts = []
            name = PREFIX + field.name if field.name in own else field.name
            for value in _values(field):
                also = f'{name}={_quoted(value)}'
                query = Query(text, f'({where}) and {also}' if where.strip() else also, limit=1)
                with self._lock:
                    rows = self._index.search(query).rows
                if rows:
                    counts.append([value, rows, also])
            fields.append({'name': field.name, 'counts': counts})
        return {'fields': fields}


def bag_key(path: str) -> str:
    """Return what addresses call a recording: nothing that could be taken for a path."""
    return sha256(path.encode('utf-8', 'surrogateescape')).hexdigest()[:24]


def thumbnail_address(number: int) -> str:
    """Return the address of a frame's picture."""
    return f'/thumbnail/{number}.jpg'


def _values(field: Field) -> Iterator[str]:
    if field.kind == 'boolean':
        yield from ('false', 'true')
    elif field.kind == 'count':
        yield from (str(n) for n in range(MAX_COUNT + 1))
    else:
        yield from field.values


def _quoted(value: str) -> str:
    """Write a word for a filter: those of own fields may hold spaces and quotation marks."""
    if value.isalnum():
        return value
    mark = "'" if '"' in value else '"'
    return f'{mark}{value}{mark}'


def _bag_to_json(bag: IndexedBag) -> dict[str, Any]:
    recorded = datetime.fromtimestamp(bag.start_ns / 1e9, timezone.utc)
    return {
        'path': bag.path,
        'page': f'/bag/{bag_key(bag.path)}',
        'frames': bag.images_done - bag.failed,
        'length_s': (bag.end_ns - bag.start_ns) / 1e9,
        'recorded': f'{recorded:%Y-%m-%d %H:%M} UTC',
        'remark': ', '.join(_remarks(bag)),
    }


def _remarks(bag: IndexedBag) -> Sequence[str]:
    remarks = []
    if not bag.is_complete:
        remarks.append('not complete')
    if bag.failed:
        remarks.append(f'{bag.failed} unreadable')
    return remarks
