# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The failure gallery: renders through the shipped model, onto one sheet."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from caption_node.demo import gallery
from caption_node.demo.sheet import Panel, draw_sheet, encode_jpeg
from caption_node.errors import ConfigError

MAX_BYTES = 400_000


def panel(words: int = 3) -> Panel:
    picture = np.full((540, 960, 3), (0, 0, 200), np.uint8)
    text = ' '.join(['word'] * words)
    return Panel('title', picture, ((10.0, 10.0, 200.0, 200.0),), text, text, (text,) * 40)


def test_sheet_has_two_columns_and_text_stays_in_its_panel() -> None:
    one, three = draw_sheet([panel()]), draw_sheet([panel(200)] * 3)
    assert one.shape[1] == three.shape[1]
    assert three.shape[0] > 1.8 * one.shape[0]
    # Between two rows of panels and right of the last column the sheet is white.
    height = (three.shape[0] - 14) // 2
    assert three[height + 4 : height + 10].min() == 255
    assert three[:, -5:].min() == 255


def test_sheet_that_cannot_fit_is_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    with pytest.raises(ConfigError, match='does not fit into 1000 bytes'):
        encode_jpeg(noise, 1000)


def test_gallery_shows_the_worst_of_each_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gallery, 'KINDS', gallery.KINDS[1:3])
    out = tmp_path / 'new' / 'failures.jpg'
    arguments = ['--out', str(out), '--renders', '2', '--panels', '2', '-q']
    assert gallery.main(arguments) == 0
    assert f'{out}: 2 scenes' in capsys.readouterr().out
    assert out.stat().st_size < MAX_BYTES
    sheet = cv2.imread(str(out))
    assert sheet is not None
    assert sheet.shape[1] > 1600


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--renders', '0'], '--renders is 0, allowed is 1 to 1000'),
        (['--seed', '-1'], '--seed is -1'),
        (['--panels', '99'], '--panels is 99'),
        (['--out', 'x.png'], '--out x.png is no .jpg file'),
        (['--model', '/nowhere'], '/nowhere'),
    ],
)
def test_bad_option_is_an_error_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gallery.main([*arguments, '-q']) == 1
    err = capsys.readouterr().err
    assert err.startswith('error: ')
    assert message in err


def test_committed_gallery_is_small_enough() -> None:
    committed = Path(__file__).resolve().parents[2] / 'docs' / 'images' / 'failures.jpg'
    assert committed.stat().st_size < MAX_BYTES
