# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Recordings through an engine into one index, which only this process writes.

The rows of a recording go in in the order of reading, so a run that is killed goes on where the
index ends, whichever engine or command filled it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
import json

from caption_node.bag.index import Index, IndexedBag, IndexedFrame
from caption_node.bag.workers import Work
from caption_node.errors import BagError
from caption_node.fleet.engines import Engine, Task
from caption_node.fleet.places import identify
from caption_node.fleet.tasks import (
    Described,
    Plan,
    Recording,
    Refused,
    Stretch,
    describe_stretch,
    plan_recording,
)

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """
    Which images are described, and in which pieces.

    :param topics: Image topics; none means all.
    :param every_s: One image in so many seconds of each camera; 0 means all.
    :param segment: Images of one task.
    """

    topics: tuple[str, ...] = ()
    every_s: float = 0.5
    segment: int = 1024


@dataclass(slots=True)
class Tally:
    """What a run has done so far."""

    recordings: int = 0
    done: int = 0
    known: int = 0
    failed: int = 0
    images: int = 0
    unreadable: int = 0
    workers: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Open:
    """
    A recording that is being described.

    :param early: Stretches that are done before an earlier one.
    """

    bag: IndexedBag
    left: int
    next: int
    early: dict[int, Described] = field(default_factory=dict)
    is_failed: bool = False


class FleetRun:
    """
    One run over many recordings.

    :param note: Gets a line for everything that goes wrong.
    :param changed: Called whenever the tally has changed.
    """

    def __init__(
        self,
        engine: Engine,
        index: Index,
        work: Work,
        choice: Choice,
        note: Note,
        changed: Callable[[Tally], None],
    ) -> None:
        self.tally = Tally()
        self._engine = engine
        self._index = index
        self._work = work
        self._choice = choice
        self._note = note
        self._changed = changed
        self._ready: deque[Stretch] = deque()
        self._open: dict[str, _Open] = {}
        self._prints: dict[str, str] = {}

    def run(self, places: Sequence[str]) -> Tally:
        """
        Describe recordings until all are done or have failed.

        :raises BagError: If the index cannot be written.
        """
        known = {bag.path: bag for bag in self._index.bags()}
        coming = deque(places)
        self.tally.recordings = len(coming)
        while coming or self._ready or self._engine.running:
            while self._engine.free > 0 and (self._ready or coming):
                # What is begun first: so few recordings are open at once.
                if self._ready:
                    stretch = self._ready.popleft()
                    self._engine.submit(Task(describe_stretch, (stretch, self._work)))
                else:
                    self._begin(coming.popleft(), known)
            if self._engine.running:
                for outcome in self._engine.take():
                    self._settle(outcome.task, outcome.result)
            self._changed(self.tally)
        return self.tally

    def _begin(self, place: str, known: dict[str, IndexedBag]) -> None:
        try:
            self._prints[place] = identify(place)
        except BagError as err:
            self._fail(place, Refused(str(err), err.hint))
            return
        bag = known.get(place)
        if bag is not None and bag.is_complete and self._is_same(bag):
            self.tally.known += 1
            self.tally.done += 1
            return
        choice = self._choice
        recording = Recording(place, choice.topics, choice.every_s, choice.segment)
        self._engine.submit(Task(plan_recording, (recording, self._work)))

    def _is_same(self, bag: IndexedBag) -> bool:
        """Say whether a complete recording of the index is as this run would make it."""
        try:
            names, *rest = json.loads(bag.settings)
        except ValueError:
            return False
        mine = json.loads(self._work.settings([], self._choice.every_s))[1:]
        topics = sorted(self._choice.topics)
        return (
            bag.fingerprint == self._prints[bag.path]
            and rest == mine
            and (not topics or names == topics)
        )

    def _settle(self, task: Task, result: object) -> None:
        place = task.arguments[0].place
        if isinstance(result, Refused):
            self._fail(place, result)
        elif isinstance(result, Plan):
            self._enter(place, result)
        elif isinstance(result, Described):
            self._add(place, task.arguments[0], result)

    def _enter(self, place: str, plan: Plan) -> None:
        bag = IndexedBag(
            place,
            self._prints[place],
            replace(self._work, batch=plan.batch).settings(plan.names, self._choice.every_s),
            plan.start_ns,
            plan.end_ns,
            plan.model,
        )
        done = self._index.begin(bag)
        wanted = []
        for stretch in plan.stretches:
            count = len(stretch.images) if stretch.images is not None else None
            if count is not None and done >= count:
                done -= count
                continue
            wanted.append(replace(stretch, skip=done))
            done = 0
        if not wanted:
            self._finish(place)
            return
        self._open[place] = _Open(bag, len(wanted), wanted[0].number)
        self._ready.extend(wanted)

    def _add(self, place: str, stretch: Stretch, described: Described) -> None:
        recording = self._open[place]
        recording.early[stretch.number] = described
        self.tally.workers.add(described.worker)
        while not recording.is_failed and recording.next in recording.early:
            ready = recording.early.pop(recording.next)
            rows = [IndexedFrame(i.description, i.log_time_ns, i.thumbnail) for i in ready.images]
            if rows:
                self._index.add(place, rows)
            for fault in ready.damage:
                self._note(f'error: {fault}')
            self.tally.images += len(rows)
            bad = sum(i.description.status == 'error' for i in ready.images)
            self.tally.unreadable += bad + len(ready.damage)
            recording.next += 1
        self._close_one(place)

    def _close_one(self, place: str) -> None:
        recording = self._open[place]
        recording.left -= 1
        if recording.left == 0:
            del self._open[place]
            if not recording.is_failed:
                self._finish(place)

    def _finish(self, place: str) -> None:
        self._index.finish(place)
        self.tally.done += 1

    def _fail(self, place: str, refused: Refused) -> None:
        recording = self._open.get(place)
        if recording is None or not recording.is_failed:
            self._note(f'error: {place}: {refused.message}')
            if refused.hint:
                self._note(f'hint: {refused.hint}')
            self.tally.failed += 1
        if recording is not None:
            recording.is_failed = True
            # What is waiting cannot be used without what is missing.
            waiting = [s for s in self._ready if s.place == place]
            self._ready = deque(s for s in self._ready if s.place != place)
            recording.left -= len(waiting)
            self._close_one(place)
