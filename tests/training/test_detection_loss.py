# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The detection loss wants the right boxes, and learning from it finds them."""

import torch

from caption_node.training.detection_loss import assign, bin_loss, detection_loss, generalised_iou
from caption_node.training.model.detection import SCHEMA_COLUMNS, BoxDecoder
from caption_node.training.model.nanodet import REG_BINS, STRIDES

COLUMNS = len(SCHEMA_COLUMNS)
CAR = 2
TRUTH = torch.tensor([[40.0, 30.0, 104.0, 70.0, CAR, 1.0], [130.0, 20.0, 150.0, 80.0, 0, 0.9]])


def blank_heads() -> list[torch.Tensor]:
    heads = []
    for stride in STRIDES:
        head = torch.zeros(1, COLUMNS + 4 * REG_BINS, 128 // stride, 192 // stride)
        head[:, :COLUMNS] = -4.0
        heads.append(head)
    return heads


def test_descent_on_the_loss_finds_boxes_and_classes() -> None:
    torch.manual_seed(0)
    decoder = BoxDecoder(128, 192, boxes=8, candidates=60)
    heads = [h.requires_grad_() for h in blank_heads()]
    optimiser = torch.optim.Adam(heads, lr=0.3)
    losses = []
    for _ in range(80):
        loss = detection_loss(heads, decoder, [TRUTH])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.4 * losses[0]
    with torch.no_grad():
        boxes, classes, scores = decoder([h.detach() for h in heads])
    assert set(classes[0, :2].tolist()) == {CAR, 0}
    assert float(scores[0, 2]) < 0.5 * float(scores[0, 1])
    for box, kind in zip(boxes[0, :2], classes[0, :2].tolist(), strict=True):
        wanted = TRUTH[0 if kind == CAR else 1, :4]
        assert float(generalised_iou(box[None], wanted[None])) > 0.8


def test_animals_are_left_as_they_are() -> None:
    decoder = BoxDecoder(128, 192, boxes=8, candidates=60)
    heads = [h.requires_grad_() for h in blank_heads()]
    detection_loss(heads, decoder, [TRUTH]).backward()
    for head in heads:
        assert head.grad is not None
        assert float(head.grad[:, 8:COLUMNS].abs().max()) == 0
        assert float(head.grad[:, :8].abs().max()) > 0


def test_picture_without_boxes_only_lowers_scores() -> None:
    decoder = BoxDecoder(128, 192)
    heads = [h.requires_grad_() for h in blank_heads()]
    loss = detection_loss(heads, decoder, [torch.zeros(0, 6)])
    loss.backward()
    assert torch.isfinite(loss)
    assert all(float(h.grad[:, COLUMNS:].abs().max()) == 0 for h in heads if h.grad is not None)


def test_every_box_has_a_location_of_its_own() -> None:
    decoder = BoxDecoder(128, 192)
    places = len(decoder.centres)
    logits = torch.full((places, 8), -3.0)
    reach = torch.cat([decoder.centres - 12, decoder.centres + 12], 1)
    tiny = torch.tensor([[10.0, 10.0, 14.0, 15.0, 6, 1.0], [100.0, 90.0, 180.0, 127.0, 2, 1.0]])
    a = assign(logits, reach, decoder.centres, decoder.strides, tiny)
    assert set(a.classes.tolist()) == {6, 2}
    assert len(set(a.places.tolist())) == len(a.places)
    assert bool(((a.quality > 0) & (a.quality <= 1)).all())


def test_bins_are_best_on_both_sides_of_the_distance() -> None:
    good, bad = torch.full((1, 4, REG_BINS), -20.0), torch.full((1, 4, REG_BINS), -20.0)
    good[..., 2:4] = 0
    bad[..., 5:7] = 0
    sides = torch.full((1, 4), 2.5)
    assert float(bin_loss(good, sides)) < float(bin_loss(bad, sides))


def test_generalised_overlap_falls_with_the_gap() -> None:
    a = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    near, far = torch.tensor([[12.0, 0.0, 22.0, 10.0]]), torch.tensor([[50.0, 0.0, 60.0, 10.0]])
    assert float(generalised_iou(a, a)) == 1.0
    assert 0 > float(generalised_iou(a, near)) > float(generalised_iou(a, far)) >= -1
