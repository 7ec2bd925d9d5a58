# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Reconstruction less an adversarial divergence: L = E_q[log p(x | z)] - beta * D(Q(z | x), y).

x is the sentence, z what a reader makes of it, y what was written; Q(z | x) stands for the
sentences that are generated from z. D is what the discriminator sees between them and y, where a
VAE has the divergence between q and the prior. Nothing pulls q to the prior, so the prior follows
q instead: it learns where the reader puts z, and q learns nothing from that.
Sources: Larsen et al. 2016, arXiv 1512.09300; Makhzani et al. 2016, arXiv 1511.05644.
"""

from torch import Tensor

from caption_node.training.config import TrainConfig
from caption_node.training.objectives.discriminator import Discriminator
from caption_node.training.objectives.gan import by_gumbel, judged_loss, schooled
from caption_node.training.objectives.protocol import Describer, Draw, Scenes, Spoken
from caption_node.training.objectives.vae import (
    Variational,
    drawn_from,
    kl_normal,
    mean_length,
    ramp,
)


class AdversarialVariational(Variational):
    """A conditional VAE whose second term is a discriminator's."""

    def __init__(self, config: TrainConfig, model: Describer) -> None:
        super().__init__(config, model)
        words = len(model.decoder.bias)
        self.discriminator = Discriminator(words, model.config.width, model.facts)
        self.parts['discriminator'] = self.discriminator

    def prepare(self, draw: Draw) -> None:
        self.decoder.eval()
        schooled(self.discriminator, self.decoder, draw, self.config)

    def loss(self, batch: Spoken, progress: float) -> tuple[Tensor, dict[str, float]]:
        config, s = self.config, batch.scenes
        q, p = self.posterior(batch), self.latent(s.memory, s.bias)
        z = drawn_from(q)
        words = self.reconstruction(batch, z)
        drawn, logits = self._generated(s, z)
        apart, opinion = by_gumbel(self.discriminator, s, drawn, logits, config.gumbel_temperature)
        follows = kl_normal(q[0].detach(), q[1].detach(), *p).sum(1).mean()
        judged = judged_loss(self.discriminator, batch, drawn)
        beta = config.beta * ramp(progress, config.beta_ramp)
        total = words + beta * apart + follows / mean_length(batch.tokens) + judged
        return total, {
            'words': float(words.detach()),
            'beta': beta,
            'divergence': float(apart.detach()),
            'taken_for_own': opinion,
            'prior': float(follows.detach()),
            'discriminator': float(judged.detach()),
        }

    def _generated(self, scenes: Scenes, z: Tensor) -> tuple[Tensor, Tensor]:
        """Draw a sentence for every z; return it with the logits that it was drawn from."""
        decoder, memory = self.decoder, self.latent.moved(scenes.memory, z)
        decoder.eval()
        drawn = decoder.sample(memory.detach(), scenes.bias, scenes.evidence, 1)
        decoder.train()
        logits = decoder(drawn[:, :-1], memory, scenes.bias)
        return drawn, logits + decoder.shut(drawn[:, :-1], scenes.evidence)
