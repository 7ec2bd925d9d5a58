# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption serve``: the whole index in a browser, on this machine."""

import argparse
from pathlib import Path

from caption_node.commands.lines import print_text, say
from caption_node.web.library import Library
from caption_node.web.server import is_loopback, open_server


def run(options: argparse.Namespace) -> int:
    """
    Serve until interrupted.

    :returns: The exit status.
    """
    path = Path(options.index) if options.index else None
    with Library(path) as library, open_server(library, options.host, options.port) as server:
        if not is_loopback(options.host):
            say(
                f'warning: whoever reaches {options.host} can look at every picture of the index: '
                'there is no password'
            )
        try:
            print_text(f'{server.url} (Ctrl-C ends it)')
            server.serve_forever()
        except KeyboardInterrupt:
            say('caption: ended')
    return 0
