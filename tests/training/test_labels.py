# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Labels stay true when pictures change."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from caption_node.description import FIELDS, Value
from caption_node.errors import ConfigError
from caption_node.training.augment import augment
from caption_node.training.config import load_config
from caption_node.training.labels import Label, read_labels, swap_sides
from caption_node.training.limits import check_device
from tests.conftest import ROOT, street

DAY: dict[str, Value] = {
    'time': 'day', 'weather': 'cloudy', 'surface': 'dry', 'road': 'city', 'intersection': False,
    'crosswalk': True, 'construction': False, 'lead': 'car', 'lead_range': 'mid', 'vehicles': 3,
    'oncoming': False, 'parked': True, 'people': 1, 'people_on_road': False, 'cyclists': 0,
    'light': 'green',
}  # fmt: skip


def test_sides_change_places_and_just_stays() -> None:
    assert (
        swap_sides('A van right in front, a right bend, cars on the left-hand side.')
        == 'A van right in front, a left bend, cars on the right-hand side.'
    )
    sentence = 'Parked cars left and right, the rightmost lane turns right.'
    assert swap_sides(swap_sides(sentence)) == sentence


def test_targets_follow_the_field_table() -> None:
    targets = Label(DAY, None).targets()
    assert len(targets) == len(FIELDS)
    assert targets[list(FIELDS).index('vehicles')] == 3
    assert targets[list(FIELDS).index('crosswalk')] == 1
    assert targets[list(FIELDS).index('light')] == FIELDS['light'].values.index('green')


def test_augmentation_changes_fields_only_as_the_picture_does() -> None:
    label = Label(DAY, 'A van stands on the left.')
    seen = set()
    for seed in range(120):
        image, changed = augment(street(800, 450), label, np.random.default_rng(seed), 384, 640)
        assert image.shape == (384, 640, 3)
        assert image.dtype == np.uint8
        different = {k: v for k, v in changed.fields.items() if v != DAY[k]}
        assert different in (
            {},
            {'time': 'night', 'weather': 'unknown'},
            {'time': 'night', 'weather': 'unknown', 'surface': 'wet'},
            {'time': 'dusk'},
            {'weather': 'fog'},
            {'weather': 'rain', 'surface': 'wet'},
            {'weather': 'snow', 'surface': 'snow'},
        )
        if different.get('time') == 'night':
            day, _ = augment(street(800, 450), label, np.random.default_rng(seed), 384, 640, False)
            assert image[60:120].mean() < 0.5 * day[60:120].mean()  # the sky has gone out
            assert 'night' in changed.caption or 'dark' in changed.caption
        seen.add(different.get('weather', 'same'))
    assert seen == {'same', 'unknown', 'fog', 'rain', 'snow'}


def test_sentence_that_speaks_of_daylight_is_given_up_at_night() -> None:
    label = Label(DAY, 'Low sun over a dry street.')
    captions = {
        augment(street(), label, np.random.default_rng(s), 384, 640)[1].caption for s in range(60)
    }
    assert captions == {None, 'Low sun over a dry street.'}


def test_augmentation_repeats_itself() -> None:
    label = Label(DAY, 'A van stands on the left.')
    one, two = (augment(street(), label, np.random.default_rng(7), 384, 640) for _ in range(2))
    assert (one[0] == two[0]).all()
    assert one[1] == two[1]


@pytest.mark.parametrize(
    'line',
    [
        '{',
        '{"split": "train"}',
        json.dumps(
            {
                'id': 'x',
                'split': 'train',
                'source': 's',
                'file': 'f',
                'labels': [{**DAY, 'time': 'noon', 'caption': 'x'}],
            }
        ),
        json.dumps(
            {
                'id': 'x',
                'split': 'train',
                'source': 's',
                'file': 'f',
                'labels': [{**DAY, 'vehicles': 16, 'caption': 'x'}],
            }
        ),
    ],
)
def test_bad_label_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / 'labels.jsonl'
    good = {
        'id': 'x',
        'split': 'train',
        'source': 's',
        'file': 'f',
        'labels': [{**DAY, 'caption': 'x'}],
    }
    file.write_text(json.dumps(good) + '\n' + line + '\n')
    with pytest.raises(ConfigError, match='line 2'):
        read_labels(file, tmp_path, ['train'])


def test_real_labels_are_of_the_schema(shared: Path) -> None:
    data = shared / 'data'
    splits = ('train', 'val', 'adverse_train', 'adverse_val')
    records = read_labels(data / 'labels.jsonl', data, splits)
    assert len(records) > 1000
    assert {len(r.labels) for r in records if r.split.endswith('val')} == {2}


def test_shipped_configuration_is_read() -> None:
    assert load_config(ROOT / 'configs' / 'drive_small.yaml').name == 'drive-small'


@pytest.mark.parametrize(
    'text', ['', '- a', 'name: x', 'nonsense: 1', 'name: [', 'name: x\nsteps: many']
)
def test_bad_configuration_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / 'config.yaml'
    file.write_text(text)
    with pytest.raises(ConfigError, match=r'config\.yaml'):
        load_config(file)


@pytest.mark.parametrize(
    'text',
    ['objective: wish', 'adversarial_gradient: hope', 'latent: 0', 'dropout: 2.0', 'seed: -1',
     'average: 5', 'objective_batch: 0', 'gumbel_temperature: 0', 'learning_rate: .inf',
     'steps: -3', 'threads: 0', 'word_drop: 1.5', 'beta: .nan'],
)  # fmt: skip
def test_values_that_make_no_sense_are_refused_when_they_are_read(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / 'config.yaml'
    shipped = yaml.safe_load((ROOT / 'configs' / 'drive_small.yaml').read_text())
    file.write_text(yaml.safe_dump({**shipped, **yaml.safe_load(text)}))
    with pytest.raises(ConfigError, match=text.split(':')[0]):
        load_config(file)


@pytest.mark.parametrize('device', ['potato', 'cuda:99', ''])
def test_devices_that_are_not_there_are_refused(device: str) -> None:
    with pytest.raises(ConfigError, match='device'):
        check_device('mine.yaml', device)
    check_device('mine.yaml', 'cpu')
