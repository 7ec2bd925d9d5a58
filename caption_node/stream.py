# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What changes over time in front of one camera: steady fields, stable sentences, events, a gate.

A frame is described for itself; a drive is watched by somebody. Fields that waver are held until
the new value has gathered more evidence than the old one. A sentence stays as long as it is still
borne out and the scene's embedding says that it is the same scene. Whatever is held is bounded in
time, and what a driver must see at once (a person on the road, a red light) is never held back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
import math

import numpy as np
from numpy.typing import NDArray

from caption_node.description import FieldValue, SceneDescription, Value, is_of_driving
from caption_node.events import EventWatch, SceneEvent
from caption_node.frame import Frame
from caption_node.grounding import name_hazard
from caption_node.trust import disagreement

_SWITCH_MARGIN = 0.15
"""How much more evidence a new value needs than the one that holds, 0..1."""
_COUNT_MARGIN = 0.75
_URGENT = {'people_on_road': (True,), 'light': ('red', 'yellow')}
_URGENT_CONFIDENCE = 0.8
_GAP_S = 2.0
"""After a longer gap, or a step back, nothing that was seen before counts any more."""
_THUMBNAIL = (40, 24)
_MOVED_LEVELS = 10.0
"""Grey levels by which one patch of the thumbnail may differ in a scene that stands still."""
Scene = Mapping[str, FieldValue]


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """
    How much is held, and for how long.

    :param smoothing_s: Time constant of the evidence for a field's value, seconds; 0 holds none.
    :param sentence_hold_s: Longest time that one sentence is kept, seconds; 0 keeps none.
    :param same_scene: Least cosine of two embeddings of the same scene, -1..1.
    :param gate_s: Longest time without asking the model while nothing moves, seconds; 0: always
        ask it.
    :param repeat_s: An unchanged description counts as changed after so long, seconds.
    """

    smoothing_s: float = 0.4
    sentence_hold_s: float = 3.0
    same_scene: float = 0.95
    gate_s: float = 0.0
    repeat_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Moment:
    """
    A description as its stream has it.

    :param description: With steady fields, and perhaps an earlier sentence.
    :param changed: Whether it says something else than the last one that had changed.
    :param caption_age_s: How long ago the sentence was first said.
    :param reused: Whether the model did not look at this image.
    """

    description: SceneDescription
    events: tuple[SceneEvent, ...] = ()
    changed: bool = True
    caption_age_s: float = 0.0
    reused: bool = False


class SceneStream:
    """
    The descriptions of one camera, in order; for one thread at a time.

    :param settings: May be replaced at any time.
    """

    def __init__(self, camera: str, settings: StreamSettings | None = None) -> None:
        self.settings = settings or StreamSettings()
        self._events = EventWatch(camera)
        self._fields = _Fields()
        self._sentence = _Sentence()
        self._gate = _Gate()
        self._time_s = -math.inf
        self._said: tuple[object, ...] = ()
        self._said_s = -math.inf

    def update(
        self, description: SceneDescription, time_s: float, frame: Frame | None = None
    ) -> Moment:
        """
        Take the description of the next image.

        :param time_s: When the image was taken, seconds; a step back begins anew.
        :param frame: The image itself, if the motion gate shall know it.
        """
        elapsed_s = time_s - self._time_s
        self._time_s = time_s
        if not 0 <= elapsed_s <= _GAP_S:
            self._forget()
            elapsed_s = math.inf
        if self.settings.gate_s > 0:
            self._gate.remember(frame, description, time_s, self.settings.same_scene)
        if description.status != 'ok':
            # Neither evidence for what comes, nor ever behind an earlier sentence.
            return self._moment(description, (), time_s, 0.0)
        steady = self._fields.update(description, elapsed_s, self.settings.smoothing_s)
        still = self._sentence.is_same_scene(description, self.settings.same_scene)
        drives = is_of_driving(steady.scene)
        events = self._events.update(steady, time_s, still) if drives else []
        said, age_s = self._sentence.choose(steady, description, time_s, self.settings)
        return self._moment(said, tuple(events), time_s, age_s)

    def reuse(self, frame: Frame, time_s: float) -> Moment | None:
        """
        Return what holds for an image in which nothing has moved, or None: ask the model.

        :param frame: The image, with its own stamp.
        """
        elapsed_s = time_s - self._time_s
        if self.settings.gate_s <= 0 or not 0 <= elapsed_s <= _GAP_S:
            return None
        known = self._gate.recall(frame, time_s, self.settings.gate_s)
        if known is None:
            return None
        self._time_s = time_s
        described = replace(
            known.description,
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
            latency_ms={'decode': frame.decode_ms},
        )
        moment = self._moment(
            described, (), time_s, known.caption_age_s + time_s - self._gate.time_s
        )
        return replace(moment, reused=True)

    def stop(self, stamp_ns: int, frame_id: str) -> tuple[SceneEvent, ...]:
        """Forget everything because the camera has stopped; returns the events that this ends."""
        self._forget()
        self._said = ()
        return tuple(self._events.close(stamp_ns, frame_id))

    def _forget(self) -> None:
        self._fields = _Fields()
        self._sentence = _Sentence()
        self._gate = _Gate()

    def _moment(
        self,
        description: SceneDescription,
        events: tuple[SceneEvent, ...],
        time_s: float,
        caption_age_s: float,
    ) -> Moment:
        says = (
            description.status,
            description.reason,
            description.error,
            description.caption,
            description.hazard,
            *(found.value for found in description.scene.values()),
        )
        waited_s = time_s - self._said_s
        changed = says != self._said or not 0 <= waited_s < self.settings.repeat_s or bool(events)
        if changed:
            self._said, self._said_s = says, time_s
        moment = Moment(description, events, changed, caption_age_s)
        self._gate.keep(moment)
        return moment


