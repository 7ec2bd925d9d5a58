# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Fit what a bundle knows of its training frames, so that it can abstain on everything else.

    python -m caption_node.training.fit_trust models/drive_small --data ../shared/data

writes ``trust.npz`` into the model folder and its limits into the manifest. The judge of pictures
does not depend on the network: where the folder has one already it is kept, and only the judge of
embeddings is fitted, unless ``--pictures`` asks for both.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
import io
import json
import os
from pathlib import Path
import sys

import numpy as np
from numpy.typing import NDArray

from caption_node.backends.registry import open_backend
from caption_node.bundle import TRUST_FILE, Bundle, sha256_of
from caption_node.errors import BundleError, ConfigError
from caption_node.novelty import KINDS, EmbeddingJudge
from caption_node.picture_features import picture_features
from caption_node.preprocess import letterbox
from caption_node.training.labels import read_labels
from caption_node.training.picture_judge import ALARMS, Arrays, Floats, fit_pictures
from caption_node.training.programs import run_program
from caption_node.training.spoilt.samples import Picture, road_pictures, spoilt_pictures

SHRINK = 0.1
LEAST_GROUP = 20
LEAST_SOURCE = 15
SOURCE_ALARMS = 0.02
"""So many frames of a camera that is left out may abstain by the judge of embeddings."""


def fit_embeddings(
    embeddings: Floats,
    groups: Sequence[str],
    sources: Sequence[str],
    held_out: NDArray[np.bool_],
) -> Arrays:
    """
    Fit the judge of embeddings.

    Its limit lets held-out frames pass, and most frames of every camera that is left out in turn:
    the camera that the model will meet is none of those.

    :param embeddings: (N, E) of frames that show a road.
    :param groups: What kind of frame each is; small groups become one.
    :param sources: Which camera each comes from.
    :param held_out: (N,) whether it sets the limit instead of centres.
    :returns: Arrays of :class:`~caption_node.novelty.EmbeddingJudge` and ``limit``.
    """
    kinds, cameras = np.array(groups), np.array(sources)
    judge = _centred(embeddings[~held_out], kinds[~held_out])
    limit = np.quantile(judge.distance(embeddings[held_out]), 1 - ALARMS)
    for camera, count in Counter(sources).items():
        own = cameras == camera
        # Where most frames are one camera's, the others alone are no model of anything.
        if LEAST_SOURCE <= count <= len(own) / 2:
            others = _centred(embeddings[~own], kinds[~own])
            limit = max(limit, np.quantile(others.distance(embeddings[own]), 1 - SOURCE_ALARMS))
    return {
        'centres': judge.centres,
        'whiten': judge.whiten,
        'limit': np.asarray(limit, dtype=np.float32),
    }


def _centred(embeddings: Floats, kinds: NDArray[np.str_]) -> EmbeddingJudge:
    names, numbers, sizes = np.unique(kinds, return_inverse=True, return_counts=True)
    groups = [numbers == i for i in range(len(names)) if sizes[i] >= LEAST_GROUP]
    rest = np.isin(numbers, np.flatnonzero(sizes < LEAST_GROUP))
    groups += [rest] if rest.any() else []
    centres = np.stack([embeddings[g].mean(0) for g in groups])
    residuals = np.concatenate([embeddings[g] - c for g, c in zip(groups, centres, strict=True)])
    spread = np.cov(residuals.T)
    level = np.trace(spread) / len(spread)
    spread = (1 - SHRINK) * spread + SHRINK * level * np.eye(len(spread))
    values, vectors = np.linalg.eigh(spread)
    whiten = vectors / np.sqrt(np.maximum(values, 1e-9))
    return EmbeddingJudge(centres.astype(np.float32), whiten.astype(np.float32))


def write_trust(
    folder: Path, pictures: Mapping[str, Floats], embeddings: Mapping[str, Floats]
) -> None:
    """
    Put both judges into a model folder, and their limits and hash into its manifest.

    Files are written beside their names and renamed, so a reader never sees half of one.

    :raises BundleError: If the folder cannot be written.
    """
    arrays = {f'picture_{k}': v for k, v in pictures.items()}
    arrays |= {f'embedding_{k}': v for k, v in embeddings.items()}
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    file = folder / 'manifest.json'
    try:
        manifest = json.loads(file.read_text(encoding='utf-8'))
        _replace(folder / TRUST_FILE, content.getvalue())
        manifest['sha256'][TRUST_FILE] = sha256_of(folder / TRUST_FILE)
        limits = dict(zip(KINDS[1:], pictures['limit'].tolist(), strict=True))
        limits['embedding'] = float(embeddings['limit'])
        manifest['abstain'] |= {f'unlike_{k}': round(v, 4) for k, v in limits.items()}
        _replace(file, (json.dumps(manifest, indent=2) + '\n').encode())
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise BundleError(f'{folder} cannot take {TRUST_FILE}: {err}') from err


