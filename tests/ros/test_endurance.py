# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Three minutes of benchmarks/soak.py, or CAPTION_SOAK_S seconds; ``make soak`` runs it long."""

import os

import pytest

from tests.ros.conftest import Start

pytestmark = pytest.mark.ros
SECONDS = float(os.environ.get('CAPTION_SOAK_S', '180'))
SETTLED_S = 900
"""In a shorter run memory still finds its level: bursts of large images outweigh the limit."""


def test_random_faults_under_full_load_break_nothing(start: Start) -> None:
    growth = '2' if SECONDS >= SETTLED_S else '10'
    soak = start('benchmarks/soak.py', '--seconds', str(SECONDS), '--growth', growth)
    status = soak.wait(SECONDS + 150)
    assert status == 0, soak.output
    assert 'nothing is wrong' in soak.output