class _Fields:
    """Steady values of all fields, and what follows from them."""

    def __init__(self) -> None:
        self._evidence: dict[str, dict[Value, float]] = {}
        self._held: dict[str, Value] = {}
        self._means: dict[str, float] = {}

    def update(
        self, description: SceneDescription, elapsed_s: float, constant_s: float
    ) -> SceneDescription:
        """Return the description with steady fields, and the hazard that follows from them."""
        raw = description.scene
        share = 1.0 if constant_s <= 0 else -math.expm1(-elapsed_s / constant_s)
        scene = {name: self._steady(name, found, share) for name, found in raw.items()}
        if not is_of_driving(scene):
            return replace(description, scene=scene)
        # Two fields of one fact: whichever is held, the other goes with it.
        if (scene['lead'].value == 'none') != (scene['lead_range'].value == 'none'):
            self._take(scene, raw, ('lead', 'lead_range'))
        if scene['people_on_road'].value is True and not scene['people'].value:
            self._take(scene, raw, ('people', 'people_on_road'))
        if disagreement(description.caption, scene, description.objects) and not disagreement(
            description.caption, raw, description.objects
        ):
            # The sentence rests on what is still held back: then it is sure enough.
            self._take(scene, raw, tuple(n for n in raw if scene[n].value != raw[n].value))
        if all(scene[name].value == raw[name].value for name in raw):
            return replace(description, scene=scene)
        return replace(description, scene=scene, hazard=name_hazard(scene, description.objects))

    def _steady(self, name: str, found: FieldValue, share: float) -> FieldValue:
        if type(found.value) is int:
            return self._steady_count(name, found, share)
        evidence = self._evidence.setdefault(name, {})
        for value in evidence:
            evidence[value] *= 1.0 - share
        evidence[found.value] = evidence.get(found.value, 0.0) + share * found.confidence
        held = self._held.setdefault(name, found.value)
        if found.value != held:
            urgent = (
                found.value in _URGENT.get(name, ()) and found.confidence >= _URGENT_CONFIDENCE
            )
            if urgent or evidence[found.value] > evidence.get(held, 0.0) + _SWITCH_MARGIN:
                evidence[found.value] = max(evidence[found.value], found.confidence)
                held = self._held[name] = found.value
        if held == found.value:
            return found
        return FieldValue(held, min(1.0, evidence.get(held, 0.0)))

    def _steady_count(self, name: str, found: FieldValue, share: float) -> FieldValue:
        seen = int(found.value)
        mean = self._means.get(name, float(seen))
        mean = self._means[name] = mean + share * (seen - mean)
        held = int(self._held.setdefault(name, seen))
        if abs(mean - held) >= _COUNT_MARGIN or share >= 1.0:
            held = round(mean)
            self._held[name] = held
        near = abs(held - seen) <= 1
        return FieldValue(held, found.confidence if near else found.confidence / 2)

    def _take(self, scene: dict[str, FieldValue], raw: Scene, names: tuple[str, ...]) -> None:
        """Give up holding: take what this frame says."""
        for name in names:
            scene[name] = raw[name]
            self._held[name] = raw[name].value
            if type(raw[name].value) is int:
                self._means[name] = float(raw[name].value)
            else:
                self._evidence[name] = {raw[name].value: raw[name].confidence}


