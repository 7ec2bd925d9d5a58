# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What a frame costs: stages of the pipeline, and the whole graph beside its detector alone.

    python benchmarks/pipeline.py [--model DIR] [--threads N] [--repeats N]

Both sides of each ratio are measured in turns in one run; the figures are medians.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
import statistics
import tempfile
from time import perf_counter

import onnx
import onnxruntime

from caption_node.bundle import Bundle, find_bundle
from caption_node.frame import Frame
from caption_node.pipeline import CaptionPipeline
from caption_node.preprocess import letterbox
from caption_node.scenes import render_scene


def session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open a graph as the backend does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def medians_ms(sides: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Run all sides in turns and return the median of each in milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for run in sides.values():
        run()
    for _ in range(repeats):
        for name, run in sides.items():
            begun = perf_counter()
            run()
            times[name].append((perf_counter() - begun) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--model', help='model folder or name')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=50)
    options = parser.parse_args()
    bundle = Bundle.load(find_bundle(options.model))
    rgb, _ = render_scene(1, width=1280, height=720)
    image, _ = letterbox(rgb, bundle.height, bundle.width)
    with tempfile.TemporaryDirectory() as scratch:
        part = Path(scratch) / 'detector.onnx'
        names = ['boxes', 'box_class', 'box_score']
        onnx.utils.extract_model(str(bundle.model_path), str(part), ['image'], names)
        detector = session(part, options.threads)
        whole = session(bundle.model_path, options.threads)
        feed = {'image': image[None]}
        graph = medians_ms(
            {
                'encoder and detector': lambda: detector.run(None, feed),
                'whole graph': lambda: whole.run(None, feed),
            },
            options.repeats,
        )
    print(f'batch 1, {options.threads} threads, medians of {options.repeats}')
    for name, value in graph.items():
        ratio = value / graph['encoder and detector']
        print(f'{name:24s} {value:8.2f} ms   {ratio:5.2f} x the detector')
    with CaptionPipeline.open(bundle.path, threads=options.threads) as pipeline:
        frame = Frame(rgb)
        runs = [pipeline.describe([frame])[0].latency_ms for _ in range(options.repeats)]
    for stage in ('preprocess', 'inference', 'postprocess'):
        value = statistics.median(run[stage] for run in runs)
        print(f'stage {stage:18s} {value:8.2f} ms   1280 x 720 source')


if __name__ == '__main__':
    main()
