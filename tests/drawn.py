# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures that the tests draw themselves."""

import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray


def draw_street(seed: int = 0, width: int = 320, height: int = 192) -> NDArray[np.uint8]:
    """
    Draw sky, road, lane marks and a few vehicles; different for every seed.

    :returns: (height, width, 3) RGB.
    """
    rng = np.random.default_rng(seed)
    image = np.empty((height, width, 3), dtype=np.uint8)
    horizon = int(height * rng.uniform(0.4, 0.55))
    image[:horizon] = np.linspace((120, 160, 220), (200, 215, 235), horizon)[:, None]
    image[horizon:] = (95, 95, 98)
    vanishing = (int(width * rng.uniform(0.4, 0.6)), horizon)
    for x in (0.1, 0.5, 0.9):
        cv2.line(image, vanishing, (int(width * x), height), (230, 230, 230), 2)
    for _ in range(int(rng.integers(1, 5))):
        size = int(height * rng.uniform(0.06, 0.25))
        x, y = int(rng.integers(0, width - size)), horizon + int(rng.integers(0, height // 4))
        colour = tuple(int(c) for c in rng.integers(20, 220, 3))
        cv2.rectangle(image, (x, y - size // 2), (x + size, y + size // 4), colour, -1)
        cv2.rectangle(image, (x, y - size // 2), (x + size, y), (40, 45, 50), 2)
    return image


def jpeg(rgb: NDArray[np.uint8], quality: int = 90) -> bytes:
    """Encode RGB pixels as JPEG."""
    done, data = cv2.imencode('.jpg', rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def png(rgb: NDArray[np.uint8]) -> bytes:
    """Encode RGB pixels as PNG."""
    done, data = cv2.imencode('.png', rgb[:, :, ::-1])
    assert done
    return data.tobytes()


def huge_jpeg(width: int = 60000, height: int = 60000) -> bytes:
    """Return a real JPEG whose header claims a size that it does not have."""
    data = bytearray(jpeg(draw_street()))
    start = data.index(b'\xff\xc0')
    data[start + 5 : start + 9] = struct.pack('>HH', height, width)
    return bytes(data)


def huge_png(width: int = 60000, height: int = 60000) -> bytes:
    """Return a real PNG whose header claims a size that it does not have."""
    data = bytearray(png(draw_street()))
    data[16:24] = struct.pack('>II', width, height)
    data[29:33] = struct.pack('>I', zlib.crc32(data[12:29]))
    return bytes(data)


def write_video(path: str, frames: int = 12, rate_hz: float = 10.0) -> None:
    """Write a video of drawn streets, one seed a frame."""
    fourcc = cv2.VideoWriter.fourcc(*'mp4v')
    writer = cv2.VideoWriter(path, fourcc, rate_hz, (320, 192))
    assert writer.isOpened()
    for i in range(frames):
        writer.write(draw_street(i)[:, :, ::-1])
    writer.release()
