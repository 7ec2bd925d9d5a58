# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages in every encoding, good and bad; colour is converted here by NumPy alone."""

from builtin_interfaces.msg import Time
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from tests.drawn import huge_jpeg, jpeg, png

Pixels = NDArray[np.uint8]


def grey_of(rgb: Pixels) -> Pixels:
    """Return luma after ITU-R BT.601."""
    return np.rint(rgb @ np.array([0.299, 0.587, 0.114])).clip(0, 255).astype(np.uint8)


def _chroma(rgb: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """Return studio-range Y, and U and V of every second pixel (BT.601)."""
    r, g, b = (rgb[..., i].astype(np.float64) for i in range(3))
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    whole = [np.rint(p).clip(0, 255).astype(np.uint8) for p in (y, u, v)]
    return whole[0], whole[1][:, ::2], whole[2][:, ::2]


def _yuv422(rgb: Pixels, luma_first: bool) -> Pixels:
    y, u, v = _chroma(rgb)
    packed = np.empty((*rgb.shape[:2], 2), dtype=np.uint8)
    luma, colour = (0, 1) if luma_first else (1, 0)
    packed[..., luma] = y
    packed[:, ::2, colour] = u
    packed[:, 1::2, colour] = v
    return packed


def _bayer(rgb: Pixels, pattern: str) -> Pixels:
    mosaic = np.empty(rgb.shape[:2], dtype=np.uint8)
    for place, letter in enumerate(pattern):
        row, column = divmod(place, 2)
        mosaic[row::2, column::2] = rgb[row::2, column::2, 'rgb'.index(letter)]
    return mosaic


def encode(rgb: Pixels, encoding: str) -> Pixels:
    """Return the pixels in one of the encodings of sensor_msgs."""
    alpha = np.full((*rgb.shape[:2], 1), 255, dtype=np.uint8)
    bgr = rgb[..., ::-1]
    plain = {
        'rgb8': lambda: rgb,
        'bgr8': lambda: bgr,
        'rgba8': lambda: np.concatenate([rgb, alpha], axis=2),
        'bgra8': lambda: np.concatenate([bgr, alpha], axis=2),
        'mono8': lambda: grey_of(rgb),
        'yuv422': lambda: _yuv422(rgb, luma_first=False),
        'yuv422_yuy2': lambda: _yuv422(rgb, luma_first=True),
        'yuyv': lambda: _yuv422(rgb, luma_first=True),
    }
    if encoding.startswith('bayer_'):
        return _bayer(rgb, encoding[len('bayer_') : -1])
    return np.ascontiguousarray(plain[encoding]())


ENCODINGS = (
    'rgb8',
    'bgr8',
    'rgba8',
    'bgra8',
    'mono8',
    'yuv422',
    'yuv422_yuy2',
    'yuyv',
    'bayer_rggb8',
    'bayer_bggr8',
    'bayer_gbrg8',
    'bayer_grbg8',
)


def header(frame_id: str, stamp_ns: int) -> Header:
    """Return a header."""
    sec, nanosec = divmod(stamp_ns, 1_000_000_000)
    return Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=frame_id)


def raw(rgb: Pixels, encoding: str, head: Header, padding: int = 0) -> Image:
    """
    Return an image message.

    :param padding: Bytes behind each row that belong to no pixel.
    """
    pixels = encode(rgb, encoding).reshape(rgb.shape[0], -1)
    rows = np.pad(pixels, ((0, 0), (0, padding)), constant_values=77)
    return Image(
        header=head,
        height=rgb.shape[0],
        width=rgb.shape[1],
        encoding=encoding,
        step=rows.shape[1],
        data=rows.tobytes(),
    )


def compressed(data: bytes, kind: str, head: Header) -> CompressedImage:
    """Return a compressed image message."""
    return CompressedImage(header=head, format=kind, data=data)


def bad_messages(rgb: Pixels) -> dict[str, Image | CompressedImage]:
    """Return one message of every kind of damage; its name is the frame_id too."""
    bad: dict[str, Image | CompressedImage] = {}

    def head(name: str) -> Header:
        return header(name, 1_700_000_000_000_000_000 + len(bad))

    def image(name: str, **changes: object) -> None:
        message = raw(rgb, 'bgr8', head(name))
        for key, value in changes.items():
            setattr(message, key, value)
        bad[name] = message

    image('short_data', data=raw(rgb, 'bgr8', head('')).data[:1000])
    image('no_data', data=b'')
    image('unknown_encoding', encoding='nonsense9')
    image('depth', encoding='32FC1')
    image('short_step', step=10)
    image('no_size', height=0, width=0, step=0, data=b'')
    image('huge', height=60000, width=60000, step=180000)
    whole = jpeg(rgb)
    for name, data, kind in (
        ('truncated_jpeg', whole[: len(whole) // 2], 'jpeg'),
        ('zero_byte_jpeg', b'', 'jpeg'),
        ('huge_jpeg', huge_jpeg(), 'jpeg'),
        ('no_image', b'this is no image', 'png'),
        ('truncated_png', png(rgb)[:500], 'png'),
        ('depth_png', png(rgb), '16UC1; compressedDepth png'),
    ):
        bad[name] = compressed(data, kind, head(name))
    return bad
