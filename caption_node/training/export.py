# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Write a trained model as one ONNX graph with its manifest and vocabulary."""

from collections.abc import Mapping
import json
import os
from pathlib import Path
import tempfile
from typing import Any
import warnings

import onnx
import torch

from caption_node.backends.graph_folding import fold_constants
from caption_node.bundle import FORMAT_VERSION, sha256_of
from caption_node.description import FIELDS, OBJECT_CLASSES, Field
from caption_node.training.model.captioner import OUTPUT_NAMES, Captioner
from caption_node.training.model.scene import LAMP_SCORE
from caption_node.training.own.model import OwnCaptioner
from caption_node.vocabulary import Vocabulary

OPSET = 17
MAX_BATCH = 8
DEFAULT_THRESHOLDS = {
    'person': 0.35,
    'bicycle': 0.35,
    'car': 0.365,
    'motorcycle': 0.35,
    'bus': 0.4,
    'truck': 0.4,
    'traffic light': LAMP_SCORE,
    'stop sign': 0.4,
    'animal': 0.5,
}
DEFAULT_ABSTAIN = {'dark': 24.0, 'contrast': 10.0, 'noise': 0.75, 'confidence': 0.0}


def export_graph(model: Captioner | OwnCaptioner, path: Path) -> None:
    """
    Trace the model into one graph: uint8 pixels in, everything of the contract out.

    Only the batch is free; every other size is fixed. Inputs for chance have a default of zeros,
    which gives the likeliest sentence to all who do not know them: ONNX writes a default as an
    initializer of the input's name, and TensorRT takes that for a constant.

    :param path: The file to write.
    """
    model = model.eval().cpu()
    chance = {name: torch.zeros(1, *size) for name, size in model.chances().items()}
    image = torch.zeros(2, model.config.height, model.config.width_px, 3, dtype=torch.uint8)
    axes = {name: {0: 'batch'} for name in ('image', *OUTPUT_NAMES)}
    axes |= {name: {0: 'sentences'} for name in chance}
    with warnings.catch_warnings(), torch.no_grad():
        # Sizes that are fixed on purpose, and the exporter's own deprecation notice.
        warnings.simplefilter('ignore')
        torch.onnx.export(
            model,
            (image, *chance.values()),
            str(path),
            input_names=['image', *chance],
            output_names=list(OUTPUT_NAMES),
            opset_version=OPSET,
            dynamo=False,
            dynamic_axes=axes,
        )
    fold_constants(path)
    _give_defaults(path, chance)


def _give_defaults(path: Path, defaults: Mapping[str, torch.Tensor]) -> None:
    graph = onnx.load(str(path))
    for name, value in defaults.items():
        graph.graph.initializer.append(onnx.numpy_helper.from_array(value.numpy(), name))
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))


def write_bundle(
    folder: Path,
    model: Captioner | OwnCaptioner,
    vocabulary: Vocabulary,
    name: str,
    licence: str,
    settings: Mapping[str, Any],
    table: Mapping[str, Field] = FIELDS,
) -> None:
    """
    Write ``model.onnx``, ``vocabulary.json`` and ``manifest.json`` into a model folder.

    Files are written beside their names and renamed, so a reader never sees half of one.

    :param settings: May override ``score_thresholds``, ``caption_confidence``, ``abstain``,
        ``temperatures`` (by field) and add anything under ``training``.
    :param table: The fields that the model tells; of another domain if not those of driving.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix='.export-') as scratch:
        graph, words = Path(scratch) / 'model.onnx', Path(scratch) / 'vocabulary.json'
        export_graph(model, graph)
        words.write_text(json.dumps(list(vocabulary.words), indent=0) + '\n', encoding='utf-8')
        manifest = _manifest(model, name, licence, settings, table)
        if table is not FIELDS:
            manifest |= _own(table, vocabulary.tokenizer, manifest['fields'])
        manifest['sha256'] = {p.name: sha256_of(p) for p in (graph, words)}
        text = Path(scratch) / 'manifest.json'
        text.write_text(json.dumps(manifest, indent=2) + '\n', encoding='utf-8')
        for file in (graph, words, text):
            os.replace(file, folder / file.name)


def _manifest(
    model: Captioner | OwnCaptioner,
    name: str,
    licence: str,
    settings: Mapping[str, Any],
    table: Mapping[str, Field],
) -> dict[str, Any]:
    temperatures = settings.get('temperatures', {})
    fields, start = {}, 0
    for field in table.values():
        fields[field.name] = {
            'start': start,
            'width': field.width,
            'temperature': round(float(temperatures.get(field.name, 1.0)), 4),
        }
        start += field.width
    return {
        'format_version': FORMAT_VERSION,
        'name': name,
        'licence': licence,
        'precision': 'fp32',
        'max_batch': MAX_BATCH,
        'input': {
            'name': 'image',
            'height': model.config.height,
            'width': model.config.width_px,
            'layout': 'NHWC',
            'colour': 'RGB',
            'dtype': 'uint8',
        },
        'outputs': list(OUTPUT_NAMES),
        'tokens': model.config.tokens,
        'fields': fields,
        'classes': list(OBJECT_CLASSES),
        'score_thresholds': settings.get('score_thresholds', DEFAULT_THRESHOLDS),
        'caption_confidence': settings.get('caption_confidence', {'weight': 2.0, 'bias': 2.0}),
        'abstain': {**DEFAULT_ABSTAIN, **settings.get('abstain', {})},
        'training': settings.get('training', {}),
    }


def _own(
    table: Mapping[str, Field], tokenizer: str, slices: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what the manifest of another domain than driving says otherwise."""
    fields = {
        name: {'kind': spec.kind, 'values': list(spec.values), **slices[name]}
        for name, spec in table.items()
    }
    return {
        'domain': 'own',
        'tokenizer': tokenizer,
        'fields': fields,
        'classes': [],
        'score_thresholds': {},
    }
