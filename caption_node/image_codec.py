# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
JPEG and PNG bytes to RGB, with the size checked from the header before anything is decoded.

Sources: ITU-T T.81 (JPEG) annex B for the frame header; PNG specification, section 11.2.1 (IHDR).
"""

import os
from pathlib import Path
import struct

import numpy as np
from numpy.typing import NDArray

from caption_node.errors import ImageDecodeError
from caption_node.frame import MAX_PIXELS

# OpenCV prints warnings of its own about broken files; it reads this when it is first imported.
os.environ.setdefault('OPENCV_LOG_LEVEL', 'ERROR')

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
MAX_FILE_BYTES = 256 * 1024 * 1024

_STANDALONE_MARKERS = frozenset([0x01, *range(0xD0, 0xD9)])
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def decode_image(data: bytes | memoryview, name: str) -> NDArray[np.uint8]:
    """
    Decode one compressed image.

    :param data: A whole JPEG, PNG, BMP, WebP or TIFF file.
    :param name: What to call it in errors: a path, or a topic.
    :returns: (H, W, 3) uint8 RGB.
    :raises ImageDecodeError: If the data is empty, truncated, too large or not an image.
    """
    if len(data) == 0:
        raise ImageDecodeError(f'{name}: the image is empty (0 bytes)')
    size = image_size(data)
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise ImageDecodeError(
            f'{name}: claims {size[0]} x {size[1]} pixels, the limit is {MAX_PIXELS} pixels',
            'scale it down before it is described',
        )
    _check_complete(data, name)
    import cv2

    try:
        bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as err:
        raise ImageDecodeError(f'{name}: cannot be decoded ({err.err or err})') from err
    if bgr is None:
        raise ImageDecodeError(
            f'{name}: not an image, or damaged', 'supported are JPEG, PNG, BMP, WebP and TIFF'
        )
    if bgr.shape[0] * bgr.shape[1] > MAX_PIXELS:
        raise ImageDecodeError(f'{name}: {bgr.shape[1]} x {bgr.shape[0]} pixels are too many')
    return np.asarray(bgr, dtype=np.uint8)[:, :, ::-1]


def read_image(path: Path) -> NDArray[np.uint8]:
    """
    Read and decode one image file.

    :returns: (H, W, 3) uint8 RGB.
    :raises ImageDecodeError: If the file cannot be read or decoded.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_FILE_BYTES:
            raise ImageDecodeError(f'{path}: {size_bytes} bytes are too many for one image')
        data = path.read_bytes()
    except OSError as err:
        raise ImageDecodeError(f'{path}: {err.strerror or err}') from err
    return decode_image(data, str(path))


def image_size(data: bytes | memoryview) -> tuple[int, int] | None:
    """
    Read width and height from a JPEG or PNG header.

    :returns: (width, height) in pixels, or None if the header does not say.
    """
    head = bytes(data[:26])
    if head.startswith(b'\x89PNG\r\n\x1a\n') and len(head) >= 24:
        width, height = struct.unpack('>II', head[16:24])
        return int(width), int(height)
    if head.startswith(b'\xff\xd8'):
        return _jpeg_size(data)
    if head.startswith(b'BM') and len(head) >= 26:
        width, height = struct.unpack('<ii', head[18:26])
        return abs(int(width)), abs(int(height))
    return None


def _jpeg_size(data: bytes | memoryview) -> tuple[int, int] | None:
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _STANDALONE_MARKERS:
            position += 2
            continue
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack('>HH', bytes(data[position + 5 : position + 9]))
            return int(width), int(height)
        position += 2 + int.from_bytes(bytes(data[position + 2 : position + 4]), 'big')
    return None


def _check_complete(data: bytes | memoryview, name: str) -> None:
    """Refuse cut-off files: OpenCV would fill the missing part with grey and say nothing."""
    if bytes(data[:2]) == b'\xff\xd8':
        # Cameras pad with zeros behind the end-of-image marker, so look near the end, not at it.
        tail = bytes(data[-4096:]).rstrip(b'\x00')
        if b'\xff\xd9' not in tail:
            raise ImageDecodeError(f'{name}: the JPEG is truncated (no end-of-image marker)')
    elif bytes(data[:4]) == b'\x89PNG' and b'IEND' not in bytes(data[-64:]):
        raise ImageDecodeError(f'{name}: the PNG is truncated (no IEND chunk)')
