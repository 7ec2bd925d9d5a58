# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Fail where a file is over 400 lines or a function over 60; print what the package weighs."""

import ast
from pathlib import Path
import sys

MAX_FILE, MAX_FUNCTION = 400, 60


def main() -> int:
    """Return 1 if anything is too long."""
    root = Path(__file__).resolve().parent.parent
    faults, total = [], 0
    for folder in ('caption_node', 'tests', 'launch', 'benchmarks', 'scripts'):
        for path in sorted((root / folder).rglob('*.py')):
            text = path.read_text(encoding='utf-8')
            lines = text.count('\n')
            total += lines if folder == 'caption_node' else 0
            name = path.relative_to(root)
            if lines > MAX_FILE:
                faults.append(f'{name}: {lines} lines, at most {MAX_FILE}')
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    length = (node.end_lineno or node.lineno) - node.lineno + 1
                    if length > MAX_FUNCTION:
                        faults.append(
                            f'{name}:{node.lineno}: {node.name} has {length} lines, '
                            f'at most {MAX_FUNCTION}'
                        )
    print(f'{total} lines in caption_node')
    print('\n'.join(faults))
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
