# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Images that are lost or dropped between a camera and a description, and what to do about it."""

from rclpy.utilities import get_rmw_implementation_identifier

PERIOD_S = 5.0
WORTH_A_WARNING = 0.1
FEWEST = 5
SEGMENT_BYTES = 512 * 1024
"""What Fast DDS gives a process for all messages under way, if nothing else is said."""


class ShareWatch:
    """Compares two counts, over a few seconds at a time."""

    def __init__(self) -> None:
        self.share = 0.0
        self._from_s = float('-inf')
        self._good = 0
        self._bad = 0

    def update(self, good: int, bad: int, now_s: float) -> bool:
        """
        Look at the counts; call it regularly.

        :param now_s: Any steady clock, seconds.
        :returns: Whether the share of the bad ones has just become worth a warning; ``share`` is 0
            while it is not.
        """
        if now_s - self._from_s < PERIOD_S:
            return False
        came, gone = good - self._good, bad - self._bad
        is_first = self._from_s == float('-inf')
        self._from_s, self._good, self._bad = now_s, good, bad
        before, self.share = self.share, 0.0
        if is_first or gone < FEWEST or gone < WORTH_A_WARNING * (came + gone):
            return False
        self.share = gone / (came + gone)
        return before == 0


class LossWatch:
    """What never came whole; a queue of one image that a newer one replaces is no loss."""

    def __init__(self) -> None:
        self._shares = ShareWatch()

    @property
    def warning(self) -> str:
        """What /diagnostics says now; empty if all is well."""
        share = self._shares.share
        return f'{share:.0%} of the images are lost on the way here' if share else ''

    def update(self, received: int, lost: int, now_s: float, image_bytes: int) -> str:
        """
        Look at the counts; call it regularly.

        :param received: Images that have come so far.
        :param lost: Images that DDS has given up so far.
        :param now_s: Any steady clock, seconds.
        :param image_bytes: Size of the newest image.
        :returns: A line for the log when losses begin; otherwise empty.
        """
        is_news = self._shares.update(received, lost, now_s)
        return f'{self.warning}. {advice(image_bytes)}' if is_news else ''


class LateWatch:
    """What is dropped because it is older than ``max_age_ms``."""

    def __init__(self) -> None:
        self._shares = ShareWatch()

    @property
    def warning(self) -> str:
        """What /diagnostics says now; empty if all is well."""
        share = self._shares.share
        return (
            f'{share:.0%} of the images that were taken are dropped for their age' if share else ''
        )

    def update(self, published: int, late: int, now_s: float, max_age_ms: float) -> str:
        """
        Look at the counts; call it regularly.

        :param published: Descriptions that were ready in time so far.
        :param late: Images that were dropped for their age so far.
        :param now_s: Any steady clock, seconds.
        :returns: A line for the log when it begins; otherwise empty.
        """
        if not self._shares.update(published, late, now_s):
            return ''
        return (
            f'{self.warning}: max_age_ms is {max_age_ms:g}. Raise it, or look in /diagnostics '
            'where the time goes.'
        )


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
