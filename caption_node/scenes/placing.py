# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What lines a road of each kind: houses, trees, hedges, walls, rails, lamps, works."""

from collections.abc import Callable

import numpy as np

from caption_node.scenes.world import Prop, Rgb, Scene

Rng = np.random.Generator

_GREENS: tuple[Rgb, ...] = (
    (62.0, 86.0, 40.0),
    (78.0, 98.0, 46.0),
    (50.0, 74.0, 38.0),
    (120.0, 98.0, 40.0),
    (92.0, 88.0, 50.0),
)


def furnish(rng: Rng, scene: Scene) -> None:
    """Add everything beside the road as far as ``scene.reach_m``, in place."""
    line: dict[str, Callable[[Rng, Scene, float], None]] = {
        'highway': _highway,
        'city': _city,
        'residential': _residential,
        'rural': _rural,
        'industrial': _industrial,
        'parking': _parking,
        'private': _private,
    }
    if scene.road.kind in line:
        for side in (-1.0, 1.0):
            line[scene.road.kind](rng, scene, side)
    if scene.environment.lamps or scene.road.kind in ('city', 'residential', 'industrial'):
        _lamps(rng, scene)
    if scene.construction:
        _works(rng, scene)
    _signs(rng, scene)


def edge(scene: Scene, side: float, gap: float) -> float:
    """Lateral position beyond the kerb or verge on one side."""
    road = scene.road
    if side > 0:
        return road.right + road.pavement_m + gap
    return road.left - road.pavement_m - gap


def _row(
    rng: Rng, scene: Scene, kind: str, side: float, gap: float, step: float,
    size: Callable[[], tuple[float, float, float]], chance: float = 1.0, start: float = 4.0,
) -> None:  # fmt: skip
    """Put props of one kind along one side, leaving junctions free."""
    s = start + float(rng.uniform(0, step))
    while s < scene.reach_m:
        shape = size()
        centre = s + shape[2] / 2
        if rng.random() < chance and not _blocked(scene, s, s + shape[2]):
            d = edge(scene, side, gap) + side * shape[0] / 2
            colour = _GREENS[int(rng.integers(len(_GREENS)))]
            if kind not in ('tree', 'bush', 'hedge'):
                tone = float(rng.uniform(110, 180))
                colour = (tone, tone * 0.97, tone * 0.93)
            style = int(rng.integers(60))
            scene.props.append(Prop(kind, centre, d, shape, colour, style))
        s += max(shape[2], 0.5) + step * float(rng.uniform(0.6, 1.4))


def _blocked(scene: Scene, near: float, far: float) -> bool:
    """Whether a stretch reaches into the crossing road."""
    junction = scene.junction
    if junction is None:
        return False
    return far > junction.s - 4.0 and near < junction.s + junction.width_m + 4.0


def _trees(
    rng: Rng, scene: Scene, side: float, gap: float, step: float, chance: float, high: float = 8.0
) -> None:
    """A row of trees; bare ones in snow."""
    bare = scene.environment.surface == 'snow' or scene.road.style % 7 == 0

    def size() -> tuple[float, float, float]:
        height = high * float(rng.uniform(0.7, 1.3))
        return height * 0.8, height, 0.2

    first = len(scene.props)
    _row(rng, scene, 'tree', side, gap, step, size, chance, start=9.0)
    for prop in scene.props[first:]:
        prop.d -= side * prop.size[0] * 0.3
        if bare and prop.style % 4:
            prop.style += 100
            prop.colour = (74.0, 66.0, 58.0)


def _highway(rng: Rng, scene: Scene, side: float) -> None:
    """Guard rail or sound wall, trees on the bank, concrete or rail on the median."""
    wall = rng.random() < 0.35
    if wall:
        high = float(rng.uniform(2.5, 4.5))
        _row(rng, scene, 'wall', side, 0.8, 0.0, lambda: (0.3, high, 12.0))
    else:
        _row(rng, scene, 'rail', side, 0.5, 0.0, lambda: (0.12, 0.78, 10.0))
    _trees(rng, scene, side, 6.0, 7.0, 0.75 if rng.random() < 0.7 else 0.2, 9.0)
    if side > 0 and scene.road.median_m > 1:
        concrete = rng.random() < 0.5
        size = (0.5, 0.9, 10.0) if concrete else (0.12, 0.78, 10.0)
        for s in np.arange(5.0, scene.reach_m, 10.0):
            kind = 'wall' if concrete else 'rail'
            tone = float(rng.uniform(140, 165))
            scene.props.append(Prop(kind, float(s), 0.0, size, (tone, tone, tone * 0.97)))


def _city(rng: Rng, scene: Scene, side: float) -> None:
    """Blocks of houses, street trees."""

    def size() -> tuple[float, float, float]:
        return float(rng.uniform(9, 13)), float(rng.uniform(8, 24)), float(rng.uniform(12, 26))

    _row(rng, scene, 'building', side, float(rng.uniform(0.0, 4.0)), 0.8, size, 0.93, start=-8.0)
    if rng.random() < 0.55:
        first = len(scene.props)
        _trees(rng, scene, side, 0.0, 12.0, 0.7, 7.0)
        for prop in scene.props[first:]:
            prop.d = edge(scene, side, -0.9)


