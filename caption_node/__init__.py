# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Scene descriptions from camera frames, in real time.

Importing this package needs NumPy alone; everything else is imported where it is used.
"""

from caption_node.description import FieldValue, ModelInfo, SceneDescription, SceneObject
from caption_node.errors import CaptionError
from caption_node.frame import Frame

__version__ = '0.1.0'

__all__ = [
    'CaptionError',
    'FieldValue',
    'Frame',
    'ModelInfo',
    'SceneDescription',
    'SceneObject',
    '__version__',
]
