# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Several descriptions of one frame: what chance adds, and which of its sentences are kept.

The graph has inputs for chance whose default is none, so that whoever does not know them gets
the likeliest sentence. ``noise`` is added to the words' scores before the choice of each word:
Gumbel noise times a temperature draws words as the softmax at that temperature would
(arXiv 1611.01144). A model that learnt a latent has the input ``latent``, too: standard normal
noise there gives another of the ways in which the scene can be told.
One run of the encoder serves all sentences of a run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caption_node.backends.protocol import Backend, Outputs, SamplingBackend
from caption_node.backends.registry import open_backend
from caption_node.bundle import Bundle
from caption_node.closing import Closed
from caption_node.description import Sample
from caption_node.errors import ConfigError
from caption_node.trust import word_confidence
from caption_node.vocabulary import PAD

MOST = 32
"""Most sentences about one frame."""
HOTTEST = 5.0
_ROUNDS = 4
_NOISE, _LATENT = 'noise', 'latent'
_USUAL = {_NOISE: 0.5, _LATENT: 1.0}

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Wish:
    """
    Which sentences are wanted beside the likeliest one.

    :param count: How many different ones at most, 1..32.
    :param temperature: How far they may stray, 0..5: 0 always gives the likeliest, 1 draws words
        as likely as the model holds them. None: what gives readable sentences, 0.5 for words and
        1 for a latent.
    :param seed: The same seed gives the same sentences.
    :raises ConfigError: If one is out of range.
    """

    count: int = 5
    temperature: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST:
            raise ConfigError(f'{self.count} samples of a frame, can be 1..{MOST}')
        if self.temperature is not None and not 0 <= self.temperature <= HOTTEST:
            raise ConfigError(f'a temperature of {self.temperature}, can be 0..{HOTTEST:g}')
        if self.seed < 0:
            raise ConfigError(f'a seed of {self.seed}, can be 0 and up')


def chance(
    sizes: Mapping[str, tuple[int, ...]], wish: Wish, first: int, count: int
) -> dict[str, Floats]:
    """
    Draw the inputs for sentences number ``first`` and on; each depends on its number alone.

    :param sizes: Of the graph's inputs for chance by name, without the axis of the sentences.
    :returns: (count, ...) by name.
    """
    name = _LATENT if _LATENT in sizes else _NOISE
    shape = sizes[name]
    temperature = _USUAL[name] if wish.temperature is None else wish.temperature
    drawn = np.empty((count, *shape), np.float32)
    for k in range(count):
        rng = np.random.default_rng([wish.seed, first + k])
        drawn[k] = rng.standard_normal(shape) if name == _LATENT else rng.gumbel(size=shape)
    return {name: drawn * np.float32(temperature)}


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A sentence with the mean log-probability of its words."""

    sample: Sample
    mean_logp: float


class Sampler(Closed):
    """
    Draws sentences with a backend, or with ONNX Runtime beside it where that one cannot.

    :param threads: CPU threads of that ONNX Runtime; 0 lets it choose.
    """

    def __init__(self, bundle: Bundle, backend: Backend, threads: int = 0) -> None:
        self._bundle, self._backend, self._threads = bundle, backend, threads
        self._own: Backend | None = None

    def draw(
        self,
        image: NDArray[np.uint8],
        wish: Wish,
        doubt: Callable[[str], str],
        supported: Callable[[str], float],
    ) -> tuple[Sample, ...]:
        """
        Return different sentences about a frame, the likeliest first.

        :param image: (1, H, W, 3) letterboxed.
        :param doubt: Says why a sentence cannot be used, or nothing; such ones are left out, so
            there may be fewer than wanted.
        :param supported: Says how likely a sentence is by what else is published, 0..1.
        :raises ConfigError: If the model has no inputs for chance.
        :raises BackendError: If the runtime fails.
        """
        backend = self._sampling()
        sizes = backend.chances
        if not sizes:
            raise ConfigError(
                f'the model {self._bundle.name} gives one description of a frame only: '
                'its graph has no input for chance',
                'export it anew',
            )
        kept: dict[str, _Drawn] = {}
        first = 0
        for _ in range(_ROUNDS):
            outputs = backend.run_samples(image, chance(sizes, wish, first, wish.count))
            first += wish.count
            for sentence in self._read(outputs, doubt, supported):
                kept.setdefault(sentence.sample.caption, sentence)
            if len(kept) >= wish.count or wish.temperature == 0:
                break
        # The first ones drawn, ranked: were the likeliest of all rounds taken, more draws would
        # make the choice more alike.
        chosen = sorted(list(kept.values())[: wish.count], key=lambda drawn: -drawn.mean_logp)
        return tuple(drawn.sample for drawn in chosen)

    def _read(
        self,
        outputs: Outputs,
        doubt: Callable[[str], str],
        supported: Callable[[str], float],
    ) -> list[_Drawn]:
        found = []
        rule = self._bundle.caption_confidence
        for tokens, token_logp in zip(outputs.tokens, outputs.token_logp, strict=True):
            text = self._bundle.vocabulary.decode(tokens.tolist())
            if text and not doubt(text):
                sure = word_confidence(token_logp, tokens, rule, supported(text))
                mean_logp = float(token_logp[tokens != PAD].mean())
                found.append(_Drawn(Sample(text, sure), mean_logp))
        return found

    def _sampling(self) -> SamplingBackend:
        if isinstance(self._backend, SamplingBackend):
            return self._backend
        if self._own is None:
            self._own = open_backend('onnxruntime', self._bundle, self._threads)
        assert isinstance(self._own, SamplingBackend)
        return self._own

    def close(self) -> None:
        """Free the ONNX Runtime beside the backend, if there is one."""
        own, self._own = self._own, None
        if own is not None:
            own.close()
