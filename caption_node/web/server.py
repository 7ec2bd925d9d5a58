# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Pages of an index over HTTP, for the browser of whoever started it.

Nothing in an address is ever used as the name of a file, and nothing can be changed. Requests that
name another host than this one are refused: a page of somebody else's, open in the same browser,
could otherwise read the index through a name that it points at this machine.
"""

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import ipaddress
import json
import re
import socket
from typing import Any
from urllib.parse import parse_qs, urlsplit

from caption_node.errors import CaptionError, ConfigError
from caption_node.web.library import Library

_LONGEST_QUESTION = 2000
_BAG = re.compile(r'/bag/([0-9a-f]{24})')
_THUMBNAIL = re.compile(r'/thumbnail/([0-9]{1,15})\.jpg')
_LOCAL_NAMES = ('localhost', '127.0.0.1', '[::1]')


def is_loopback(host: str) -> bool:
    """Say whether a host can be reached from this machine alone."""
    if host == 'localhost':
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_server(library: Library, host: str, port: int) -> 'LibraryServer':
    """
    Listen.

    :param port: 0 takes any that is free.
    :raises ConfigError: If the address cannot be used.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return LibraryServer(library, host, port, family)
    except (OSError, OverflowError, UnicodeError) as err:
        reason = getattr(err, 'strerror', None) or err
        raise ConfigError(
            f'cannot listen on {host} port {port}: {reason}',
            'take another with --port, or --port 0 for any that is free',
        ) from err


class LibraryServer(ThreadingHTTPServer):
    """Serves one library; a thread for each request."""

    daemon_threads = True

    def __init__(
        self, library: Library, host: str, port: int, family: socket.AddressFamily
    ) -> None:
        self.address_family = family
        self.library = library
        self.is_local = is_loopback(host)
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Address for a browser."""
        host, port = self.server_address[:2]
        name = str(host)
        return f'http://{f"[{name}]" if ":" in name else name}:{port}/'

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that goes away in the middle is no fault."""


class _Handler(BaseHTTPRequestHandler):
    server: LibraryServer
    server_version = 'caption_node'
    sys_version = ''
    protocol_version = 'HTTP/1.1'
    timeout = 30

    def do_GET(self) -> None:
        """Answer a request."""
        if self.server.is_local and not self._is_for_us():
            self._send_json(HTTPStatus.FORBIDDEN, {'error': 'this server is called localhost'})
            return
        address = urlsplit(self.path)
        try:
            self._answer(address.path, parse_qs(address.query, max_num_fields=10))
        except CaptionError as err:
            text = f'{err}; {err.hint}' if err.hint else str(err)
            self._send_json(HTTPStatus.BAD_REQUEST, {'error': text})
        except ValueError as err:
            self._send_json(HTTPStatus.BAD_REQUEST, {'error': str(err)})

    do_HEAD = do_GET  # noqa: N815  # the name that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""

    def _answer(self, path: str, values: dict[str, list[str]]) -> None:
        library = self.server.library
        bag, thumbnail = _BAG.fullmatch(path), _THUMBNAIL.fullmatch(path)
        text, where = (values.get(n, [''])[0][:_LONGEST_QUESTION] for n in ('q', 'where'))
        if path == '/':
            self._send_page(library.front_page())
        elif path == '/api/search':
            limit = int(values.get('limit', ['24'])[0][:6])
            self._send_json(HTTPStatus.OK, library.search(text, where, limit))
        elif path == '/api/conditions':
            self._send_json(HTTPStatus.OK, library.conditions(text, where))
        elif bag and (page := library.bag_page(bag[1])) is not None:
            self._send_page(page)
        elif thumbnail and (jpeg := library.thumbnail(int(thumbnail[1]))):
            self._send(HTTPStatus.OK, 'image/jpeg', jpeg)
        else:
            self._send_json(HTTPStatus.NOT_FOUND, {'error': 'there is no such page'})

    def _is_for_us(self) -> bool:
        name = self.headers.get('Host', '').rsplit(':', 1)
        host = name[0] if len(name) == 1 or name[1].isdigit() else ':'.join(name)
        return host in _LOCAL_NAMES or is_loopback(host.strip('[]'))

    def _send_page(self, page: str) -> None:
        self._send(HTTPStatus.OK, 'text/html; charset=utf-8', page.encode('utf-8', 'replace'))

    def _send_json(self, status: HTTPStatus, data: Any) -> None:
        self._send(status, 'application/json', json.dumps(data).encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Cache-Control', 'no-store')
        self.send_header('X-Content-Type-Options', 'nosniff')
        self.send_header('X-Frame-Options', 'DENY')
        self.send_header('Cross-Origin-Resource-Policy', 'same-origin')
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)
