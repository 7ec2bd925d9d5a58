# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A real browser without a window, where the machine has one."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
import shutil
from typing import Any

import pytest

_NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')


@contextmanager
def open_page(address: str, is_offline: bool = True) -> Iterator[Any]:
    """
    Open a page; fail at the end if its script complained.

    Skips the test where there is no browser, or nothing to drive it.

    :param is_offline: Let it reach no network at all.
    """
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip('no Chromium or Chrome on this machine (Debian: apt-get install chromium)')
    api = pytest.importorskip(
        'playwright.sync_api', reason='playwright is missing: requirements/browser.txt'
    )
    complaints: list[str] = []
    # Chromium refuses its sandbox to root, which is who runs tests in containers.
    flags = ['--no-sandbox'] if os.geteuid() == 0 else []
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=flags)
        context = browser.new_context(offline=is_offline, viewport={'width': 1200, 'height': 1600})
        page = context.new_page()
        page.on('pageerror', lambda error: complaints.append(str(error)))
        page.on(
            'console',
            lambda said: complaints.append(said.text) if said.type == 'error' else None,
        )
        page.goto(address)
        yield page
        browser.close()
    # Chromium complains of every answer that says that the question was wrong.
    assert [c for c in complaints if 'a status of 400' not in c] == []


def await_text(page: Any, selector: str, text: str) -> None:
    """Wait until there is one such element, and it says exactly this."""
    from playwright.sync_api import expect

    expect(page.locator(selector)).to_have_text([text], timeout=60_000)
