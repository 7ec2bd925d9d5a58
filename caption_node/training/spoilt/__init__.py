# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Pictures that no sentence should be said of, to learn the limits of trust from.

What measures those limits (``benchmarks/abstention.py``) draws other kinds with other code.
"""
