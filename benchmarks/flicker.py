# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
How much sentences and fields waver from frame to frame, without and with stream.py, in one run.

    python benchmarks/flicker.py [BAG_OR_VIDEO ...] [--seconds S] [--model DIR]

Without a recording: a rendered drive, in which something changes all the time, and one that stands
still under sensor noise, in which nothing does. A change is a sentence, or the value of a field,
that differs from the one of the frame before.
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caption_node.bag.reader import BagReader
from caption_node.description import SceneDescription
from caption_node.frame import Frame
from caption_node.pipeline import CaptionPipeline
from caption_node.scenes import render_scene
from caption_node.scenes.drive import render_drive
from caption_node.stream import SceneStream, StreamSettings
from caption_node.trust import disagreement

NS_PER_S = 1_000_000_000
RATE_HZ = 10.0
Timed = tuple[NDArray[np.uint8], int]


@dataclass(slots=True)
class Counts:
    """Changes of one series of descriptions, and what was wrong in it."""

    frames: int = 0
    sentences: int = 0
    fields: int = 0
    unsupported: int = 0
    last: SceneDescription | None = None
    held_s: list[float] = field(default_factory=list)

    def add(self, said: SceneDescription) -> None:
        """Compare with the frame before."""
        self.frames += 1
        if said.status == 'ok' and disagreement(said.caption, said.scene, said.objects):
            self.unsupported += 1
        if self.last is not None:
            self.sentences += said.caption != self.last.caption
            self.fields += sum(
                found.value != self.last.scene[name].value for name, found in said.scene.items()
            )
        self.last = said


def still_scene(seconds: float) -> Iterator[Timed]:
    """Yield one rendered scene under fresh sensor noise."""
    rgb, _ = render_scene(7, width=1280, height=720)
    rng = np.random.default_rng(7)
    for number in range(int(seconds * RATE_HZ)):
        noise = rng.normal(0.0, 3.0, rgb.shape)
        yield (
            np.clip(rgb + noise, 0, 255).astype(np.uint8),
            int(number / RATE_HZ * NS_PER_S) + 1,
        )


def drive(seconds: float) -> Iterator[Timed]:
    """Yield a rendered drive through all its chapters."""
    for rgb, _, time_ns in render_drive(5, seconds, RATE_HZ):
        yield rgb, time_ns + 1


def recorded(path: Path) -> Iterator[Timed]:
    """Yield the frames of a recording's first camera, or of a video."""
    if path.suffix.lower() in ('.mp4', '.avi', '.mkv', '.mov'):
        import cv2

        capture = cv2.VideoCapture(str(path))
        while (read := capture.read())[0]:
            yield read[1][:, :, ::-1], int(capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6) + 1
        return
    with BagReader(path) as reader:
        topic = max(reader.image_topics(), key=lambda t: t.count).name
        for frame in reader.frames([topic]):
            yield frame.pixels_rgb, frame.stamp_ns


def measure(pipeline: CaptionPipeline, frames: Iterable[Timed]) -> tuple[Counts, Counts, float]:
    """Describe every frame; returns the counts without and with the stream, and the seconds."""
    plain, steady = Counts(), Counts()
    stream = SceneStream('camera', StreamSettings())
    cosines: list[float] = []
    stamps: list[int] = []
    before: NDArray[np.float32] | None = None
    for rgb, stamp_ns in frames:
        frame = Frame(np.ascontiguousarray(rgb), stamp_ns=stamp_ns, camera='camera')
        (said,) = pipeline.describe([frame])
        moment = stream.update(said, stamp_ns / NS_PER_S, frame)
        plain.add(said)
        steady.add(moment.description)
        steady.held_s.append(moment.caption_age_s)
        stamps.append(stamp_ns)
        if before is not None and said.embedding is not None:
            cosines.append(float(before @ said.embedding))
        before = said.embedding
    low, middle, high = np.percentile(cosines, (5, 50, 95))
    print(f'  embeddings of neighbours: cosine p5 {low:.3f}, median {middle:.3f}, p95 {high:.3f}')
    return plain, steady, max(1e-9, (stamps[-1] - stamps[0]) / NS_PER_S)


def report(name: str, pipeline: CaptionPipeline, frames: Iterable[Timed]) -> None:
    """Measure one series and print it."""
    print(name)
    plain, steady, seconds = measure(pipeline, frames)
    for label, counts in (('every frame for itself', plain), ('with stream.py', steady)):
        held = f', oldest sentence {max(counts.held_s):.1f} s' if counts.held_s else ''
        print(
            f'  {label:22s} {counts.frames} frames: {counts.sentences / seconds:5.2f} new '
            f'sentences and {counts.fields / seconds:5.2f} changes of fields a second, '
            f'{counts.unsupported} sentences without evidence{held}'
        )


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('recordings', nargs='*', type=Path)
    parser.add_argument('--seconds', type=float, default=20.0)
    parser.add_argument('--model', help='model folder or name')
    options = parser.parse_args()
    with CaptionPipeline.open(options.model) as pipeline:
        for path in options.recordings:
            report(str(path), pipeline, recorded(path))
        if not options.recordings:
            report('a scene that stands still, with noise', pipeline, still_scene(options.seconds))
            report('a rendered drive', pipeline, drive(options.seconds))


if __name__ == '__main__':
    main()
