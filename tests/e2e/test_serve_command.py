# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption serve``: the index in a browser, on this machine only, read only."""

from collections.abc import Iterator
from http.client import HTTPConnection
import json
from pathlib import Path
import signal
from threading import Thread
from typing import Any

import pytest

from caption_node.bag.index import IndexedBag, IndexedFrame, open_index
from caption_node.cli import main
from caption_node.description import ModelInfo
from caption_node.web.library import Library, bag_key
from caption_node.web.server import LibraryServer, is_loopback, open_server
from tests.described import START_NS, describe
from tests.drawn import draw_street, jpeg
from tests.e2e.browser import await_text, open_page
from tests.e2e.command import DEADLINE_S, start

FRAMES = 30
HOSTILE = '<img src=x onerror="document.title=1">'
BAGS = ('/drives/monday.mcap', '/drives/<b>tuesday.mcap')


@pytest.fixture(scope='module')
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings: a truck ahead from 1 s to 2 s in the first, rain in the second."""
    path = tmp_path_factory.mktemp('index') / 'drives.index'
    model = ModelInfo('test-model', 'ab' * 32, 'test', 'fp32')
    with open_index(path, write=True) as library:
        for bag in BAGS:
            end_ns = START_NS + FRAMES * 10**8
            library.begin(IndexedBag(bag, 'f' + bag, '[]', START_NS, end_ns, model))
            rows = []
            for i in range(FRAMES):
                if bag == BAGS[0]:
                    is_truck = 10 <= i < 20
                    words = 'A truck drives ahead of us.' if is_truck else ''
                    lead = 'truck' if is_truck else 'none'
                    said = describe(i, words, lead=lead, lead_range='far' if is_truck else 'none')
                else:
                    said = describe(i, HOSTILE if i == 5 else '', weather='rain')
                rows.append(IndexedFrame(said, said.stamp_ns, jpeg(draw_street(i))))
            library.add(bag, rows)
            library.finish(bag)
    return path


@pytest.fixture
def server(index: Path) -> Iterator[LibraryServer]:
    with Library(index) as library, open_server(library, '127.0.0.1', 0) as found:
        thread = Thread(target=found.serve_forever, kwargs={'poll_interval': 0.02})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def get(
    server: LibraryServer, path: str, method: str = 'GET', host: str = ''
) -> tuple[int, dict[str, str], bytes]:
    """Ask as no browser would: the path goes out as it is."""
    connection = HTTPConnection('127.0.0.1', server.server_address[1], timeout=DEADLINE_S)
    connection.putrequest(method, path, skip_host=bool(host))
    if host:
        connection.putheader('Host', host)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body


def get_json(server: LibraryServer, path: str) -> Any:
    status, headers, body = get(server, path)
    assert status == 200, body
    assert headers['content-type'] == 'application/json'
    return json.loads(body)


def test_search_gives_moments_with_pictures_and_commands(server: LibraryServer) -> None:
    found = get_json(server, '/api/search?q=truck&limit=5')
    (moment,) = found['moments']
    assert moment['caption'] == 'A truck drives ahead of us.'
    assert (moment['start_offset_s'], moment['duration_s']) == (1.0, 0.9)
    assert moment['play'].startswith('ros2 bag play /drives/monday.mcap --start-offset 0.0')
    status, headers, body = get(server, moment['thumbnail'])
    assert (status, headers['content-type'], body[:2]) == (200, 'image/jpeg', b'\xff\xd8')
    assert get_json(server, '/api/search?where=weather=rain')['frames'] == FRAMES


def test_conditions_are_counted_over_what_was_found(server: LibraryServer) -> None:
    def counted(path: str) -> dict[str, dict[str, int]]:
        fields = get_json(server, path)['fields']
        return {f['name']: {c[0]: c[1] for c in f['counts']} for f in fields}

    assert counted('/api/conditions')['weather'] == {'clear': FRAMES, 'rain': FRAMES}
    assert counted('/api/conditions')['lead'] == {'none': 2 * FRAMES - 10, 'truck': 10}
    assert counted('/api/conditions?where=lead=truck')['weather'] == {'clear': 10}
    assert counted('/api/conditions?q=truck')['crosswalk'] == {'false': 10}


@pytest.mark.parametrize(
    'path',
    [
        '/../../etc/passwd',
        '/thumbnail/../../../etc/passwd',
        '/thumbnail/1.jpg/../../etc/passwd',
        '/%2e%2e/%2e%2e/etc/passwd',
        '//etc/passwd',
        '/bag/' + '0' * 24,
        '/bag/..%2f..%2fetc%2fpasswd',
        '/thumbnail/999999.jpg',
        '/assets/report.js',
    ],
)
def test_no_address_leads_to_a_file(server: LibraryServer, path: str) -> None:
    status, _, body = get(server, path)
    assert status == 404
    assert b'root:' not in body


def test_other_hosts_are_refused_and_nothing_can_be_written(
    server: LibraryServer, index: Path
) -> None:
    before = index.read_bytes()
    assert get(server, '/', host='evil.example')[0] == 403
    assert get(server, '/', host='127.0.0.1.evil.example')[0] == 403
    assert get(server, '/', host='localhost:8400')[0] == 200
    for method in ('POST', 'PUT', 'DELETE', 'OPTIONS'):
        assert get(server, '/', method)[0] == 501
    status, headers, body = get(server, '/', 'HEAD')
    assert (status, body) == (200, b'')
    assert headers['x-content-type-options'] == 'nosniff'
    assert index.read_bytes() == before


@pytest.mark.parametrize(
    'path', ['/api/search?where=lead==', '/api/search?where=mood=good', '/api/search?limit=x']
)
def test_a_wrong_question_is_answered_with_what_is_wrong(server: LibraryServer, path: str) -> None:
    status, _, body = get(server, path)
    assert status == 400
    assert json.loads(body)['error']


def test_pages_work_in_a_browser(server: LibraryServer) -> None:
    with open_page(server.url, is_offline=False) as page:
        await_text(page, '#bag-count', '2')
        page.fill('#search', 'truck')
        await_text(page, '#cards .said', 'A truck drives ahead of us.')
        picture = page.locator('#cards img')
        assert picture.evaluate('i => i.decode().then(() => i.naturalWidth)') == 320
        page.fill('#search', '')
        page.locator('fieldset[data-field=weather] button', has_text='rain').click()
        await_text(page, '#cards a', '<b>tuesday.mcap')
        assert page.locator('#where').input_value() == 'weather=rain'
        page.fill('#where', 'weather=')
        page.wait_for_selector('#notes .fault')
        assert 'weather' in page.locator('#notes').inner_text()
        page.goto(f'{server.url}bag/{bag_key(BAGS[1])}')
        await_text(page, 'h1', '<b>tuesday.mcap')
        assert page.title() == '<b>tuesday.mcap'
        page.fill('#search', 'onerror')
        await_text(page, '#cards .said', HOSTILE)
        assert page.locator('#events li').count() == 1


def test_the_command_says_where_and_ends_on_interrupt(index: Path) -> None:
    process = start('serve', '--index', index, '--port', '0')
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith('http://127.0.0.1:')
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert 'Traceback' not in errors


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--index', '/nowhere.index'], '/nowhere.index does not exist'),
        (['--index', '{index}', '--host', '203.0.113.7'], 'cannot listen on 203.0.113.7'),
        (['--index', '{index}', '--port', '99999'], 'cannot listen'),
    ],
)
def test_bad_usage_is_an_error(
    index: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(['serve', *(a.format(index=index) for a in arguments)]) == 1
    assert message in capsys.readouterr().err


def test_loopback_is_told_from_the_rest() -> None:
    assert all(is_loopback(h) for h in ('localhost', '127.0.0.1', '127.8.8.8', '::1'))
    assert not any(is_loopback(h) for h in ('', '0.0.0.0', '192.168.1.4', '::', 'example.org'))
