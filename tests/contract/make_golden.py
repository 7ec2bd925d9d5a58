# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Write the golden inputs (renders) and what the shipped model says of them.

    python -m tests.contract.make_golden

Run it after the shipped model has changed, and read the difference before it is committed.
"""

import json
from pathlib import Path

import cv2
import numpy as np

from caption_node.backends.onnx_runtime import OnnxRuntimeBackend
from caption_node.bundle import Bundle
from caption_node.preprocess import letterbox
from caption_node.scenes import render_scene

GOLDEN = Path(__file__).parent / 'golden'
SEEDS = (9001, 9002, 9003, 9004)


def main() -> None:
    """Render, run the model, write."""
    GOLDEN.mkdir(exist_ok=True)
    bundle = Bundle.load(Path(__file__).resolve().parents[2] / 'models' / 'drive_small')
    images = []
    for seed in SEEDS:
        rgb, _ = render_scene(seed, width=640, height=360)
        image, _ = letterbox(rgb, bundle.height, bundle.width)
        # JPEG first: a smaller file, and what is stored is what was decoded once and for all.
        _, jpeg = cv2.imencode('.jpg', image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])
        bgr = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
        cv2.imwrite(str(GOLDEN / f'{seed}.png'), bgr, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        images.append(bgr[:, :, ::-1])
    outputs = OnnxRuntimeBackend(bundle, threads=1).run(np.stack(images))
    expected = {
        'sha256': bundle.sha256,
        'tokens': outputs.tokens.tolist(),
        'box_class': [
            c[s > 0.3].tolist() for c, s in zip(outputs.box_class, outputs.box_score, strict=True)
        ],
        'scene': np.round(outputs.scene.astype(np.float64), 3).tolist(),
    }
    (GOLDEN / 'expected.json').write_text(json.dumps(expected) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
