# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""``caption evaluate --judge``: does a trained discriminator take sentences for annotators'?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from caption_node.backends.judge import SentenceJudge
from caption_node.commands.evaluate_files import frame_path
from caption_node.evaluation.frames import LabelledFrame
from caption_node.evaluation.predictions import Prediction
from caption_node.evaluation.tables import Table
from caption_node.preprocess import letterbox

_ROWS = {
    'sentences': 'the sentences measured',
    'annotators': "annotators' sentences",
    'other_frames': "annotators' sentences about other frames",
    'told_apart': 'an own one above another, of all pairs',
}


def judge_frames(
    file: Path,
    folder: Path,
    frames: Mapping[str, Sequence[LabelledFrame]],
    predictions: Mapping[str, Prediction],
    threads: int,
) -> dict[str, dict[str, float]]:
    """
    Return how likely sentences seem to be written about their pictures, by split.

    :param file: The judge.
    :param folder: Of the pictures.
    :returns: Mean probabilities, 0..1: of the sentences measured, of annotators', and of
        annotators' about other frames, which tells whether the judge looks at the picture; and
        how often it holds an own one for likelier than another (area under the curve).
    :raises CaptionError: If the judge or a picture cannot be read.
    """
    judge = SentenceJudge(file, threads)
    return {name: _judge(judge, folder, part, predictions) for name, part in frames.items()}


def _judge(
    judge: SentenceJudge,
    folder: Path,
    frames: Sequence[LabelledFrame],
    predictions: Mapping[str, Prediction],
) -> dict[str, float]:
    from caption_node.image_codec import read_image

    found: dict[str, list[float]] = {n: [] for n in ('sentences', 'annotators', 'other_frames')}
    for k, frame in enumerate(frames):
        image, _ = letterbox(read_image(frame_path(folder, frame.file)), judge.height, judge.width)
        # Another frame's sentence from half-way around: neighbours are often of one drive.
        other = frames[(k + len(frames) // 2) % len(frames)]
        said = [frame.captions[0], other.captions[0]]
        own = predictions.get(frame.id)
        if own is not None and own.caption:
            said.append(own.caption)
        answers = judge.score(np.repeat(image[None], len(said), 0), said)[:, 0]
        found['annotators'].append(float(answers[0]))
        found['other_frames'].append(float(answers[1]))
        # What was not said was not written about the picture.
        found['sentences'].append(float(answers[2]) if len(said) > 2 else 0.0)
    means = {name: round(float(np.mean(values)), 6) for name, values in found.items()}
    right, wrong = np.array(found['annotators'])[:, None], np.array(found['other_frames'])
    above = (right > wrong).mean() + (right == wrong).mean() / 2
    return {**means, 'told_apart': round(float(above), 6)}


def judge_table(judged: Mapping[str, Mapping[str, float]]) -> Table:
    """Show the judge's opinion."""
    rows = tuple(
        (title, *(f'{100 * scores[name]:.0f}%' for scores in judged.values()))
        for name, title in _ROWS.items()
    )
    return Table('Judged as written about the picture', ('', *judged), rows)
