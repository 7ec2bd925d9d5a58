# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Every error that this package raises on purpose.

    CaptionError                     root; catch this at a boundary
    ├── ConfigError                  a parameter, option or path is wrong
    ├── FrameError                   one image cannot be used
    │   ├── UnsupportedEncodingError   the pixel encoding cannot become RGB
    │   ├── FrameShapeError            width, height, step and data disagree
    │   └── ImageDecodeError           a compressed image cannot be decoded
    ├── BundleError                  a model folder is incomplete or altered
    ├── BackendError
    │   ├── BackendUnavailableError    a library or a device is missing
    │   ├── EngineError                an engine cannot be built, kept or loaded
    │   │   └── BuildCancelledError      somebody stopped the build
    │   └── InferenceError             the runtime failed on this batch
    └── BagError                     a recording cannot be read or written

Caught at four places only: lifecycle transition, frame worker, parameter callback, command line.
"""


class CaptionError(Exception):
    """
    Root of all errors that the package raises on purpose.

    :param message: What is wrong, naming the thing that is.
    :param hint: What the user can do about it; may be empty.
    """

    def __init__(self, message: str, hint: str = '') -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(CaptionError):
    """Raised when a parameter, an option or a path is not usable."""


class FrameError(CaptionError):
    """Raised when one image cannot be used; the next one may be fine."""


class UnsupportedEncodingError(FrameError):
    """
    Raised when an image's encoding has no conversion to RGB.

    :param encoding: The encoding as the image names it.
    :param supported: The encodings that would work.
    """

    def __init__(self, encoding: str, supported: tuple[str, ...]) -> None:
        super().__init__(
            f'unsupported image encoding {encoding!r}',
            'publish one of ' + ', '.join(supported),
        )
        self.encoding = encoding


class FrameShapeError(FrameError):
    """Raised when width, height, step and the length of the data disagree."""


class ImageDecodeError(FrameError):
    """Raised when a JPEG or PNG is empty, truncated, too large or not an image at all."""


class BundleError(CaptionError):
    """Raised when a model folder lacks a file, was altered, or has an unknown format."""


class BackendError(CaptionError):
    """Raised when an inference backend cannot do its work."""


class BackendUnavailableError(BackendError):
    """Raised when the library or the device that a backend needs is missing."""


class EngineError(BackendError):
    """Raised when an engine cannot be built, written, or loaded on this machine."""


class BuildCancelledError(EngineError):
    """Raised when a build was stopped on purpose; nothing was written."""


class InferenceError(BackendError):
    """Raised when the runtime failed on one batch."""


class BagError(CaptionError):
    """Raised when a recording cannot be read or written."""
