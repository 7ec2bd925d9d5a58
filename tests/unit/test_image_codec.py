# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed images: what is decoded, and what is refused before it costs memory."""

from pathlib import Path
import resource

import numpy as np
import pytest

from caption_node.errors import ImageDecodeError
from caption_node.image_codec import decode_image, image_size, read_image
from tests.drawn import draw_street, huge_jpeg, huge_png, jpeg, png


def test_png_comes_back_exactly() -> None:
    rgb = draw_street(3)
    np.testing.assert_array_equal(decode_image(png(rgb), 'a.png'), rgb)


def test_jpeg_comes_back_in_rgb_order() -> None:
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[:] = (200, 40, 20)
    assert np.abs(decode_image(jpeg(rgb), 'a.jpg').astype(int) - (200, 40, 20)).max() <= 4


def test_data_may_be_a_view_of_a_message() -> None:
    data = memoryview(np.frombuffer(jpeg(draw_street()), dtype=np.uint8))
    assert decode_image(data, 'topic').shape == (192, 320, 3)


@pytest.mark.parametrize('claims', [huge_jpeg, huge_png])
def test_claimed_size_is_refused_before_memory_is_taken(claims: object) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageDecodeError, match='60000 x 60000 pixels, the limit is'):
        decode_image(claims(), 'big')  # type: ignore[operator]
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    assert grown_mb < 100


def test_size_is_read_from_the_header() -> None:
    rgb = draw_street(0, width=322, height=194)
    assert image_size(jpeg(rgb)) == (322, 194)
    assert image_size(png(rgb)) == (322, 194)
    assert image_size(
        b'BM' + bytes(16) + (7).to_bytes(4, 'little') + (-5).to_bytes(4, 'little', signed=True)
    ) == (7, 5)
    assert image_size(b'GIF89a' + bytes(30)) is None
    assert image_size(b'\xff\xd8') is None


@pytest.mark.parametrize(
    ('data', 'says'),
    [
        (b'', 'is empty'),
        (b'hello, this is text', 'not an image'),
        (b'\xff\xd8', 'truncated'),
        (b'\x89PNG\r\n\x1a\n', 'truncated'),
        (jpeg(draw_street())[:-200], 'truncated'),
        (jpeg(draw_street())[:300], 'truncated'),
        (png(draw_street())[:-200], 'truncated'),
        (bytes(5000), 'not an image'),
    ],
)
def test_damaged_data_is_named(data: bytes, says: str) -> None:
    with pytest.raises(ImageDecodeError, match=f'front.jpg: .*{says}'):
        decode_image(data, 'front.jpg')


def test_zeros_behind_the_end_of_a_jpeg_are_allowed() -> None:
    assert decode_image(jpeg(draw_street()) + bytes(512), 'padded').shape == (192, 320, 3)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageDecodeError, match='No such file'):
        read_image(tmp_path / 'none.jpg')
    with pytest.raises(ImageDecodeError, match='Is a directory'):
        read_image(tmp_path)


def test_file_of_absurd_length_is_not_read(tmp_path: Path) -> None:
    sparse = tmp_path / 'sparse.jpg'
    with sparse.open('wb') as file:
        file.truncate(1 << 40)
    with pytest.raises(ImageDecodeError, match='too many for one image'):
        read_image(sparse)
