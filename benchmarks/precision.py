# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What FP16 and INT8 change against FP32, and what INT8 gains on this CPU.

    python benchmarks/precision.py [--model DIR] [--frames DIR] [--calibration DIR] [--renders N]

All sides see the same frames in one run. FP16 is emulated: FP32 sums, everything that the FP16
graph keeps in half precision rounded, as tensor cores do it. The bar: words equal in 99 % of
frames, no field changed in more than 0.5 %.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
import json
from pathlib import Path
import shutil
import statistics
import tempfile

import numpy as np
from numpy.typing import NDArray

from caption_node.backends.half_precision import EXACT_DEPTH, to_half
from caption_node.backends.quantization import quantize_bundle
from caption_node.bundle import Bundle, find_bundle, sha256_of
from caption_node.description import SceneDescription
from caption_node.errors import FrameError
from caption_node.frame import Frame
from caption_node.image_codec import IMAGE_SUFFIXES, read_image
from caption_node.pipeline import CaptionPipeline
from caption_node.scenes import render_scene

DATA = Path(__file__).resolve().parents[2] / 'shared' / 'data' / 'frames'


@dataclass
class Side:
    """What one precision has said so far."""

    pipeline: CaptionPipeline
    equal: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    run_ms: list[float] = field(default_factory=list)

    def compare(self, frame: Frame, exact: SceneDescription | None) -> SceneDescription:
        """Describe a frame and count what differs from FP32."""
        (said,) = self.pipeline.describe([frame])
        exact = exact or said
        self.equal += said.caption == exact.caption
        self.changed.update(n for n, v in said.scene.items() if v.value != exact.scene[n].value)
        self.run_ms.append(said.latency_ms['inference'])
        return said


def pictures(folder: Path, limit: int) -> list[Path]:
    """Return the pictures of a folder, evenly spread if there are too many."""
    found = sorted(p for p in folder.rglob('*') if p.suffix.lower() in IMAGE_SUFFIXES)
    return found[:: max(1, len(found) // limit)][:limit] if limit else found


def frames(paths: Sequence[Path], renders: int) -> Iterator[NDArray[np.uint8]]:
    """Yield all frames: pictures, then renders."""
    for path in paths:
        try:
            yield read_image(path)
        except FrameError as err:
            print(f'left out: {err}')
    for seed in range(renders):
        yield render_scene(80_000 + seed, 640, 360)[0]


def variant(bundle: Bundle, folder: Path, model: bytes, precision: str) -> Bundle:
    """Write a model folder like the given one, with another graph."""
    shutil.copytree(bundle.path, folder)
    (folder / 'model.onnx').write_bytes(model)
    file = folder / 'manifest.json'
    manifest = json.loads(file.read_text(encoding='utf-8'))
    manifest['precision'] = precision
    manifest['sha256'] = {name: sha256_of(folder / name) for name in manifest['sha256']}
    file.write_text(json.dumps(manifest), encoding='utf-8')
    return Bundle.load(folder)


def main() -> None:
    """Make all variants, run them side by side, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--model', help='model folder or name')
    parser.add_argument('--frames', type=Path, default=DATA / 'val', help='what is measured on')
    parser.add_argument('--calibration', type=Path, default=DATA / 'train', help='for INT8')
    parser.add_argument('--calibrate-with', type=int, default=100, metavar='N', help='0: no INT8')
    parser.add_argument('--limit', type=int, default=0, help='at most so many pictures')
    parser.add_argument('--renders', type=int, default=200)
    parser.add_argument(
        '--exact-depths', type=int, nargs='+', default=[EXACT_DEPTH], metavar='N',
        help='convolutions in a row that FP16 leaves alone; several to compare',
    )  # fmt: skip
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    bundle = Bundle.load(find_bundle(options.model))
    with tempfile.TemporaryDirectory() as scratch:
        bundles = {'fp32': bundle}
        for depth in options.exact_depths:
            half = to_half(bundle.model_path.read_bytes(), emulate=True, exact_depth=depth)
            folder = Path(scratch) / f'fp16-{depth}'
            name = f'fp16, {depth} convolutions exact (emulated)'
            bundles[name] = variant(bundle, folder, half, 'fp16')
        seen = pictures(options.calibration, options.calibrate_with)
        if seen and options.calibrate_with:
            folder = Path(scratch) / 'int8'
            quantize_bundle(bundle, seen, options.calibrate_with, folder, print)
            bundles['int8 (Q/DQ, CPU)'] = Bundle.load(folder)
        sides = {
            name: Side(CaptionPipeline.open(b.path, 'onnxruntime', options.threads))
            for name, b in bundles.items()
        }
        count = 0
        for pixels in frames(pictures(options.frames, options.limit), options.renders):
            frame, exact = Frame(pixels), None
            for side in sides.values():
                said = side.compare(frame, exact)
                exact = exact or said
            count += 1
    report(bundle, sides, count)


def report(bundle: Bundle, sides: dict[str, Side], count: int) -> None:
    """Print the table."""
    print(f'{bundle.name} {bundle.sha256[:12]}, {count} frames')
    print('| precision | frames with equal words | worst field: frames changed | run, ratio |')
    print('|---|---|---|---|')
    base = statistics.median(sides['fp32'].run_ms)
    for name, side in sides.items():
        worst, times = (side.changed.most_common(1) or [('none', 0)])[0]
        ratio = '' if 'emulated' in name else f'{statistics.median(side.run_ms) / base:.2f}'
        print(f'| {name} | {side.equal / count:.1%} | {worst}: {times / count:.1%} | {ratio} |')


if __name__ == '__main__':
    main()
