# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Anybody's own pictures with captions: read, and checked before a model learns from them."""
