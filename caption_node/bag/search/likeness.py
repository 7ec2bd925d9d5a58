# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Which pictures are alike: by 128 bits first, then by the embeddings themselves.

The bits say on which side of 128 planes through the common centre an embedding lies; the share of
bits that differ estimates the angle. So a million rows are looked through in milliseconds without
training anything, and rows can be added at any time.
Paper: Charikar 2002, Similarity estimation techniques from rounding algorithms,
doi:10.1145/509907.509965
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from caption_node.description import SceneDescription

SIGNATURE_BITS = 128
SIGNATURE_WORDS = SIGNATURE_BITS // 64
_STRIDE = 1 << 16


def signatures(embeddings: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.uint64]:
    """
    Return the bits of embeddings.

    :param embeddings: (N, D) of unit length.
    :param centre: (D,), about the mean of the embeddings; the same for all that are compared.
    :returns: (N, 2) words of 64 bits.
    """
    sides = (embeddings - centre) @ _planes(embeddings.shape[1])  # (N, D) @ (D, 128) -> (N, 128)
    packed = np.packbits(sides > 0, axis=1, bitorder='little')
    return np.ascontiguousarray(packed).view('<u8')


def embeddings(said: Sequence[SceneDescription]) -> NDArray[np.float32]:
    """Return (N, D); rows without an embedding are zeros."""
    width = next((len(d.embedding) for d in said if d.embedding is not None), 1)
    vectors = np.zeros((len(said), width), dtype=np.float32)
    for i, d in enumerate(said):
        if d.embedding is not None:
            vectors[i] = d.embedding
    return vectors


def differing_bits(stored: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """
    Count the bits in which rows differ from one signature.

    :param stored: (N, 2).
    :param wanted: (2,).
    :returns: (N,), 0..128.
    """
    counts = np.empty(len(stored), dtype=np.uint8)
    # In strides that fit the processor's cache.
    for start in range(0, len(stored), _STRIDE):
        piece = stored[start : start + _STRIDE]
        bits = np.bitwise_count(piece[:, 0] ^ wanted[0])
        for i in range(1, SIGNATURE_WORDS):
            bits += np.bitwise_count(piece[:, i] ^ wanted[i])
        counts[start : start + _STRIDE] = bits
    return counts


def nearest(counts: NDArray[np.uint8], wanted: int) -> NDArray[np.int64]:
    """
    Return the places of the smallest counts, in their order in the index.

    :param counts: At most 128, or 255 for rows that are out of question.
    :param wanted: How many, a few more where counts are equal.
    """
    histogram = np.bincount(counts, minlength=256)[: SIGNATURE_BITS + 1].cumsum()
    limit = int(np.searchsorted(histogram, min(wanted, int(histogram[-1]))))
    found = np.flatnonzero(counts <= min(limit, SIGNATURE_BITS))
    if len(found) > 2 * wanted:
        # Very many equals: keep all that are nearer, and the first of those at the limit.
        at_limit = found[counts[found] == limit]
        nearer = found[counts[found] < limit]
        found = np.sort(np.concatenate([nearer, at_limit[: wanted - len(nearer)]]))
    return found


@cache
def _planes(dimensions: int) -> NDArray[np.float32]:
    """Planes in all directions, the same on every machine: orthogonal where there is room."""
    rng = np.random.default_rng(20021)
    normal = rng.standard_normal((max(dimensions, SIGNATURE_BITS), SIGNATURE_BITS))
    if dimensions >= SIGNATURE_BITS:
        normal = np.linalg.qr(normal)[0]
    return np.ascontiguousarray(normal[:dimensions], dtype=np.float32)