def _replace(path: Path, content: bytes) -> None:
    scratch = path.with_name(f'.{path.name}.tmp')
    scratch.write_bytes(content)
    os.replace(scratch, path)


def read_pictures(folder: Path) -> Arrays | None:
    """Return the arrays of a folder's judge of pictures, or None if it has none that fits."""
    try:
        with np.load(folder / TRUST_FILE, allow_pickle=False) as data:
            found = {
                name.removeprefix('picture_'): data[name]
                for name in data.files
                if name.startswith('picture_')
            }
    except (OSError, ValueError, EOFError):
        return None
    width = picture_features(np.zeros((16, 16, 3), np.uint8)).size
    return found if 'limit' in found and len(found['mean']) == width else None


def embed(bundle: Bundle, pictures: Iterable[Picture]) -> tuple[Floats, list[Picture]]:
    """Run a bundle's graph and return the embeddings, with the pictures (without pixels)."""
    found: list[Floats] = []
    seen: list[Picture] = []
    waiting: list[NDArray[np.uint8]] = []
    backend = open_backend('onnxruntime', bundle, 0)
    try:
        for picture in pictures:
            waiting.append(letterbox(picture.image, bundle.height, bundle.width)[0])
            seen.append(_without_pixels(picture))
            if len(waiting) == bundle.max_batch:
                found.append(backend.run(np.stack(waiting)).embedding.copy())
                waiting.clear()
                report(len(seen), 'embedded')
        if waiting:
            found.append(backend.run(np.stack(waiting)).embedding.copy())
    finally:
        backend.close()
    return np.concatenate(found).astype(np.float32), seen


def _without_pixels(picture: Picture) -> Picture:
    nothing = np.zeros((1, 1, 3), dtype=np.uint8)
    return Picture(nothing, picture.kind, picture.source, picture.group, picture.is_held_out)


def report(count: int, what: str) -> None:
    """Say how far it is, now and then."""
    if count % 400 == 0:
        print(f'{what} {count} pictures', file=sys.stderr, flush=True)


def look(pictures: Iterable[Picture]) -> tuple[Floats, list[Picture]]:
    """Return the features of pictures, with the pictures (without pixels)."""
    found: list[Floats] = []
    seen: list[Picture] = []
    for picture in pictures:
        found.append(picture_features(picture.image))
        seen.append(_without_pixels(picture))
        report(len(seen), 'looked at')
    return np.stack(found), seen


def fit(folder: Path, data: Path, splits: Sequence[str], again: bool, every: int = 1) -> None:
    """
    Fit both judges of a model folder.

    :param data: Folder with ``labels.jsonl`` and the frames it names.
    :param splits: Of which splits the frames are taken: those that trained the model.
    :param again: Fit the judge of pictures although there is one.
    :param every: Fit the judge of embeddings to every so manieth frame.
    :raises CaptionError: If the model or the data cannot be read or written.
    """
    bundle = Bundle.load(folder)
    size = (bundle.height, bundle.width)
    records = read_labels(data / 'labels.jsonl', data, splits)
    if not records:
        raise ConfigError(f'{data / "labels.jsonl"} has no frames of the splits {list(splits)}')
    pictures = None if again else read_pictures(folder)
    if pictures is None:
        features, seen = look(road_pictures(records, *size, variants=1, renders=300))
        spoilt, bad = look(spoilt_pictures(records, *size, rounds=100))
        seen += bad
        held_out = np.array([p.is_held_out for p in seen])
        kinds = [p.kind for p in seen]
        pictures = fit_pictures(np.concatenate([features, spoilt]), kinds, held_out)
    roads = road_pictures(records[::every], *size, variants=3, renders=150 // every)
    embeddings, seen = embed(bundle, roads)
    held_out = np.array([p.is_held_out for p in seen])
    groups, sources = [p.group for p in seen], [p.source for p in seen]
    write_trust(folder, pictures, fit_embeddings(embeddings, groups, sources, held_out))


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and fit; 1 on an error that the user can mend."""
    parser = argparse.ArgumentParser(prog='fit_trust', description='Fit when a bundle abstains.')
    parser.add_argument('model', type=Path, help='model folder')
    parser.add_argument('--data', type=Path, required=True, help='folder of labels.jsonl')
    parser.add_argument('--splits', nargs='+', default=['train'], help='default: train')
    parser.add_argument(
        '--pictures', action='store_true', help='fit the judge of pictures anew, too'
    )
    parser.add_argument(
        '--every', type=int, default=1, metavar='N', help='embed every Nth frame only: quicker'
    )
    options = parser.parse_args(arguments)
    every = max(1, options.every)
    chosen = (options.model, options.data, options.splits, options.pictures, every)
    return run_program(lambda: fit(*chosen))


if __name__ == '__main__':
    sys.exit(main())
