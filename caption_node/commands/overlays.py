# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Where pictures with captions and boxes go: a folder, one picture file, or a video a camera."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
import re

from caption_node.batching import Described, Source
from caption_node.closing import ClosedOrAbandoned
from caption_node.errors import ConfigError
from caption_node.image_codec import IMAGE_SUFFIXES
from caption_node.video import VIDEO_SUFFIXES, VideoWriter

_QUALITY = 92
_SLOWEST_HZ = 0.2
_FASTEST_HZ = 60.0


class Overlays(ClosedOrAbandoned):
    """Takes described frames and writes them as pictures."""

    @abstractmethod
    def add(self, item: Described[Source], name: str) -> None:
        """
        Write one frame; one that could not be decoded is left out.

        :param name: Path of the picture below the folder, without suffix.
        :raises ConfigError: If it cannot be written.
        """

    def close(self) -> None:
        """
        Finish all files.

        :raises ConfigError: If they cannot be written.
        """

    def abandon(self) -> None:
        """Keep what was written so far under temporary names."""


class NoOverlays(Overlays):
    """Writes nothing."""

    def add(self, item: Described[Source], name: str) -> None:
        """See :meth:`Overlays.add`."""


class PictureOverlays(Overlays):
    """
    Writes pictures into a folder, or one picture under a given name.

    :param path: The folder; or the file, if it has the suffix of a picture.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: set[str] = set()

    def add(self, item: Described[Source], name: str) -> None:
        """See :meth:`Overlays.add`."""
        if item.frame is None:
            return
        if self._path.suffix.lower() in IMAGE_SUFFIXES:
            target = self._path
        else:
            target = self._path / f'{self._unused(name)}.jpg'
        _write_picture(target, item)

    def _unused(self, name: str) -> str:
        candidate, number = name, 2
        while candidate in self._names:
            candidate, number = f'{name}_{number}', number + 1
        self._names.add(candidate)
        return candidate


class VideoOverlays(Overlays):
    """
    Writes one video for each camera; with several, their names go into the file names.

    :param path: The video file.
    :param cameras: All cameras that may come.
    :param rate_hz: Frames per second.
    """

    def __init__(self, path: Path, cameras: Sequence[str], rate_hz: float) -> None:
        rate_hz = min(max(rate_hz, _SLOWEST_HZ), _FASTEST_HZ)
        names = {
            c: path if len(cameras) < 2 else path.with_name(f'{path.stem}_{_slug(c)}{path.suffix}')
            for c in cameras
        }
        self._writers = {c: VideoWriter(p, rate_hz) for c, p in names.items()}

    def add(self, item: Described[Source], name: str) -> None:
        """See :meth:`Overlays.add`."""
        if item.frame is not None:
            from caption_node.overlay import draw_overlay

            drawn = draw_overlay(item.frame.pixels_rgb, item.description)
            self._writers[item.source.camera].write(drawn, item.source.stamp_ns)

    def close(self) -> None:
        """See :meth:`Overlays.close`."""
        for writer in self._writers.values():
            writer.close()

    def abandon(self) -> None:
        """Keep what was written so far under temporary names."""
        for writer in self._writers.values():
            writer.abandon()


def open_overlays(
    path: str | None, cameras: Sequence[str] = (), rate_hz: float = 0.0, pictures: int = 0
) -> Overlays:
    """
    Choose by the suffix of the path how overlays are written.

    :param path: As given by the user; None writes none.
    :param cameras: Cameras of a recording or video; none means single pictures.
    :param rate_hz: Frames per second of a video.
    :param pictures: How many pictures are expected; 0 if unknown.
    :raises ConfigError: If a single file was named where several pictures come.
    """
    if path is None:
        return NoOverlays()
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix in VIDEO_SUFFIXES and not target.is_dir():
        if not cameras:
            raise ConfigError(f'--overlay {path}: pictures do not become a video', 'name a folder')
        return VideoOverlays(target, cameras, rate_hz)
    if suffix in IMAGE_SUFFIXES and not target.is_dir() and pictures != 1:
        raise ConfigError(
            f'--overlay {path}: several pictures do not go into one file', 'name a folder'
        )
    return PictureOverlays(target)


def _slug(camera: str) -> str:
    return re.sub(r'\W+', '_', camera).strip('_') or 'camera'


def _write_picture(target: Path, item: Described[Source]) -> None:
    import cv2

    from caption_node.overlay import draw_overlay

    assert item.frame is not None
    drawn = draw_overlay(item.frame.pixels_rgb, item.description)
    is_jpeg = target.suffix.lower() in ('.jpg', '.jpeg')
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if is_jpeg else []
    done, data = cv2.imencode(target.suffix, drawn[:, :, ::-1], options)
    try:
        if not done:
            raise OSError('OpenCV cannot encode it')
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.tobytes())
    except OSError as err:
        raise ConfigError(f'{target} cannot be written: {err.strerror or err}') from err
