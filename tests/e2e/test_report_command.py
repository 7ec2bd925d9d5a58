# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption report``: one page, opened in a real browser that has no network."""

from pathlib import Path

import pytest

from caption_node.cli import main
from tests.described import describe, write_described
from tests.e2e.browser import await_text, open_page
from tests.e2e.command import caption
from tests.recordings import cut, write_rosbag2

FRAMES = 60
HOSTILE = '<img src=x onerror="document.title=1">'


@pytest.fixture(scope='module')
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drive: a truck ahead from 2 s to 4 s, people on the road from 3 s to 4 s."""
    frames = [
        describe(
            i,
            'A truck is ahead & near in our lane.' if 20 <= i < 40 else '',
            lead='truck' if 20 <= i < 40 else 'none',
            lead_range='near' if 20 <= i < 40 else 'none',
            people_on_road=30 <= i < 40,
            people=2 if 30 <= i < 40 else 0,
        )
        for i in range(FRAMES)
    ]
    frames[50] = describe(50, HOSTILE)
    return write_described(tmp_path_factory.mktemp('drive') / 'my drive.mcap', frames)


def test_page_shows_timeline_events_pictures_and_finds_words_and_facts(
    drive: Path, tmp_path: Path
) -> None:
    done = caption('report', drive, '-o', tmp_path / 'page.html')
    assert done.returncode == 0, done.stderr
    assert '60 frames, 60 pictures' in done.stdout
    with open_page((tmp_path / 'page.html').as_uri()) as page:
        assert page.title() == 'my drive.mcap'
        events = page.locator('#events li').all_inner_texts()
        assert [e.split(' ', 3)[3] for e in events] == [
            'lead vehicle near (80%)', 'people on the road (80%)',
        ]  # fmt: skip
        assert page.locator('.card').count() == 48
        page.click('#more')
        assert page.locator('.card').count() == FRAMES
        assert (
            page.locator('.card img').first.evaluate('i => i.decode().then(() => i.naturalWidth)')
            == 208
        )
        # A caption is text, whatever is in it.
        page.fill('#search', 'onerror')
        await_text(page, '#hit-count', '1 of 60')
        assert page.locator('.card .said').inner_text() == HOSTILE
        assert page.locator('img[onerror]').count() == 0
        page.fill('#search', 'truck AHEAD')
        await_text(page, '#hit-count', '20 of 60')
        page.fill('#search', 'lead=truck people>1')
        await_text(page, '#hit-count', '10 of 60')
        page.fill('#search', '')
        await_text(page, '#hit-count', '60 of 60')
        page.locator('fieldset[data-field=lead] button', has_text='truck').click()
        assert page.locator('#hit-count').inner_text() == '20 of 60'
        counted = page.locator('fieldset[data-field=people] button').all_inner_texts()
        assert [c.split() for c in counted] == [['0', '10'], ['2', '10']]


def test_timeline_is_painted_and_leads_to_the_frame_and_its_command(
    drive: Path, tmp_path: Path
) -> None:
    assert main(['report', str(drive), '-o', str(tmp_path / 'page.html')]) == 0
    with open_page((tmp_path / 'page.html').as_uri()) as page:
        strip = page.locator('canvas[data-row=lead]')
        painted = strip.evaluate(
            """c => { const d = c.getContext('2d').getImageData(0, 6, c.width, 1).data;
            let first = -1, last = -1; for (let x = 3; x < c.width; x++) if (d[4 * x + 3]) {
            if (first < 0) first = x; last = x; } return [first / c.width, last / c.width]; }"""
        )
        assert painted == [pytest.approx(20 / 59, abs=0.02), pytest.approx(40 / 59, abs=0.02)]
        box = strip.bounding_box()
        strip.click(position={'x': box['width'] * 30 / 59, 'y': 5})
        assert page.locator('#now-caption').inner_text() == 'A truck is ahead & near in our lane.'
        assert "'" in page.locator('#now-commands').inner_text()  # a space in the name: quoted
        assert '--start-offset 3.000' in page.locator('#now-commands').inner_text()
        page.keyboard.press('ArrowRight')
        assert '--start-offset 3.100' in page.locator('#now-commands').inner_text()
        assert page.locator('canvas').count() == 2 + 2 + 16


def test_descriptions_and_images_may_be_apart_or_missing(
    drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = write_described(tmp_path / 'alone.mcap', [describe(i) for i in range(6)], False)
    page = str(tmp_path / 'page.html')
    assert main(['report', str(alone), '-o', page]) == 0
    said = capsys.readouterr()
    assert '6 frames, 0 pictures' in said.out
    assert '--images BAG' in said.err
    assert main(['report', str(alone), '-o', page, '--images', str(drive)]) == 0
    assert '6 frames, 6 pictures' in capsys.readouterr().out


def test_images_without_descriptions_are_described_first(tmp_path: Path) -> None:
    bag = write_rosbag2(tmp_path / 'raw', frames=4)
    done = caption('report', bag, '--every', '0.2', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('raw.report.html: 4 frames, 4 pictures')


def test_a_cut_off_recording_gives_a_page_that_says_so(drive: Path, tmp_path: Path) -> None:
    broken = tmp_path / 'cut.mcap'
    broken.write_bytes(drive.read_bytes())
    cut(broken, 0.6)
    done = caption('report', broken, '-o', tmp_path / 'page.html')
    assert done.returncode == 1
    assert 'error:' in done.stderr
    assert 'Traceback' not in done.stderr
    assert 'cut.mcap' in (tmp_path / 'page.html').read_text(encoding='utf-8')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['report', '{drive}', '-o', '{drive}'], 'is not the name of a page'),
        (['report', '/nowhere.mcap'], '/nowhere.mcap does not exist'),
        (['report', '{drive}', '-o', '/dev/null/page.html'], 'cannot be written'),
        (['report', '{drive}', '--images', '/nowhere'], '/nowhere does not exist'),
    ],
)
def test_bad_usage_is_an_error_and_writes_nothing(
    drive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    before = drive.read_bytes()
    monkeypatch.chdir(tmp_path)
    assert main([a.format(drive=drive) for a in arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith('error: ')
    assert message in said
    assert list(tmp_path.iterdir()) == []
    assert drive.read_bytes() == before
