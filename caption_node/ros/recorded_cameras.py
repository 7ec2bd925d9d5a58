# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a recording the node is to hear, and what it calls their cameras; no ROS."""

from collections.abc import Sequence

from caption_node.bag.images import COMPRESSED_TYPE
from caption_node.bag.storage import Topic
from caption_node.ros.cameras import MAX_CAMERAS, names_from_topics

_COMPRESSED = '/compressed'


def base_topic(topic: str) -> str:
    """Return an image topic as the node wants it named: without what says it is compressed."""
    return topic.removesuffix(_COMPRESSED)


def choose_cameras(topics: Sequence[Topic]) -> dict[str, Topic]:
    """
    Return one topic for each camera, by the camera's name; the busiest cameras if there are many.

    One of a pair of raw and compressed images is enough; compressed ones are smaller.
    """
    busiest = sorted(topics, key=lambda t: -t.count)
    bases = list(dict.fromkeys(base_topic(t.name) for t in busiest))[:MAX_CAMERAS]
    chosen = {}
    for base, name in zip(bases, names_from_topics(bases), strict=True):
        same = [t for t in busiest if base_topic(t.name) == base]
        chosen[name] = max(same, key=lambda t: (t.type == COMPRESSED_TYPE, t.count))
    return chosen
