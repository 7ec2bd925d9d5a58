# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Images that DDS loses between a camera and the node, and what to do about it."""

from rclpy.utilities import get_rmw_implementation_identifier

PERIOD_S = 5.0
WORTH_A_WARNING = 0.1
FEWEST = 5
SEGMENT_BYTES = 512 * 1024
"""What Fast DDS gives a process for all messages under way, if nothing else is said."""


class LossWatch:
    """
    Compares what has come with what was lost, over a few seconds at a time.

    A queue of one image that a newer one replaces is no loss: only what never came whole counts.
    """

    def __init__(self) -> None:
        self.warning = ''
        self._from_s = float('-inf')
        self._received = 0
        self._lost = 0

    def update(self, received: int, lost: int, now_s: float, image_bytes: int) -> str:
        """
        Look at the counts; call it regularly.

        :param received: Images that have come so far.
        :param lost: Images that DDS has given up so far.
        :param now_s: Any steady clock, seconds.
        :param image_bytes: Size of the newest image.
        :returns: A line for the log when losses begin; otherwise empty.
        """
        if now_s - self._from_s < PERIOD_S:
            return ''
        came, gone = received - self._received, lost - self._lost
        is_first = self._from_s == float('-inf')
        self._from_s, self._received, self._lost = now_s, received, lost
        before, self.warning = self.warning, ''
        if is_first or gone < FEWEST or gone < WORTH_A_WARNING * (came + gone):
            return ''
        self.warning = f'{gone / (came + gone):.0%} of the images are lost on the way here'
        return '' if before else f'{self.warning}. {advice(image_bytes)}'


def advice(image_bytes: int) -> str:
    """Say what helps against losses of images of this size."""
    is_fast_dds = get_rmw_implementation_identifier().startswith('rmw_fastrtps')
    if is_fast_dds and image_bytes > SEGMENT_BYTES // 2:
        return (
            f'Images of {image_bytes / 1e6:.1f} MB do not fit the shared memory of Fast DDS: '
            'start the camera with FASTRTPS_DEFAULT_PROFILES_FILE set to '
            'launch/config/fastdds_large_images.xml of this package, or publish reliably or '
            'compressed.'
        )
    return 'Publish them reliably or compressed, or look for a network that is overloaded.'
