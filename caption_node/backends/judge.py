# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
A judge of sentences: how likely it is that one was written about a picture.

One ONNX file beside a model that learnt adversarially: encoder, discriminator and, in its
metadata, the words that it knows. It judges any sentences, whoever wrote them.
"""

from collections.abc import Sequence
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.errors import BackendUnavailableError, BundleError, InferenceError
from caption_node.vocabulary import EOS, PAD, Vocabulary

ANSWERS = ('own', 'strange', 'made')
"""Written about this picture, written about another, or made up."""


class SentenceJudge:
    """
    A judge in an ONNX Runtime session.

    :param path: The file that training wrote.
    :param threads: CPU threads; 0 lets the runtime choose.
    :raises BackendUnavailableError: If onnxruntime is not installed.
    :raises BundleError: If the file is missing, or is no judge.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        try:
            import onnxruntime
        except ImportError as err:
            raise BackendUnavailableError(
                'onnxruntime is not installed', 'run `pip install onnxruntime`'
            ) from err
        if not path.is_file():
            raise BundleError(
                f'judge {path} does not exist', 'training with objective gan or vae_gan writes one'
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=['CPUExecutionProvider']
            )
            sizes = {i.name: i.shape for i in self._session.get_inputs()}
            self.height, self.width = (int(n) for n in sizes['image'][1:3])
            self.length = int(sizes['tokens'][1])
            words = self._session.get_modelmeta().custom_metadata_map['words']
            self._vocabulary = Vocabulary(json.loads(words))
        except Exception as err:  # the runtime's errors share no public base class
            raise BundleError(f'{path} is not a judge: {err}') from err

    def score(self, images: NDArray[np.uint8], sentences: Sequence[str]) -> NDArray[np.float32]:
        """
        Return the probabilities of :data:`ANSWERS`, (B, 3).

        :param images: (B, H, W, 3) RGB, letterboxed to ``height`` and ``width``.
        :param sentences: One for each picture.
        """
        tokens = np.full((len(sentences), self.length), PAD, np.int64)
        for row, text in zip(tokens, sentences, strict=True):
            ids = [*self._vocabulary.encode(text)[: self.length - 1], EOS]
            row[: len(ids)] = ids
        try:
            (answers,) = self._session.run(['answers'], {'image': images, 'tokens': tokens})
        except Exception as err:  # the runtime's errors share no public base class
            raise InferenceError(f'the judge failed: {err}') from err
        return np.asarray(answers, np.float32)
