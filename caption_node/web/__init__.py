# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What is seen of described recordings in a browser: one page a recording, or a local server."""
