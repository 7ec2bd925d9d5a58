# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Frames and pre-labels out to annotation tools, corrected labels back in as training data."""
