# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
A procedural renderer of driving scenes with exact ground truth; NumPy and OpenCV only.

:func:`render_scene` draws an independent random scene, :func:`render_drive` a continuous drive.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.scenes.drive import render_drive
from caption_node.scenes.render import render
from caption_node.scenes.sampling import sample_scene
from caption_node.scenes.sentences import sentence
from caption_node.scenes.truth import SceneTruth, TruthObject, truth_of

__all__ = ['SceneTruth', 'TruthObject', 'render_drive', 'render_scene', 'sentence']


def render_scene(
    seed: int, width: int = 1280, height: int = 720, **overrides: Any
) -> tuple[NDArray[np.uint8], SceneTruth]:
    """
    Draw a random scene.

    :param seed: Same seed, size and overrides: same picture and truth, bit for bit.
    :param overrides: See :func:`caption_node.scenes.sampling.sample_scene`.
    :returns: (height, width, 3) uint8 RGB, and what is true of it.
    :raises ConfigError: If an override is not known.
    """
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng, width, height, **overrides)
    picture = render(scene, np.random.default_rng((seed, 1)))
    return picture.pixels_rgb, truth_of(scene, picture.sightings, np.random.default_rng((seed, 2)))