def _residential(rng: Rng, scene: Scene, side: float) -> None:
    """Detached houses behind gardens and hedges."""

    def size() -> tuple[float, float, float]:
        return float(rng.uniform(8, 10)), float(rng.uniform(4.5, 7)), float(rng.uniform(9, 14))

    _row(rng, scene, 'house', side, float(rng.uniform(3, 7)), 6.0, size, 0.92, start=0.0)
    if rng.random() < 0.6:
        high = float(rng.uniform(0.9, 2.0))
        _row(rng, scene, 'hedge', side, 0.2, 3.0, lambda: (0.8, high, 6.0), 0.7)
    _trees(rng, scene, side, 1.2, 11.0, 0.65, 6.0)


def _rural(rng: Rng, scene: Scene, side: float) -> None:
    """Fields, single trees or a wood, marker posts."""
    wood = rng.random() < 0.4
    _trees(rng, scene, side, 2.5, 4.0 if wood else 16.0, 0.95 if wood else 0.5, 9.0)
    if wood:
        _trees(rng, scene, side, 7.0, 4.0, 0.95, 11.0)
    first = len(scene.props)
    _row(rng, scene, 'post', side, 0.8, 24.0, lambda: (0.12, 1.0, 0.1))
    for prop in scene.props[first:]:
        prop.colour = (222.0, 222.0, 218.0)


def _industrial(rng: Rng, scene: Scene, side: float) -> None:
    """Halls behind fences and lawns."""

    def size() -> tuple[float, float, float]:
        return float(rng.uniform(16, 24)), float(rng.uniform(6, 10)), float(rng.uniform(24, 46))

    first = len(scene.props)
    _row(rng, scene, 'wall', side, float(rng.uniform(5, 12)), 8.0, size, 0.9, start=0.0)
    for prop in scene.props[first:]:
        tint = ((150, 156, 162), (172, 168, 158), (112, 128, 142), (186, 184, 180))[prop.style % 4]
        prop.colour = (float(tint[0]), float(tint[1]), float(tint[2]))
    _row(rng, scene, 'rail', side, 0.7, 1.0, lambda: (0.06, 1.6, 9.0), 0.7)
    _trees(rng, scene, side, 2.0, 22.0, 0.5, 6.0)


def _parking(rng: Rng, scene: Scene, side: float) -> None:
    """Hedges and halls around a car park."""
    high = float(rng.uniform(0.8, 1.6))
    _row(rng, scene, 'hedge', side, 0.5, 2.0, lambda: (1.0, high, 8.0), 0.8)
    _trees(rng, scene, side, 3.0, 12.0, 0.6, 6.0)
    if rng.random() < 0.7:
        _row(rng, scene, 'building', side, 9.0, 4.0, lambda: (14.0, 9.0, 30.0), 0.8)


def _private(rng: Rng, scene: Scene, side: float) -> None:
    """A drive between hedges, with a house at its side."""
    high = float(rng.uniform(1.2, 2.4))
    _row(rng, scene, 'hedge', side, 0.4, 0.2, lambda: (1.0, high, 7.0), 0.95, start=2.0)
    _trees(rng, scene, side, 2.0, 9.0, 0.7, 7.0)
    if side > 0:
        scene.props.append(Prop('house', 46.0, edge(scene, side, 8.0), (10.0, 6.0, 14.0), style=3))


def _lamps(rng: Rng, scene: Scene) -> None:
    """Street lamps, on one or both sides."""
    both = rng.random() < 0.4
    start = float(rng.uniform(8, 30))
    for i, s in enumerate(np.arange(start, scene.reach_m, 26.0)):
        sides = (-1.0, 1.0) if both else ((1.0,) if i % 2 else (-1.0,))
        for side in sides:
            if not _blocked(scene, float(s), float(s)):
                gap = -scene.road.pavement_m + 0.5
                scene.props.append(Prop('lamp', float(s), edge(scene, side, gap), (0.2, 7.6, 0.2)))


def _works(rng: Rng, scene: Scene) -> None:
    """A row of cones that closes in on the road, and striped barriers."""
    road = scene.road
    side = 1.0 if road.ego_lane < road.own_lanes - 1 or rng.random() < 0.7 else -1.0
    start = float(rng.uniform(10, 26))
    border = road.right if side > 0 else (road.left if road.median_m < 0.5 else road.median_m / 2)
    keep = road.ego_d + side * (road.lane_m / 2 + 0.15)
    count = int(rng.integers(5, 10))
    for i in range(count):
        share = min(1.0, i / (count - 1) * 1.3)
        d = border + (keep - border) * share
        scene.props.append(Prop('cone', start + 4.0 * i, d, (0.4, 0.75, 0.4)))
    for i in range(int(rng.integers(1, 4))):
        s = start + 6.0 + 9.0 * i
        d = (border + keep) / 2 + 0.3 * side
        size = (round(min(2.4, max(1.0, abs(border - keep) * 0.6)), 1), 1.1, 0.1)
        scene.props.append(Prop('barrier', s, d, size, style=int(rng.integers(4))))


def _signs(rng: Rng, scene: Scene) -> None:
    """Direction boards, and a stop sign at some junctions."""
    road = scene.road
    if road.kind in ('highway', 'city', 'rural') and rng.random() < 0.4:
        big = road.kind == 'highway'
        size = (3.4 if big else 1.3, 4.0 if big else 2.0, 0.1)
        s = float(rng.uniform(25, 90))
        d = edge(scene, 1.0, 1.4)
        scene.props.append(Prop('board', s, d, size, style=int(rng.integers(3))))
