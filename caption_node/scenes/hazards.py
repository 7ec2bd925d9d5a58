# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What a driver should mind most right now, from fields and objects alone."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class RoadUser(Protocol):
    """
    What hazards and sentences need to know of an object.

    ``SceneObject`` and ``TruthObject`` both have these attributes.
    """

    @property
    def class_name(self) -> str: ...
    @property
    def position(self) -> str: ...
    @property
    def range(self) -> str: ...
    @property
    def in_lane(self) -> bool: ...


_SIDE = {'left': 'on the left', 'right': 'on the right', 'ahead': 'ahead'}


def hazard_of(fields: Mapping[str, object], objects: Sequence[RoadUser]) -> str:
    """
    Name the first thing on a driver's list, or ``none``.

    :param fields: Values by the names of the schema.
    """
    lead, reach = fields['lead'], fields['lead_range']
    if fields['people_on_road']:
        return 'pedestrian on the road ahead'
    if lead in ('bicycle', 'motorcycle') and reach != 'far':
        return f'{"cyclist" if lead == "bicycle" else "motorcyclist"} ahead in our lane'
    if lead != 'none' and reach == 'near':
        return f'{lead} close ahead'
    if fields['light'] in ('red', 'yellow'):
        return f'{"amber" if fields["light"] == "yellow" else "red"} light ahead'
    if any(o.class_name == 'stop sign' and o.range != 'far' for o in objects):
        return 'stop sign ahead'
    if fields['construction']:
        return 'roadworks ahead'
    for item in objects:
        if item.class_name == 'person' and item.range == 'near' and fields['people']:
            return f'pedestrian close {_SIDE[item.position]}'.replace('close ahead', 'close ahead')
        if item.class_name == 'bicycle' and item.range != 'far' and fields['cyclists']:
            return f'cyclist {_SIDE[item.position]}'
    if fields['weather'] == 'fog':
        return 'limited visibility in fog'
    if fields['crosswalk'] and fields['people']:
        return 'pedestrians near the crossing'
    if lead != 'none' and reach == 'mid':
        return f'{lead} ahead in our lane'
    return _quiet_hazard(fields, objects)


def _quiet_hazard(fields: Mapping[str, object], objects: Sequence[RoadUser]) -> str:
    """What remains to be minded when nothing is close."""
    if fields['surface'] == 'snow':
        return 'snow on the road'
    if fields['crosswalk']:
        return 'zebra crossing ahead'
    if fields['intersection']:
        return 'junction ahead'
    if fields['parked']:
        sides = {o.position for o in objects if o.class_name in ('car', 'truck') and not o.in_lane}
        if len(sides - {'ahead'}) == 1 and not fields['oncoming']:
            return f'parked vehicles {_SIDE[(sides - {"ahead"}).pop()]}'
        return 'parked vehicles beside the road'
    if fields['lead'] != 'none':
        return f'{fields["lead"]} far ahead in our lane'
    if fields['oncoming']:
        return 'oncoming traffic'
    if fields['time'] == 'night' and fields['road'] == 'rural':
        return 'unlit road beyond the headlights'
    return 'wet road' if fields['surface'] == 'wet' else 'none'
