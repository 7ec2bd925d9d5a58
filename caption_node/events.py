# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What a planner cares about, as begin and end: a person on the road, a light, works, night.

Every kind waits a little before it believes, in either direction, so that one odd frame neither
begins nor ends anything; a person on the road is believed at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from caption_node.description import FieldValue, SceneDescription

NS_PER_S = 1_000_000_000
_QUEUE_VEHICLES = 3
_LIGHTS = ('red', 'yellow', 'green')


@dataclass(frozen=True, slots=True)
class SceneEvent:
    """
    Something has begun or ended in front of one camera.

    :param kind: One of :data:`EVENT_KINDS`.
    :param phase: ``begin`` or ``end``.
    :param stamp_ns: Stamp of the image in which it was first seen, or first no longer seen.
    :param frame_id: Frame of that image.
    :param value: Colour of the light or class of the lead vehicle; empty for other kinds.
    :param previous: The value that this one replaces; empty if there was none.
    :param confidence: That it holds, or that it no longer holds, 0..1; 0 where the camera stopped.
    :param duration_s: How long it has held, by the stamps; 0 at its beginning.
    """

    kind: str
    phase: str
    stamp_ns: int
    frame_id: str
    camera: str
    value: str = ''
    previous: str = ''
    confidence: float = 0.0
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one frame says of one kind: a value (None: it does not hold) and its confidence."""

    value: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class _Kind:
    """
    One kind of event.

    :param see: Reads it from the scene fields; the flag says that nothing in the scene moves.
    :param begin_s: How long it must hold until it is believed, seconds.
    :param end_s: How long it must not hold until its end is believed, seconds.
    """

    see: Callable[[Mapping[str, FieldValue], bool], _Seen]
    begin_s: float
    end_s: float


def _true(field: str) -> Callable[[Mapping[str, FieldValue], bool], _Seen]:
    def see(scene: Mapping[str, FieldValue], still: bool) -> _Seen:
        found = scene[field]
        return _Seen('' if found.value is True else None, found.confidence)

    return see


def _light(scene: Mapping[str, FieldValue], still: bool) -> _Seen:
    light = scene['light']
    return _Seen(str(light.value) if light.value in _LIGHTS else None, light.confidence)


def _lead_near(scene: Mapping[str, FieldValue], still: bool) -> _Seen:
    reach, lead = scene['lead_range'], scene['lead']
    near = reach.value == 'near' and lead.value != 'none'
    return _Seen(str(lead.value) if near else None, reach.confidence)


def _night(scene: Mapping[str, FieldValue], still: bool) -> _Seen:
    time = scene['time']
    return _Seen('' if time.value == 'night' else None, time.confidence)


def _stopped(scene: Mapping[str, FieldValue], still: bool) -> _Seen:
    reach, vehicles = scene['lead_range'], scene['vehicles']
    queue = reach.value == 'near' and int(vehicles.value) >= _QUEUE_VEHICLES
    confidence = min(reach.confidence, vehicles.confidence)
    return _Seen('' if queue and still else None, confidence)


EVENT_KINDS: Mapping[str, _Kind] = {
    'person_on_road': _Kind(_true('people_on_road'), begin_s=0.0, end_s=1.0),
    'light': _Kind(_light, begin_s=0.2, end_s=0.7),
    'lead_near': _Kind(_lead_near, begin_s=0.2, end_s=1.0),
    'works': _Kind(_true('construction'), begin_s=0.7, end_s=2.0),
    'stopped_traffic': _Kind(_stopped, begin_s=2.0, end_s=0.5),
    'night': _Kind(_night, begin_s=2.0, end_s=5.0),
}


@dataclass(frozen=True, slots=True)
class _Moment:
    """When a frame was taken: on the stream's clock, and by its stamp."""

    time_s: float
    stamp_ns: int
    frame_id: str


class _Watch:
    """One kind of event in front of one camera."""

    def __init__(self, name: str, kind: _Kind, camera: str, least_confidence: float) -> None:
        self._name = name
        self._kind = kind
        self._camera = camera
        self._least = least_confidence
        self._held: str | None = None
        self._began_ns = 0
        self._rival: str | None = None
        self._rival_since: _Moment | None = None

    def update(self, seen: _Seen, now: _Moment) -> list[SceneEvent]:
        """Take one frame into account."""
        value = seen.value
        if value is not None and value != self._held and seen.confidence < self._least:
            value = self._held
        if value == self._held:
            self._rival_since = None
            return []
        if self._rival_since is None or value != self._rival:
            self._rival, self._rival_since = value, now
        wait_s = self._kind.end_s if value is None else self._kind.begin_s
        if now.time_s - self._rival_since.time_s < wait_s:
            return []
        return self._change(value, seen.confidence, self._rival_since)

    def close(self, now: _Moment) -> list[SceneEvent]:
        """End it because the camera has stopped."""
        return [] if self._held is None else self._change(None, 0.0, now)

    def _change(self, value: str | None, confidence: float, since: _Moment) -> list[SceneEvent]:
        events = []
        previous, self._held = self._held, value
        self._rival_since = None
        if previous is not None:
            held_s = max(0.0, (since.stamp_ns - self._began_ns) / NS_PER_S)
            events.append(self._event('end', since, previous, '', confidence, held_s))
        if value is not None:
            self._began_ns = since.stamp_ns
            events.append(self._event('begin', since, value, previous or '', confidence, 0.0))
        return events

    def _event(
        self,
        phase: str,
        since: _Moment,
        value: str,
        previous: str,
        confidence: float,
        duration_s: float,
    ) -> SceneEvent:
        return SceneEvent(
            kind=self._name,
            phase=phase,
            stamp_ns=since.stamp_ns,
            frame_id=since.frame_id,
            camera=self._camera,
            value=value,
            previous=previous,
            confidence=confidence,
            duration_s=duration_s,
        )


class EventWatch:
    """
    All kinds of events in front of one camera.

    :param least_confidence: A field that is less sure begins nothing.
    """

    def __init__(self, camera: str, least_confidence: float = 0.5) -> None:
        self._watches = {
            name: _Watch(name, kind, camera, least_confidence)
            for name, kind in EVENT_KINDS.items()
        }

    def update(
        self, description: SceneDescription, time_s: float, still: bool
    ) -> list[SceneEvent]:
        """
        Take one description into account.

        :param time_s: When its image was taken, on a clock that does not jump, seconds.
        :param still: Whether nothing in the scene moves.
        :returns: What has begun or ended, ends first.
        """
        now = _Moment(time_s, description.stamp_ns, description.frame_id)
        return [
            event
            for name, watch in self._watches.items()
            for event in watch.update(EVENT_KINDS[name].see(description.scene, still), now)
        ]

    def close(self, stamp_ns: int, frame_id: str) -> list[SceneEvent]:
        """End whatever holds, with confidence 0: the camera has stopped."""
        now = _Moment(0.0, stamp_ns, frame_id)
        return [event for watch in self._watches.values() for event in watch.close(now)]
