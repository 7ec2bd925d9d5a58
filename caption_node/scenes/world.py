# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What stands in a scene: environment, road and actors, before anything is drawn.

Positions on the road are (s, d): metres ahead of the camera along the road, and metres to the
right of the line that divides the two directions. Traffic keeps right.
"""

from dataclasses import dataclass, field
import math

import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.camera import Camera

Floats = NDArray[np.float64]
Rgb = tuple[float, float, float]

REACH_M = 320
"""Nothing is drawn beyond this distance."""


_METRES = np.arange(REACH_M + 1, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Environment:
    """
    Light and weather.

    :param time: ``day``, ``dusk`` or ``night``.
    :param weather: A value of the schema's ``weather``; ``unknown`` inside a tunnel.
    :param surface: State of the carriageway.
    :param sun_azimuth: Bearing of the sun or moon, radians right of straight ahead.
    :param sun_height: Elevation above the horizon, radians.
    :param haze_per_m: Extinction of light by air, per metre; fog has 0.01 and more.
    :param cloud: Share of the sky that clouds cover, 0..1.
    :param headlights: Whether our own headlights are on.
    :param exposure: Brightness of the picture relative to a correct exposure.
    """

    time: str = 'day'
    weather: str = 'clear'
    surface: str = 'dry'
    sun_azimuth: float = 0.6
    sun_height: float = 0.8
    haze_per_m: float = 0.0008
    cloud: float = 0.3
    headlights: bool = False
    exposure: float = 1.0
    lamps: bool = False


@dataclass(frozen=True, slots=True)
class Road:
    """
    Cross-section and course of the road.

    :param kind: A value of the schema's ``road``.
    :param own_lanes: Lanes in our direction.
    :param other_lanes: Lanes in the other direction; 0 on a one-way road.
    :param lane_m: Width of a lane.
    :param median_m: Width of what divides the directions; under 0.5 it is only paint.
    :param ego_lane: Our lane, 0 is the leftmost of our direction.
    :param edge_m: Paved strip between the outer lane and the edge (parking strip or shoulder).
    :param bend: (REACH_M + 1,) lateral offset of the road's line, one value a metre.
    :param paint: How the directions are divided: none, dashed, solid, double, yellow.
    :param scroll_m: Distance driven, moves the texture of the ground.
    """

    kind: str
    own_lanes: int
    other_lanes: int
    lane_m: float
    median_m: float
    ego_lane: int
    edge_m: float
    bend: Floats
    pavement_m: float = 2.5
    paint: str = 'dashed'
    marked: bool = True
    scroll_m: float = 0.0
    style: int = 0
    drift_m: float = 0.0

    @property
    def own_width(self) -> float:
        """From the line between the directions to the right edge of our outer lane."""
        return self.median_m / 2 + self.own_lanes * self.lane_m

    @property
    def other_width(self) -> float:
        """The same to the left."""
        return self.median_m / 2 + self.other_lanes * self.lane_m

    @property
    def left(self) -> float:
        """Lateral position of the carriageway's left edge, negative."""
        return -self.other_width - self.edge_m

    @property
    def right(self) -> float:
        """Lateral position of the carriageway's right edge."""
        return self.own_width + self.edge_m

    def lane_centre(self, lane: int) -> float:
        """Lateral middle of a lane; negative numbers count the other direction's from the line."""
        if lane >= 0:
            return self.median_m / 2 + (lane + 0.5) * self.lane_m
        return -(self.median_m / 2 + (-lane - 0.5) * self.lane_m)

    @property
    def ego_d(self) -> float:
        """Lateral position of our camera."""
        if self.other_lanes == 0 and self.own_lanes == 1 and not self.marked:
            return self.own_width / 2 + self.drift_m
        return self.lane_centre(self.ego_lane) + self.drift_m

    def offset(self, s: Floats | float) -> Floats:
        """Lateral shift of the road's line at distance s, relative to straight ahead."""
        # Behind us the road is straight: np.interp keeps the first value, which is 0.
        return np.asarray(np.interp(s, _METRES, self.bend))

    def heading(self, s: float) -> float:
        """Direction of the road at distance s, radians right of straight ahead."""
        return math.atan2(float(self.offset(s + 1.0) - self.offset(max(0.0, s - 1.0))), 2.0)

    def to_world(self, s: Floats | float, d: Floats | float, y: Floats | float = 0.0) -> Floats:
        """Turn road coordinates into world points (..., 3)."""
        x = np.asarray(d - self.ego_d + self.offset(s), np.float64)
        world = np.empty((*np.broadcast_shapes(x.shape, np.shape(y)), 3))
        world[..., 0] = x
        world[..., 1] = y
        world[..., 2] = s
        return world


