# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What stages of training share: a checkpoint to go on from, and weights averaged over steps."""

import os
from pathlib import Path

import torch
from torch import nn

from caption_node.training.progress import log


class Stage:
    """
    A stage that can be stopped and resumed.

    :param name: For the log.
    :param trained: All that learns.
    :param checkpoint: File to go on from.
    :param keep: How much of the average each step leaves, 0..1; the first steps leave less.
    """

    def __init__(
        self,
        name: str,
        trained: nn.Module,
        optimiser: torch.optim.Optimizer,
        checkpoint: Path,
        keep: float,
    ) -> None:
        self.name = name
        self.trained = trained
        self.optimiser = optimiser
        self.checkpoint = checkpoint
        self.keep = keep
        self.average = {k: v.detach().clone() for k, v in trained.state_dict().items()}
        self.step = 0

    def resume(self) -> None:
        """Take up the last checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        device = next(self.trained.parameters()).device
        state = torch.load(self.checkpoint, weights_only=True, map_location=device)
        self.trained.load_state_dict(state['trained'])
        self.average = state['average']
        self.optimiser.load_state_dict(state['optimiser'])
        self.step = int(state['step'])
        log(f'{self.name} resumed at step {self.step}')

    def save(self) -> None:
        """Write a checkpoint beside its name and rename it."""
        scratch = self.checkpoint.with_suffix('.tmp')
        state = {
            'trained': self.trained.state_dict(),
            'average': self.average,
            'optimiser': self.optimiser.state_dict(),
            'step': self.step,
        }
        torch.save(state, scratch)
        os.replace(scratch, self.checkpoint)

    def descend(self, loss: torch.Tensor, longest: float, apart: bool = False) -> None:
        """
        Take one step down a loss, and count and average it in.

        :param longest: Norm that the gradient is cut to.
        :param apart: Whether it is cut for each group of the optimiser by itself.
        """
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        groups = [group['params'] for group in self.optimiser.param_groups]
        for part in groups if apart else [self.trained.parameters()]:
            nn.utils.clip_grad_norm_(part, longest)
        self.optimiser.step()
        keep = min(self.keep, (1 + self.step) / (10 + self.step))
        for name, value in self.trained.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value.detach(), 1 - keep)
        self.step += 1

    def finish(self) -> None:
        """Save, and put the averaged weights in place."""
        self.save()
        self.trained.load_state_dict(self.average)
