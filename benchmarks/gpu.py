# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Latency and frames per second on a GPU, every way that is there side by side, with floor and gap.

    python benchmarks/gpu.py [--model DIR] [--seconds S] [--batches 1 4 8]

From pixels in host memory to all outputs in host memory. PyTorch runs the same network with random
weights, which changes no shape: eager, and compiled with CUDA graphs. The floor is what the card
needs at least: the graph's multiplications at the measured FP16 matrix rate, or its weights and
activations at the measured copy rate, whichever is longer. The gap is the median over the floor.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
import platform
import subprocess
import sys
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnx
import onnxruntime

from caption_node.backends.device import find_device
from caption_node.backends.registry import open_backend
from caption_node.bundle import Bundle, find_bundle
from caption_node.errors import BackendError, CaptionError
from caption_node.preprocess import letterbox
from caption_node.scenes import render_scene

WARM_UPS = 20
Run = Callable[[NDArray[np.uint8]], Any]


@dataclass(frozen=True)
class Cost:
    """What one frame takes: floating-point operations, and bytes of weights and activations."""

    operations: float
    weight_bytes: float
    activation_bytes: float

    def floor_ms(self, batch: int, rate: float, bandwidth: float) -> float:
        """Return the least time of a batch, given operations and bytes per second."""
        moved = self.weight_bytes + batch * self.activation_bytes
        return 1e3 * max(batch * self.operations / rate, moved / bandwidth)


def cost(bundle: Bundle) -> Cost:
    """Count convolutions and matrix products of one frame; FP16 takes two bytes a number."""
    model = onnx.load(str(bundle.model_path))
    learned = [n for n in model.graph.node if n.op_type in ('Conv', 'MatMul', 'Gemm')]
    shapes = {i.name: list(i.dims) for i in model.graph.initializer}
    # Sizes behind a reshape are known only when it runs: let it run once and look.
    wanted = {n.output[0] for n in learned} | {n.input[0] for n in learned}
    kept = {o.name for o in model.graph.output}
    model.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(name)
        for name in sorted(wanted - kept - set(shapes) - {'image'})
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider']
    )
    names = [o.name for o in session.get_outputs()]
    image = np.zeros((1, bundle.height, bundle.width, 3), np.uint8)
    shapes |= {
        name: list(value.shape)
        for name, value in zip(names, session.run(names, {'image': image}), strict=True)
    }
    operations = activations = 0.0
    for node in learned:
        out = np.prod(shapes[node.output[0]])
        inner = (
            np.prod(shapes[node.input[1]][1:])
            if node.op_type == 'Conv'
            else shapes[node.input[0]][-1]
        )
        operations += 2 * out * inner
        activations += 2 * out
    weights = 2.0 * sum(np.prod(i.dims) for i in model.graph.initializer if len(i.dims) > 1)
    return Cost(float(operations), float(weights), float(activations))


def ceilings(torch: Any) -> tuple[float, float]:
    """Measure FP16 matrix operations and copied bytes per second of this card."""
    a = torch.randn(8192, 8192, device='cuda', dtype=torch.float16)
    block = torch.empty(1 << 30, device='cuda', dtype=torch.uint8)
    other = torch.empty_like(block)

    def seconds(work: Callable[[], object]) -> float:
        for _ in range(3):
            work()
        torch.cuda.synchronize()
        begun = perf_counter()
        for _ in range(10):
            work()
        torch.cuda.synchronize()
        return (perf_counter() - begun) / 10

    return 2 * 8192**3 / seconds(lambda: a @ a), 2 * (1 << 30) / seconds(
        lambda: other.copy_(block)
    )


def torch_sides(torch: Any, bundle: Bundle) -> dict[str, Run]:
    """Return the same network in PyTorch, eager and compiled."""
    from caption_node.training.model.captioner import Captioner
    from caption_node.training.model.nanodet import NanoDet
    from caption_node.training.model.scene import SceneConfig

    size = SceneConfig(height=bundle.height, width_px=bundle.width)
    model = Captioner(size, bundle.vocabulary, NanoDet()).eval().cuda()

    def side(call: Callable[..., Any]) -> Run:
        def run(images: NDArray[np.uint8]) -> list[Any]:
            with torch.inference_mode():
                pixels = torch.from_numpy(images).cuda(non_blocking=True)
                return [t.cpu() for t in call(pixels)]

        return run

    compiled = torch.compile(model, mode='reduce-overhead', dynamic=False)
    return {'PyTorch eager': side(model), 'torch.compile, CUDA graphs': side(compiled)}


def sides(bundle: Bundle, torch: Any) -> dict[str, Run]:
    """Open every way that works here; say why the others do not."""
    found: dict[str, Run] = {}
    for name, backend, precision in (
        ('TensorRT fp16, ours', 'tensorrt', 'fp16'),
        ('TensorRT fp32, ours', 'tensorrt', 'fp32'),
        ('ONNX Runtime CUDA', 'onnxruntime-cuda', ''),
    ):
        try:
            found[name] = open_backend(backend, bundle, precision=precision, on_remark=print).run
        except BackendError as err:
            print(f'{name}: {err}')
    if torch is not None:
        found |= torch_sides(torch, bundle)
    return found


def measure(run: Run, images: NDArray[np.uint8], seconds: float) -> NDArray[np.float64]:
    """Return latencies in milliseconds."""
    for _ in range(WARM_UPS):
        run(images)
    times, end = [], perf_counter() + seconds
    while perf_counter() < end:
        begun = perf_counter()
        run(images)
        times.append((perf_counter() - begun) * 1e3)
    return np.array(times)


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--model', help='model folder or name')
    parser.add_argument('--seconds', type=float, default=5.0, help='for each row')
    parser.add_argument('--batches', type=int, nargs='+', default=[1, 4, 8])
    options = parser.parse_args()
    try:
        device = find_device()
        bundle = Bundle.load(find_bundle(options.model))
    except CaptionError as err:
        print(f'error: {err}\nhint: {err.hint}', file=sys.stderr)
        return 1
    try:
        import torch

        torch = torch if torch.cuda.is_available() else None
    except ImportError:
        torch = None
    commit = subprocess.run(
        ['git', 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True, check=False
    ).stdout.strip()
    print(f'{device.name} ({device.target}), CUDA {device.driver}, Python '
          f'{platform.python_version()}, model {bundle.sha256[:12]}, commit {commit}')  # fmt: skip
    frame = cost(bundle)
    rate, bandwidth = ceilings(torch) if torch is not None else (float('nan'), float('nan'))
    print(f'{frame.operations / 1e9:.2f} GFLOP a frame; measured {rate / 1e12:.0f} TFLOP/s, '
          f'{bandwidth / 1e12:.2f} TB/s')  # fmt: skip
    pixels = [render_scene(60_000 + i, 640, 360)[0] for i in range(max(options.batches))]
    images = np.stack([letterbox(p, bundle.height, bundle.width)[0] for p in pixels])
    print('| way | batch | p50, ms | p99, ms | frames/s | floor, ms | gap |')
    print('|---|---|---|---|---|---|---|')
    for name, run in sides(bundle, torch).items():
        for batch in options.batches:
            times = measure(run, images[:batch], options.seconds)
            p50, p99 = np.percentile(times, [50, 99])
            floor = frame.floor_ms(batch, rate, bandwidth)
            print(f'| {name} | {batch} | {p50:.3f} | {p99:.3f} | {1e3 * batch / times.mean():.0f} '
                  f'| {floor:.3f} | {p50 / floor:.0f} |')  # fmt: skip
    return 0


if __name__ == '__main__':
    sys.exit(main())
