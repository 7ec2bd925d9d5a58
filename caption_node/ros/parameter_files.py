# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What is written from the table of parameters: the documentation's table, the file of defaults,
and the security policy.

    python -m caption_node.ros.parameter_files [--write]

Without ``--write`` it only says whether they are up to date.
"""

import argparse
import json
from pathlib import Path
import re
import sys

from caption_node.ros.cameras import DEFAULT_CAMERAS, read_cameras
from caption_node.ros.parameters import PARAMETERS, span, type_name
from caption_node.ros.security_policy import policy_xml

ROOT = Path(__file__).resolve().parents[2]
YAML_PATH = ROOT / 'launch' / 'config' / 'caption_node.params.yaml'
POLICY_PATH = ROOT / 'launch' / 'config' / 'caption_node.policy.xml'
DOCUMENT_PATH = ROOT / 'docs' / 'ros.md'
_TABLE = re.compile(r'\| parameter \| type \|.*?\n(?=\n)', re.DOTALL)


def markdown_table() -> str:
    """Return the table of the documentation."""
    lines = [
        '| parameter | type | default | allowed | takes effect | meaning |',
        '|---|---|---|---|---|---|',
    ]
    for spec in PARAMETERS.values():
        allowed = ', '.join(spec.choices) or span(spec)
        cells = [
            f'`{spec.name}`',
            type_name(spec),
            f'`{json.dumps(spec.default)}`',
            allowed,
            {'at once': 'at once', 'inactive': 'next activate', 'start': 'at start'}[spec.when],
            spec.description,
        ]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n'


def yaml_file() -> str:
    """Return ``launch/config/caption_node.params.yaml``: every default with its description."""
    lines = [
        '# SPDX-FileCopyrightText: 2026 The caption_node authors',
        '# SPDX-License-Identifier: Apache-2.0',
        '#',
        '# Defaults of all parameters, as python -m caption_node.ros.parameter_files writes them.',
        '/**:',
        '  ros__parameters:',
    ]
    for spec in PARAMETERS.values():
        lines += [f'    # {spec.description}', f'    {spec.name}: {json.dumps(spec.default)}']
    return '\n'.join(lines) + '\n'


def document(text: str) -> str:
    """Return the documentation with the table as it must be now."""
    return _TABLE.sub(lambda _: markdown_table(), text, count=1)


def stale_files() -> dict[Path, str]:
    """Return what the generated files should hold, for those that hold something else."""
    files = {
        YAML_PATH: (YAML_PATH.read_text(encoding='utf-8'), yaml_file()),
        POLICY_PATH: (
            POLICY_PATH.read_text(encoding='utf-8'),
            policy_xml(read_cameras(DEFAULT_CAMERAS)),
        ),
        DOCUMENT_PATH: (
            DOCUMENT_PATH.read_text(encoding='utf-8'),
            document(DOCUMENT_PATH.read_text(encoding='utf-8')),
        ),
    }
    return {path: wanted for path, (found, wanted) in files.items() if found != wanted}


def main() -> int:
    """
    Check the generated files, or write them.

    :returns: Exit status: 1 if one is out of date and was not written.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--write', action='store_true', help='write what is out of date')
    write = parser.parse_args().write
    stale = stale_files()
    for path, wanted in stale.items():
        if write:
            path.write_text(wanted, encoding='utf-8')
        sys.stdout.write(f'{path.name} {"written" if write else "is out of date"}\n')
    if not stale:
        sys.stdout.write('up to date\n')
    return 0 if write or not stale else 1


if __name__ == '__main__':
    sys.exit(main())
