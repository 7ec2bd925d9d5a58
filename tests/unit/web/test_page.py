# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Pages hold everything, say nothing twice, and cannot be made to run what a caption says."""

from html.parser import HTMLParser
from itertools import pairwise
import json
from typing import Any

from caption_node.description import FIELDS, SceneDescription
from caption_node.web.page import PageContent, script_json, write_page
from caption_node.web.thumbnails import choose_frames, nearest_pictures
from tests.described import describe, describe_own

HOSTILE = '</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\u2028"\'$style'


class _Scripts(HTMLParser):
    """The elements of a page as a browser sees them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.scripts = self.links = 0
        self._inside = ''
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert not any(name.startswith('on') for name in found)
        assert 'src' not in found
        assert found.get('href', 'data:,') == 'data:,'
        self.scripts += tag == 'script'
        self._inside = found.get('id') or '' if tag in ('script', 'title') else ''

    def handle_endtag(self, tag: str) -> None:
        self._inside = ''

    def handle_data(self, data: str) -> None:
        self.texts[self._inside] = self.texts.get(self._inside, '') + data


def data_of(page: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_Scripts(page).texts['data'])
    return found


def content(frames: list[SceneDescription], **changes: Any) -> PageContent:
    times = [f.stamp_ns for f in frames]
    return PageContent('drive', ['a fact'], frames, times, **changes)


def test_hostile_texts_stay_texts() -> None:
    frames = [describe(0, HOSTILE, camera=HOSTILE)]
    page = write_page(PageContent(HOSTILE, [HOSTILE], frames, [0], commands=[HOSTILE]))
    found = _Scripts(page)
    assert found.scripts == 3  # data, pictures, code
    data = data_of(page)
    assert data['captions'] == [HOSTILE]
    assert data['cameras'] == [HOSTILE]
    assert data['facts'] == [HOSTILE]
    assert data['commands'] == [HOSTILE]


def test_a_page_asks_nobody_for_anything() -> None:
    page = write_page(content([describe(0)]))
    assert "default-src 'none'" in page
    assert 'http:' not in page
    assert 'https:' not in page


def test_fields_come_back_out_of_the_columns() -> None:
    frames = [describe(0, lead='truck', vehicles=15), describe(1, oncoming=True)]
    frames.append(SceneDescription(stamp_ns=frames[1].stamp_ns + 1, status='error', error='bad'))
    data = data_of(write_page(content(frames)))
    lead = next(f for f in data['fields'] if f['name'] == 'lead')
    digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    numbers = [digits.index(c) for c in data['columns']['lead']['values']]
    assert [lead['values'][n] for n in numbers[:2]] == ['truck', 'none']
    assert numbers[2] == 63
    assert [digits.index(c) for c in data['columns']['vehicles']['values']] == [15, 0, 63]
    assert [digits.index(c) for c in data['columns']['oncoming']['values']] == [0, 1, 63]
    share = digits.index(data['columns']['lead']['confidences'][0]) / 62
    assert abs(share - 0.8) < 0.01
    assert data['reasons'][data['reason_of'][2]] == 'bad'


def test_a_page_shows_the_fields_of_other_models() -> None:
    frames = [describe_own(k, shape, k, k == 1) for k, shape in enumerate(('round', 'flat "a"'))]
    data = data_of(write_page(content(frames)))
    assert data['fields'] == [
        {'name': 'shape', 'kind': 'categorical', 'values': ['round', 'flat "a"']},
        {'name': 'shadows', 'kind': 'count', 'values': []},
        {'name': 'device', 'kind': 'boolean', 'values': []},
    ]
    assert [data['columns'][n]['values'] for n in ('shape', 'shadows', 'device')] == ['AB'] * 3
    assert data['events'] == []
    mixed = data_of(write_page(content([*frames, describe(2)])))
    assert len(mixed['fields']) == 3 + len(FIELDS)
    assert mixed['columns']['shape']['values'] == 'AB_'


def test_ten_thousand_frames_take_less_than_two_megabytes() -> None:
    frames = [
        describe(i, f'A sentence of the usual length, number {i % 700}.') for i in range(10_000)
    ]
    assert len(write_page(content(frames))) < 2_000_000


def test_a_page_of_nothing_can_be_made() -> None:
    assert data_of(write_page(content([])))['steps_ms'] == []


def test_same_content_same_page() -> None:
    frames = [describe(i) for i in range(5)]
    assert write_page(content(frames)) == write_page(content(frames))


def test_json_in_a_script_cannot_end_it() -> None:
    text = script_json({'a': '</script><!--'})
    assert '<' not in text
    assert json.loads(text) == {'a': '</script><!--'}


def test_pictures_are_spread_and_begin_with_events() -> None:
    assert choose_frames(5, [], 10) == [0, 1, 2, 3, 4]
    chosen = choose_frames(10_000, [17, 5_001], 100)
    assert len(chosen) == 100
    assert {17, 5_001} <= set(chosen)
    assert max(b - a for a, b in pairwise(chosen)) < 300
    crowded = choose_frames(10_000, range(0, 10_000, 2), 100)
    assert 50 <= len(crowded) <= 100
    assert choose_frames(100, [3], 0) == []


def test_frames_borrow_the_nearest_picture_of_their_own_camera() -> None:
    frames = [describe(i, camera='/a' if i % 2 == 0 else '/b') for i in range(8)]
    times = [f.stamp_ns for f in frames]
    assert nearest_pictures(frames, times, [0, 6]) == [0, -1, 0, -1, 1, -1, 1, -1]
