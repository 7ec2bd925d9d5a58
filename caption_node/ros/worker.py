# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread that describes: the freshest image of every camera, as one batch."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
import threading
from time import perf_counter
import traceback
from typing import Protocol

from rclpy.node import Node

from caption_node.description import SceneDescription
from caption_node.errors import CaptionError, FrameError, InferenceError
from caption_node.frame import Frame
from caption_node.mailbox import Mailbox, Parcel
from caption_node.pipeline import CaptionPipeline
from caption_node.ros.conversions import Arrival, Passage, frame_from_message, stamp_to_ns
from caption_node.ros.inputs import Message
from caption_node.sampling import Wish

_DECODERS = 4


@dataclass(frozen=True, slots=True)
class Taken:
    """
    An image that was taken up.

    :param taken_ns: When, on the node's clock, nanoseconds.
    :param taken_s: When, on the clock of :func:`time.perf_counter`, seconds.
    """

    camera: str
    arrival: Arrival
    taken_ns: int
    taken_s: float

    def passage(
        self, inferred_ns: int, caption_age_ms: float = 0.0, reused: bool = False
    ) -> Passage:
        """Return when the image passed the stages."""
        return Passage(
            received_ns=self.arrival.received_ns,
            taken_ns=self.taken_ns,
            inferred_ns=inferred_ns,
            queue_ms=(self.taken_s - self.arrival.received_s) * 1e3,
            caption_age_ms=caption_age_ms,
            reused=reused,
        )


@dataclass(frozen=True, slots=True)
class _Question:
    """An image that somebody wants described out of turn."""

    message: Message
    camera: str
    wish: Wish | None
    future: 'Future[SceneDescription]'


class Desk(Protocol):
    """Where descriptions go, and who decides what is wanted; called in the worker's thread."""

    def is_wanted(self) -> bool:
        """Whether anybody wants descriptions now."""
        ...

    def is_late(self, taken: Taken) -> bool:
        """Whether an image is too old to go on with; counts it if so."""
        ...

    def max_pixels(self) -> int:
        """Return how large an image may be."""
        ...

    def now_ns(self) -> int:
        """Return the node's clock, nanoseconds."""
        ...

    def try_reuse(self, taken: Taken, frame: Frame) -> bool:
        """Publish what holds anyway, if nothing has moved in this image; whether it was so."""
        ...

    def publish(
        self, taken: Taken, frame: Frame | None, described: SceneDescription, inferred_ns: int
    ) -> None:
        """Publish a description."""
        ...


class FrameWorker:
    """
    Describes what lies in the mailbox until it is stopped; no frame, however broken, ends it.

    :param node: Whose log and context it uses.
    """

    def __init__(
        self,
        pipeline: CaptionPipeline,
        mailbox: Mailbox[Arrival],
        desk: Desk,
        cameras: int,
        node: Node,
    ) -> None:
        self._pipeline = pipeline
        self._mailbox = mailbox
        self._desk = desk
        self._logger = node.get_logger()
        self._context = node.context
        self._asked: deque[_Question] = deque()
        self._decoders = (
            ThreadPoolExecutor(min(cameras, _DECODERS), thread_name_prefix='decode')
            if cameras > 1
            else None
        )
        self._thread = threading.Thread(target=self._run, name='caption-worker', daemon=True)

    def start(self) -> None:
        """Begin to describe."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """
        Close the mailbox and wait for the batch in hand.

        :returns: Whether the thread has ended.
        """
        self._mailbox.close()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self._decoders is not None:
            self._decoders.shutdown(wait=False, cancel_futures=True)
        while self._asked:
            self._asked.popleft().future.cancel()
        return not self._thread.is_alive()

    def ask(
        self, message: Message, camera: str, wish: Wish | None = None
    ) -> 'Future[SceneDescription]':
        """
        Have one image described before anything that waits; the answer comes in the future.

        :param wish: For several sentences.
        """
        question = _Question(message, camera, wish, Future())
        self._asked.append(question)
        self._mailbox.nudge()
        return question.future

    def _run(self) -> None:
        import cv2

        # One thread scales an image in half a millisecond; waking others for it costs more.
        cv2.setNumThreads(1)
        while not self._mailbox.closed:
            parcels = self._mailbox.take()
            try:
                while self._asked:
                    self._answer(self._asked.popleft())
                if parcels and self._desk.is_wanted():
                    self._describe(parcels)
            except Exception:
                # Publishing fails when the context goes down; anything else is our own fault.
                if self._context.ok() and not self._mailbox.closed:
                    self._logger.error(
                        f'the frame worker failed, and goes on:\n{traceback.format_exc()}',
                        throttle_duration_sec=5.0,
                    )

    def _answer(self, question: '_Question') -> None:
        future = question.future
        if not future.set_running_or_notify_cancel():
            return
        try:
            frame = frame_from_message(question.message, question.camera, self._desk.max_pixels())
            if question.wish is None:
                future.set_result(self._pipeline.describe([frame])[0])
            else:
                future.set_result(self._pipeline.describe_several(frame, question.wish))
        except CaptionError as err:
            future.set_exception(err)
        except Exception as err:
            future.set_exception(InferenceError(f'the image could not be described: {err!r}'))
            raise

    def _describe(self, parcels: Sequence[Parcel[Arrival]]) -> None:
        now_ns, now_s = self._desk.now_ns(), perf_counter()
        timely = [Taken(parcel.camera, parcel.item, now_ns, now_s) for parcel in parcels]
        timely = [taken for taken in timely if not self._desk.is_late(taken)]
        batch: list[tuple[Taken, Frame]] = []
        for taken, frame in zip(timely, self._decode(timely), strict=True):
            if isinstance(frame, CaptionError):
                self._fail(taken, frame)
            elif not self._desk.try_reuse(taken, frame):
                batch.append((taken, frame))
        size = self._pipeline.bundle.max_batch
        for begin in range(0, len(batch), size):
            self._run_batch(batch[begin : begin + size])

    def _decode(self, items: Sequence[Taken]) -> list[Frame | CaptionError]:
        if self._decoders is None or len(items) < 2:
            return [self._decode_one(taken) for taken in items]
        return list(self._decoders.map(self._decode_one, items))

    def _decode_one(self, taken: Taken) -> Frame | CaptionError:
        try:
            return frame_from_message(taken.arrival.message, taken.camera, self._desk.max_pixels())
        except CaptionError as err:
            return err
        except MemoryError:
            return FrameError('not enough memory to decode the image')

    def _run_batch(self, batch: Sequence[tuple[Taken, Frame]]) -> None:
        try:
            described = self._pipeline.describe([frame for _, frame in batch])
        except InferenceError as err:
            if len(batch) == 1:
                self._fail(batch[0][0], err)
            else:
                # One image may have brought the whole batch down: find out which.
                for one in batch:
                    self._run_batch([one])
            return
        inferred_ns = self._desk.now_ns()
        for (taken, frame), description in zip(batch, described, strict=True):
            self._desk.publish(taken, frame, description, inferred_ns)

    def _fail(self, taken: Taken, err: CaptionError) -> None:
        hint = f' (hint: {err.hint})' if err.hint else ''
        self._logger.warning(
            f'camera {taken.camera}: no description of this frame: {err}{hint}',
            throttle_duration_sec=5.0,
        )
        header = taken.arrival.message.header
        description = SceneDescription(
            stamp_ns=stamp_to_ns(header.stamp),
            frame_id=header.frame_id,
            camera=taken.camera,
            status='error',
            error=str(err),
            model=self._pipeline.model,
        )
        self._desk.publish(taken, None, description, self._desk.now_ns())
