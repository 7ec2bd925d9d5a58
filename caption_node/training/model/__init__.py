# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The network: encoder, detection, scene fields, decoder, and the one exported graph."""
