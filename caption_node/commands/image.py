# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption image``: picture files, folders and globs."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import glob
import os
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from caption_node.batching import describe_all
from caption_node.commands.lines import print_line, say
from caption_node.commands.overlays import open_overlays
from caption_node.commands.progress import Progress
from caption_node.description import ModelInfo, SceneDescription
from caption_node.errors import FrameError, ImageDecodeError
from caption_node.frame import Frame
from caption_node.image_codec import IMAGE_SUFFIXES, read_image
from caption_node.video import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from caption_node.pipeline import CaptionPipeline
    from caption_node.sampling import Wish

_BAG_SUFFIXES = ('.mcap', '.db3', '.bag')


@dataclass(frozen=True, slots=True)
class ImageFile:
    """
    A picture file to describe.

    :param name: What its overlay is called, below the folder of overlays.
    :param problem: Why it cannot be read, if that is known already.
    """

    file: str
    name: str = ''
    camera: str = ''
    problem: str = ''
    stamp_ns: int = 0
    frame_id: str = ''

    def decode(self) -> Frame:
        """
        Read and decode it.

        :raises FrameError: If it cannot be used.
        """
        if self.problem:
            raise ImageDecodeError(self.problem)
        begun = perf_counter()
        try:
            pixels = read_image(Path(self.file))
        except FrameError as err:
            command = _command_for(self.file)
            if command is None:
                raise
            raise ImageDecodeError(f'{err}; for this kind use `caption {command}`') from err
        return Frame(
            pixels,
            camera=self.camera,
            file=self.file,
            decode_ms=(perf_counter() - begun) * 1e3,
        )


class Several:
    """Describes frames with several sentences each."""

    def __init__(self, pipeline: 'CaptionPipeline', wish: 'Wish') -> None:
        self._pipeline, self._wish = pipeline, wish

    @property
    def model(self) -> ModelInfo:
        """Which model speaks."""
        return self._pipeline.model

    def describe(self, frames: Sequence[Frame]) -> list[SceneDescription]:
        """Describe one batch."""
        return [self._pipeline.describe_several(frame, self._wish) for frame in frames]


def run(options: argparse.Namespace) -> int:
    """
    Describe picture files.

    :returns: The exit status.
    """
    sources = list(find_images(options.paths, options.camera))
    overlays = open_overlays(options.overlay, pictures=len(sources))
    from caption_node.pipeline import CaptionPipeline
    from caption_node.sampling import Wish

    wish = Wish(options.samples, options.temperature, options.seed) if options.samples else None
    with (
        CaptionPipeline.open(
            options.model,
            options.backend,
            options.threads,
            None if options.quiet else say,
            options.sentences,
        ) as pipeline,
        overlays,
        Progress(len(sources), options.quiet or len(sources) == 1) as progress,
    ):
        batch = min(options.batch, pipeline.bundle.max_batch)
        describer = Several(pipeline, wish) if wish else pipeline
        for item in describe_all(describer, sources, batch):
            print_line(item.description.to_json())
            progress.advance(item.description.status == 'error')
            overlays.add(item, item.source.name)
    return 1 if progress.failed else 0


def find_images(paths: Sequence[str], camera: str = '') -> Iterator[ImageFile]:
    """
    Find the pictures of a command line, folders sorted and searched whole.

    A path that leads nowhere becomes an entry that says so.
    """
    for text in paths:
        if os.path.isdir(text):
            yield from _search_folder(text, camera)
        elif os.path.lexists(text) or not glob.has_magic(text):
            yield _entry(text, camera)
        else:
            found = sorted(glob.glob(text, recursive=True))
            for path in found:
                if os.path.isdir(path):
                    yield from _search_folder(path, camera)
                else:
                    yield _entry(path, camera)
            if not found:
                yield ImageFile(text, camera=camera, problem=f'{text}: nothing matches')


def _entry(path: str, camera: str) -> ImageFile:
    return ImageFile(path, name=Path(path).stem or 'image', camera=camera)


def _search_folder(folder: str, camera: str) -> Iterator[ImageFile]:
    unreadable: list[OSError] = []
    found = 0
    for place, folders, files in os.walk(folder, onerror=unreadable.append):
        folders.sort()
        folders[:] = [f for f in folders if not f.startswith('.')]
        for file in sorted(files):
            if not file.startswith('.') and file.lower().endswith(IMAGE_SUFFIXES):
                path = os.path.join(place, file)
                name = os.path.splitext(os.path.relpath(path, folder))[0]
                yield ImageFile(path, name=name, camera=camera)
                found += 1
    for err in unreadable:
        place = str(err.filename)
        yield ImageFile(place, camera=camera, problem=f'{place}: {err.strerror or err}')
    if not found and not unreadable:
        problem = f'{folder}: the folder holds no pictures ({", ".join(IMAGE_SUFFIXES)})'
        yield ImageFile(folder, camera=camera, problem=problem)


def _command_for(file: str) -> str | None:
    lower = file.lower()
    if lower.endswith(VIDEO_SUFFIXES):
        return 'video'
    return 'bag' if lower.endswith(_BAG_SUFFIXES) else None
