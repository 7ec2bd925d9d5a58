# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Boxes to places on the road, facts to hazards."""

import pytest

from caption_node.description import FIELDS, FieldValue, Value
from caption_node.grounding import distance_m, name_hazard, place_object


def scene(**values: Value) -> dict[str, FieldValue]:
    default: dict[str, Value] = {
        n: ('none' if 'none' in f.values else f.values[0]) if f.values else f.kind == 'count' and 0
        for n, f in FIELDS.items()
    }
    default['road'] = 'city'
    return {n: FieldValue(v, 0.9) for n, v in {**default, **values}.items()}


def test_distance_falls_as_the_box_grows() -> None:
    far, near = (distance_m('car', h, 640) for h in (20, 100))
    assert near == pytest.approx(far / 5)


@pytest.mark.parametrize(
    ('box', 'position', 'reach', 'in_lane'),
    [
        ((280, 180, 360, 250), 'ahead', 'near', True),
        ((300, 190, 340, 220), 'ahead', 'mid', True),
        ((315, 190, 325, 198), 'ahead', 'far', True),
        ((0, 180, 120, 290), 'left', 'near', False),
        ((560, 185, 620, 230), 'right', 'mid', False),
    ],
)
def test_car_is_placed(
    box: tuple[float, float, float, float], position: str, reach: str, in_lane: bool
) -> None:
    item = place_object('car', 0.9, box, 640)
    assert (item.position, item.range, item.in_lane) == (position, reach, in_lane)


@pytest.mark.parametrize(
    ('values', 'phrase'),
    [
        ({}, 'none'),
        ({'people_on_road': True, 'light': 'red'}, 'pedestrian on the road ahead'),
        ({'light': 'red'}, 'red light ahead'),
        ({'lead': 'truck', 'lead_range': 'near', 'light': 'red'}, 'truck close ahead in our lane'),
        ({'construction': True, 'surface': 'wet'}, 'roadworks along the road'),
        ({'weather': 'fog'}, 'poor visibility in fog'),
        ({'time': 'night', 'road': 'rural'}, 'dark road beyond the headlights'),
    ],
)
def test_hazard_is_the_worst_that_holds(values: dict[str, Value], phrase: str) -> None:
    assert name_hazard(scene(**values), []) == phrase


def test_near_person_beside_the_road_is_a_hazard() -> None:
    person = place_object('person', 0.8, (520, 150, 580, 330), 640)
    assert name_hazard(scene(), [person]) == 'pedestrian close on the right'
