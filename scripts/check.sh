#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
#
# What a change must pass before it is shown to anybody: style, types, layers, sizes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=.venv/bin

"$bin/ruff" check caption_node tests launch benchmarks setup.py
"$bin/ruff" format --check caption_node tests launch benchmarks setup.py
"$bin/mypy" caption_node
"$bin/lint-imports"
"$bin/python" scripts/sizes.py
