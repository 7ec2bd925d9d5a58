# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Many recordings at once, on one machine or on a Ray cluster, into one index."""
