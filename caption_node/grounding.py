# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What a box means on the road: position, range, lane, and which hazard follows from the facts.

A pinhole camera about 1.4 m above a flat road is assumed, with the field of view that dash cameras
have; ranges are coarse on purpose.
"""

from collections.abc import Mapping, Sequence

from caption_node.description import FieldValue, SceneObject, Value

FOCAL_WIDTHS = 0.95
"""Focal length in image widths: about 55 degrees across."""
NEAR_M, MID_M = 15.0, 40.0
# Real heights in metres; a traffic light is its housing.
_HEIGHT_M = {
    'person': 1.7,
    'bicycle': 1.6,
    'car': 1.5,
    'motorcycle': 1.5,
    'bus': 3.1,
    'truck': 3.0,
    'traffic light': 0.9,
    'stop sign': 0.75,
    'animal': 0.8,
}
_CAMERA_HEIGHT_M = 1.4
_HALF_LANE_M = 1.6
_ROAD_USERS = frozenset(['person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck', 'animal'])
_VEHICLES = frozenset(['car', 'bus', 'truck', 'motorcycle', 'bicycle'])


def distance_m(class_name: str, box_height: float, image_width: int) -> float:
    """
    Estimate the distance of an object from the height of its box.

    :param box_height: Pixels.
    :param image_width: Pixels.
    :returns: Metres.
    """
    return FOCAL_WIDTHS * image_width * _HEIGHT_M[class_name] / max(box_height, 1.0)


def place_object(
    class_name: str,
    score: float,
    box: tuple[float, float, float, float],
    image_width: int,
) -> SceneObject:
    """
    Say where a box is as seen from our vehicle.

    :param box: x_min, y_min, x_max, y_max in source pixels.
    """
    x_min, y_min, x_max, y_max = box
    metres = distance_m(class_name, y_max - y_min, image_width)
    lateral_m = ((x_min + x_max) / 2 - image_width / 2) * metres / (FOCAL_WIDTHS * image_width)
    aside = _HALF_LANE_M if class_name in _ROAD_USERS else 2 * _HALF_LANE_M
    position = 'ahead' if abs(lateral_m) < aside else 'left' if lateral_m < 0 else 'right'
    return SceneObject(
        class_name=class_name,
        score=score,
        box=box,
        position=position,
        range='near' if metres < NEAR_M else 'mid' if metres < MID_M else 'far',
        in_lane=class_name in _ROAD_USERS and position == 'ahead',
    )


def name_hazard(scene: Mapping[str, FieldValue], objects: Sequence[SceneObject]) -> str:
    """Return the one thing that a driver should mind most, as a short phrase, or ``none``."""
    value: dict[str, Value] = {name: v.value for name, v in scene.items()}
    near = [o for o in objects if o.range == 'near']
    rules = (
        (value['people_on_road'], 'pedestrian on the road ahead'),
        (value['lead_range'] == 'near', f'{value["lead"]} close ahead in our lane'),
        (value['light'] == 'red', 'red light ahead'),
        (value['light'] == 'yellow', 'light turning red ahead'),
        *_beside('person', 'pedestrian', near),
        *_beside('bicycle', 'cyclist', near),
        *_beside('motorcycle', 'motorcycle', near),
        (value['construction'], 'roadworks along the road'),
        (value['surface'] == 'snow', 'slippery snow on the road'),
        (value['weather'] == 'fog', 'poor visibility in fog'),
        (value['lead_range'] == 'mid', f'{value["lead"]} ahead in our lane'),
        *(
            (o.class_name in _VEHICLES, f'{o.class_name} close on the {o.position}')
            for o in near
            if o.position != 'ahead'
        ),
        (value['time'] == 'night' and value['road'] == 'rural', 'dark road beyond the headlights'),
        (value['surface'] == 'wet', 'wet road'),
        (value['crosswalk'], 'marked crossing ahead'),
        (value['intersection'], 'junction ahead'),
        (value['parked'], 'parked vehicles along the road'),
    )
    return next((phrase for holds, phrase in rules if holds), 'none')


def _beside(class_name: str, word: str, near: Sequence[SceneObject]) -> list[tuple[bool, str]]:
    places = {'left': 'close on the left', 'right': 'close on the right', 'ahead': 'close ahead'}
    return [(True, f'{word} {places[o.position]}') for o in near if o.class_name == class_name][:1]
