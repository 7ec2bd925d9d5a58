# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
No sentence names a person, a cyclist or a lamp's colour without a published box behind it.

Checked on the printed JSON alone, with word lists of its own, whatever the sentence's status.
"""

from collections.abc import Iterator
import json
import re
from typing import Any

import pytest

from caption_node.frame import Frame
from caption_node.image_codec import read_image
from caption_node.pipeline import CaptionPipeline
from caption_node.scenes import render_scene
from tests.conftest import MODEL, SHARED

# What looks like a claim and is none: places, signs, absence.
_NO_CLAIM = re.compile(
    r'\b(no|nobody|without|free of|empty of)( \w+)? '
    r'(pedestrians?|people|person|cyclists?|riders?)\b'
    r'|\bpedestrian (crossing|zone|light|signal|bridge|area|street|sign)s?\b|\bpeople carriers?\b'
    r'|\b(bike|bicycle|cycle|motorcycle) (lane|path|rack|sign|track)s?\b|\ba couple of\b'
    r'|\b(roadworks|men at work|children crossing) signs?\b'
)
_PEOPLE = re.compile(
    r'\b(pedestrians?|people|persons?|(wo)?m[ae]n|child(ren)?|kids?|boys?|girls?|workers?|crowd|'
    r'walkers?|joggers?|passers?-?by|someone|somebody|couple|policem[ae]n|officers?|figures?)\b'
)
_RIDERS = re.compile(
    r'\b(bi|motor|motorbi)?cyclists?\b|\b(motor)?(bikes?|bikers?)\b|\b(bicycl|motorcycl)\w*\b'
    r'|\b(e-)?scooters?\b|\bmopeds?\b|\briders?\b'
)
_COLOUR = r'(red|yellow|amber|green)'
_LAMP = r'(lights?|signals?|lamps?|arrows?)'
_COLOURED_LAMP = re.compile(
    rf'\b{_COLOUR}( and {_COLOUR})?( traffic)? {_LAMP}\b|\b{_COLOUR}-lit\b'
    rf'|\b{_LAMP}( \w+){{0,2}} (is|are|shows?|showing|turns?|turned|on|at)( still| now)? '
    rf'{_COLOUR}\b'
    rf'|^{_COLOUR} (for|at|ahead)\b|(,|\bwith|\bon|\bat) {_COLOUR} (for|ahead)\b'
)
_LIT_THINGS = re.compile(r'\b(brake|tail|rear|head|warning|hazard|indicator|fog)[ -]?lights?\b')


def unfounded(line: dict[str, Any]) -> list[str]:
    """Return what a line claims that none of its boxes bears out."""
    text = _NO_CLAIM.sub(' ', line['caption'].lower())
    seen = {item['class'] for item in line['objects']}
    claims = (
        ('a person', _PEOPLE.search(text), {'person'}),
        ('a cyclist', _RIDERS.search(text), {'bicycle', 'motorcycle'}),
        ('a colour', _COLOURED_LAMP.search(_LIT_THINGS.sub(' ', text)), {'traffic light'}),
    )
    return [name for name, claimed, classes in claims if claimed and not seen & classes]


@pytest.mark.parametrize(
    ('caption', 'classes', 'found'),
    [
        ('A pedestrian waits.', [], ['a person']),
        ('A pedestrian waits.', ['person'], []),
        ('A woman on a scooter.', ['person'], ['a cyclist']),
        ('The light ahead is red.', ['car'], ['a colour']),
        ('Green for us.', [], ['a colour']),
        ('A green traffic light.', ['traffic light'], []),
        ('A red car with its brake lights on, no pedestrians about.', ['car'], []),
        ('A bike lane and a pedestrian crossing.', [], []),
    ],
)
def test_checker_tells_claims_from_other_words(
    caption: str, classes: list[str], found: list[str]
) -> None:
    line = {'caption': caption, 'objects': [{'class': name} for name in classes]}
    assert unfounded(line) == found


def frames_of(split: str) -> Iterator[Frame]:
    if split == 'renders':
        for seed in range(50_000, 50_200):
            yield Frame(render_scene(seed, width=640, height=384)[0], file=f'render {seed}')
        return
    for path in sorted((SHARED / 'data' / 'frames' / split).glob('*.jpg')):
        yield Frame(read_image(path), file=path.name)


@pytest.fixture(scope='module')
def pipeline() -> Iterator[CaptionPipeline]:
    with CaptionPipeline.open(MODEL, threads=2) as opened:
        yield opened


def described(pipeline: CaptionPipeline, split: str) -> list[dict[str, Any]]:
    frames = list(frames_of(split))
    said = [
        d
        for start in range(0, len(frames), 8)
        for d in pipeline.describe(frames[start : start + 8])
    ]
    return [json.loads(json.dumps(d.to_json())) for d in said]


@pytest.mark.parametrize(
    ('split', 'abstain_at_most'), [('val', 0.05), ('adverse_val', 0.5), ('renders', 0.1)]
)
def test_every_claim_has_its_box_and_few_good_frames_abstain(
    pipeline: CaptionPipeline,
    split: str,
    abstain_at_most: float,
    request: pytest.FixtureRequest,
) -> None:
    if split != 'renders':
        request.getfixturevalue('shared')
    lines = described(pipeline, split)
    assert len(lines) >= 90
    assert [(x['file'], x['caption'], unfounded(x)) for x in lines if unfounded(x)] == []
    abstained = [(x['file'], x['reason']) for x in lines if x['status'] == 'abstain']
    assert len(abstained) <= abstain_at_most * len(lines), abstained
