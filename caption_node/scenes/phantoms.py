# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Radiograph-like phantoms: pictures with shadows in two lungs, with fields and sentences that are
true of them.

Not medicine: a domain without roads in which every fact is known, to show that training on
somebody's own data works from end to end. Shape, side, height, size and number are facts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import re
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator

SIZE_PX = 192
SHAPES = ('round', 'square', 'triangular', 'ring-shaped')
SIDES = ('left', 'right')
HEIGHTS = ('upper', 'lower')
SIZES = ('small', 'large')
FIELD_TABLE: tuple[dict[str, Any], ...] = (
    {'name': 'shape', 'kind': 'categorical', 'values': ['none', *SHAPES]},
    {'name': 'side', 'kind': 'categorical', 'values': ['none', *SIDES]},
    {'name': 'height', 'kind': 'categorical', 'values': ['none', *HEIGHTS]},
    {'name': 'size', 'kind': 'categorical', 'values': ['none', *SIZES]},
    {'name': 'shadows', 'kind': 'count'},
    {'name': 'device', 'kind': 'boolean'},
)
_RADII = {'small': (0.046, 0.055), 'large': (0.088, 0.102)}
_NUMBERS = ('no', 'one', 'two', 'three')
_FACT_NAMES = tuple(str(f['name']) for f in FIELD_TABLE)


@dataclass(frozen=True, slots=True)
class Phantom:
    """
    One picture with what is true of it.

    :param pixels: (192, 192) grey.
    :param fields: A value for every name in :data:`FIELD_TABLE`. Several shadows of one picture
        are alike and in the same field of the same lung.
    """

    pixels: NDArray[np.uint8]
    fields: Mapping[str, str | int | bool]
    caption: str


def make_phantom(seed: int) -> Phantom:
    """Draw one phantom; the same seed gives the same picture and sentence."""
    rng = np.random.default_rng([7, seed])
    count = int(rng.choice(4, p=(0.12, 0.4, 0.28, 0.2)))
    device = bool(rng.random() < 0.25)
    fields: dict[str, str | int | bool] = dict.fromkeys(
        ('shape', 'side', 'height', 'size'), 'none'
    )
    if count:
        fields = {
            'shape': str(rng.choice(SHAPES)),
            'side': str(rng.choice(SIDES)),
            'height': str(rng.choice(HEIGHTS)),
            'size': str(rng.choice(SIZES)),
        }
    fields |= {'shadows': count, 'device': device}
    return Phantom(_draw(fields, rng), fields, _sentence(fields, rng))


def facts_of(sentence: str) -> dict[str, str | int | bool]:
    """
    Read the facts that a sentence states; what it does not state is not there.

    :returns: By the names and values of :data:`FIELD_TABLE`.
    """
    text = sentence.lower()
    words = set(re.findall(r'[a-z]+(?:-[a-z]+)*', text))
    found: dict[str, str | int | bool] = {'device': 'pacemaker' in words}
    if re.search(r'\bno (shadow|opacity)|\bclear\b', text):
        return {
            **found,
            'shadows': 0,
            **dict.fromkeys(('shape', 'side', 'height', 'size'), 'none'),
        }
    for name, values in (
        ('shape', SHAPES),
        ('side', SIDES),
        ('height', HEIGHTS),
        ('size', SIZES),
    ):
        said = [v for v in values if v in words]
        if len(said) == 1:
            found[name] = said[0]
    counts = [n for n, word in enumerate(_NUMBERS) if word in words and n]
    if re.search(r'\ba (small|large|round|square|triangular|ring-shaped)\b', text):
        counts.append(1)
    if len(counts) == 1:
        found['shadows'] = counts[0]
    return found


def right_share(sentences: Sequence[str], truths: Sequence[Mapping[str, Any]]) -> float:
    """Return the share of all facts that the sentences state rightly, 0..1."""
    right = 0
    for sentence, truth in zip(sentences, truths, strict=True):
        said = facts_of(sentence)
        right += sum(said.get(name) == truth[name] for name in _FACT_NAMES)
    return right / max(1, len(truths) * len(_FACT_NAMES))


