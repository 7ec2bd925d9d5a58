# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The network: parity with the published encoder, suppression, the unrolled loop, the export."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from caption_node.description import FIELDS, OBJECT_CLASSES
from caption_node.errors import BundleError
from caption_node.training.export import export_graph
from caption_node.training.grounding_words import GROUPS
from caption_node.training.model.captioner import OUTPUT_NAMES, Captioner
from caption_node.training.model.detection import SCHEMA_COLUMNS, BoxDecoder, sample_objects
from caption_node.training.model.nanodet import (
    COCO_CLASSES,
    MEAN_BGR,
    REG_BINS,
    SCALE_BGR,
    STRIDES,
    keep_columns,
    load_nanodet,
)
from caption_node.training.model.scene import SCENE_WIDTH, field_starts
from caption_node.vocabulary import BOS, EOS, PAD, Vocabulary

COLUMNS = len(SCHEMA_COLUMNS)
onnxruntime = pytest.importorskip('onnxruntime')


def images(batch: int, model: Captioner, seed: int = 0) -> torch.Tensor:
    shape = (batch, model.config.height, model.config.width_px, 3)
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def test_encoder_equals_the_published_file(shared: Path) -> None:
    path = shared / 'weights' / 'nanodet_plus_m_416.onnx'
    rgb = np.random.default_rng(0).random((1, 3, 384, 640), dtype=np.float32) * 255
    mean = np.array(MEAN_BGR, np.float32)[:, None, None]
    scale = np.array(SCALE_BGR, np.float32)[:, None, None]
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    expected = session.run(None, {'in0': (rgb[:, ::-1] - mean) * scale})
    with torch.no_grad():
        _, _, heads = load_nanodet(path).eval()(torch.from_numpy(rgb))
    for ours, theirs in zip(heads, expected, strict=True):
        assert np.abs(ours.numpy() - theirs).max() < 1e-3


def test_missing_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r'nothing\.onnx'):
        load_nanodet(tmp_path / 'nothing.onnx')


