# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""How good descriptions are: measures in plain Python for commands, tests and training."""