@dataclass(slots=True)
class Vehicle:
    """
    A vehicle, motorcycles and bicycles with riders included.

    :param kind: car, van, truck, bus, motorcycle or bicycle.
    :param s: Distance of its middle ahead of the camera.
    :param yaw: Its direction relative to the road, radians; pi faces us.
    :param role: ``same``, ``oncoming``, ``parked`` or ``crossing``.
    :param shape: Number of the body shape.
    :param phase: Position of a rider's pedals, radians.
    """

    kind: str
    s: float
    d: float
    yaw: float = 0.0
    role: str = 'same'
    shape: int = 0
    colour: Rgb = (120.0, 120.0, 125.0)
    braking: bool = False
    blinker: int = 0
    phase: float = 0.0


@dataclass(slots=True)
class Person:
    """
    A pedestrian.

    :param yaw: Walking direction relative to the road, radians.
    :param phase: Position in the walking cycle, radians; standing people have ``stride`` 0.
    """

    s: float
    d: float
    yaw: float
    phase: float = 0.0
    stride: float = 0.6
    height_m: float = 1.72
    top: Rgb = (60.0, 70.0, 120.0)
    legs: Rgb = (45.0, 45.0, 55.0)
    skin: Rgb = (205.0, 160.0, 130.0)
    hair: Rgb = (50.0, 38.0, 30.0)
    bag: int = 0
    on_road: bool = False


@dataclass(slots=True)
class Signal:
    """
    A traffic light.

    :param state: red, yellow or green; the phase of the direction it faces.
    :param facing: Whether it faces us; otherwise we see its side or back.
    :param overhead: Hangs above the lane from an arm instead of standing beside the road.
    """

    s: float
    d: float
    state: str
    facing: bool = True
    overhead: bool = False
    height_m: float = 2.6


@dataclass(slots=True)
class Prop:
    """
    Anything that is not a road user.

    :param kind: tree, bush, lamp, post, sign, stop, cone, barrier, building, house, hedge,
        wall, rail, board, gantry.
    :param size: (width across the road, height, length along the road) in metres.
    """

    kind: str
    s: float
    d: float
    size: tuple[float, float, float] = (1.0, 1.0, 1.0)
    colour: Rgb = (128.0, 128.0, 128.0)
    style: int = 0


@dataclass(slots=True)
class Junction:
    """
    A junction ahead.

    :param s: Distance of the near edge of the crossing road.
    :param width_m: Width of the crossing road.
    :param zebra: Whether a crossing is marked before it.
    :param stop_line: Whether a stop line is painted.
    """

    s: float
    width_m: float
    zebra: bool = False
    stop_line: bool = True


@dataclass(slots=True)
class Scene:
    """
    Everything that one picture shows.

    :param zebra_s: Distance of the near edge of a marked crossing.
    :param tint: Colour cast of the camera, a factor for red, green and blue.
    :param grain: Standard deviation of the sensor noise, 0..255.
    :param reach_m: How far ahead the road is furnished; a drive needs more than it sees at once.
    """

    camera: Camera
    environment: Environment
    road: Road
    vehicles: list[Vehicle] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    props: list[Prop] = field(default_factory=list)
    junction: Junction | None = None
    zebra_s: float | None = None
    construction: bool = False
    texture_seed: int = 0
    grain: float = 3.0
    blur_px: float = 0.0
    vignette: float = 0.2
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bonnet: bool = False
    reach_m: float = 165.0


def bend_from_curvature(curvature: Floats) -> Floats:
    """
    Integrate curvature (1/m, one value a metre) twice to lateral offsets.

    :returns: (REACH_M + 1,) metres, 0 at the camera.
    """
    heading = np.concatenate([[0.0], np.cumsum(curvature)])[: REACH_M + 1]
    offsets = np.concatenate([[0.0], np.cumsum(heading)])[: REACH_M + 1]
    return np.asarray(offsets)
