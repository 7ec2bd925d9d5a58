# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The options of ``caption engine``."""

import argparse

from caption_node.commands.option_values import count, positive


def add_engine(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Declare ``caption engine`` with its own commands and their options."""
    parser = commands.add_parser('engine', help='build, list, check and remove TensorRT engines')
    commands = parser.add_subparsers(title='commands', metavar='COMMAND', required=True)
    build = commands.add_parser('build', help='build an engine, unless it is there')
    build.add_argument('--model', metavar='DIR', help='model folder, or name of a shipped model')
    build.add_argument(
        '--precision', default='', metavar='P', help='fp16 (the default), fp32, int8'
    )
    build.add_argument(
        '--target', default='current', metavar='T', help='current (the default), sm86, sm89, ...'
    )
    build.add_argument('--library', default='', metavar='L', help='tensorrt or tensorrt_rtx')
    build.add_argument('--device', type=count, default=0, metavar='N', help='number of the GPU')
    build.add_argument('--force', action='store_true', help='build even if it is there')
    build.add_argument('-q', '--quiet', action='store_true', help='no progress')
    build.set_defaults(function='build')
    listing = commands.add_parser('list', help='show the engines that are there')
    listing.set_defaults(function='show')
    verify = commands.add_parser('verify', help='check the engines; status 1 if one is faulty')
    verify.set_defaults(function='verify')
    clean = commands.add_parser('clean', help='remove engines that this machine would not load')
    clean.add_argument('--all', action='store_true', help='remove all engines')
    clean.set_defaults(function='clean')
    quantize = commands.add_parser('quantize', help='make an int8 model folder from an fp32 one')
    quantize.add_argument(
        '--model', metavar='DIR', help='model folder, or name of a shipped model'
    )
    quantize.add_argument(
        '--frames', required=True, metavar='DIR', help='pictures like those it will see'
    )
    quantize.add_argument('-o', '--output', required=True, metavar='DIR', help='the new folder')
    quantize.add_argument(
        '--limit', type=positive, default=100, metavar='N', help='pictures to calibrate with'
    )
    quantize.set_defaults(function='quantize')
    for command in (build, listing, verify, clean):
        command.add_argument('--folder', metavar='DIR', help='where engines lie')
    for command in (listing, verify):
        command.add_argument('--json', action='store_true', help='print JSON lines')
    for command in (build, listing, verify, clean, quantize):
        command.set_defaults(module='caption_node.commands.engine')
