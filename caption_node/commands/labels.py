# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption export`` and ``caption import``: frames out to be labelled, labels in to train."""

import argparse
import os
from pathlib import Path

from caption_node.bag.reader import BagReader
from caption_node.commands.described import open_described, stem
from caption_node.commands.lines import print_text, say
from caption_node.errors import BagError, ConfigError
from caption_node.labelling.exporting import Choice, export_frames
from caption_node.labelling.formats import LABEL_FILES, read_rows, render_labels
from caption_node.labelling.frames import LabelledFrame
from caption_node.labelling.importing import LABEL_FILE, check_rows, write_training


def run_export(options: argparse.Namespace) -> int:
    """
    Write frames with pre-labels.

    :returns: The exit status.
    """
    folder = Path(options.output)
    target = folder / LABEL_FILES[options.format]
    if target.exists():
        raise ConfigError(
            f'{target} exists already', 'it may hold corrections: give another folder'
        )
    if options.images and len(options.bags) > 1:
        raise ConfigError('--images goes with one recording', 'export them one by one')
    frames: list[LabelledFrame] = []
    faults: list[str] = []
    for bag in options.bags:
        frames += _export(Path(bag), options, folder, faults)
    if not frames:
        raise BagError(
            'no frame could be exported',
            'the images must be in the recording, or in another one that --images names',
        )
    _write(target, render_labels(frames, options.format))
    for fault in faults:
        say(f'error: {fault}')
    print_text(f'{target}: {len(frames)} frames with pre-labels')
    return 1 if faults else 0


def run_import(options: argparse.Namespace) -> int:
    """
    Check corrected labels and add them to a training folder.

    :returns: The exit status.
    """
    labels = Path(options.labels)
    if labels.is_dir():
        found = [labels / name for name in LABEL_FILES.values() if (labels / name).is_file()]
        if len(found) != 1:
            names = ', '.join(LABEL_FILES.values())
            raise ConfigError(f'{labels} holds {len(found)} label files of {names}', 'name one')
        labels = found[0]
    facts = {
        name: getattr(options, name)
        for name in ('split', 'source', 'licence')
        if getattr(options, name)
    }
    frames = Path(options.frames) if options.frames else labels.parent
    checked = check_rows(read_rows(labels, options.format), frames, facts)
    folder = Path(options.output)
    new, replaced = write_training(checked, folder)
    print_text(f'{folder / LABEL_FILE}: {new} frames added, {replaced} replaced')
    say(f'hint: to train with them, set labels: {folder / LABEL_FILE} and frames: {folder}')
    return 0


def _export(
    bag: Path, options: argparse.Namespace, folder: Path, faults: list[str]
) -> list[LabelledFrame]:
    recording = open_described(bag, options)
    faults += [str(d) for d in recording.damage]
    ordered = sorted(recording.described, key=lambda d: d.log_time_ns)
    said = [d.description for d in ordered]
    choice = Choice(options.every, options.least_sure)
    chosen = [said[i] for i in choice.choose(said, [d.log_time_ns for d in ordered])]
    if not options.images and not recording.has_images:
        raise BagError(f'{bag} holds no images', 'name the recording that does: --images BAG')
    with BagReader(options.images or bag) as reader:
        frames = list(export_frames(reader, chosen, folder, stem(bag), faults))
        faults += [str(d) for d in reader.damage if str(d) not in faults]
    if len(frames) < len(chosen):
        faults.append(f'{bag}: {len(chosen) - len(frames)} chosen frames have no image')
    return frames


def _write(target: Path, text: str) -> None:
    scratch = target.with_name(f'.{target.name}.{os.getpid()}.tmp')
    try:
        scratch.write_text(text, encoding='utf-8')
        os.replace(scratch, target)
    except OSError as err:
        raise ConfigError(f'{target} cannot be written: {err.strerror or err}') from err
