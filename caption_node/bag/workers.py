# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The images of recordings through the model, in this process or in several, in order.

Images are taken in segments of a fixed number of batches. A segment's descriptions depend on its
images alone, not on how many processes there are or where a run was taken up again.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
import json
import multiprocessing
from multiprocessing.connection import wait
import os
import signal
from threading import Thread
from typing import Any, TypeVar

import cv2

from caption_node.backends.device import find_device
from caption_node.bag.captioning import Thinning
from caption_node.bag.images import RecordedImage, read_image_message
from caption_node.bag.reader import BagReader
from caption_node.bag.storage import Message
from caption_node.batching import Described, describe_all
from caption_node.bundle import sha256_of
from caption_node.closing import Closed
from caption_node.description import ModelInfo, SceneDescription
from caption_node.errors import BackendError, BackendUnavailableError, CaptionError
from caption_node.frame import Frame
from caption_node.pipeline import CaptionPipeline

SEGMENT_BATCHES = 8
_THUMBNAIL_QUALITY = 70
_FRAMES_WORTH_A_PROCESS = 64

_T = TypeVar('_T')
Seen = Callable[[Described[RecordedImage]], None]


@dataclass(frozen=True, slots=True)
class Work:
    """
    How images are described.

    :param model: Folder, or name of a shipped model; None is the default model.
    :param backend: ``auto`` or a name in the registry.
    :param threads: CPU threads of one run; 0 lets the runtime choose, or takes one for each
        process where there are several.
    :param batch: Frames per run of the model.
    :param thumbnail_width: Pixels; 0 makes no thumbnails.
    :param sentences: ``model`` or ``rules``, as the pipeline takes it.
    """

    model: str | None = None
    backend: str = 'auto'
    threads: int = 0
    batch: int = 4
    thumbnail_width: int = 0
    sentences: str = 'model'

    def settings(self, names: Collection[str], every_s: float) -> str:
        """Return what decides, beside content and model, what stands in an index."""
        found: list[object] = [sorted(names), every_s, self.batch, self.thumbnail_width > 0]
        if self.sentences != 'model':
            found.append(self.sentences)
        return json.dumps(found)


@dataclass(frozen=True, slots=True)
class DescribedImage:
    """
    What came of one image of a recording.

    :param thumbnail: JPEG; empty if none is wanted or the image cannot be decoded.
    """

    description: SceneDescription
    log_time_ns: int
    thumbnail: bytes = b''


