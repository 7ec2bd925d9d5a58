# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of described recordings as pictures with pre-labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import re

import numpy as np

from caption_node.bag.images import COMPRESSED_TYPE, RecordedImage
from caption_node.bag.reader import BagReader
from caption_node.description import SceneDescription
from caption_node.errors import ConfigError, FrameError
from caption_node.frame import Frame
from caption_node.labelling.frames import LabelledFrame, prelabelled

FRAMES_FOLDER = 'frames'
_JPEG_START = b'\xff\xd8\xff'
_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Choice:
    """
    Which frames are worth a person's time.

    :param every_s: One frame in so many seconds of each camera; 0 takes all.
    :param least_sure: Only so many, those of which the model is least sure; 0 takes all.
    """

    every_s: float = 0.0
    least_sure: int = 0

    def choose(
        self, descriptions: Sequence[SceneDescription], times_ns: Sequence[int]
    ) -> list[int]:
        """Return the numbers of the frames, ascending; those without a description never."""
        due_ns: dict[str, int] = {}
        chosen = []
        for i, (said, time_ns) in enumerate(zip(descriptions, times_ns, strict=True)):
            if said.status not in ('ok', 'abstain') or not said.scene:
                continue
            if self.every_s and time_ns < due_ns.get(said.camera, time_ns):
                continue
            due_ns[said.camera] = time_ns + round(self.every_s * 1e9)
            chosen.append(i)
        if self.least_sure:
            chosen.sort(key=lambda i: (doubt(descriptions[i]), i), reverse=True)
            chosen = sorted(chosen[: self.least_sure])
        return chosen


def doubt(description: SceneDescription) -> float:
    """Say how little the model is sure of a frame: the more, the more a person's label teaches."""
    if description.status == 'abstain':
        return 2.0
    shares = [v.confidence for v in description.scene.values()]
    return 1.0 - 0.5 * (description.confidence + sum(shares) / max(1, len(shares)))


def export_frames(
    images: BagReader,
    wanted: Sequence[SceneDescription],
    folder: Path,
    name: str,
    failed: list[str],
) -> Iterator[LabelledFrame]:
    """
    Write the pictures of descriptions, and give each with its pre-label.

    A JPEG of the recording is written as it is, bit for bit.

    :param images: Recording with the images.
    :param name: What the recording is called in the names of the frames.
    :param failed: Gets what is wrong with pictures that cannot be decoded.
    :raises ConfigError: If a picture cannot be written.
    """
    exact = {(d.camera, d.stamp_ns): d for d in wanted}
    by_stamp = {d.stamp_ns: d for d in reversed(wanted)}
    topics = {d.camera for d in wanted if d.camera.startswith('/')}
    done: set[str] = set()
    for image in images.images():
        said = exact.get((image.camera, image.stamp_ns))
        if said is None and image.camera not in topics:
            said = by_stamp.get(image.stamp_ns)
        if said is None:
            continue
        # Where a node described the image, its camera has a name of its own.
        label = frame_name(name, said.camera or image.camera, image.stamp_ns)
        if label in done:
            continue
        try:
            frame = image.decode()
        except FrameError as err:
            failed.append(f'image at {image.stamp_ns} ns: {err}')
            continue
        done.add(label)
        file = f'{FRAMES_FOLDER}/{label}.jpg'
        _write(folder / file, _jpeg(image, frame))
        height, width = frame.pixels_rgb.shape[:2]
        found = prelabelled(said, label, file, (width, height))
        yield replace(found, facts={**found.facts, 'source': name})


def frame_name(recording: str, camera: str, stamp_ns: int) -> str:
    """Return a name for a frame that is safe on every file system."""
    parts = (re.sub(r'[^A-Za-z0-9]+', '-', part).strip('-') for part in (recording, camera))
    return '_'.join([*(p[:80] for p in parts if p), str(stamp_ns)])


def _jpeg(image: RecordedImage, frame: Frame) -> bytes:
    if image.message.__msgtype__ == COMPRESSED_TYPE:
        data = bytes(image.message.data.data)
        if data.startswith(_JPEG_START):
            return data
    import cv2

    bgr = np.ascontiguousarray(frame.pixels_rgb[:, :, ::-1])
    done, encoded = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ConfigError(f'a picture of {frame.pixels_rgb.shape} cannot be written as JPEG')
    return bytes(encoded.tobytes())


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as err:
        raise ConfigError(f'{path} cannot be written: {err.strerror or err}') from err
