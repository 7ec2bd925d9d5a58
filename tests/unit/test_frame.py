# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Raw pixel encodings against pixels computed by hand, and what is refused."""

import numpy as np
from numpy.typing import NDArray
import pytest

from caption_node.errors import FrameShapeError, UnsupportedEncodingError
from caption_node.frame import MAX_PIXELS, SUPPORTED_ENCODINGS, Frame, check_size, rgb_from_raw

RED, GREEN, BLUE = (210, 30, 40), (20, 190, 50), (10, 60, 220)
PIXELS = np.array([[RED, GREEN, BLUE], [BLUE, RED, GREEN]], dtype=np.uint8)


def packed(encoding: str) -> NDArray[np.uint8]:
    """Write PIXELS in a colour encoding, straight from its definition."""
    order = {
        'rgb8': (0, 1, 2),
        'bgr8': (2, 1, 0),
        '8UC3': (2, 1, 0),
        'rgba8': (0, 1, 2, None),
        'bgra8': (2, 1, 0, None),
        '8UC4': (2, 1, 0, None),
    }[encoding]
    planes = [np.full((2, 3), 77, np.uint8) if c is None else PIXELS[:, :, c] for c in order]
    return np.stack(planes, axis=2)


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', '8UC3', 'rgba8', 'bgra8', '8UC4'])
@pytest.mark.parametrize('padding', [0, 5])
def test_colour_encodings_give_the_same_pixels_with_and_without_padding(
    encoding: str, padding: int
) -> None:
    image = packed(encoding)
    rows = image.reshape(2, -1)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=255).tobytes()
    rgb = rgb_from_raw(data, 2, 3, rows.shape[1] + padding, encoding)
    np.testing.assert_array_equal(rgb, PIXELS)


@pytest.mark.parametrize('encoding', ['mono8', '8UC1'])
def test_grey_is_repeated_in_all_channels(encoding: str) -> None:
    rgb = rgb_from_raw(bytes([0, 128, 255, 7]), 2, 2, 2, encoding)
    assert rgb.tolist() == [[[0] * 3, [128] * 3], [[255] * 3, [7] * 3]]


# BT.601, studio range, as cameras have it: R = 1.164 (Y - 16) + 1.596 (V - 128) and so on.
YUV_PIXELS = {(81, 90, 240): (255, 0, 0), (145, 54, 34): (0, 255, 1), (41, 240, 110): (0, 0, 255)}


@pytest.mark.parametrize('encoding', ['yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'])
@pytest.mark.parametrize(('yuv', 'expected'), list(YUV_PIXELS.items()))
def test_yuv_422_in_both_orders(
    encoding: str, yuv: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    y, u, v = yuv
    pair = [u, y, v, y] if encoding in ('yuv422', 'uyvy') else [y, u, y, v]
    rgb = rgb_from_raw(bytes(pair * 4), 2, 4, 8, encoding)
    assert rgb.shape == (2, 4, 3)
    assert np.abs(rgb.astype(int) - expected).max() <= 2


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('colour', [RED, GREEN, BLUE])
def test_bayer_patterns_restore_a_plain_colour(pattern: str, colour: tuple[int, int, int]) -> None:
    value = dict(zip('rgb', colour, strict=True))
    mosaic = np.empty((8, 8), dtype=np.uint8)
    for place, letter in enumerate(pattern):
        mosaic[place // 2 :: 2, place % 2 :: 2] = value[letter]
    rgb = rgb_from_raw(mosaic.tobytes(), 8, 8, 8, f'bayer_{pattern}8')
    assert np.abs(rgb.astype(int) - colour).max() <= 1


def test_every_supported_encoding_converts_a_picture() -> None:
    for encoding in SUPPORTED_ENCODINGS:
        rgb = rgb_from_raw(bytes(4 * 4 * 4), 4, 4, 16, encoding)
        assert rgb.shape == (4, 4, 3), encoding
        assert rgb.dtype == np.uint8


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8'])
def test_three_channels_are_not_copied(encoding: str) -> None:
    data = np.arange(18, dtype=np.uint8)
    assert np.shares_memory(rgb_from_raw(data, 2, 3, 9, encoding), data)


def test_last_row_may_lack_its_padding() -> None:
    data = bytes(range(10 + 9))
    assert rgb_from_raw(data, 2, 3, 10, 'rgb8')[1, 0].tolist() == [10, 11, 12]


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1', 'mono16', 'nv12', '', 'RGB8'])
def test_unknown_encoding_is_refused_with_the_known_ones(encoding: str) -> None:
    with pytest.raises(UnsupportedEncodingError, match='unsupported image encoding') as caught:
        rgb_from_raw(bytes(100), 2, 2, 4, encoding)
    assert 'bgr8' in caught.value.hint


@pytest.mark.parametrize('encoding', ['rgb8', 'bgra8', 'mono8', 'yuyv', 'bayer_rggb8'])
def test_data_shorter_than_height_times_step_is_refused(encoding: str) -> None:
    with pytest.raises(FrameShapeError, match='image data has 10 bytes, 4 rows of step 16 need'):
        rgb_from_raw(bytes(10), 4, 4, 16, encoding)


def test_step_shorter_than_a_row_is_refused() -> None:
    with pytest.raises(FrameShapeError, match='step 8 is shorter than a row'):
        rgb_from_raw(bytes(100), 2, 3, 8, 'rgb8')


@pytest.mark.parametrize(('height', 'width'), [(0, 4), (4, 0), (-1, 4), (60000, 60000)])
def test_sizes_that_no_camera_has_are_refused(height: int, width: int) -> None:
    with pytest.raises(FrameShapeError):
        rgb_from_raw(b'', height, width, width * 3, 'rgb8')
    with pytest.raises(FrameShapeError):
        check_size(height, width)


def test_the_largest_size_is_allowed() -> None:
    check_size(8000, MAX_PIXELS // 8000)


@pytest.mark.parametrize(('height', 'width'), [(1, 4), (4, 1)])
def test_bayer_picture_of_one_row_or_column_is_refused(height: int, width: int) -> None:
    with pytest.raises(FrameShapeError, match='Bayer'):
        rgb_from_raw(bytes(64), height, width, width, 'bayer_rggb8')


@pytest.mark.parametrize(
    'pixels',
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_frame_refuses_what_is_not_rgb(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(FrameShapeError):
        Frame(pixels)
