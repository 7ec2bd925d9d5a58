# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A few rendered phantoms as data of one's own, and settings for runs of seconds."""

from pathlib import Path

from caption_node.datasets.checking import check_data, open_data
from caption_node.training.own.config import OwnConfig
from caption_node.training.own.data import OwnData

SMALL = OwnConfig(height=64, width=64, tokens=20, batch=4, warmup=2, min_count=1, held_out=0.2)


def data_of(labels: Path, config: OwnConfig, work: Path) -> OwnData:
    """Check and scale phantoms."""
    read = open_data(labels, None, config.fields)
    pairs = check_data(read)
    work.mkdir(exist_ok=True)
    return OwnData(config, read.items, pairs, work / 'pictures.npy')
