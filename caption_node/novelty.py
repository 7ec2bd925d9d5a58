# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Whether a picture is one that the model can know anything about.

Two judges, fitted on training frames (:mod:`caption_node.training.fit_trust`) and carried by the
bundle in ``trust.npz``. The first looks at the picture alone: a small network tells roads from
covered lenses, blurred pictures and everything else. The second looks at the embedding: its
Mahalanobis distance to the nearest kind of training frame (arXiv 1807.03888).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from caption_node.errors import BundleError
from caption_node.picture_features import picture_features

KINDS = ('road', 'covered', 'blurred', 'other')
REASONS = {
    'covered': 'the lens is covered or dirty over most of the view',
    'blurred': 'the picture is blurred (out of focus or moved)',
    'other': 'the picture does not show a road as a vehicle sees it',
}
UNLIKE = 'the picture is unlike all that the model was trained on'
CLIP = 6.0
"""Features further from the mean than so many standard deviations tell no more."""
Floats = NDArray[np.float32]
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    BadZipFile,
)


@dataclass(frozen=True)
class PictureJudge:
    """
    One hidden layer over :func:`~caption_node.picture_features.picture_features`.

    :param mean: (F,) of the features.
    :param scale: (F,) their standard deviations.
    :param hidden: (F, H) weights.
    :param hidden_bias: (H,).
    :param out: (H, 4) weights.
    :param out_bias: (4,), in the order of :data:`KINDS`.
    """

    mean: Floats
    scale: Floats
    hidden: Floats
    hidden_bias: Floats
    out: Floats
    out_bias: Floats

    def logits(self, features: Floats) -> Floats:
        """
        Return the logits of :data:`KINDS`.

        :param features: (..., F).
        """
        x = np.clip((features - self.mean) / self.scale, -CLIP, CLIP)
        x = np.maximum(x @ self.hidden + self.hidden_bias, 0)
        return np.asarray(x @ self.out + self.out_bias, dtype=np.float32)


@dataclass(frozen=True)
class EmbeddingJudge:
    """
    Distance to the nearest kind of training frame.

    :param centres: (C, E) mean embedding of each kind.
    :param whiten: (E, E) that makes their common covariance the identity.
    """

    centres: Floats
    whiten: Floats

    def distance(self, embedding: Floats) -> Floats:
        """
        Return the distances to the nearest centre.

        :param embedding: (..., E).
        """
        away = (embedding[..., None, :] - self.centres) @ self.whiten
        nearest = np.sqrt((away**2).mean(axis=-1)).min(axis=-1)
        return np.asarray(nearest, dtype=np.float32)


@dataclass(frozen=True)
class Novelty:
    """
    Both judges with their limits.

    :param picture_limits: (3,) greatest log-odds of each other kind against ``road`` in a picture
        that may be used.
    :param embedding_limit: Greatest distance of such a picture.
    """

    picture: PictureJudge
    embedding: EmbeddingJudge
    picture_limits: Floats
    embedding_limit: float

    @classmethod
    def load(cls, path: Path, limits: Mapping[str, float]) -> 'Novelty':
        """
        Read ``trust.npz``.

        :param limits: ``unlike_covered``, ``unlike_blurred``, ``unlike_other`` and
            ``unlike_embedding``.
        :raises BundleError: If the file cannot be read, or lacks or garbles an array.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                arrays = {name: data[name].astype(np.float32) for name in data.files}
            picture, embedding = (
                {k.removeprefix(part): v for k, v in arrays.items() if k.startswith(part)}
                for part in ('picture_', 'embedding_')
            )
            for part in (picture, embedding):
                part.pop('limit', None)  # as it was fitted; the manifest's is the one that holds
            found = cls(
                PictureJudge(**picture),
                EmbeddingJudge(**embedding),
                np.array([limits[f'unlike_{k}'] for k in KINDS[1:]], dtype=np.float32),
                float(limits['unlike_embedding']),
            )
            found._try(embedding['centres'].shape[1])
        except _UNREADABLE as err:
            raise BundleError(
                f'{path} cannot be used: {err}', 'fit it again, or copy the whole model folder'
            ) from err
        return found

    def _try(self, width: int) -> None:
        """Judge a grey picture: shapes that do not fit together show at load, not in a drive."""
        logits = self.picture.logits(picture_features(np.full((16, 16, 3), 99, np.uint8)))
        if logits.shape != (len(KINDS),):
            raise ValueError(f'{logits.shape[-1]} kinds, not {len(KINDS)}')
        self.embedding.distance(np.zeros(width, dtype=np.float32))

    def fault(self, image: NDArray[np.uint8], embedding: Floats) -> str:
        """
        Say why the model can know nothing of a picture, or return an empty text.

        :param image: (H, W, 3) RGB, scaled to the model's input, without the bars.
        :param embedding: (E,) of the picture.
        """
        logits = self.picture.logits(picture_features(image))
        excess = against_road(logits) - self.picture_limits
        if float(excess.max()) > 0:
            return REASONS[KINDS[1 + int(excess.argmax())]]
        if float(self.embedding.distance(embedding)) > self.embedding_limit:
            return UNLIKE
        return ''


def against_road(logits: Floats) -> Floats:
    """
    Return the log-odds of every other kind against ``road``.

    :param logits: (..., 4).
    :returns: (..., 3).
    """
    return np.asarray(logits[..., 1:] - logits[..., :1], dtype=np.float32)