class Workers(Closed):
    """
    The model, loaded once in this process or in every one of several.

    :param work: How images are described.
    :param jobs: Processes; 1 stays in this one.
    :raises CaptionError: If the model cannot be loaded.
    """

    def __init__(self, work: Work, jobs: int = 1) -> None:
        self.jobs = jobs
        self._pipeline: CaptionPipeline | None = None
        self._pool: ProcessPoolExecutor | None = None
        threads = work.threads or (1 if jobs > 1 else 0)
        self.work = replace(work, threads=threads)
        if jobs > 1:
            context = multiprocessing.get_context('spawn')
            self._pool = ProcessPoolExecutor(jobs, context, _begin_process, (self.work,))
            loaded = self._load_everywhere(self._pool)
        else:
            self._pipeline = _open(self.work)
            loaded = _loaded(self._pipeline)
        self.model = loaded.model
        # Thresholds and calibration change what is said, too.
        self.manifest_sha256 = loaded.manifest_sha256
        self.work = replace(self.work, batch=min(work.batch, loaded.max_batch))
        self.segment = SEGMENT_BATCHES * self.work.batch

    def describe(
        self,
        reader: BagReader,
        topics: Collection[str] = (),
        every_s: float = 0.0,
        skip: int = 0,
        seen: Seen | None = None,
    ) -> Iterator[list[DescribedImage]]:
        """
        Yield what came of the images, in order, a segment at a time.

        What cannot be read is in ``reader.damage`` afterwards; what cannot be decoded has a
        description with the status ``error``.

        :param every_s: One image in so many seconds of each camera; 0 means all.
        :param skip: Leave out so many images that an earlier run has done: whole segments.
        :param seen: Called with every frame and its pixels; only with one process.
        :raises BagError: If a topic is not there or does not carry images.
        :raises BackendError: If a process of the pool dies.
        """
        names = [t.name for t in reader.image_topics(topics)]
        thinning = Thinning(every_s)
        messages = reader.messages(names)
        kept = (m for m in messages if thinning.keeps(m.topic, m.log_time_ns))
        wanted = islice(kept, skip, None)
        file = str(reader.path)
        if self._pool is not None:
            yield from self._in_processes(self._pool, wanted, file)
        elif self._pipeline is not None:
            images = (read_image_message(m, file) for m in wanted)
            described = describe_all(self._pipeline, images, self.work.batch)
            done = (_keep(d, self.work.thumbnail_width, seen) for d in described)
            while True:
                self._pipeline.forget()
                if not (segment := list(islice(done, self.segment))):
                    break
                yield segment

    def close(self) -> None:
        """Free the model, end the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._pipeline is not None:
            self._pipeline.close()

    def _load_everywhere(self, pool: ProcessPoolExecutor) -> '_Loaded':
        """Let all processes begin to load the model, and return what the first one found."""
        futures = [pool.submit(_load_here) for _ in range(self.jobs)]
        try:
            return _result(futures[0])
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise

    def _in_processes(
        self, pool: ProcessPoolExecutor, messages: Iterator[Message], file: str
    ) -> Iterator[list[DescribedImage]]:
        waiting: deque[Future[list[DescribedImage] | tuple[str, str]]] = deque()
        try:
            while segment := list(islice(messages, self.segment)):
                waiting.append(pool.submit(_describe_here, segment, file, self.work.batch))
                # One more than there are processes, so that none of them waits for the disk.
                if len(waiting) > self.jobs:
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()


def open_workers(work: Work, jobs: int | None, frames: int) -> Workers:
    """
    Load the model in as many processes as asked, or as many as pay.

    :param jobs: None leaves the choice to :func:`choose_jobs`.
    :param frames: Frames to describe.
    """
    if jobs is None and not _has_gpu():
        # No need to load the model to learn that it will run on the CPU.
        jobs = choose_jobs(None, frames, 'onnxruntime-cpu')
    workers = Workers(work, jobs or 1)
    chosen = choose_jobs(jobs, frames, workers.model.backend)
    if chosen == workers.jobs:
        return workers
    workers.close()
    return Workers(work, chosen)


def choose_jobs(wanted: int | None, frames: int, backend: str) -> int:
    """
    Return how many processes to use: as asked, or one a core where that pays.

    :param wanted: None leaves the choice to this function.
    :param frames: Frames to describe.
    :param backend: Name of the backend, as in ``ModelInfo``.
    """
    if wanted is not None:
        return wanted
    if not backend.endswith('cpu'):
        return 1
    return max(1, min(len(os.sched_getaffinity(0)), frames // _FRAMES_WORTH_A_PROCESS))


def _has_gpu() -> bool:
    try:
        find_device()
    except BackendUnavailableError:
        return False
    return True


def thumbnail(frame: Frame, width: int) -> bytes:
    """Return a frame as a small JPEG."""
    pixels = frame.pixels_rgb
    height = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(
        '.jpg', small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _THUMBNAIL_QUALITY]
    )
    return data.tobytes() if done else b''


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What one needs to know of a model that another process has loaded."""

    model: ModelInfo
    manifest_sha256: str
    max_batch: int


def _loaded(pipeline: CaptionPipeline) -> _Loaded:
    bundle = pipeline.bundle
    return _Loaded(pipeline.model, sha256_of(bundle.path / 'manifest.json'), bundle.max_batch)


def _open(work: Work) -> CaptionPipeline:
    return CaptionPipeline.open(work.model, work.backend, work.threads, sentences=work.sentences)


def _keep(
    item: Described[RecordedImage], thumbnail_width: int, seen: Seen | None = None
) -> DescribedImage:
    if seen is not None:
        seen(item)
    small = b''
    if thumbnail_width and item.frame is not None:
        small = thumbnail(item.frame, thumbnail_width)
    return DescribedImage(item.description, item.source.log_time_ns, small)


def _result(future: 'Future[_T | tuple[str, str]]') -> _T:
    try:
        result = future.result()
    except BrokenProcessPool as err:
        raise BackendError(
            'a process that describes images has died, perhaps for want of memory',
            'run the same command again with fewer --jobs: it goes on where it was',
        ) from err
    if isinstance(result, tuple):
        raise BackendError(*result)
    return result


_process: dict[str, Any] = {}
"""The model of a process of the pool, and how it works."""


def _begin_process(work: Work) -> None:
    _process['work'] = work
    # Ctrl-C goes to all processes of the terminal: the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _pipeline_here() -> CaptionPipeline:
    """Return the model of this process; it is loaded with the first call."""
    if 'pipeline' not in _process:
        cv2.setNumThreads(1)
        _process['pipeline'] = _open(_process['work'])
    pipeline: CaptionPipeline = _process['pipeline']
    return pipeline


def _load_here() -> _Loaded | tuple[str, str]:
    """Load the model in a process of the pool; an error comes back as its two texts."""
    try:
        return _loaded(_pipeline_here())
    except CaptionError as err:
        return str(err), err.hint


def _describe_here(
    messages: Sequence[Message], file: str, batch: int
) -> list[DescribedImage] | tuple[str, str]:
    """Describe one segment in a process of the pool; an error comes back as its two texts."""
    try:
        pipeline = _pipeline_here()
        pipeline.forget()
        images: Iterable[RecordedImage] = (read_image_message(m, file) for m in messages)
        width = _process['work'].thumbnail_width
        return [_keep(d, width) for d in describe_all(pipeline, images, batch, threads=1)]
    except CaptionError as err:
        return str(err), err.hint
