# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Variational learning: many sentences are true of a scene, and a latent says which one.

A reader sees scene and sentence and gives q(z | scene, sentence); the scene alone gives
p(z | scene). The bound on the likelihood is log p(sentence | scene, z) less the divergence of
the two. Decoders like to ignore z: free bits, a divergence that comes to count slowly, and hidden
words keep it in use; :func:`active_units` shows whether they do.
Sources: Kingma and Welling 2014, arXiv 1312.6114; Wang et al. 2017, arXiv 1711.07068; free bits,
arXiv 1606.04934; hidden words, Bowman et al. 2016, arXiv 1511.06349.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caption_node.training.config import TrainConfig
from caption_node.training.model.latent import Latent, pooled
from caption_node.training.objectives.discriminator import as_written
from caption_node.training.objectives.gan import repeated
from caption_node.training.objectives.mle import Likelihood, word_loss
from caption_node.training.objectives.protocol import Describer, Scenes, Spoken
from caption_node.vocabulary import BOS, PAD, UNK

_ACTIVE = 0.01
_SIZE = 128

Gaussian = tuple[Tensor, Tensor]
"""Mean and log-variance, (B, Z) each."""


class Reader(nn.Module):
    """
    q(z | scene, sentence).

    :param words: V, size of the vocabulary.
    :param width: D, channels of the memory.
    :param latent: Z.
    """

    def __init__(self, words: int, width: int, latent: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, _SIZE)
        self.run = nn.Conv1d(_SIZE, _SIZE, 3, padding=1)
        self.scene = nn.Linear(width, _SIZE)
        self.hidden = nn.Linear(2 * _SIZE, _SIZE)
        self.out = nn.Linear(_SIZE, 2 * latent)
        with torch.no_grad():
            self.out.bias[latent:] = -1.0  # narrow at first, so that z tells something

    def forward(self, tokens: Tensor, memory: Tensor, scene_bias: Tensor) -> Gaussian:
        """
        Read sentences about their scenes.

        :param tokens: (B, N) int64 from BOS on, PAD behind the end.
        """
        said = (tokens > UNK).float()[:, :, None]
        x = self.words(tokens) * said
        x = (x + F.relu(self.run(x.transpose(1, 2)).transpose(1, 2))) * said
        read = x.sum(1) / said.sum(1).clamp(min=1)
        both = torch.cat([read, F.relu(self.scene(pooled(memory, scene_bias)))], 1)
        mean, spread = self.out(F.relu(self.hidden(both))).chunk(2, 1)
        return mean, spread.clamp(-6.0, 2.0)


class Variational(Likelihood):
    """A conditional VAE over sentences."""

    def __init__(self, config: TrainConfig, model: Describer) -> None:
        super().__init__(config, model)
        self.latent = latent_of(model)
        self.reader = Reader(len(model.decoder.bias), model.config.width, self.latent.size)
        self.parts['latent'] = self.latent
        self.parts['reader'] = self.reader

    def loss(self, batch: Spoken, progress: float) -> tuple[Tensor, dict[str, float]]:
        q, p = self.posterior(batch), self.latent(batch.scenes.memory, batch.scenes.bias)
        words = self.reconstruction(batch, drawn_from(q))
        nats = kl_normal(*q, *p)  # (B, Z)
        config = self.config
        weight = ramp(progress - config.kl_start, config.kl_ramp)
        counted = free_nats(nats, config.free_bits) * weight
        total = words + counted / mean_length(batch.tokens)
        figures = {'words': float(words.detach()), 'kl_nats': float(nats.detach().sum(1).mean())}
        return total, figures

    def posterior(self, batch: Spoken) -> Gaussian:
        """Return q(z | scene, sentence) of a batch."""
        q: Gaussian = self.reader(batch.tokens, batch.scenes.memory, batch.scenes.bias)
        return q

    def reconstruction(self, batch: Spoken, z: Tensor) -> Tensor:
        """Return the mean loss of a word given z, some words before it hidden."""
        s = batch.scenes
        inputs = hidden_words(batch.tokens[:, :-1], self.config.word_drop)
        logits = self.decoder(inputs, self.latent.moved(s.memory, z), s.bias)
        return word_loss(logits, batch.tokens[:, 1:], self.config.label_smoothing)

    @torch.no_grad()
    def sample(self, scenes: Scenes, sentences: int, temperature: float) -> Tensor:
        """Draw z from the prior, as wide as the temperature; the words are the likeliest ones."""
        many = repeated(scenes, sentences)
        noise = torch.randn(len(many.memory), self.latent.size).to(many.memory) * temperature
        memory = self.latent.told(many.memory, many.bias, noise)
        return as_written(self.decoder.greedy(memory, many.bias, many.evidence)[0])

    def greedy(self, scenes: Scenes) -> Tensor:
        s = scenes
        return self.decoder.greedy(self.latent.told(s.memory, s.bias), s.bias, s.evidence)[0]


def latent_of(model: Describer) -> Latent:
    """
    Return the model's latent.

    :raises ValueError: If it was made without one; :func:`with_latent` gives it one.
    """
    if model.latent is None:
        raise ValueError('the captioner has no latent')
    return model.latent


def drawn_from(q: Gaussian) -> Tensor:
    """Draw z so that the gradient reaches mean and spread."""
    mean, spread = q
    return mean + torch.exp(spread / 2) * torch.randn_like(mean)


def kl_normal(mean: Tensor, spread: Tensor, prior_mean: Tensor, prior_spread: Tensor) -> Tensor:
    """
    Return KL(q || p) of Gaussians with diagonal covariance, dimension by dimension, in nats.

    :param spread: Logarithm of the variance; ``prior_spread`` alike.
    """
    apart = (mean - prior_mean) ** 2 * torch.exp(-prior_spread)
    return (prior_spread - spread + torch.exp(spread - prior_spread) + apart - 1) / 2


def free_nats(nats: Tensor, free: float) -> Tensor:
    """
    Return what counts of a divergence: what a dimension costs beyond its free nats.

    :param nats: (B, Z).
    :returns: Summed over the dimensions, whose means over the batch are held against ``free``.
    """
    return nats.mean(0).clamp(min=free).sum()


def ramp(progress: float, share: float) -> float:
    """Rise from 0 to 1 over a share of the run, from a progress of 0 on."""
    return min(1.0, max(0.0, progress) / share) if share > 0 else float(progress >= 0)


def hidden_words(inputs: Tensor, share: float) -> Tensor:
    """
    Replace a share of the words that are read by the unknown one; BOS and PAD stay.

    Every other sentence stays whole: what is written later is read whole, too.
    """
    lost = torch.rand(inputs.shape, device=inputs.device) < share
    lost[1::2] = False
    return torch.where(lost & (inputs != BOS) & (inputs != PAD), UNK, inputs)


def mean_length(tokens: Tensor) -> Tensor:
    """Return how many words and end marks a sentence of the batch has on average."""
    return (tokens[:, 1:] != PAD).sum(1).float().mean().clamp(min=1)


def active_units(means: Tensor, prior_means: Tensor) -> int:
    """
    Count the dimensions of z that tell sentences about like scenes apart.

    Source: Burda et al. 2016, arXiv 1509.00519: the mean of q varies by more than 0.01; here
    beyond what the scene alone gives, since z has to say what the scene does not.

    :param means: (N, Z) of q; ``prior_means`` of p alike.
    """
    return int(((means - prior_means).var(0) > _ACTIVE).sum())
