# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What fields imply of each other: read from labels, kept small, and exact in the network."""

import copy
from pathlib import Path

import pytest
import torch

from caption_node.description import FIELDS
from caption_node.errors import ConfigError
from caption_node.training.config import load_config
from caption_node.training.implied import implied_by_labels, one_hot
from caption_node.training.model.captioner import Captioner
from caption_node.training.model.scene import SCENE_WIDTH, Features, field_starts
from tests.conftest import ROOT

NAMES = list(FIELDS)
STARTS = field_starts()


def labels(count: int = 60) -> torch.Tensor:
    """Half of the frames are of streets with parked cars, half of country roads without."""
    targets = torch.zeros(count, len(FIELDS), dtype=torch.int64)
    street = torch.arange(count) % 2
    road = FIELDS['road'].values
    targets[:, NAMES.index('road')] = torch.where(
        street == 1, road.index('city'), road.index('rural')
    )
    targets[:, NAMES.index('parked')] = street
    return targets


def column(field: str, value: str) -> int:
    return STARTS[field] + FIELDS[field].values.index(value)


def test_one_hot_has_one_value_a_word_and_a_bit_a_flag() -> None:
    seen = one_hot(labels(4))
    assert seen.shape == (4, SCENE_WIDTH)
    assert seen[0, column('road', 'rural')] == 1
    assert seen[1, column('road', 'city')] == 1
    assert seen[:, STARTS['parked']].tolist() == [0, 1, 0, 1]
    flags = sum(f.kind == 'boolean' for f in FIELDS.values())
    assert seen[0].sum() == len(FIELDS) - flags  # no flag is true


def test_parked_cars_speak_for_a_street() -> None:
    table = implied_by_labels(labels(), {'road': 1.0})
    parked, city, rural = STARTS['parked'], column('road', 'city'), column('road', 'rural')
    assert table[parked, city] > 0.5
    assert table[parked, rural] < -0.5
    usual = one_hot(labels()).mean(0)
    assert (usual @ table[:-1] + table[-1]).abs().max() < 1e-4  # the usual scene changes nothing


def test_nothing_is_implied_of_fields_that_are_not_named_nor_by_a_field_of_itself() -> None:
    table = implied_by_labels(labels(), {'road': 1.0})
    road = slice(STARTS['road'], STARTS['road'] + FIELDS['road'].width)
    assert table[road, road].abs().max() == 0
    others = torch.ones(SCENE_WIDTH, dtype=torch.bool)
    others[road] = False
    assert table[:, others].abs().max() == 0
    assert implied_by_labels(labels(), {}).abs().max() == 0


def test_a_share_scales_what_is_implied() -> None:
    whole = implied_by_labels(labels(), {'road': 1.0})
    assert torch.allclose(implied_by_labels(labels(), {'road': 0.5}), whole * 0.5)


@pytest.mark.parametrize(
    ('setting', 'named'),
    [
        ('implied_share: {vehicles: 1.0}', 'vehicles'),
        ('implied_share: {colour: 1.0}', 'colour'),
        ('night_share: 0.0', 'night_share'),
        ('night_share: 1.0', 'night_share'),
        ('flag_share: {parked: 0.0}', 'parked'),
        ('flag_share: {road: 0.5}', 'road'),
    ],
)
def test_shares_that_make_no_sense_are_refused_at_once(
    tmp_path: Path, setting: str, named: str
) -> None:
    plain = (ROOT / 'configs' / 'drive_tiny.yaml').read_text(encoding='utf-8')
    file = tmp_path / 'mine.yaml'
    file.write_text(f'{plain}\n{setting}\n', encoding='utf-8')
    with pytest.raises(ConfigError, match=named):
        load_config(file)


def test_the_network_adds_what_probabilities_imply(captioner: Captioner) -> None:
    captioner = copy.deepcopy(captioner)  # other tests share it
    config = captioner.config
    image = torch.randint(0, 255, (2, config.height, config.width_px, 3), dtype=torch.uint8)
    captioner.eval()
    with torch.no_grad():
        features: Features = captioner.perceive(image)
        before = captioner.scene(features).logits
        captioner.scene.implies[-1, column('road', 'city')] = 0.5
        captioner.scene.implies[STARTS['parked'], column('road', 'city')] = 2.0
        after = captioner.scene(features).logits
    change = after - before
    expected = 0.5 + 2.0 * before[:, STARTS['parked']].sigmoid()
    assert torch.allclose(change[:, column('road', 'city')], expected, atol=1e-4)
    change[:, column('road', 'city')] = 0
    assert change.abs().max() < 1e-5
