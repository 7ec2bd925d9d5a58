# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
``make demo``: a drive goes through DDS into the node, and its descriptions come back.

    render or read -> bag -> `caption replay` -> DDS -> `caption_node` -> DDS -> terminal,
    mcap, mp4
"""
