# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures with what is wrong with them: roads seen well, and all that trust has to tell apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from caption_node.novelty import KINDS
from caption_node.training.augment import augment
from caption_node.training.data import is_held_out
from caption_node.training.labels import Label, Record
from caption_node.training.spoilt import drawn, spoil

Image = NDArray[np.uint8]
RENDER_SOURCE = 'render'
_RENDER_SEED = 700_000
_ASPECTS = (0.55, 0.5625, 0.5875, 0.6)


@dataclass(frozen=True)
class Picture:
    """
    One picture with what is wrong with it.

    :param image: (H, W, 3) RGB, as wide or as high as the model's input.
    :param kind: One of :data:`~caption_node.novelty.KINDS`.
    :param source: Camera that the picture comes from.
    :param group: Kind of road and time of day, for pictures that show one.
    :param is_held_out: Whether it sets limits instead of weights.
    """

    image: Image
    kind: str
    source: str
    group: str
    is_held_out: bool


def road_pictures(
    records: Sequence[Record], height: int, width: int, variants: int, renders: int
) -> Iterator[Picture]:
    """
    Yield frames as they are, as other cameras and weathers would show them, and renders.

    :param variants: Every so manieth frame is varied once; 0: none.
    """
    from caption_node.image_codec import read_image
    from caption_node.scenes import render_scene

    for k, record in enumerate(records):
        rgb, label = read_image(record.path), record.labels[0]
        yield _road(_fit(rgb, height, width), label, record.source, record.id)
        if variants and k % variants == 0:
            rng = np.random.default_rng([991, k])
            varied, changed = augment(rgb, label, rng, height, width)
            shown = _unboxed(varied, rgb)
            shown = _coarser(shown, rng) if rng.random() < 0.3 else shown
            yield _road(shown, changed, record.source, record.id)
    for k in range(renders):
        rgb, truth = render_scene(_RENDER_SEED + k, width=960, height=540)
        label = Label(truth.fields, truth.caption)
        yield _road(_fit(rgb, height, width), label, RENDER_SOURCE, f'render{k}')


def spoilt_pictures(
    records: Sequence[Record], height: int, width: int, rounds: int
) -> Iterator[Picture]:
    """
    Yield pictures of every kind that is no use.

    :param rounds: How many of each kind; frames are spoilt in more ways than things are drawn.
    """
    makers = [(name, 'covered', f) for name, f in spoil.COVERED.items()]
    makers += [(name, 'blurred', f) for name, f in spoil.BLURRED.items()]
    makers += [(name, 'other', f) for name, f in spoil.STRANGE.items()]
    for k in range(rounds):
        is_kept = k % 10 == 0
        for n, draw in enumerate(drawn.KINDS.values()):
            rng = np.random.default_rng([5, k, n])
            image = draw(rng, round(width * float(rng.choice(_ASPECTS))), width)
            if rng.random() < 0.5:
                # Else colours alone would tell drawings from cameras.
                image = _recoloured(image, _any_frame(records, rng, height, width)[0])
            yield Picture(_camera(image, rng), 'other', 'drawn', '', is_kept)
        for n, (_, kind, make) in enumerate(makers):
            rng = np.random.default_rng([6, k, n])
            image, source = _any_frame(records, rng, height, width)
            image = make(image, rng)
            image = _camera(image, rng) if kind != 'blurred' and rng.random() < 0.3 else image
            yield Picture(image, kind, source, '', is_kept)


def _road(image: Image, label: Label, source: str, name: str) -> Picture:
    group = f'{label.fields["time"]} {label.fields["road"]}'
    return Picture(image, KINDS[0], source, group, is_held_out(name))


def _fit(rgb: Image, height: int, width: int) -> Image:
    scale = min(height / rgb.shape[0], width / rgb.shape[1])
    size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, size, interpolation=how), dtype=np.uint8)


def _unboxed(image: Image, rgb: Image) -> Image:
    """Cut the bars off a letterboxed picture of unknown aspect."""
    bar = (image == image[0, 0]).all(axis=2)
    rows, columns = np.flatnonzero(~bar.all(axis=1)), np.flatnonzero(~bar.all(axis=0))
    if not len(rows) or not len(columns):
        return _fit(rgb, *image.shape[:2])
    return np.ascontiguousarray(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _any_frame(
    records: Sequence[Record], rng: np.random.Generator, height: int, width: int
) -> tuple[Image, str]:
    """Return a frame, varied or not."""
    from caption_node.image_codec import read_image

    record = records[int(rng.integers(len(records)))]
    rgb = read_image(record.path)
    if rng.random() < 0.5:
        varied, _ = augment(rgb, record.labels[0], rng, height, width)
        return _unboxed(varied, rgb), record.source
    return _fit(rgb, height, width), record.source


def _coarser(image: Image, rng: np.random.Generator) -> Image:
    """Return what a camera of fewer pixels would give."""
    height, width = image.shape[:2]
    scale = rng.uniform(0.45, 0.85)
    size = (int(width * scale), int(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height)), dtype=np.uint8)


def _recoloured(image: Image, reference: Image) -> Image:
    """Give a picture the tones of another one, channel by channel."""
    out = np.empty_like(image)
    for c in range(3):
        have, want = (
            np.bincount(x[..., c].ravel(), minlength=256).cumsum() / x[..., c].size
            for x in (image, reference)
        )
        table = np.interp(have, want, np.arange(256)).astype(np.uint8)
        out[..., c] = table[image[..., c]]
    return out


def _camera(image: Image, rng: np.random.Generator) -> Image:
    """Take a picture as a camera would: paler, coarser, noisier, compressed; each sometimes."""
    if rng.random() < 0.4:
        x = image.astype(np.float32)
        grey = x.mean(axis=2, keepdims=True)
        image = (grey + (x - grey) * rng.uniform(0, 1)).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        image = _coarser(image, rng)
    if rng.random() < 0.4:
        noise = rng.normal(0, rng.uniform(1, 9), image.shape)
        image = (image + noise).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))]
        image = np.asarray(cv2.imdecode(cv2.imencode('.jpg', image, quality)[1], 1), np.uint8)
    return image
