# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What a worker does: look at a recording, and describe a stretch of it.

Both are plain functions of plain values, the same in a process of this machine and in a Ray task.
Errors of a recording come back as values, since trying again would not mend them; what is raised
may be tried again.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
import os

from caption_node.bag.captioning import Thinning
from caption_node.bag.reader import BagReader, Message
from caption_node.bag.workers import DescribedImage, Work, Workers
from caption_node.description import ModelInfo
from caption_node.errors import BagError, CaptionError
from caption_node.fleet.places import Fetched

_fetched = Fetched()


@dataclass(frozen=True, slots=True)
class Recording:
    """
    A recording to look at.

    :param place: Path or address.
    :param topics: Image topics; none means all.
    :param every_s: One image in so many seconds of each camera; 0 means all.
    :param segment: Images of one stretch.
    """

    place: str
    topics: tuple[str, ...]
    every_s: float
    segment: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    Images of a recording that one task describes.

    :param number: Place among the stretches of its recording.
    :param names: Topics of the recording that are read.
    :param images: Number of the topic and log time of every image, in the order of reading;
        None means the whole recording, thinned by ``every_s``.
    :param repeated: Images before the first one that look like it by topic and time.
    :param skip: Leave out so many at the beginning: they are done.
    """

    place: str
    number: int
    names: tuple[str, ...]
    every_s: float
    images: tuple[tuple[int, int], ...] | None = None
    repeated: int = 0
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What a recording holds.

    :param names: Its image topics.
    :param start_ns: Log time of its first message.
    :param end_ns: Log time of its last message.
    :param images: How many will be described; None until that is done.
    """

    names: tuple[str, ...]
    start_ns: int
    end_ns: int
    model: ModelInfo
    batch: int
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Described:
    """
    What came of a stretch.

    :param damage: What could not be read.
    :param worker: Host and process that did it.
    """

    images: list[DescribedImage]
    damage: list[str]
    worker: str


@dataclass(frozen=True, slots=True)
class Refused:
    """An error of the recording or the model that another try would not mend."""

    message: str
    hint: str = ''


@dataclass(slots=True)
class _Gathered:
    """Stretches in the making."""

    size: int
    done: list[tuple[int, list[tuple[int, int]]]] = field(default_factory=list)
    images: list[tuple[int, int]] = field(default_factory=list)
    repeated: int = 0
    last: tuple[int, int] | None = None
    same: int = 0

    def add(self, image: tuple[int, int]) -> None:
        self.same = self.same + 1 if image == self.last else 0
        self.last = image
        if not self.images:
            self.repeated = self.same
        self.images.append(image)
        if len(self.images) == self.size:
            self.flush()

    def flush(self) -> None:
        if self.images:
            self.done.append((self.repeated, self.images))
            self.images = []


def plan_recording(recording: Recording, work: Work) -> Plan | Refused:
    """Look at a recording and cut it into stretches."""
    try:
        workers = _open_workers(work)
        with BagReader(_fetched.path(recording.place)) as reader:
            topics = reader.image_topics(recording.topics)
            names = tuple(t.name for t in topics)
            most = sum(t.count for t in topics)
            if recording.every_s:
                most = min(most, len(names) * (int(reader.duration_s / recording.every_s) + 1))
            if not most:
                raise BagError(f'{recording.place} holds no image on {", ".join(names)}')
            return Plan(
                names,
                reader.start_ns,
                reader.end_ns,
                workers.model,
                workers.work.batch,
                tuple(_cut(recording, reader, names, most)),
            )
    except CaptionError as err:
        return Refused(str(err), err.hint)


def describe_stretch(stretch: Stretch, work: Work) -> Described | Refused:
    """Describe the images of a stretch."""
    try:
        workers = _open_workers(work)
        path = _fetched.path(stretch.place)
        with _StretchReader(path, stretch) as reader:
            every_s = stretch.every_s if stretch.images is None else 0.0
            found = workers.describe(reader, stretch.names, every_s, stretch.skip)
            images = [image for segment in found for image in segment]
            damage = [str(d) for d in reader.damage]
        if stretch.images is not None and len(images) != len(stretch.images) - stretch.skip:
            raise BagError(f'{stretch.place} has changed while it was read')
        return Described(images, damage, f'{os.uname().nodename}:{os.getpid()}')
    except CaptionError as err:
        return Refused(str(err), err.hint)


class _StretchReader(BagReader):
    """Gives the messages of one stretch only."""

    def __init__(self, path: os.PathLike[str], stretch: Stretch) -> None:
        super().__init__(os.fspath(path))
        self._stretch = stretch

    def messages(
        self, topics: Collection[str] = (), start_offset_s: float = 0.0
    ) -> Iterator[Message]:
        """Yield the messages of the stretch."""
        wanted = self._stretch.images
        if wanted is None:
            yield from super().messages(topics, start_offset_s)
            return
        number = {name: i for i, name in enumerate(self._stretch.names)}
        earliest_ns = min((time_ns for _, time_ns in wanted), default=0)
        # A hair earlier: an offset in seconds cannot hold every nanosecond.
        offset_s = max(0.0, (earliest_ns - self.start_ns) / 1e9 - 1e-6)
        before, i = self._stretch.repeated, 0
        for message in super().messages(topics, offset_s):
            if i == len(wanted):
                return
            if (number.get(message.topic), message.log_time_ns) == wanted[i]:
                if before:
                    before -= 1
                    continue
                i += 1
                yield message


def _cut(
    recording: Recording, reader: BagReader, names: tuple[str, ...], most: int
) -> Iterator[Stretch]:
    place, every_s = recording.place, recording.every_s
    if most <= recording.segment:
        # Not worth reading it twice.
        yield Stretch(place, 0, names, every_s)
        return
    number = {name: i for i, name in enumerate(names)}
    thinning, gathered = Thinning(every_s), _Gathered(recording.segment)
    for message in reader.messages(names):
        if thinning.keeps(message.topic, message.log_time_ns):
            gathered.add((number[message.topic], message.log_time_ns))
    gathered.flush()
    for k, (repeated, images) in enumerate(gathered.done):
        yield Stretch(place, k, names, every_s, tuple(images), repeated)


@lru_cache(maxsize=1)
def _open_workers(work: Work) -> Workers:
    """Load the model once a process."""
    return Workers(work, 1)
