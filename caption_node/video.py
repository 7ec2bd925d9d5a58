# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Video files in, and overlay videos out, through OpenCV."""

from collections.abc import Iterator
from dataclasses import dataclass
import os
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.closing import Closed, ClosedOrAbandoned
from caption_node.errors import ConfigError, FrameError
from caption_node.frame import Frame

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mkv', '.mov', '.webm', '.m4v', '.mpg', '.mpeg', '.ts')
_FALLBACK_RATE_HZ = 25.0
_LOST_SHARE = 0.02
_LOST_FRAMES = 2
_LONGEST_STILL_S = 10.0


def quiet_opencv() -> None:
    """Keep OpenCV and FFmpeg from printing on standard error; call before cv2 is imported."""
    os.environ.setdefault('OPENCV_LOG_LEVEL', 'ERROR')
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """
    One frame of a video.

    :param pixels_rgb: (H, W, 3) uint8.
    :param stamp_ns: Time from the start of the video, nanoseconds.
    :param file: The video file.
    """

    pixels_rgb: NDArray[np.uint8]
    stamp_ns: int
    file: str
    camera: str = ''
    frame_id: str = ''
    decode_ms: float = 0.0

    def decode(self) -> Frame:
        """Return the frame; videos are decoded in order, so that is done already."""
        return Frame(
            self.pixels_rgb,
            stamp_ns=self.stamp_ns,
            camera=self.camera,
            file=self.file,
            decode_ms=self.decode_ms,
        )


class VideoReader(Closed):
    """
    One video file.

    :param path: The file.
    :param camera: Name of the camera, for the descriptions.
    :raises FrameError: If it is missing, empty or not a video.
    """

    def __init__(self, path: Path, camera: str = '') -> None:
        quiet_opencv()
        import cv2

        self.path = path
        self.camera = camera
        self.damage: list[FrameError] = []
        try:
            with path.open('rb') as file:
                if not file.read(1):
                    raise FrameError(f'{path} is empty (0 bytes)')
        except OSError as err:
            raise FrameError(f'{path}: {err.strerror or err}') from err
        # FFmpeg alone: other readers would take the name of a picture for a pattern of names.
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise FrameError(
                f'{path} is not a video, or damaged', 'for pictures use `caption image`'
            )
        rate_hz = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate_hz = rate_hz if 0 < rate_hz < 1000 else _FALLBACK_RATE_HZ
        self.frame_count = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def frames(self, every_s: float = 0.0) -> Iterator[VideoFrame]:
        """
        Yield frames in order; an end that comes too early is noted in :attr:`damage`.

        :param every_s: Yield one frame in so many seconds; 0 means all.
        """
        import cv2

        index, due_s = 0, 0.0
        while True:
            begun = perf_counter()
            if not self._capture.grab():
                break
            # Containers without time stamps report 0 for every frame.
            position_ms = float(self._capture.get(cv2.CAP_PROP_POS_MSEC))
            time_s = position_ms / 1e3 if position_ms > 0 else index / self.rate_hz
            index += 1
            if time_s + 1e-6 < due_s:
                continue
            due_s = due_s + every_s if time_s < due_s + every_s else time_s + every_s
            done, bgr = self._capture.retrieve()
            if not done or bgr is None:
                self.damage.append(FrameError(f'{self.path}: frame {index} cannot be decoded'))
                continue
            yield VideoFrame(
                np.asarray(bgr, dtype=np.uint8)[:, :, ::-1],
                stamp_ns=round(time_s * 1e9),
                file=str(self.path),
                camera=self.camera,
                decode_ms=(perf_counter() - begun) * 1e3,
            )
        self._check_end(index)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _check_end(self, frames: int) -> None:
        missing = self.frame_count - frames
        if frames == 0:
            self.damage.append(FrameError(f'{self.path} holds no frames'))
        elif missing > max(_LOST_FRAMES, _LOST_SHARE * self.frame_count):
            self.damage.append(
                FrameError(f'{self.path} breaks off after {frames} of {self.frame_count} frames')
            )


class VideoWriter(ClosedOrAbandoned):
    """
    Writes an mp4 that keeps the time of the frames' stamps: gaps show the last frame on.

    The file gets its name when it is whole.

    :param path: Where it goes; an old file is replaced.
    :param rate_hz: Frames per second of the video.
    :raises ConfigError: If it cannot be written.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        self.path = path
        self.rate_hz = rate_hz
        self.frame_count = 0
        self._partial = path.with_name(f'{path.stem}.partial{path.suffix}')
        self._writer: Any = None
        self._size = (0, 0)
        self._start_ns: int | None = None
        self._last: NDArray[np.uint8] | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._partial.open('wb').close()
        except OSError as err:
            raise ConfigError(f'{path} cannot be written: {err.strerror or err}') from err

    def write(self, pixels_rgb: NDArray[np.uint8], stamp_ns: int) -> None:
        """
        Add a picture; one of another size than the first is scaled.

        :param stamp_ns: When it was taken; nanoseconds of any clock.
        :raises ConfigError: If the file cannot be written.
        """
        import cv2

        height, width = pixels_rgb.shape[:2]
        if self._writer is None:
            self._open(width, height)
        bgr = np.ascontiguousarray(pixels_rgb[:, :, ::-1])
        if (width, height) != self._size:
            bgr = np.asarray(cv2.resize(bgr, self._size), dtype=np.uint8)
        if self._start_ns is None:
            self._start_ns = stamp_ns
        due = round((stamp_ns - self._start_ns) / 1e9 * self.rate_hz)
        still = min(max(due - self.frame_count, 0), round(_LONGEST_STILL_S * self.rate_hz))
        if due - self.frame_count > still or due < self.frame_count - self.rate_hz:
            # A long gap, or a clock that was set: go on from here.
            self._start_ns = stamp_ns - round((self.frame_count + still) / self.rate_hz * 1e9)
        for _ in range(still):
            self._write(bgr if self._last is None else self._last)
        self._write(bgr)
        self._last = bgr

    def close(self) -> None:
        """
        Finish the file.

        :raises ConfigError: If not all of it could be written.
        """
        if self._writer is None:
            self._partial.unlink(missing_ok=True)
            return
        self._writer.release()
        self._writer = None
        self._check_written()
        self._partial.replace(self.path)

    def abandon(self) -> None:
        """Keep what was written so far, with ``.partial`` in its name."""
        if self._writer is None:
            self._partial.unlink(missing_ok=True)
        else:
            self._writer.release()
            self._writer = None

    def _open(self, width: int, height: int) -> None:
        quiet_opencv()
        import cv2

        # MPEG-4 part 2: every build of OpenCV has it, which H.264 cannot be relied on.
        fourcc = cv2.VideoWriter.fourcc(*'mp4v')
        self._size = (width, height)
        self._writer = cv2.VideoWriter(str(self._partial), fourcc, self.rate_hz, self._size)
        if not self._writer.isOpened():
            raise ConfigError(
                f'{self.path}: OpenCV cannot write this video', 'let its name end in .mp4'
            )

    def _write(self, bgr: NDArray[np.uint8]) -> None:
        assert self._writer is not None
        self._writer.write(bgr)
        self.frame_count += 1

    def _check_written(self) -> None:
        """Read the length back: OpenCV says nothing of a full disk."""
        import cv2

        capture = cv2.VideoCapture(str(self._partial), cv2.CAP_FFMPEG)
        written = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        if written < self.frame_count:
            raise ConfigError(
                f'{self.path}: {written} of {self.frame_count} frames could be written',
                f'is the disk full? what there is lies in {self._partial}',
            )
