# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered scenes on disk in the layout of labelled frames, made once and read many times."""

import json
from pathlib import Path

from caption_node.training.labels import Record, read_labels

SPLIT = RENDER_SOURCE = 'render'
WIDTH, HEIGHT = 960, 540
_SMALLEST_BOX = 5.0


def stored_renders(folder: Path, count: int) -> list[Record]:
    """
    Return ``count`` rendered frames; those that are missing are rendered.

    :param folder: For ``render<seed>.jpg`` and ``render<seed>.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for seed in range(count):
        file = folder / f'render{seed:05d}.json'
        if not file.exists():
            _render(seed, file)
        lines.append(file.read_text(encoding='utf-8'))
    table = folder / 'labels.jsonl'
    table.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return read_labels(table, folder, [SPLIT])


def _render(seed: int, file: Path) -> None:
    import cv2

    from caption_node.scenes import render_scene

    rgb, truth = render_scene(seed, width=WIDTH, height=HEIGHT)
    picture = file.with_suffix('.jpg')
    cv2.imwrite(str(picture), rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    boxes = [
        {'cls': o.class_name, 'score': 1.0, 'box': [round(float(v), 1) for v in o.box]}
        for o in truth.objects
        if min(o.box[2] - o.box[0], o.box[3] - o.box[1]) >= _SMALLEST_BOX
    ]
    row = {
        'id': file.stem,
        'split': SPLIT,
        'source': RENDER_SOURCE,
        'file': picture.name,
        'labels': [{**truth.fields, 'caption': truth.caption}],
        'boxes': boxes,
    }
    # Written last: a label without its picture would be read.
    file.write_text(json.dumps(row), encoding='utf-8')
