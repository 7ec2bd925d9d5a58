# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Images that are lost or dropped are said aloud; the shipped profile mends what DDS loses."""

from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import pytest

from caption_node.ros.losses import PERIOD_S, LateWatch, LossWatch
from tests.ros.conftest import PROFILE, ColourCamera, Listener, Start, node_line
from tests.ros.test_over_time import status_of

pytestmark = pytest.mark.ros


def test_losses_are_said_once_with_what_helps_and_forgotten_when_they_end() -> None:
    watch = LossWatch()
    assert watch.update(100, 50, 0.0, 2_764_800) == ''
    assert watch.update(110, 90, PERIOD_S / 2, 2_764_800) == '', 'too soon'
    said = watch.update(110, 90, PERIOD_S, 2_764_800)
    assert said.startswith('80% of the images are lost')
    assert 'fastdds_large_images.xml' in said
    assert watch.update(120, 130, 2 * PERIOD_S, 2_764_800) == '', 'said before'
    assert watch.warning.startswith('80%')
    assert watch.update(220, 134, 3 * PERIOD_S, 2_764_800) == ''
    assert watch.warning == '', 'four of a hundred and four'


def test_small_images_that_get_lost_are_no_matter_of_shared_memory() -> None:
    watch = LossWatch()
    watch.update(0, 0, 0.0, 50_000)
    said = watch.update(10, 40, PERIOD_S, 50_000)
    assert 'network' in said
    assert 'shared memory' not in said


def test_a_few_late_images_are_no_news() -> None:
    watch = LateWatch()
    watch.update(0, 0, 0.0, 100.0)
    assert watch.update(100, 9, PERIOD_S, 100.0) == ''
    assert watch.update(100, 59, 2 * PERIOD_S, 100.0).startswith('100% of the images')
    assert watch.update(200, 59, 3 * PERIOD_S, 100.0) == ''
    assert watch.warning == ''


def test_an_age_that_no_image_can_keep_is_said_aloud(
    start: Start, listener: Listener, tiny_model: Path
) -> None:
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    camera = ColourCamera(listener)
    node = start(*node_line('-p', f'model:={tiny_model}', '-p', 'max_age_ms:=0.01'))
    assert listener.shown(camera, 'grey', lambda: 'max_age_ms is 0.01' in node.output), node.output

    def warns() -> bool:
        level, values = status_of(diagnostics, 'camera camera')
        return level == DiagnosticStatus.WARN and int(values['late']) > 5

    assert listener.shown(camera, 'grey', warns)


@pytest.mark.parametrize('profile', [False, True], ids=['as it is', 'with the shipped profile'])
def test_large_images_of_another_process(
    start: Start, listener: Listener, tiny_model: Path, profile: bool
) -> None:
    diagnostics = listener.listen('/diagnostics', DiagnosticArray)
    node = start(*node_line('-p', f'model:={tiny_model}', '-p', 'diagnostics_period_s:=0.1'))
    file = str(PROFILE) if profile else ''
    start('-m', 'tests.ros.publish', 'large', 'image', FASTRTPS_DEFAULT_PROFILES_FILE=file)

    def count(key: str) -> int:
        return int(status_of(diagnostics, 'camera camera')[1].get(key, 0))

    if profile:
        assert listener.wait(lambda: count('received') > 60), node.output
        # Whatever was under way while both discovered each other does not count.
        assert count('lost_in_transport') < 5, node.output
        assert 'lost on the way' not in node.output
    else:
        assert listener.wait(lambda: 'lost on the way here' in node.output), node.output
        assert 'fastdds_large_images.xml' in node.output
        assert listener.wait(
            lambda: status_of(diagnostics, 'camera camera')[0] == DiagnosticStatus.WARN
        )
        assert count('lost_in_transport') > 5
