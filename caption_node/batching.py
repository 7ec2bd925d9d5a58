# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Many frames through the pipeline: decoded ahead in threads, described in batches, order kept.

A frame that cannot be decoded or described becomes a description with the status ``error``; it
never stops the others.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeVar

from caption_node.description import ModelInfo, SceneDescription
from caption_node.errors import CaptionError, FrameError, InferenceError
from caption_node.frame import Frame

DECODE_THREADS = 2


class Source(Protocol):
    """An image that is not decoded yet, and where it comes from."""

    @property
    def file(self) -> str:
        """File or recording."""
        ...

    @property
    def camera(self) -> str:
        """Name of the camera."""
        ...

    @property
    def stamp_ns(self) -> int:
        """Time of exposure, nanoseconds."""
        ...

    @property
    def frame_id(self) -> str:
        """Coordinate frame of the camera."""
        ...

    def decode(self) -> Frame:
        """
        Decode the pixels; called from a worker thread.

        :raises FrameError: If the image cannot be used.
        """
        ...


class Describer(Protocol):
    """What describes a batch of frames: :class:`~caption_node.pipeline.CaptionPipeline`."""

    @property
    def model(self) -> ModelInfo:
        """Which model speaks."""
        ...

    def describe(self, frames: Sequence[Frame]) -> list[SceneDescription]:
        """Describe one batch."""
        ...


SourceT = TypeVar('SourceT', bound=Source)
SourceT_co = TypeVar('SourceT_co', bound=Source, covariant=True)


@dataclass(frozen=True, slots=True)
class Described(Generic[SourceT_co]):
    """
    One source with what came of it.

    :param frame: The decoded frame, None if it could not be decoded.
    """

    source: SourceT_co
    frame: Frame | None
    description: SceneDescription


def describe_all(
    pipeline: Describer,
    sources: Iterable[SourceT],
    batch: int,
    threads: int = DECODE_THREADS,
) -> Iterator[Described[SourceT]]:
    """
    Describe every source, in order.

    :param batch: Frames per run of the model.
    :param threads: Threads that decode ahead of the model.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix='decode')
    try:
        decoded = _decode_ahead(pool, sources, ahead=2 * batch + threads)
        while group := list(islice(decoded, batch)):
            yield from _describe_batch(pipeline, group)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def error_description(source: Source, error: CaptionError, model: ModelInfo) -> SceneDescription:
    """Return the description of a source of which none could be made."""
    return SceneDescription(
        stamp_ns=source.stamp_ns,
        frame_id=source.frame_id,
        camera=source.camera,
        file=source.file,
        status='error',
        error=str(error),
        model=model,
    )


def _decode_ahead(
    pool: ThreadPoolExecutor, sources: Iterable[SourceT], ahead: int
) -> Iterator[tuple[SourceT, Frame | CaptionError]]:
    waiting: deque[tuple[SourceT, Future[Frame | CaptionError]]] = deque()
    for source in sources:
        waiting.append((source, pool.submit(_decode, source)))
        if len(waiting) >= ahead:
            first, future = waiting.popleft()
            yield first, future.result()
    for source, future in waiting:
        yield source, future.result()


def _decode(source: Source) -> Frame | CaptionError:
    try:
        return source.decode()
    except CaptionError as err:
        return err
    except MemoryError:
        return FrameError(f'{source.file}: not enough memory to decode the image')


def _describe_batch(
    pipeline: Describer, group: list[tuple[SourceT, Frame | CaptionError]]
) -> Iterator[Described[SourceT]]:
    frames = [f for _, f in group if isinstance(f, Frame)]
    results = iter(_describe_frames(pipeline, frames))
    for source, frame in group:
        result = next(results) if isinstance(frame, Frame) else frame
        if isinstance(result, CaptionError):
            result = error_description(source, result, pipeline.model)
        yield Described(source, frame if isinstance(frame, Frame) else None, result)


def _describe_frames(
    pipeline: Describer, frames: list[Frame]
) -> Sequence[SceneDescription | CaptionError]:
    if not frames:
        return []
    try:
        return pipeline.describe(frames)
    except InferenceError as err:
        if len(frames) == 1:
            return [err]
        # One frame may have brought the whole batch down: find out which.
        return [d for f in frames for d in _describe_frames(pipeline, [f])]
