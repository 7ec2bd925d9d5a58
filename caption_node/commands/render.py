# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption render``: a drawn drive as a recording, with what is true of every image."""

import argparse
from collections.abc import Callable
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caption_node.bag.writer import BagWriter
from caption_node.commands.lines import say
from caption_node.commands.progress import Progress
from caption_node.description import FieldValue, ModelInfo, SceneDescription, SceneObject
from caption_node.errors import ConfigError, FrameError
from caption_node.scenes import SceneTruth, render_drive

TOPIC = '/camera/image/compressed'
START_NS = 1_767_225_600 * 10**9
FRAME_ID = 'camera_optical'
_QUALITY = 90
_TRUTH = ModelInfo(name='ground truth of the renderer')


def run(options: argparse.Namespace) -> int:
    """
    Render a drive.

    :returns: The exit status.
    """
    path = Path(options.output)
    width, height = _size(options.size)
    if not (math.isfinite(options.seconds) and 0 < options.rate < math.inf):
        raise ConfigError(
            f'cannot render {options.seconds:g} s at {options.rate:g} Hz',
            'use up to 3600 s and 240 Hz',
        )
    total = max(1, round(options.seconds * options.rate))
    with Progress(total, options.quiet, 1 / options.rate) as progress:
        write_drive(
            path,
            options.seconds,
            options.seed,
            options.rate,
            (width, height),
            lambda done: progress.advance(False),
        )
    say(f'caption: {path}: {total} images on {TOPIC}, what is true of them beside them')
    return 0


def write_drive(
    path: Path,
    seconds: float,
    seed: int,
    rate_hz: float,
    size: tuple[int, int],
    advance: Callable[[int], None],
) -> dict[int, SceneTruth]:
    """
    Render a drive into a recording.

    :param size: Width and height, pixels.
    :param advance: Called with the number of images that are done.
    :returns: What is true of the images, by their stamps.
    :raises CaptionError: If it cannot be rendered so, or not be written.
    """
    frames = render_drive(seed, seconds, rate_hz, *size)
    truths = {}
    with BagWriter(path) as writer:
        for number, (pixels, truth, offset_ns) in enumerate(frames, 1):
            stamp_ns = START_NS + offset_ns
            truths[stamp_ns] = truth
            writer.write_compressed_image(TOPIC, stamp_ns, FRAME_ID, encode_jpeg(pixels))
            writer.write_truth(description_of(truth, stamp_ns))
            advance(number)
    return truths


def description_of(truth: SceneTruth, stamp_ns: int) -> SceneDescription:
    """Return what is true of a render as a description that is sure of everything."""
    return SceneDescription(
        stamp_ns=stamp_ns,
        frame_id=FRAME_ID,
        camera=TOPIC,
        caption=truth.caption,
        confidence=1.0,
        scene={name: FieldValue(value, 1.0) for name, value in truth.fields.items()},
        hazard=truth.hazard,
        objects=tuple(
            SceneObject(o.class_name, 1.0, o.box, o.position, o.range, o.in_lane)
            for o in truth.objects
        ),
        model=_TRUTH,
    )


def encode_jpeg(pixels_rgb: NDArray[np.uint8]) -> bytes:
    """
    Return pixels as JPEG, (H, W, 3) uint8.

    :raises FrameError: If they cannot be encoded.
    """
    import cv2

    done, data = cv2.imencode('.jpg', pixels_rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise FrameError(f'cannot encode {pixels_rgb.shape} pixels as JPEG')
    return bytes(data.tobytes())


def _size(text: str) -> tuple[int, int]:
    width, x, height = text.partition('x')
    if not (x and width.isdecimal() and height.isdecimal() and len(text) < 12):
        raise ConfigError(f'--size {text!r} is not a size', 'write it as 960x540')
    return int(width), int(height)
