# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The first stage: labels follow the picture, encoder and heads learn, a stopped run goes on."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from caption_node.description import FIELDS, Value
from caption_node.training.augment import augment
from caption_node.training.config import TrainConfig
from caption_node.training.end_to_end import EncoderRun, blend, source_weights
from caption_node.training.labels import Label, Record
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.detection import SCHEMA_COLUMNS
from caption_node.training.model.nanodet import NanoDet
from caption_node.training.render_store import stored_renders
from caption_node.vocabulary import Vocabulary


def fields(**changes: Value) -> dict[str, Value]:
    plain: dict[str, Value] = {
        n: f.values[0] if f.values else f.kind == 'count' and 0 for n, f in FIELDS.items()
    }
    return {**plain, **changes}


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, dtype=np.float32).reshape(-1, 6)


def test_flip_mirrors_boxes() -> None:
    label = Label(fields(), 'a car on the left', boxes((10, 5, 30, 20, 2, 0.9)))
    turned = label.flipped(100)
    assert turned.boxes.tolist() == boxes((70, 5, 90, 20, 2, 0.9)).tolist()
    assert turned.flipped(100).boxes.tolist() == label.boxes.tolist()


def test_crop_moves_boxes_and_counts_what_is_left() -> None:
    label = Label(
        fields(vehicles=3, people=1), None,
        boxes((0, 50, 10, 60, 2, 0.9), (60, 50, 90, 70, 2, 0.9), (0, 50, 8, 70, 0, 0.9)),
    )  # fmt: skip
    part = label.cropped(20, 10, 80, 80)
    assert part.boxes.tolist() == boxes((40, 40, 70, 60, 2, 0.9)).tolist()
    assert part.fields['vehicles'] == 2
    assert part.fields['people'] == 0


def test_box_stays_on_its_object_through_augmentation() -> None:
    rgb = np.full((300, 500, 3), 90, dtype=np.uint8)
    rgb[120:180, 300:360] = (250, 30, 30)
    label = Label(fields(), None, boxes((300, 120, 360, 180, 2, 1.0)))
    for seed in range(20):
        image, moved = augment(rgb, label, np.random.default_rng(seed), 192, 320, weather=False)
        x1, y1, x2, y2 = moved.boxes[0, :4].round().astype(int)
        red = image[..., 0].astype(int) - image[..., 1]
        inside = red[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].mean()
        red[y1 - 3 : y2 + 3, x1 - 3 : x2 + 3] = 0
        assert inside > 60
        assert red.mean() < inside / 4  # a tint may redden the rest a little


def test_renders_are_kept_as_labelled_frames(tmp_path: Path) -> None:
    first = stored_renders(tmp_path, 2)
    stamp = first[0].path.stat().st_mtime_ns
    again = stored_renders(tmp_path, 3)
    assert [r.id for r in again] == ['render00000', 'render00001', 'render00002']
    assert again[0].path.stat().st_mtime_ns == stamp  # not rendered twice
    for r in again:
        picture = cv2.imread(str(r.path))
        found = r.labels[0].boxes
        assert picture.shape[1] >= found[:, [0, 2]].max(initial=0)
        assert bool((found[:, 2] > found[:, 0]).all())


def test_sources_are_balanced_in_part() -> None:
    records = [Record(str(i), 's', 'big' if i < 9 else 'small', Path(), ()) for i in range(10)]
    assert source_weights(records, 0.0) == pytest.approx(np.full(10, 0.1))
    assert source_weights(records, 1.0)[9] == pytest.approx(0.5)


@pytest.fixture
def run(tmp_path: Path, captioner: Captioner, vocabulary: Vocabulary) -> EncoderRun:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    records = []
    for k in range(6):
        rgb = np.full((128, 192, 3), 120, dtype=np.uint8)
        x = 20 if k % 2 else 110
        rgb[50:100, x : x + 60] = (220, 40 * (k % 3), 60)
        path = tmp_path / f'{k}.png'
        cv2.imwrite(str(path), rgb)
        label = Label(fields(vehicles=1), 'a car', boxes((x, 50, x + 60, 100, 2, 1.0)))
        records.append(Record(f'f{k}', 'train', 's', path, (label,)))
    eyes = NanoDet(len(SCHEMA_COLUMNS))
    for conv in eyes.convolutions_in_file_order():
        torch.nn.init.kaiming_normal_(conv.weight, a=0.1)
    for predict in eyes.head.predict:
        torch.nn.init.normal_(predict.weight, std=0.01)
        predict.bias.data[: len(SCHEMA_COLUMNS)] = -3.0
    model = Captioner(replace(captioner.config, dropout=0.0), vocabulary, eyes)
    none = Path()
    config = TrainConfig(
        name='t', licence='t', labels=none, frames=none, encoder=none, output=none, work=tmp_path,
        encoder_steps=8, encoder_batch=4, encoder_rate=1e-3, learning_rate=3e-3, render_share=0.0,
        hide_boxes=0.0, workers=0, dropout=0.0, encoder_average=0.5,
    )  # fmt: skip
    return EncoderRun(config, model, vocabulary, records, [])


def test_first_stage_learns_and_leaves_the_first_layers_alone(run: EncoderRun) -> None:
    before = {k: v.clone() for k, v in run.model.state_dict().items()}
    run.train()
    after = run.model.state_dict()
    moved = {
        k.split('.')[1]
        for k in after
        if k.startswith('detector.') and (after[k] != before[k]).any()
    }
    assert moved == {'backbone', 'neck', 'head'}
    stem = 'detector.backbone.stem.weight'
    assert torch.equal(before[stem], after[stem])
    assert not torch.equal(before['scene.roles.parts.weight'], after['scene.roles.parts.weight'])
    assert run.checkpoint.exists()


def test_batches_repeat_and_carry_boxes(run: EncoderRun) -> None:
    one, two = run.views[3], run.views[3]
    assert torch.equal(one.images, two.images)
    assert one.ids == two.ids
    assert all(b.shape[1] == 6 for b in one.boxes)
    assert not torch.equal(one.images, run.views[4].images)


def test_stopped_first_stage_goes_on_where_it_was(run: EncoderRun) -> None:
    start = {k: v.clone() for k, v in run.trained.state_dict().items()}
    run.train()
    whole = {k: v.clone() for k, v in run.trained.state_dict().items()}
    run.checkpoint.unlink()
    records = [*run.views.frames, *run.kept]

    def fresh() -> EncoderRun:
        other = EncoderRun(run.config, run.model, run.views.vocabulary, records, [])
        other.trained.load_state_dict(start)
        other.average = {k: v.clone() for k, v in start.items()}
        return other

    fresh().train(until=5)
    second = fresh()
    second.resume()
    assert second.step == 5
    second.train()
    for name, value in second.trained.state_dict().items():
        assert torch.allclose(value.float(), whole[name].float(), atol=1e-4), name


def test_blend_takes_its_share_of_each_and_leaves_counters() -> None:
    tuned = torch.nn.BatchNorm1d(2)
    with torch.no_grad():
        tuned.weight.fill_(3.0)
    tuned.num_batches_tracked.fill_(7)
    published = {k: torch.zeros_like(v) for k, v in tuned.state_dict().items()}
    blend(tuned, published, 0.25)
    assert tuned.weight.tolist() == pytest.approx([0.75, 0.75])
    assert int(tuned.num_batches_tracked) == 7
