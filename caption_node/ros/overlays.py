# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures with their description drawn in, for people who watch: only while somebody does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
import threading
from time import perf_counter
import traceback

import numpy as np
from numpy.typing import NDArray
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.lifecycle import Publisher
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from caption_node.description import SceneDescription
from caption_node.frame import Frame
from caption_node.mailbox import Mailbox
from caption_node.overlay import draw_overlay
from caption_node.preprocess import rescale

_JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is needed to draw one picture."""

    frame: Frame
    description: SceneDescription
    header: Header
    age_ms: float


class OverlayPainter:
    """
    Draws in a thread of its own, newest picture first, so that no description waits for it.

    :param cameras: Names of the cameras.
    :param topic_of: Returns the publisher of a camera's pictures.
    :param width: Returns the width of the pictures, pixels.
    :param rate_hz: Returns how many pictures a second one camera may have.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        topic_of: Callable[[str], Publisher],
        width: Callable[[], int],
        rate_hz: Callable[[], float],
        logger: RcutilsLogger,
    ) -> None:
        self._topic_of = topic_of
        self._width = width
        self._rate_hz = rate_hz
        self._logger = logger
        self._last_s = dict.fromkeys(cameras, 0.0)
        self._mailbox: Mailbox[Sketch] = Mailbox(list(cameras))
        self._thread = threading.Thread(target=self._run, name='overlay-painter', daemon=True)
        self._thread.start()

    def offer(self, sketch: Sketch) -> None:
        """Have a picture drawn if anybody watches this camera, and it is time for the next."""
        camera = sketch.description.camera
        now_s = perf_counter()
        if now_s - self._last_s[camera] < 1.0 / self._rate_hz():
            return
        if self._topic_of(camera).get_subscription_count() == 0:
            return
        self._last_s[camera] = now_s
        self._mailbox.put(camera, sketch)

    def close(self, timeout_s: float = 0.3) -> None:
        """Stop drawing."""
        self._mailbox.close()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._mailbox.closed:
            for parcel in self._mailbox.take():
                try:
                    self._paint(parcel.item)
                except Exception:
                    if not self._mailbox.closed:
                        self._logger.error(
                            f'a picture could not be drawn:\n{traceback.format_exc()}',
                            throttle_duration_sec=5.0,
                        )

    def _paint(self, sketch: Sketch) -> None:
        import cv2

        picture = paint(sketch.frame.pixels_rgb, sketch.description, self._width(), sketch.age_ms)
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        done, data = cv2.imencode('.jpg', picture[:, :, ::-1], quality)
        if done and not self._mailbox.closed:
            message = CompressedImage(header=sketch.header, format='jpeg', data=data.tobytes())
            self._topic_of(sketch.description.camera).publish(message)


def paint(
    pixels_rgb: NDArray[np.uint8], description: SceneDescription, width: int, age_ms: float
) -> NDArray[np.uint8]:
    """
    Draw a description onto its picture, scaled first, so that letters keep their size.

    :param width: Width of the result, pixels.
    :returns: (H, width, 3) uint8 RGB.
    """
    height_px, width_px = pixels_rgb.shape[:2]
    scale = width / width_px
    small = rescale(pixels_rgb, width, max(1, round(height_px * scale)))
    objects = tuple(
        replace(item, box=tuple(float(side) * scale for side in item.box))
        for item in description.objects
    )
    return draw_overlay(small, replace(description, objects=objects), age_ms)
