# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Training on anybody's own pictures: no roads, no boxes, fields only where a table names them."""