def write_phantoms(folder: Path, count: int, held_out: int, first_seed: int = 0) -> Path:
    """
    Write a data set as anybody would bring it: pictures, and COCO captions with attributes.

    :param held_out: So many more, of split ``test``.
    :returns: The label file.
    """
    pictures = folder / 'images'
    pictures.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for k in range(count + held_out):
        phantom = make_phantom(first_seed + k)
        name = f'phantom{k:05d}.png'
        cv2.imwrite(str(pictures / name), phantom.pixels)
        split = 'train' if k < count else 'test'
        images.append(
            {'id': k, 'file_name': name, 'width': SIZE_PX, 'height': SIZE_PX, 'split': split}
        )
        attributes = dict(phantom.fields)
        annotations.append(
            {'id': k, 'image_id': k, 'caption': phantom.caption, 'attributes': attributes}
        )
    file = folder / 'captions.json'
    lists = {'images': images, 'annotations': annotations}
    rows = (
        f'"{name}": [\n' + ',\n'.join(json.dumps(item) for item in items) + '\n]'
        for name, items in lists.items()
    )
    file.write_text('{\n' + ',\n'.join(rows) + '\n}\n', encoding='utf-8')
    return file


def _sentence(fields: Mapping[str, str | int | bool], rng: Rng) -> str:
    """Say all facts, in one of several ways."""
    device = ' beside a pacemaker' if fields['device'] else ''
    count = int(fields['shadows'])
    if not count:
        if device:
            return ('Both lungs are clear', 'No shadow in either lung')[
                int(rng.integers(2))
            ] + device
        return (
            'Both lungs are clear',
            'No shadow is seen in either lung',
            'Clear lungs on both sides without any shadow',
        )[int(rng.integers(3))]
    noun = 'shadow' if count == 1 else 'shadows'
    number = 'a' if count == 1 else _NUMBERS[count]
    what = f'{number} {fields["size"]} {fields["shape"]} {noun}'
    lung = f'the {fields["height"]} field of the {fields["side"]} lung'
    there = 'is' if count == 1 else 'are'
    text = (
        f'{what} in {lung}',
        f'in {lung} there {there} {what}',
        f'{lung} shows {what}',
    )[int(rng.integers(3))] + device
    return text[0].upper() + text[1:]


def _draw(fields: Mapping[str, str | int | bool], rng: Rng) -> NDArray[np.uint8]:
    """Draw body, lungs, ribs and heart, the shadows, and the noise of few photons."""
    n = SIZE_PX
    shift = rng.normal(0, 0.012, 2)
    tall, wide = rng.uniform(0.29, 0.33), rng.uniform(0.135, 0.155)
    density = np.full((n, n), 0.08)
    _ellipse(density, (0.5 + shift[0], 0.55 + shift[1]), (0.46, 0.52), 0.62)
    # As one faces the picture, the patient's left is on the right; the side said is the picture's.
    middles = {'left': 0.29 + shift[0], 'right': 0.71 + shift[0]}
    row = 0.5 + shift[1]
    for x in middles.values():
        _ellipse(density, (x, row), (wide, tall), -0.42)
    _ellipse(density, (0.545 + shift[0], row + 0.16), (0.11, 0.14), 0.22)
    for k in range(7):
        y = row - 0.3 + 0.09 * k
        for x in middles.values():
            centre = (round(x * n), round((y + 0.05) * n))
            axes = (round(wide * 1.15 * n), round(0.05 * n))
            rib = np.zeros((n, n), np.uint8)
            cv2.ellipse(rib, centre, axes, 0, 180, 360, 255, 2, cv2.LINE_AA)
            density += rib / 255.0 * 0.05
    if fields['shadows']:
        x = middles[str(fields['side'])]
        y = row + (-0.15 if fields['height'] == 'upper' else 0.13)
        _shadows(density, (x, y), fields, rng)
    if fields['device']:
        _device(density, (middles['right'] + 0.1, row - 0.3), rng)
    # Nobody stands twice in the same way.
    turned = cv2.getRotationMatrix2D((n / 2, n / 2), rng.normal(0, 2.5), rng.normal(1.0, 0.035))
    turned[:, 2] += rng.normal(0, 3.0, 2)
    density = cv2.warpAffine(density, turned, (n, n), borderValue=0.08)
    blurred = cv2.GaussianBlur(density, (0, 0), 0.8)
    noisy = blurred + rng.normal(0, 0.012, blurred.shape)
    gain, offset = rng.uniform(215, 245), rng.uniform(0, 12)
    return np.asarray(np.clip(noisy * gain + offset, 0, 255), dtype=np.uint8)


