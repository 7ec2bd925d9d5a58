# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption video``: the frames of a video file."""

import argparse
from pathlib import Path

from caption_node.batching import describe_all
from caption_node.commands.lines import print_line, say
from caption_node.commands.overlays import open_overlays
from caption_node.commands.progress import Progress
from caption_node.description import SceneDescription
from caption_node.errors import FrameError
from caption_node.read_ahead import read_ahead
from caption_node.video import VideoReader

_FRAMES_AHEAD = 16


def run(options: argparse.Namespace) -> int:
    """
    Describe a video.

    :returns: The exit status.
    """
    path = Path(options.file)
    try:
        reader = VideoReader(path, options.camera)
    except FrameError as err:
        # A bad file has its own line, like any other; there is only one here.
        print_line(SceneDescription(file=str(path), status='error', error=str(err)).to_json())
        raise
    from caption_node.pipeline import CaptionPipeline

    rate_hz = min(reader.rate_hz, 1 / options.every) if options.every else reader.rate_hz
    total = round(reader.frame_count * rate_hz / reader.rate_hz)
    with (
        reader,
        CaptionPipeline.open(
            options.model,
            options.backend,
            options.threads,
            None if options.quiet else say,
            options.sentences,
        ) as pipeline,
        open_overlays(options.overlay, [options.camera], rate_hz) as overlays,
        Progress(total, options.quiet) as progress,
    ):
        batch = min(options.batch, pipeline.bundle.max_batch)
        frames = read_ahead(reader.frames(options.every), _FRAMES_AHEAD)
        for item in describe_all(pipeline, frames, batch, threads=1):
            print_line(item.description.to_json())
            overlays.add(item, f'frame_{progress.done:06d}')
            progress.advance(item.description.status == 'error')
        for error in reader.damage:
            lost = SceneDescription(
                camera=options.camera,
                file=str(path),
                status='error',
                error=str(error),
                model=pipeline.model,
            )
            print_line(lost.to_json())
            say(f'error: {error}')
            progress.failed += 1
    return 1 if progress.failed else 0
