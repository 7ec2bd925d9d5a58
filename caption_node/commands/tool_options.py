# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Options of what is done with described recordings, and with many: report to fleet."""

import argparse

from caption_node.commands.option_values import add_sentences, count, duration_s, positive

LABEL_FORMATS = ('jsonl', 'csv', 'coco-captions')


def add_tools(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the commands."""
    _add_report(commands)
    _add_serve(commands)
    _add_export(commands)
    _add_import(commands)
    _add_fleet(commands)
    _add_render(commands)


def _add_report(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser(
        'report', help='write one HTML page of a recording: timeline, pictures, search'
    )
    parser.add_argument('bag', metavar='BAG', help='recording with descriptions, images or both')
    parser.add_argument(
        '-o', '--output', metavar='PAGE', help='page to write (default: NAME.report.html here)'
    )
    parser.add_argument(
        '--images', metavar='BAG', help='recording with the images, where BAG has none'
    )
    parser.add_argument(
        '--thumbnails',
        type=count,
        default=500,
        metavar='N',
        help='at most so many pictures on the page (default: 500)',
    )
    _add_describing(parser)
    parser.set_defaults(module='caption_node.commands.report', function='run')


def _add_serve(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser('serve', help='look at the index in a browser, on this machine')
    _add_index_place(parser)
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        metavar='ADDRESS',
        help='listen there; others than this machine can then read everything '
        '(default: 127.0.0.1)',
    )
    parser.add_argument(
        '--port', type=count, default=8400, metavar='N', help='0 is any free one (default: 8400)'
    )
    parser.set_defaults(module='caption_node.commands.serve', function='run')


def _add_export(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser(
        'export', help='write frames with pre-labels for an annotation tool'
    )
    parser.add_argument(
        'bags', nargs='+', metavar='BAG', help='recordings with images, described or not'
    )
    parser.add_argument('-o', '--output', required=True, metavar='FOLDER', help='where they go')
    parser.add_argument(
        '--format', choices=LABEL_FORMATS, default='jsonl', help='label file (default: jsonl)'
    )
    parser.add_argument(
        '--images', metavar='BAG', help='recording with the images, where BAG has none'
    )
    parser.add_argument(
        '--least-sure',
        type=count,
        default=0,
        metavar='N',
        help='only the N frames that the model is least sure of',
    )
    _add_describing(parser)
    parser.set_defaults(module='caption_node.commands.labels', function='run_export')


def _add_import(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser(
        'import', help='check corrected labels and add them to a training folder'
    )
    parser.add_argument(
        'labels', metavar='LABELS', help='label file as `caption export` writes it, or its folder'
    )
    parser.add_argument(
        '-o', '--output', required=True, metavar='FOLDER', help='training folder, new or not'
    )
    parser.add_argument('--format', choices=LABEL_FORMATS, help='default: by the suffix')
    parser.add_argument(
        '--frames', metavar='DIR', help='what pictures are relative to (default: that of LABELS)'
    )
    parser.add_argument('--split', metavar='NAME', help='split of all frames (default: train)')
    parser.add_argument('--source', metavar='NAME', help='where all frames come from')
    parser.add_argument('--licence', metavar='TEXT', help='terms of all frames')
    parser.set_defaults(module='caption_node.commands.labels', function='run_import')


def _add_fleet(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser(
        'fleet', help='describe many recordings into one index, on this machine or a Ray cluster'
    )
    parser.add_argument(
        'patterns',
        nargs='+',
        metavar='PATTERN',
        help='recordings, folders of them, globs in quotes, or addresses such as s3://bucket/drives',
    )
    _add_index_place(parser)
    parser.add_argument('--engine', choices=('local', 'ray'), default='local')
    parser.add_argument(
        '--jobs', type=positive, metavar='N', help='workers (default: as many as there are cores)'
    )
    parser.add_argument(
        '--address',
        default='',
        metavar='ADDRESS',
        help='Ray cluster (default: $RAY_ADDRESS, else one is started on this machine)',
    )
    parser.add_argument(
        '--gpus',
        type=float,
        default=0.0,
        metavar='N',
        help='GPUs of a Ray task, or a share of one (default: 0)',
    )
    parser.add_argument(
        '--retries',
        type=count,
        default=3,
        metavar='N',
        help='try a piece so often again when its worker dies (default: 3)',
    )
    parser.add_argument(
        '--segment',
        type=positive,
        default=1024,
        metavar='N',
        help='images of one piece of a recording (default: 1024)',
    )
    parser.add_argument(
        '--topics', nargs='+', default=[], metavar='TOPIC', help='these image topics only'
    )
    parser.add_argument(
        '--no-thumbnails', action='store_true', help='keep no small pictures in the index'
    )
    _add_describing(parser)
    add_sentences(parser)
    parser.set_defaults(module='caption_node.commands.fleet', function='run', every=0.5)


def _add_render(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser(
        'render', help='draw a drive as a recording, with what is true of every image'
    )
    parser.add_argument('output', metavar='OUT', help='a new .mcap file or rosbag2 folder')
    parser.add_argument('--seconds', type=float, default=30.0, help='length (default: 30)')
    parser.add_argument('--rate', type=float, default=10.0, help='images a second (default: 10)')
    parser.add_argument('--seed', type=count, default=7, help='another number, another drive')
    parser.add_argument('--size', default='960x540', help='pixels (default: 960x540)')
    parser.add_argument('-q', '--quiet', action='store_true', help='no progress')
    parser.set_defaults(module='caption_node.commands.render', function='run')


def _add_index_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--index',
        metavar='FILE',
        help='the index (default: $CAPTION_INDEX, or drives.index in the data folder of the user)',
    )


def _add_describing(parser: argparse.ArgumentParser) -> None:
    """Add what holds where images have no descriptions yet."""
    parser.add_argument('--model', metavar='DIR', help='model folder, or name of a shipped model')
    parser.add_argument('--backend', default='auto', metavar='NAME', help='auto, onnxruntime')
    parser.add_argument(
        '--threads', type=count, default=0, metavar='N', help='threads of the model (default: all)'
    )
    parser.add_argument(
        '--batch', type=positive, default=4, metavar='N', help='frames per run (default: 4)'
    )
    parser.add_argument(
        '--every',
        type=duration_s,
        default=0.0,
        metavar='S',
        help='one frame in so many seconds (default: every frame)',
    )
    parser.add_argument('-q', '--quiet', action='store_true', help='no progress')