def _shadows(
    density: NDArray[np.float64],
    place: tuple[float, float],
    fields: Mapping[str, str | int | bool],
    rng: Rng,
) -> None:
    """Put one to three shapes side by side or above each other, none over another."""
    n, count = SIZE_PX, int(fields['shadows'])
    low, high = _RADII[str(fields['size'])]
    # Several large ones have to fit into half a lung.
    radius = rng.uniform(low, high) * (1.0 if count == 1 or fields['size'] == 'small' else 0.78)
    gap = 2.35 * radius
    places = {
        1: [(0.0, 0.0)],
        2: [(-0.5, 0.0), (0.5, 0.0)] if rng.random() < 0.5 else [(0.0, -0.5), (0.0, 0.5)],
        3: [(-0.5, 0.4), (0.5, 0.4), (0.0, -0.45)],
    }[count]
    middle = np.array(place) + rng.normal(0, 0.012, 2)
    for dx, dy in places:
        x, y = (middle + gap * np.array((dx, dy))) * n
        mask = np.zeros((n, n), np.uint8)
        _shape(mask, str(fields['shape']), (float(x), float(y)), radius * n, rng)
        density += mask / 255.0 * rng.uniform(0.24, 0.32)


def _shape(
    mask: NDArray[np.uint8], shape: str, centre: tuple[float, float], radius: float, rng: Rng
) -> None:
    if shape in ('round', 'ring-shaped'):
        at = (round(centre[0]), round(centre[1]))
        cv2.circle(mask, at, round(radius), 255, -1, cv2.LINE_AA)
        if shape == 'ring-shaped':
            cv2.circle(mask, at, round(radius * 0.55), 0, -1, cv2.LINE_AA)
        return
    corners = 4 if shape == 'square' else 3
    first = np.pi / 4 if corners == 4 else -np.pi / 2
    turn = first + rng.normal(0, 0.08)
    angles = turn + np.arange(corners) * 2 * np.pi / corners
    reach = radius * (1.15 if corners == 4 else 1.35)
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * reach + np.array(centre)
    cv2.fillPoly(mask, [points.round().astype(np.int32)], 255, cv2.LINE_AA)


def _device(density: NDArray[np.float64], place: tuple[float, float], rng: Rng) -> None:
    """A pacemaker: a bright case below the collarbone, with a lead."""
    n = SIZE_PX
    x, y = (round(v * n + rng.normal(0, 1.5)) for v in place)
    case = np.zeros((n, n), np.uint8)
    cv2.ellipse(case, (x, y), (12, 9), 20, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.line(case, (x - 8, y + 5), (round(0.56 * n), round(0.6 * n)), 160, 1, cv2.LINE_AA)
    density += case / 255.0 * 0.5


def _ellipse(
    density: NDArray[np.float64],
    centre: tuple[float, float],
    axes: tuple[float, float],
    amount: float,
) -> None:
    n = SIZE_PX
    mask = np.zeros((n, n), np.uint8)
    at = (round(centre[0] * n), round(centre[1] * n))
    cv2.ellipse(mask, at, (round(axes[0] * n), round(axes[1] * n)), 0, 0, 360, 255, -1)
    density += cv2.GaussianBlur(mask, (0, 0), 3.0) / 255.0 * amount