class _Sentence:
    """The sentence that stands, and the scene that it was said of."""

    def __init__(self) -> None:
        self._caption = ''
        self._confidence = 0.0
        self._embedding: NDArray[np.float32] | None = None
        self._values: dict[str, Value] = {}
        self._since_s = 0.0

    def is_same_scene(self, description: SceneDescription, least_cosine: float) -> bool:
        """Whether the embedding is that of the scene of the sentence that stands."""
        one, two = self._embedding, description.embedding
        return one is not None and two is not None and float(one @ two) >= least_cosine

    def choose(
        self,
        steady: SceneDescription,
        fresh: SceneDescription,
        time_s: float,
        settings: StreamSettings,
    ) -> tuple[SceneDescription, float]:
        """Return the description with the sentence that stands now, and that sentence's age."""
        age_s = time_s - self._since_s
        values = {name: found.value for name, found in steady.scene.items()}
        stands = (
            bool(self._caption)
            and age_s < settings.sentence_hold_s
            and self.is_same_scene(fresh, settings.same_scene)
            and all(
                values[name] == was for name, was in self._values.items() if type(was) is not int
            )
            and not (
                is_of_driving(steady.scene)
                and disagreement(self._caption, steady.scene, steady.objects)
            )
        )
        if stands:
            # It is no surer than it was when it was said, nor than what is seen now.
            confidence = min(self._confidence, fresh.confidence)
            return replace(steady, caption=self._caption, confidence=confidence), age_s
        self._caption, self._confidence = fresh.caption, fresh.confidence
        self._embedding, self._values, self._since_s = fresh.embedding, values, time_s
        return steady, 0.0


class _Gate:
    """
    Whether the next image is the same picture again.

    The embedding decides that nothing has changed from one run of the model to the next; from then
    on a thumbnail watches every patch of the picture, which costs next to nothing.
    """

    def __init__(self) -> None:
        self.time_s = -math.inf
        self._thumbnail: NDArray[np.float32] | None = None
        self._embedding: NDArray[np.float32] | None = None
        self._still = False
        self._known: Moment | None = None

    def remember(
        self,
        frame: Frame | None,
        description: SceneDescription,
        time_s: float,
        least_cosine: float,
    ) -> None:
        """Take an image that the model has described."""
        before, now = self._embedding, description.embedding
        self._still = (
            description.status == 'ok'
            and before is not None
            and now is not None
            and float(before @ now) >= least_cosine
        )
        self._embedding = now
        self._thumbnail = None if frame is None else _shrink(frame.pixels_rgb)
        self._known = None
        self.time_s = time_s

    def keep(self, moment: Moment) -> None:
        """Keep what was said of the image that was last remembered."""
        if self._known is None:
            self._known = moment

    def recall(self, frame: Frame, time_s: float, longest_s: float) -> Moment | None:
        """Return what was said, if this image is the same picture again and not too late."""
        if not self._still or self._thumbnail is None or time_s - self.time_s > longest_s:
            return None
        difference = float(np.abs(_shrink(frame.pixels_rgb) - self._thumbnail).max())
        # No sensor gives the same picture twice: whether it is frozen is not for the gate to say.
        return self._known if 0.0 < difference < _MOVED_LEVELS else None


def _shrink(pixels_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a small grey picture, each pixel the mean of its patch."""
    import cv2

    height, width = pixels_rgb.shape[:2]
    step = max(1, min(height // (4 * _THUMBNAIL[1]), width // (4 * _THUMBNAIL[0])))
    sparse = np.ascontiguousarray(pixels_rgb[::step, ::step], dtype=np.float32)
    small = cv2.resize(sparse, _THUMBNAIL, interpolation=cv2.INTER_AREA)
    return np.asarray(small.mean(axis=2), dtype=np.float32)
