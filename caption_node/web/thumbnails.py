# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Small pictures for pages: which frames get one, and how it is made."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from caption_node.bag.images import RecordedImage
from caption_node.description import SceneDescription
from caption_node.errors import FrameError

WIDTH_PX = 208
_QUALITY = 62


@dataclass(slots=True)
class Thumbnails:
    """
    Pictures by the number of the frame they show.

    :param jpegs: JPEG files in the order of ``frames``.
    :param frames: For each, the number of its frame.
    :param failed: Pictures that could not be decoded, each with its reason.
    """

    jpegs: list[bytes] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def thumbnail(rgb: NDArray[np.uint8], width: int = WIDTH_PX) -> bytes:
    """
    Scale a picture down and encode it as JPEG.

    :param rgb: (H, W, 3).
    :param width: Its width in pixels; smaller pictures keep theirs.
    """
    import cv2

    height_px, width_px = rgb.shape[:2]
    if width_px > width:
        height_px = max(1, round(height_px * width / width_px))
        rgb = cv2.resize(rgb, (width, height_px), interpolation=cv2.INTER_AREA)
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    done, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise FrameError(f'cannot encode {rgb.shape} pixels as JPEG')
    return bytes(data.tobytes())


def choose_frames(count: int, first: Iterable[int], most: int) -> list[int]:
    """
    Choose which frames get a picture.

    :param count: How many frames there are.
    :param first: Frames that should have one, for example where an event begins.
    :param most: How many pictures there may be.
    :returns: Ascending numbers, some where events begin, the rest spread evenly.
    """
    if count <= most:
        return list(range(count))
    begun = sorted(set(first))
    room = most // 2
    step = max(1.0, len(begun) / room) if room else 1.0
    chosen = {begun[int(i * step)] for i in range(min(len(begun), room))}
    spread = most - len(chosen)
    chosen |= {int((i + 0.5) * count / spread) for i in range(spread)}
    return sorted(chosen)


def make_thumbnails(
    images: Iterable[RecordedImage], frames: Sequence[SceneDescription], chosen: Sequence[int]
) -> Thumbnails:
    """
    Make the pictures of the chosen frames from the images of a recording.

    An image belongs to a description if the stamp is the same, and the camera too where both
    are topics; a node names cameras otherwise, and then the stamp alone decides.
    """
    exact = {(frames[i].camera, frames[i].stamp_ns): i for i in chosen}
    by_stamp = {frames[i].stamp_ns: i for i in reversed(chosen)}
    topics = {f.camera for f in frames if f.camera.startswith('/')}
    found: dict[int, bytes] = {}
    result = Thumbnails()
    for image in images:
        i = exact.get((image.camera, image.stamp_ns))
        if i is None and image.camera not in topics:
            i = by_stamp.get(image.stamp_ns)
        if i is None or i in found:
            continue
        try:
            found[i] = thumbnail(image.decode().pixels_rgb)
        except FrameError as err:
            result.failed.append(str(err))
    result.frames = sorted(found)
    result.jpegs = [found[i] for i in result.frames]
    return result


def nearest_pictures(
    frames: Sequence[SceneDescription], times_ns: Sequence[int], shown: Sequence[int]
) -> list[int]:
    """
    Return for every frame the number of the picture nearest in time, of the same camera.

    :param shown: For every picture, the number of its frame, ascending.
    :returns: -1 where that camera has no picture.
    """
    by_camera: dict[str, tuple[list[int], list[int]]] = {}
    for number, i in enumerate(shown):
        times, numbers = by_camera.setdefault(frames[i].camera, ([], []))
        times.append(times_ns[i])
        numbers.append(number)
    nearest = []
    for frame, time_ns in zip(frames, times_ns, strict=True):
        times, numbers = by_camera.get(frame.camera, ([], []))
        k = bisect_left(times, time_ns)
        near = min(
            (j for j in (k - 1, k) if 0 <= j < len(times)),
            key=lambda j: abs(times[j] - time_ns),
            default=-1,
        )
        nearest.append(numbers[near] if near >= 0 else -1)
    return nearest
