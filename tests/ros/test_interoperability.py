# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The node's topics are plain DDS: another implementation hears them."""

import pytest

from tests.ros.conftest import START_S, Start, node_line

pytestmark = pytest.mark.ros


def test_another_dds_implementation_hears_the_captions(start: Start) -> None:
    pytest.importorskip('cyclonedds', reason='cyclonedds is not installed: setup.sh --with-dev')
    node = start(*node_line())
    start('-m', 'tests.ros.publish', 'fast', 'image')

    heard = start('-m', 'tests.ros.cyclone_listener', '/caption_node/caption', str(START_S))

    assert heard.wait(START_S + 10) == 0, heard.output + node.output
    assert len(heard.output.split()) >= 3
