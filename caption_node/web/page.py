# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
A described recording as one HTML page that needs nothing else: no server, no network.

The data stands in the page as columns with one character a frame and field, so that a drive of an
hour stays a few megabytes. All text goes in as JSON with ``<``, ``>`` and ``&`` escaped, and the
script puts it on the page as text only; the page's own policy forbids everything that is not
in it.
"""

from base64 import b64encode
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
import html
from itertools import pairwise
import json
from pathlib import Path
from string import Template
from typing import Any

from caption_node.description import FIELDS, Field, Kind, SceneDescription, kind_of
from caption_node.web.events import WATCHED, find_events, hold_of

ASSETS = Path(__file__).resolve().parent / 'assets'
_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
_ABSENT = 63
_MOST_EVENTS = 2000
Frames = Sequence[SceneDescription]


@dataclass(frozen=True, slots=True)
class PageContent:
    """
    What one page shows.

    :param title: Name of the recording.
    :param facts: Remarks below the title, for example what could not be read.
    :param frames: Descriptions in the order of their times.
    :param times_ns: When each was recorded, ascending.
    :param thumbnails: JPEG files, or addresses of pictures.
    :param picture_frames: For every picture, the number of the frame that it shows.
    :param thumbnail_of: For every frame, the number of the picture nearest in time, or -1.
    :param commands: Commands that play a moment; ``OFFSET`` stands for its seconds.
    :param offset_s: Added to the time since the first frame to give ``OFFSET``.
    :param home: Address of the page above this one, if there is any.
    """

    title: str
    facts: Sequence[str]
    frames: Frames
    times_ns: Sequence[int]
    thumbnails: Sequence[bytes | str] = ()
    picture_frames: Sequence[int] = ()
    thumbnail_of: Sequence[int] = ()
    commands: Sequence[str] = ()
    offset_s: float = 0.0
    home: str = ''


@dataclass(slots=True)
class _Words:
    """Texts by number: what is said often stands in the page once."""

    texts: list[str] = field(default_factory=list)
    numbers: dict[Hashable, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        known = self.numbers.setdefault(text, len(self.texts))
        if known == len(self.texts):
            self.texts.append(text)
        return known


def write_page(content: PageContent, is_served: bool = False) -> str:
    """
    Return the page as HTML.

    :param is_served: Whether its pictures come from the server that it comes from.
    """
    pictures = [b64encode(t).decode() if isinstance(t, bytes) else t for t in content.thumbnails]
    return fill_template(
        'report.html',
        'report.js',
        is_served,
        title=html.escape(content.title),
        data=script_json(page_data(content)),
        thumbnails=script_json(pictures),
    )


def fill_template(page: str, script: str, is_served: bool = False, **values: str) -> str:
    """
    Put style, script and values into a page of the package.

    :param is_served: Whether it may ask the server that it comes from; a file may ask nobody.
    :param values: HTML, escaped already.
    """
    code = (ASSETS / script).read_text(encoding='utf-8')
    style = (ASSETS / 'page.css').read_text(encoding='utf-8')
    images, asked = ("data: 'self'", "'self'") if is_served else ('data:', "'none'")
    policy = (
        f"default-src 'none'; img-src {images}; connect-src {asked}; "
        f"style-src 'unsafe-inline'; script-src 'sha256-{_digest(code)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    template = Template((ASSETS / page).read_text(encoding='utf-8'))
    return template.substitute(policy=policy, style=style, script=code, **values)


def script_json(value: Any) -> str:
    """Return JSON that may stand inside a script element, whatever texts are in it."""
    text = json.dumps(value, separators=(',', ':'), allow_nan=False)
    for character in '<>&':
        text = text.replace(character, f'\\u{ord(character):04x}')
    return text


def page_data(content: PageContent) -> dict[str, Any]:
    """Return what the script of the page reads."""
    frames, table = content.frames, table_of(content.frames)
    captions, hazards, reasons = _Words(), _Words(), _Words()
    cameras, statuses = _Words(), _Words()
    start_ns = content.times_ns[0] if frames else 0
    times_ms = [round((t - start_ns) / 1e6) for t in content.times_ns]
    events = find_events(frames, content.times_ns)[:_MOST_EVENTS]
    kinds = list(WATCHED)
    first_camera = frames[0].camera if frames else ''
    first = [t for t, f in zip(content.times_ns, frames, strict=True) if f.camera == first_camera]
    prefix = (
        '' if any(isinstance(t, str) for t in content.thumbnails) else 'data:image/jpeg;base64,'
    )
    return {
        'facts': list(content.facts),
        'home': content.home,
        'fields': [
            {'name': f.name, 'kind': f.kind, 'values': list(f.values)} for f in table.values()
        ],
        'steps_ms': [b - a for a, b in pairwise([0, *times_ms])],
        'hold_ms': hold_of(first) / 1e6,
        'caption_of': [captions.number(f.caption) for f in frames],
        'hazard_of': [hazards.number(f.hazard) for f in frames],
        'reason_of': [reasons.number(f.error or f.reason) for f in frames],
        'camera_of': [cameras.number(f.camera) for f in frames],
        'status_of': [statuses.number(f.status) for f in frames],
        'confidences': ''.join(_share(f.confidence) for f in frames),
        'captions': captions.texts,
        'hazards': hazards.texts,
        'reasons': reasons.texts,
        'cameras': cameras.texts,
        'statuses': statuses.texts,
        'columns': _columns(frames, table),
        'thumbnail_of': list(content.thumbnail_of),
        'thumbnail_prefix': prefix,
        'picture_frames': list(content.picture_frames),
        'kinds': kinds,
        'events': [
            {
                'kind': kinds.index(e.kind),
                'text': f'{e.kind} ({e.confidence:.0%})',
                'camera': cameras.number(e.camera),
                'start_ms': (e.start_ns - start_ns) / 1e6,
                'end_ms': (e.end_ns - start_ns) / 1e6,
                'frame': e.index,
            }
            for e in events
        ],
        'commands': list(content.commands),
        'offset_s': content.offset_s,
    }


def table_of(frames: Frames) -> Mapping[str, Field]:
    """
    Return the fields that frames speak of: all of driving, or what stands in the descriptions.

    Descriptions carry values, not tables, so words of own fields are those that were said; what is
    said beyond the first 62 words of a field has no place on the page.
    """
    words: dict[str, dict[str, None]] = {}
    kinds: dict[str, Kind] = {}
    drives = not frames
    for frame in frames:
        for name, found in frame.scene.items():
            drives = drives or name in FIELDS
            if name not in FIELDS:
                kinds.setdefault(name, kind_of(found.value))
                words.setdefault(name, {}).setdefault(str(found.value))
    own = {
        name: Field(name, kind, tuple(words[name])[:_ABSENT] if kind == 'categorical' else ())
        for name, kind in kinds.items()
    }
    return {**FIELDS, **own} if drives or not own else own


def _columns(frames: Frames, table: Mapping[str, Field]) -> Mapping[str, dict[str, str]]:
    columns = {}
    for name, spec in table.items():
        number = {value: _DIGITS[i] for i, value in enumerate(spec.values)}
        values, confidences = [], []
        for frame in frames:
            known = frame.scene.get(name)
            digit = _DIGITS[_ABSENT]
            if known is not None and kind_of(known.value) == spec.kind:
                word = known.value
                digit = number.get(word, digit) if isinstance(word, str) else _DIGITS[int(word)]
            values.append(digit)
            confidences.append(_DIGITS[0] if known is None else _share(known.confidence))
        columns[name] = {'values': ''.join(values), 'confidences': ''.join(confidences)}
    return columns


def _share(value: float) -> str:
    """Write 0..1 as one character."""
    return _DIGITS[round(62 * min(1.0, max(0.0, value)))]


def _digest(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()
