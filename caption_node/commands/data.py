# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption data``: is a data set fit to learn from; and one that we render ourselves."""

import argparse
from dataclasses import replace
from functools import partial
import importlib.util
from pathlib import Path

from caption_node.commands.lines import print_line, print_text, say
from caption_node.commands.progress import Progress
from caption_node.datasets.checking import check_against, check_data, open_data
from caption_node.datasets.items import DataSet
from caption_node.errors import ConfigError
from caption_node.training.own.config import OwnConfig, load_own_config


def run_check(options: argparse.Namespace) -> int:
    """
    Print every problem of a data set.

    :returns: The exit status: 1 if there are errors.
    """
    if options.config is not None and importlib.util.find_spec('yaml') is None:
        raise ConfigError('--config needs PyYAML', 'run scripts/setup.sh --with-training')
    config = load_own_config(options.config)
    if options.tokenizer:
        config = replace(config, tokenizer=options.tokenizer)
    data, _ = checked(options.file, options.images, config, options.quiet)
    for file in options.against:
        other = open_data(file, options.against_images, config.fields)
        with Progress(len(other.items), options.quiet, label=f'against {file.name}') as progress:
            check_against(data, other, partial(progress.advance, is_error=False))
    summary = dict(data.summary())
    if options.json:
        print_line({**summary, 'problems': [p.to_json() for p in data.problems]})
    else:
        for problem in data.problems:
            print_text(str(problem).encode('ascii', 'backslashreplace').decode('ascii'))
        splits = ', '.join(f'{name} {n}' for name, n in summary['splits'].items())
        print_text(
            f'{summary["file"]}: {summary["pictures"]} pictures ({splits or "none"}), '
            f'{summary["captions"]} captions, {summary["errors"]} errors, '
            f'{summary["warnings"]} warnings'
        )
        unknown = sorted(data.fields - set(config.fields))
        if unknown and not config.fields:
            print_text(f'values without a field table in a --config: {", ".join(unknown)}')
    return 1 if summary['errors'] else 0


def checked(
    file: Path, images: Path | None, config: OwnConfig, is_quiet: bool = False
) -> tuple[DataSet, list[tuple[int, int]]]:
    """
    Read and check a data set.

    :param images: Folder of the pictures; None is beside the file.
    :returns: The data with its problems, and pairs of pictures that are all but the same.
    :raises ConfigError: If the file as a whole cannot be used.
    """
    data = open_data(file, images, config.fields)
    with Progress(len(data.items), is_quiet, label='checking') as progress:
        pairs = check_data(
            data, config.tokenizer, config.tokens, lambda: progress.advance(is_error=False)
        )
    return data, pairs


def run_phantoms(options: argparse.Namespace) -> int:
    """
    Render phantoms as a data set.

    :returns: The exit status.
    """
    from caption_node.scenes.phantoms import write_phantoms

    try:
        file = write_phantoms(options.output, options.count, options.held_out, options.seed)
    except OSError as err:
        raise ConfigError(f'{options.output} cannot be written: {err.strerror or err}') from err
    say(f'wrote {options.count + options.held_out} phantoms and {file}')
    return 0
