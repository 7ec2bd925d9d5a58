# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo leaves behind: a bag with images and descriptions, and a video to look at."""

from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from pathlib import Path

from caption_node.bag.reader import BagReader, Message
from caption_node.bag.writer import BagWriter
from caption_node.demo.source import Recording
from caption_node.errors import ConfigError, FrameError
from caption_node.overlay import draw_overlay
from caption_node.ros.listener import Heard
from caption_node.video import VideoWriter

Note = Callable[[str], None]

_SLOWEST_HZ = 2.0
_FASTEST_HZ = 30.0
_KEEP_S = 3.0
"""A description older than this says nothing about the picture any more."""


def write_bag(recording: Recording, heard: Sequence[Heard], path: Path, note: Note) -> None:
    """
    Write images and descriptions, both with the images' stamps, in the order of log time.

    :raises BagError: If the bag cannot be written.
    """
    _remove(path)
    note('writing the bag')
    with BagReader(recording.bag) as reader, BagWriter(path) as writer:
        topics = {t.name: t for t in reader.topics}
        end_ns = reader.start_ns + round(recording.duration_s * 1e9)
        images: Iterator[tuple[int, int, Message | Heard]] = (
            (m.log_time_ns, 0, m)
            for m in reader.messages(list(recording.topics))
            if m.log_time_ns <= end_ns
        )
        for _, _, item in merge(images, _timed(heard), key=lambda entry: entry[:2]):
            if isinstance(item, Heard):
                age_ns = _age_ns(item)
                log_time_ns = item.description.stamp_ns + age_ns
                writer.write_description(
                    item.description, log_time_ns, item.completed_ns, item.age_ms
                )
            else:
                writer.copy(item, topics[item.topic])


def _timed(heard: Sequence[Heard]) -> Iterator[tuple[int, int, Message | Heard]]:
    """Descriptions by the log time that they get, in order."""
    for item in sorted(heard, key=lambda h: h.description.stamp_ns + _age_ns(h)):
        yield item.description.stamp_ns + _age_ns(item), 1, item


def _age_ns(heard: Heard) -> int:
    return round(heard.age_ms * 1e6) if heard.age_ms == heard.age_ms else 0


def write_video(recording: Recording, heard: Sequence[Heard], path: Path, note: Note) -> int:
    """
    Write the busiest camera's images, each with the newest description that belongs to it.

    :returns: Number of frames.
    :raises CaptionError: If the video cannot be written.
    """
    topic = next(iter(recording.topics))
    camera = recording.cameras[topic]
    known = {h.description.stamp_ns: h for h in heard if h.description.camera == camera}
    rate_hz = min(max(recording.rate_hz, _SLOWEST_HZ), _FASTEST_HZ)
    frames = 0
    last: Heard | None = None
    with BagReader(recording.bag) as reader, VideoWriter(path, rate_hz) as video:
        end_ns = reader.start_ns + round(recording.duration_s * 1e9)
        for image in reader.images([topic]):
            if image.log_time_ns > end_ns:
                break
            try:
                pixels = image.decode().pixels_rgb
            except FrameError:
                continue
            last = known.get(image.stamp_ns, last)
            if (
                last is not None
                and abs(image.stamp_ns - last.description.stamp_ns) < _KEEP_S * 1e9
            ):
                pixels = draw_overlay(pixels, last.description, last.age_ms)
            video.write(pixels, image.log_time_ns)
            frames += 1
            note(f'drawing the video: {frames} frames')
    return frames


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as err:
        raise ConfigError(f'{path} cannot be replaced: {err.strerror or err}') from err
