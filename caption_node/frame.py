# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
One camera frame, and the way from a raw pixel encoding to RGB.

Encodings are those of ``sensor_msgs/image_encodings.hpp``. 8-bit colour and grey only: depth
images (REP 118: ``16UC1``, ``32FC1``) are refused, not guessed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caption_node.errors import FrameError, FrameShapeError, UnsupportedEncodingError

MAX_PIXELS = 64_000_000
"""Larger images are refused before any memory is taken for them (about 8000 x 8000)."""

_CHANNELS = {
    'rgb8': 3,
    'bgr8': 3,
    'rgba8': 4,
    'bgra8': 4,
    'mono8': 1,
    '8UC1': 1,
    '8UC3': 3,
    '8UC4': 4,
    'yuv422': 2,
    'uyvy': 2,
    'yuv422_yuy2': 2,
    'yuyv': 2,
    'bayer_rggb8': 1,
    'bayer_bggr8': 1,
    'bayer_gbrg8': 1,
    'bayer_grbg8': 1,
}
# OpenCV names a Bayer pattern by the second row's second and third pixel, ROS by the first rows.
_CV_CODES = {
    'rgba8': 'COLOR_RGBA2RGB',
    'bgra8': 'COLOR_BGRA2RGB',
    '8UC4': 'COLOR_BGRA2RGB',
    'mono8': 'COLOR_GRAY2RGB',
    '8UC1': 'COLOR_GRAY2RGB',
    'yuv422': 'COLOR_YUV2RGB_UYVY',
    'uyvy': 'COLOR_YUV2RGB_UYVY',
    'yuv422_yuy2': 'COLOR_YUV2RGB_YUY2',
    'yuyv': 'COLOR_YUV2RGB_YUY2',
    'bayer_rggb8': 'COLOR_BayerBG2RGB',
    'bayer_bggr8': 'COLOR_BayerRG2RGB',
    'bayer_gbrg8': 'COLOR_BayerGR2RGB',
    'bayer_grbg8': 'COLOR_BayerGB2RGB',
}
SUPPORTED_ENCODINGS = tuple(_CHANNELS)


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One image with where and when it was taken.

    :param pixels_rgb: (H, W, 3) uint8, 0..255; may be a view of somebody else's memory.
    :param stamp_ns: Time of exposure, nanoseconds since the epoch of the camera's clock.
    :param frame_id: Coordinate frame of the camera (REP 105), copied untouched.
    :param camera: Name of the camera.
    :param file: File the image came from, empty for streams.
    :param decode_ms: Time that decoding and colour conversion took, milliseconds.
    :raises FrameShapeError: If ``pixels_rgb`` is not a non-empty (H, W, 3) uint8 array.
    """

    pixels_rgb: NDArray[np.uint8]
    stamp_ns: int = 0
    frame_id: str = ''
    camera: str = ''
    file: str = ''
    decode_ms: float = 0.0

    def __post_init__(self) -> None:
        pixels = self.pixels_rgb
        if (
            pixels.dtype != np.uint8
            or pixels.ndim != 3
            or pixels.shape[2] != 3
            or pixels.size == 0
        ):
            raise FrameShapeError(
                f'a frame needs (H, W, 3) uint8 pixels, got {pixels.shape} {pixels.dtype}'
            )


def rgb_from_raw(
    data: bytes | memoryview | NDArray[np.uint8],
    height: int,
    width: int,
    step: int,
    encoding: str,
    is_bigendian: bool = False,
) -> NDArray[np.uint8]:
    """
    Turn the fields of a ``sensor_msgs/Image`` into RGB; ``rgb8`` and ``bgr8`` stay views.

    :param data: Rows of pixels, ``height * step`` bytes or more.
    :param step: Bytes from one row to the next; at least ``width`` times the bytes of a pixel.
    :param encoding: One of :data:`SUPPORTED_ENCODINGS`.
    :param is_bigendian: Ignored, since all supported encodings have 8-bit samples.
    :returns: (height, width, 3) uint8 RGB.
    :raises UnsupportedEncodingError: If the encoding is not known.
    :raises FrameShapeError: If the sizes disagree, or the image is empty or over ``MAX_PIXELS``.
    """
    channels = _CHANNELS.get(encoding)
    if channels is None:
        raise UnsupportedEncodingError(encoding, SUPPORTED_ENCODINGS)
    check_size(height, width)
    row = width * channels
    if step < row:
        raise FrameShapeError(
            f'step {step} is shorter than a row of {width} {encoding} pixels ({row} bytes)'
        )
    flat = np.frombuffer(data, dtype=np.uint8) if not isinstance(data, np.ndarray) else data
    # The last row may lack its padding: some drivers send (height - 1) * step + row bytes.
    needed = (height - 1) * step + row
    if flat.size < needed:
        raise FrameShapeError(
            f'image data has {flat.size} bytes, {height} rows of step {step} need {needed}',
            'check the publisher: height, step and data do not belong together',
        )
    rows = np.lib.stride_tricks.as_strided(flat, (height, row), (step, 1), writeable=False)
    return _to_rgb(rows, height, width, channels, encoding)


def check_size(height: int, width: int) -> None:
    """
    Refuse sizes that no camera has, before memory is taken for them.

    :raises FrameShapeError: If a side is zero or negative, or the area is over ``MAX_PIXELS``.
    """
    if height <= 0 or width <= 0:
        raise FrameShapeError(f'image is empty: {width} x {height} pixels')
    if height * width > MAX_PIXELS:
        raise FrameShapeError(
            f'image of {width} x {height} pixels is over the limit of {MAX_PIXELS} pixels',
            'scale it down before it is described',
        )


def _to_rgb(
    rows: NDArray[np.uint8], height: int, width: int, channels: int, encoding: str
) -> NDArray[np.uint8]:
    if encoding == 'rgb8':
        return rows.reshape(height, width, 3)
    if encoding in ('bgr8', '8UC3'):
        return rows.reshape(height, width, 3)[:, :, ::-1]
    import cv2

    pixels = np.ascontiguousarray(rows).reshape(height, width, channels)
    if encoding.startswith('bayer') and (height < 2 or width < 2):
        raise FrameShapeError(f'a Bayer image needs 2 x 2 pixels, got {width} x {height}')
    try:
        return np.asarray(cv2.cvtColor(pixels, getattr(cv2, _CV_CODES[encoding])), dtype=np.uint8)
    except cv2.error as err:
        raise FrameError(f'cannot convert {width} x {height} {encoding} to RGB: {err}') from err
