# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Options of ``caption evaluate``."""

import argparse
from pathlib import Path

from caption_node.commands.option_values import add_sentences, count, duration_s, positive


def add_evaluate(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command."""
    parser = commands.add_parser(
        'evaluate', help='measure descriptions of labelled frames against the annotators'
    )
    parser.add_argument('--labels', metavar='FILE', help='JSON lines, one labelled frame a line')
    parser.add_argument(
        '--split',
        nargs='+',
        metavar='NAME',
        help='splits, each measured by itself (default: val)',
    )
    parser.add_argument('--source', metavar='NAME', help='frames of this source only')
    _add_what_is_measured(parser)
    _add_streaming(parser)
    _add_output(parser)
    parser.add_argument('--model', metavar='DIR', help='model folder, or name of a shipped model')
    parser.add_argument('--backend', default='auto', metavar='NAME', help='auto, onnxruntime')
    parser.add_argument(
        '--threads', type=count, default=0, metavar='N', help='threads of the model (default: all)'
    )
    parser.add_argument(
        '--batch', type=positive, default=4, metavar='N', help='frames per run (default: 4)'
    )
    add_sentences(parser)
    parser.add_argument(
        '--judge',
        type=Path,
        metavar='FILE',
        help='judge.onnx that training with objective gan or vae_gan wrote: with --frames, also '
        'print how likely it holds that sentences were written about their pictures',
    )
    parser.add_argument('-q', '--quiet', action='store_true', help='no progress')
    parser.set_defaults(module='caption_node.commands.evaluate', function='run')


def _add_what_is_measured(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group(
        'what is measured', 'give one of these; several work with --predictions'
    ).add_mutually_exclusive_group(required=True)
    what.add_argument(
        '--frames', metavar='DIR', help='folder of the pictures: the model describes them'
    )
    what.add_argument(
        '--predictions',
        nargs='+',
        metavar='FILE',
        help='JSON lines that `caption image` printed (- is standard input)',
    )
    what.add_argument(
        '--leave-one-out',
        nargs='+',
        metavar='SOURCE=FILE',
        help='for each source the JSON lines of a model that was trained without it',
    )
    what.add_argument(
        '--streaming',
        metavar='BAG',
        help='recording with labelled images: it is played into the node, and what has been '
        'received at each labelled instant is measured, beside the same images at leisure',
    )


def _add_streaming(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('with --streaming')
    group.add_argument(
        '--rate',
        type=float,
        default=1.0,
        metavar='R',
        help='times as fast as recorded (default: 1)',
    )
    group.add_argument(
        '--labels-topic',
        metavar='TOPIC',
        help='labels as descriptions in the recording (default: /ground_truth/description, '
        'unless --labels gives a file)',
    )
    group.add_argument(
        '--topics', nargs='+', default=[], metavar='TOPIC', help='these image topics only'
    )
    group.add_argument(
        '--playback-duration', type=duration_s, metavar='S', help='only so much of the recording'
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument(
        '--table',
        choices=('terminal', 'markdown'),
        default='terminal',
        help='how tables are printed (default: terminal); markdown suits a model card',
    )
    parser.add_argument(
        '-o',
        '--output',
        metavar='DIR',
        help='also write evaluation.json, evaluation.md, reliability.svg, and with --frames '
        'predictions.jsonl there',
    )
    parser.add_argument(
        '--diagram', metavar='FILE.svg', help='also write the reliability diagram there'
    )
