# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m caption_node`` is the ``caption`` command."""

import sys

from caption_node.cli import main

if __name__ == '__main__':
    sys.exit(main())
