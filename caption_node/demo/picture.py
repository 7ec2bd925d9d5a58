# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
``python -m caption_node.demo.picture``: one render through the shipped model, with its overlay.

README shows ``docs/images/overlay.png``, which this writes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
import sys

import numpy as np

from caption_node.errors import CaptionError, ConfigError
from caption_node.frame import Frame
from caption_node.overlay import draw_overlay
from caption_node.pipeline import CaptionPipeline
from caption_node.scenes import render_scene

_WIDTH, _HEIGHT = 960, 540
_OVERSAMPLING = 3
_LEVEL = 4
_SEED = 54


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Write the picture.

    :returns: Exit status: 0, or 1 after an error.
    """
    parser = argparse.ArgumentParser(prog='caption_node.demo.picture', description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('docs/images/overlay.png'))
    parser.add_argument('--seed', type=int, default=_SEED, help='another number, another scene')
    parser.add_argument('--model', metavar='DIR', help='model folder, or name of a shipped model')
    options = parser.parse_args(arguments)
    try:
        _write(options.out, options.seed, options.model)
    except CaptionError as err:
        sys.stderr.write(f'error: {err}\n')
        if err.hint:
            sys.stderr.write(f'hint: {err.hint}\n')
        return 1
    return 0


def _write(out: Path, seed: int, model: str | None) -> None:
    import cv2

    if seed < 0:
        raise ConfigError(f'--seed is {seed}, allowed is 0 or more')
    large, _ = render_scene(
        seed, _OVERSAMPLING * _WIDTH, _OVERSAMPLING * _HEIGHT, road='city', time='day', light='red'
    )
    pixels = np.asarray(
        cv2.resize(large, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA), np.uint8
    )
    # Fewer levels make a PNG a third smaller, and the eye does not see it.
    pixels = pixels // _LEVEL * _LEVEL + _LEVEL // 2
    with CaptionPipeline.open(model) as pipeline:
        # The first run takes longer than any other: it is no fair latency.
        description = [pipeline.describe([Frame(pixels)])[0] for _ in range(3)][-1]
    drawn = draw_overlay(pixels, description)
    done, data = cv2.imencode(out.suffix, drawn[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    try:
        if not done:
            raise OSError('OpenCV cannot encode it')
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(data.tobytes())
    except (OSError, cv2.error) as err:
        raise ConfigError(f'{out} cannot be written: {err}') from err
    sys.stdout.write(f'{out}: {description.caption}\n')


if __name__ == '__main__':
    sys.exit(main())