def head_with(
    boxes: list[tuple[int, int, int, float]], height: int, width: int
) -> list[torch.Tensor]:
    """Raw outputs with boxes at stride 8: (column, row, class, logit), 4 cells to every side."""
    levels = []
    for stride in STRIDES:
        level = torch.full((1, COLUMNS + 4 * REG_BINS, height // stride, width // stride), -9.0)
        levels.append(level)
    for column, row, kind, logit in boxes:
        levels[0][0, kind, row, column] = logit
        for side in range(4):
            levels[0][0, COLUMNS + side * REG_BINS + 4, row, column] = 50.0
    return levels


def test_box_decoder_gives_pixels_classes_and_falling_scores() -> None:
    decoder = BoxDecoder(128, 192, boxes=8, candidates=20)
    boxes, classes, scores = decoder(head_with([(10, 8, 2, 2.0), (5, 5, 0, 1.0)], 128, 192))
    assert boxes[0, 0].tolist() == [48, 32, 112, 96]  # 8 * 10 -+ 4 * 8, 8 * 8 -+ 4 * 8
    assert classes[0, :2].tolist() == [2, 0]
    assert scores[0, 0] == pytest.approx(1 / (1 + np.exp(-2)))
    assert (scores[0, 2:] == 0).all()
    assert (boxes[0, 2:] == 0).all()


def test_suppression_keeps_the_best_of_rivals_and_all_others() -> None:
    decoder = BoxDecoder(128, 192, boxes=8, candidates=20)
    crowd = [(10, 8, 2, 2.0), (11, 8, 5, 1.5), (10, 9, 2, 1.0), (10, 8, 0, 1.2), (20, 8, 2, 0.5)]
    _, classes, scores = decoder(head_with(crowd, 128, 192))
    # The lorry and the second car cover the first car; the car at column 20 stands apart.
    # Class 0 at the first car's cell loses there, since one cell gives one class.
    assert classes[0][scores[0] > 0].tolist() == [2, 2]


def test_suppression_equals_the_sequential_algorithm() -> None:
    rng = np.random.default_rng(1)
    decoder = BoxDecoder(128, 192, boxes=32, candidates=32)
    for _ in range(20):
        low = torch.from_numpy(rng.random((1, 32, 2)).astype(np.float32)) * 100
        corners = torch.cat(
            [low, low + 40 + torch.from_numpy(rng.random((1, 32, 2)).astype(np.float32)) * 10], 2
        )
        classes = torch.zeros(1, 32, dtype=torch.int64)
        keep = decoder._keep(corners, classes)[0].numpy() > 0
        assert (keep == sequential(corners[0].numpy(), decoder.iou)).mean() > 0.96


def sequential(boxes: np.ndarray, limit: float) -> np.ndarray:
    keep: list[int] = []
    for i, box in enumerate(boxes):
        clear = True
        for j in keep:
            low, high = np.maximum(box[:2], boxes[j, :2]), np.minimum(box[2:], boxes[j, 2:])
            inter = np.prod(np.clip(high - low, 0, None))
            union = np.prod(box[2:] - box[:2]) + np.prod(boxes[j, 2:] - boxes[j, :2]) - inter
            clear = clear and inter / union <= limit
        if clear:
            keep.append(i)
    return np.isin(np.arange(len(boxes)), keep)


def test_colour_patch_shows_what_lies_in_the_box() -> None:
    rgb = torch.zeros(1, 3, 128, 192)
    rgb[0, 0, 40:60, 50:80] = 255.0
    boxes = torch.tensor([[[50.0, 40.0, 80.0, 60.0], [100.0, 40.0, 130.0, 60.0]]])
    features, colours = sample_objects(rgb, rgb[:, :2, ::8, ::8] / 255, boxes, 6, 3)
    patch = colours[0].reshape(2, 3, 36)
    assert torch.allclose(patch[0, 0], torch.ones(36))
    assert torch.allclose(patch[0, 1:], -torch.ones(2, 36))
    assert torch.allclose(patch[1], -torch.ones(3, 36))
    assert features.shape == (1, 2, 2 * 9)
    assert float(features[0, 0, :9].mean()) > 0.6
    assert float(features[0, 0, 9:].abs().max()) == 0
    assert float(features[0, 1].abs().max()) == 0


def test_kept_columns_say_what_they_said_before(shared: Path) -> None:
    whole = load_nanodet(shared / 'weights' / 'nanodet_plus_m_416.onnx').eval()
    kept = keep_columns(whole, SCHEMA_COLUMNS).eval()
    rgb = torch.rand(1, 3, 128, 192) * 255
    with torch.no_grad():
        before, after = whole(rgb)[2], kept(rgb)[2]
    rows = [*SCHEMA_COLUMNS, *range(COCO_CLASSES, COCO_CLASSES + 4 * REG_BINS)]
    for b, a in zip(before, after, strict=True):
        assert torch.allclose(b[:, rows], a, atol=1e-4)


def test_unrolled_loop_writes_what_teacher_forcing_finds_likeliest(captioner: Captioner) -> None:
    with torch.no_grad():
        features = captioner.perceive(images(3, captioner))
        scene = captioner.scene(features)
        memory, bias = scene.memory, scene.bias
        evidence = captioner.evidence(features, scene.logits)
        tokens, logp = captioner.decoder.greedy(memory, bias, evidence)
        begin = torch.full((3, 1), BOS)
        forced = captioner.decoder(torch.cat([begin, tokens[:, :-1]], 1), memory, bias)
        decoder = captioner.decoder
        before = torch.cat([begin, tokens[:, :-1]], 1)
        shut = decoder.shut(before, evidence)
        best, likeliest = (forced + shut).log_softmax(2).max(2)
    for said, score, wanted, expected in zip(tokens, logp, likeliest, best, strict=True):
        ends = (said == EOS).nonzero()
        length = int(ends[0]) + 1 if len(ends) else len(said)
        assert said[:length].tolist() == wanted[:length].tolist()
        assert torch.allclose(score[:length], expected[:length], atol=1e-4)
        assert (said[length:] == PAD).all()
        assert (score[length:] == 0).all()


def test_words_without_evidence_are_never_said(
    captioner: Captioner, vocabulary: Vocabulary
) -> None:
    person = vocabulary.encode('pedestrian')[0]
    with torch.no_grad():
        decoder = captioner.decoder
        decoder.bias[person] += 1000.0
        try:
            features = captioner.perceive(images(2, captioner))
            scene = captioner.scene(features)
            memory, bias = scene.memory, scene.bias
            nobody, _ = decoder.greedy(memory, bias, torch.zeros(2, len(GROUPS)))
            somebody, _ = decoder.greedy(memory, bias, torch.ones(2, len(GROUPS)))
        finally:
            decoder.bias[person] -= 1000.0
    assert not (nobody == person).any()
    assert (somebody == person).any()


@pytest.mark.parametrize(
    ('before', 'word', 'needs'),
    [
        ('red', 'light', True),
        ('red', 'signal', True),
        ('red', 'car', False),
        ('a', 'red', False),
        ('is', 'red', True),
        ('light', 'green', True),
        ('', 'green', True),
        ('is', 'car', False),
    ],
)
def test_colour_needs_a_lamp_where_it_is_not_a_thing_s_colour(
    captioner: Captioner, vocabulary: Vocabulary, before: str, word: str, needs: bool
) -> None:
    decoder = captioner.decoder
    row = vocabulary.encode(before)[0] if before else BOS
    lamps = [i for i, g in enumerate(GROUPS) if g.both]
    shut = decoder.triggers[row, lamps] @ decoder.groups[lamps][:, vocabulary.encode(word)[0]]
    assert bool(shut > 0) is needs


@pytest.mark.parametrize(
    ('score', 'field', 'holds'),
    [(0.5, 'red', True), (0.2, 'red', False), (0.5, 'green', False), (0.0, 'red', False)],
)
def test_colour_takes_a_published_box_and_the_field(
    captioner: Captioner, score: float, field: str, holds: bool
) -> None:
    with torch.no_grad():
        features = captioner.perceive(images(1, captioner))
        scores = torch.zeros_like(features.scores)
        scores[:, 0] = score
        classes = torch.full_like(features.classes, OBJECT_CLASSES.index('traffic light'))
        logits = torch.zeros(1, SCENE_WIDTH)
        logits[0, field_starts()['light'] + FIELDS['light'].values.index(field)] = 9.0
        seen = replace(features, scores=scores, classes=classes)
        evidence = captioner.evidence(seen, logits)
    red = [i for i, g in enumerate(GROUPS) if g.both and ('light', 'red') in g.values]
    assert red
    assert bool(evidence[0, red].min() > 0) is holds
    assert bool(evidence[0, red].max() > 0) is holds


@pytest.mark.parametrize('batch', [1, 3, 8])
def test_exported_graph_equals_the_network(
    captioner: Captioner, tmp_path: Path, batch: int
) -> None:
    export_graph(captioner, tmp_path / 'model.onnx')
    session = onnxruntime.InferenceSession(
        str(tmp_path / 'model.onnx'), providers=['CPUExecutionProvider']
    )
    pixels = images(batch, captioner, seed=batch)
    outputs = dict(
        zip(OUTPUT_NAMES, session.run(list(OUTPUT_NAMES), {'image': pixels.numpy()}), strict=True)
    )
    with torch.no_grad():
        expected = dict(zip(OUTPUT_NAMES, captioner(pixels), strict=True))
    assert (outputs['tokens'] == expected['tokens'].numpy()).all()
    assert (outputs['box_class'] == expected['box_class'].numpy()).all()
    for name in ('token_logp', 'box_score', 'scene', 'embedding'):
        assert np.abs(outputs[name] - expected[name].numpy()).max() < 2e-3, name
    assert np.abs(outputs['boxes'] - expected['boxes'].numpy()).max() < 0.1
