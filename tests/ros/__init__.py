# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The node and replay over real DDS: publisher, node and listener are processes of their own."""
