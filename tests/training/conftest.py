# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A small model with random weights, the same in every test."""

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (setup.sh --with-training)')

from caption_node.training.model.captioner import Captioner  # noqa: E402
from caption_node.training.model.detection import SCHEMA_COLUMNS  # noqa: E402
from caption_node.training.model.nanodet import NanoDet  # noqa: E402
from caption_node.training.model.scene import SceneConfig  # noqa: E402
from caption_node.vocabulary import SPECIAL, Vocabulary  # noqa: E402

_TEXT = 'a car pedestrian cyclist signal light red green wet is ahead on the left right , road'
WORDS = _TEXT.split()


@pytest.fixture(scope='session')
def vocabulary() -> Vocabulary:
    return Vocabulary([*SPECIAL, *WORDS])


@pytest.fixture(scope='session')
def captioner(vocabulary: Vocabulary) -> Captioner:
    torch.manual_seed(3)
    config = SceneConfig(
        height=128, width_px=192, boxes=8, width=32, heads=2, feed_forward=48, tokens=12
    )
    model = Captioner(config, vocabulary, NanoDet(len(SCHEMA_COLUMNS)))
    for p in model.decoder.parameters():  # random weights of ordinary size write varied words
        torch.nn.init.normal_(p, std=0.3)
    return model.eval()
