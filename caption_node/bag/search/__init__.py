# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Finding moments in an index of recordings: words, field filters, likeness."""
