# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
A model folder: ``model.onnx``, ``manifest.json``, ``vocabulary.json``, and ``trust.npz``.

The manifest carries all that must travel with the weights: hashes, input size, the layout of the
scene logits, class names, thresholds and calibration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
import hashlib
import json
import os
from pathlib import Path
import sys
from typing import Any, NamedTuple

from caption_node.description import FIELDS, Field, make_field
from caption_node.errors import BundleError
from caption_node.vocabulary import Vocabulary

FORMAT_VERSION = 1
DEFAULT_MODEL = 'drive_small'
TRUST_FILE = 'trust.npz'
MODELS_VARIABLE = 'CAPTION_MODELS'


@dataclass(frozen=True, slots=True)
class FieldSlice:
    """Where a field's logits lie in the ``scene`` output, and what temperature calibrates them."""

    start: int
    width: int
    temperature: float


class CaptionConfidence(NamedTuple):
    """
    A logistic that gives the confidence of a sentence.

    :param weight: Of the mean log-probability of its words.
    :param support: Of the log-odds that published fields deny none of its claims; 1 with nothing
        else publishes their probability as it is.
    """

    weight: float
    bias: float
    support: float = 0.0


@dataclass(frozen=True, slots=True)
class Bundle:
    """
    A model folder that was read and checked.

    :param sha256: Hash of ``model.onnx``, hexadecimal.
    :param licence: Terms of the weights, as an SPDX expression or in words.
    :param height: Input height in pixels.
    :param width: Input width in pixels.
    :param table: What its fields are; that of driving unless the manifest brings another.
    :param fields: Layout of the scene logits by field name.
    :param classes: Names of the object classes by the number that the model gives.
    :param score_thresholds: Least score of a published box by class.
    :param caption_confidence: What a sentence's confidence is worked out by.
    :param abstain: Thresholds of :mod:`caption_node.trust` by name.
    :param trust_path: What :mod:`caption_node.novelty` knows of the training frames, if it is
        part of the bundle.
    """

    path: Path
    name: str
    sha256: str
    licence: str
    precision: str
    max_batch: int
    height: int
    width: int
    fields: Mapping[str, FieldSlice]
    classes: tuple[str, ...]
    score_thresholds: Mapping[str, float]
    caption_confidence: CaptionConfidence
    abstain: Mapping[str, float]
    vocabulary: Vocabulary
    trust_path: Path | None = None
    table: Mapping[str, Field] = field(default_factory=lambda: FIELDS)

    @property
    def is_of_driving(self) -> bool:
        """Whether it describes drives: what is known of roads holds for no other model."""
        return self.table is FIELDS

    @property
    def model_path(self) -> Path:
        """Path of the ONNX file."""
        return self.path / 'model.onnx'

    @classmethod
    def load(cls, path: Path, verify: bool = True) -> 'Bundle':
        """
        Read a model folder.

        :param verify: Hash the files and compare with the manifest.
        :raises BundleError: If a file is missing, altered, or of an unknown format.
        """
        manifest = _read_manifest(path)
        hashes = _checked_files(path, manifest, verify)
        try:
            table = _field_table(manifest)
            return cls(
                path=path,
                name=str(manifest['name']),
                sha256=hashes['model.onnx'],
                licence=str(manifest['licence']),
                precision=str(manifest['precision']),
                max_batch=int(manifest['max_batch']),
                height=int(manifest['input']['height']),
                width=int(manifest['input']['width']),
                fields=_field_slices(manifest['fields'], table),
                classes=tuple(manifest['classes']),
                score_thresholds={k: float(v) for k, v in manifest['score_thresholds'].items()},
                caption_confidence=CaptionConfidence(
                    **{k: float(v) for k, v in manifest['caption_confidence'].items()}
                ),
                abstain={k: float(v) for k, v in manifest['abstain'].items()},
                vocabulary=Vocabulary.load(
                    path / 'vocabulary.json', str(manifest.get('tokenizer', 'words'))
                ),
                trust_path=path / TRUST_FILE if TRUST_FILE in hashes else None,
                table=table,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise BundleError(f'{path / "manifest.json"} lacks or garbles {err}') from err


def find_bundle(model: str | Path | None = None) -> Path:
    """
    Return the folder of a model given by path or by name.

    Looked for in ``$CAPTION_MODELS``, beside the package in a source tree, and under
    ``share/caption_node/models`` of every installation prefix.

    :raises BundleError: If there is none; the message lists where it was looked for.
    """
    if model is not None and (os.sep in str(model) or Path(model).is_dir()):
        return Path(model)
    name = str(model) if model else DEFAULT_MODEL
    places = [Path(p) for p in os.environ.get(MODELS_VARIABLE, '').split(os.pathsep) if p]
    places.append(Path(__file__).resolve().parent.parent / 'models')
    prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    for prefix in [*prefixes, sys.prefix]:
        if prefix:
            places.append(Path(prefix) / 'share' / 'caption_node' / 'models')
    for place in places:
        if (place / name).is_dir():
            return place / name
    raise BundleError(
        f'no model {name!r} in ' + ', '.join(str(p) for p in places),
        f'give a model folder, or set {MODELS_VARIABLE} to where model folders lie',
    )


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise BundleError(f'model folder {path} does not exist')
    file = path / 'manifest.json'
    try:
        manifest = json.loads(file.read_text(encoding='utf-8'))
    except FileNotFoundError as err:
        raise BundleError(
            f'{path} is not a model folder: manifest.json is missing',
            'a model folder holds model.onnx, manifest.json and vocabulary.json',
        ) from err
    except (OSError, ValueError) as err:
        raise BundleError(f'{file} cannot be read: {err}') from err
    version = manifest.get('format_version') if isinstance(manifest, dict) else None
    if version != FORMAT_VERSION:
        raise BundleError(
            f'{file} has format version {version!r}, this release reads {FORMAT_VERSION}'
        )
    return dict(manifest)


def _checked_files(path: Path, manifest: Mapping[str, Any], verify: bool) -> dict[str, str]:
    hashes = manifest.get('sha256')
    if not isinstance(hashes, dict) or not {'model.onnx', 'vocabulary.json'} <= set(hashes):
        raise BundleError(f'{path / "manifest.json"} does not give the hashes of the files')
    for name, expected in hashes.items():
        file = path / name
        if Path(name).name != name or not file.is_file():
            raise BundleError(
                f'{path} is incomplete: {name} is missing', 'copy the whole model folder again'
            )
        if verify and sha256_of(file) != expected:
            raise BundleError(
                f'{file} was altered or damaged: its SHA-256 is not the one of the manifest',
                'copy the whole model folder again, or export it again',
            )
    return {k: str(v) for k, v in hashes.items()}


def _field_table(manifest: Mapping[str, Any]) -> Mapping[str, Field]:
    """Return the table of a model: its own where its fields say what they are."""
    if manifest.get('domain', 'driving') == 'driving':
        return FIELDS
    return {
        name: make_field(name, str(item['kind']), tuple(map(str, item.get('values', ()))))
        for name, item in manifest['fields'].items()
    }


def _field_slices(
    data: Mapping[str, Mapping[str, Any]], table: Mapping[str, Field]
) -> dict[str, FieldSlice]:
    if set(data) != set(table):
        raise BundleError('the manifest does not list the scene fields of this release')
    slices = {}
    for name, item in data.items():
        piece = FieldSlice(int(item['start']), int(item['width']), float(item['temperature']))
        if piece.width != table[name].width or piece.temperature <= 0:
            raise BundleError(f'the manifest garbles the scene field {name!r}')
        slices[name] = piece
    return slices
