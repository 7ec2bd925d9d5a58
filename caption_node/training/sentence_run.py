# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Second stage: the decoder learns to write while encoder and scene encoder stand still.

Four phases: synthetic layouts with the grammar's sentences; annotators' sentences about frames;
both mixed, a frame's target being at times a sentence that would do as well; and self-critical
training on what sentences are worth. Killed at any point, the same run goes on where it was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import math
import os

import numpy as np
import torch
from torch import Tensor, nn

from caption_node.evaluation.cider import CiderD
from caption_node.scenes.sentences import sentence as grammar_sentence
from caption_node.training.config import TrainConfig
from caption_node.training.data import Batches
from caption_node.training.layouts import Bank, Layout
from caption_node.training.memory import digest_of, remember
from caption_node.training.model.captioner import Captioner
from caption_node.training.objectives.mle import word_loss
from caption_node.training.objectives.self_critical import advantages, policy_loss
from caption_node.training.permitted import clause_marks, permitted
from caption_node.training.render_store import RENDER_SOURCE
from caption_node.training.rewards import Judge
from caption_node.vocabulary import BOS, EOS, PAD, Vocabulary

Tell = Callable[[str, int, Mapping[str, float]], None]
PHASES = ('layouts', 'written', 'mixed', 'rewarded')
_WARMUP = 60
_SAVE_EVERY = 200
_TELL_EVERY = 20
_GAIN = 3.0
"""Brings rewards, which differ by tenths, to the size of the likelihood."""
_LAYOUT_SEED, _WORD_SEED = 11, 13


@dataclass
class Examples:
    """
    Scenes with what was said of them.

    :param tokens: (B, T + 1) int64.
    :param ours: (B,) 1 where the grammar wrote the sentence.
    """

    memory: Tensor
    bias: Tensor
    evidence: Tensor
    tokens: Tensor
    ours: Tensor


class SentenceRun:
    """
    The second stage of a run; can be stopped and resumed.

    :param batches: The cached samples; ``batches.indices`` are those that train.
    :param tell: Takes phase, step and figures now and then.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: Captioner,
        vocabulary: Vocabulary,
        batches: Batches,
        tell: Tell,
    ) -> None:
        self.config, self.model, self.vocabulary, self.tell = config, model, vocabulary, tell
        self.decoder = model.decoder
        self.device = next(model.decoder.parameters()).device
        self.marks = clause_marks(vocabulary).to(self.device)
        self.info = batches.cache.info
        self.memories = remember(model, batches.cache, config.work / 'memories')
        used = np.asarray(batches.indices)
        spoken = np.array([bool(self.info[i]['caption']) for i in used])
        render = np.array([self.info[i]['source'] == RENDER_SOURCE for i in used])
        self.written, self.rendered = used[spoken & ~render], used[spoken & render]
        frames = {self.info[i]['id']: self.info[i] for i in self.written[::-1]}
        self.judge = Judge(
            list(frames.values()),
            config.reward_neighbours,
            config.reward_own,
            config.claim_penalty,
            config.form_penalty,
        )
        self.layouts: list[Layout] = []
        self.made = self.memories
        if config.sentence_layouts:
            self._make_layouts(batches)
        self.steps = [
            config.layout_steps if self.layouts else 0,
            config.written_steps,
            config.mixed_steps,
            config.reward_steps,
        ]
        self.step = 0
        self.optimiser = self._optimiser()
        self.average = {k: v.detach().clone() for k, v in self.decoder.state_dict().items()}
        self.checkpoint = config.work / 'sentences.pt'

    def _optimiser(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.decoder.parameters(), lr=1e-3, weight_decay=self.config.weight_decay
        )

    def _make_layouts(self, batches: Batches) -> None:
        config = self.config
        plain: dict[str, int] = {}
        for i in self.written:
            plain.setdefault(self.info[i]['id'], int(i))
        bank = Bank(batches.cache, list(plain.values()))
        rng = np.random.default_rng([config.seed, _LAYOUT_SEED])
        width_px = self.model.config.width_px
        self.layouts = [bank.draw(rng, width_px) for _ in range(config.sentence_layouts)]
        self.made = bank.encode(self.model, self.layouts)

    # Examples -------------------------------------------------------------------------------

    def encode(self, sentences: Sequence[str]) -> Tensor:
        """Return (B, T + 1) int64; a sentence that is too long has no end."""
        length = self.decoder.length
        tokens = torch.full((len(sentences), length + 1), PAD, dtype=torch.int64)
        for row, text in zip(tokens, sentences, strict=True):
            ids = [BOS, *self.vocabulary.encode(text), EOS][: length + 1]
            row[: len(ids)] = torch.tensor(ids)
        return tokens

    def frames(self, chosen: Sequence[int], said: Sequence[str], ours: float) -> Examples:
        """Return cached samples with sentences, with tokens hidden and noise added."""
        memory, bias, evidence = self.memories.take(chosen, self.device)
        if self.decoder.training:
            lost = torch.rand_like(bias) < self.config.memory_drop
            bias = bias.masked_fill(lost, -1e4)
            memory = memory + torch.randn_like(memory) * self.config.memory_noise
        tokens = self.encode(said).to(self.device)
        return Examples(memory, bias, evidence, tokens, torch.full_like(evidence[:, 0], ours))

    def invented(self, count: int, rng: np.random.Generator) -> Examples:
        """Return synthetic layouts with sentences of the grammar."""
        chosen = rng.choice(len(self.layouts), count)
        said = [
            grammar_sentence(self.layouts[k].fields, self.layouts[k].objects, rng) for k in chosen
        ]
        memory, bias, evidence = self.made.take(chosen.tolist(), self.device)
        tokens = self.encode(said).to(self.device)
        return Examples(memory, bias, evidence, tokens, torch.ones_like(evidence[:, 0]))

    def real(self, count: int, rng: np.random.Generator, consensus: float) -> Examples:
        """
        Return frames with annotators' sentences.

        :param consensus: Share of frames whose target may be a sentence about a like frame.
        """
        chosen = rng.choice(self.written, count).tolist()
        said = []
        for i in chosen:
            row = self.info[i]
            text = row['caption']
            if rng.random() < consensus:
                texts, share = self.judge.consensus(row, self.config.consensus_warmth)
                text = texts[int(rng.choice(len(texts), p=share))]
            said.append(text)
        return self.frames(chosen, said, 0.0)

    def renders(self, count: int, rng: np.random.Generator) -> Examples:
        """Return rendered scenes with the grammar's sentences."""
        chosen = rng.choice(self.rendered, count).tolist()
        return self.frames(chosen, [self.info[i]['caption'] for i in chosen], 1.0)

    def draw(self, phase: str, rng: np.random.Generator) -> list[Examples]:
        """Draw what one step of a likelihood phase learns from."""
        size = self.config.sentence_batch
        if phase == 'layouts':
            return [self.invented(size, rng)]
        if phase == 'written':
            return [self.real(size, rng, 0.0)]
        parts = []
        if self.layouts:
            parts.append(self.invented(size // 8, rng))
        if len(self.rendered):
            parts.append(self.renders(size // 8, rng))
        rest = size - sum(len(p.tokens) for p in parts)
        return [*parts, self.real(rest, rng, self.config.consensus_share)]

    # Steps ----------------------------------------------------------------------------------

    def likelihood(self, parts: Sequence[Examples]) -> Tensor:
        """Return the teacher-forced loss over some examples."""
        total = torch.zeros((), device=self.device)
        count = sum(len(p.tokens) for p in parts)
        for p in parts:
            before, following = p.tokens[:, :-1], p.tokens[:, 1:]
            with torch.no_grad():
                shut = self.decoder.shut(before, p.evidence)
                following = permitted(following, shut, self.marks)
            logits = self.decoder(before, p.memory, p.bias, p.ours)
            loss = word_loss(logits, following, self.config.label_smoothing)
            total = total + loss * len(p.tokens) / count
        return total

    def rewarded(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the self-critical loss with a share of likelihood, and figures."""
        config, decoder = self.config, self.decoder
        chosen = rng.choice(self.written, config.reward_batch).tolist()
        rows = [self.info[i] for i in chosen]
        x = self.frames(chosen, [row['caption'] for row in rows], 0.0)
        samples = config.reward_samples
        decoder.eval()
        drawn = decoder.sample(x.memory, x.bias, x.evidence, samples)
        decoder.train()
        texts = [self.vocabulary.decode(t) for t in drawn[:, 1:].tolist()]
        rewards = torch.tensor(
            [self.judge.reward(text, rows[k // samples]) for k, text in enumerate(texts)]
        ).reshape(-1, samples)
        logits = decoder(drawn[:, :-1], x.memory, x.bias)
        logits = logits + decoder.shut(drawn[:, :-1], x.evidence.repeat_interleave(samples, 0))
        policy = policy_loss(logits, drawn, advantages(rewards).to(self.device) * _GAIN)
        words = self.likelihood([x])
        figures = {'reward': float(rewards.mean()), 'words': float(words.detach())}
        return policy + config.reward_keep * words, figures

    def phase(self) -> tuple[str, float]:
        """Return the phase of the next step and how far the run is in its schedule, 0..1."""
        done = self.step
        for name, steps in zip(PHASES, self.steps, strict=True):
            if done < steps:
                if name == 'rewarded':
                    return name, done / steps
                return name, self.step / max(1, sum(self.steps[:3]))
            done -= steps
        return '', 1.0

    def learning_rate(self, phase: str, progress: float) -> float:
        """Warm up, then fall as a half cosine; once for likelihood, once for rewards."""
        first = sum(self.steps[:3]) if phase == 'rewarded' else 0
        peak = self.config.reward_rate if phase == 'rewarded' else self.config.sentence_rate
        warm = min(1.0, (self.step - first + 1) / _WARMUP)
        return peak * warm * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * progress)))

    def take_step(self, phase: str, progress: float) -> dict[str, float]:
        """Take one step and return its figures."""
        # A generator per step: a resumed run draws what an uninterrupted one would.
        rng = np.random.default_rng([self.config.seed, _WORD_SEED, self.step])
        torch.manual_seed(self.config.seed * 1_000_003 + self.step)
        self.decoder.train()
        for group in self.optimiser.param_groups:
            group['lr'] = self.learning_rate(phase, progress)
        if phase == 'rewarded':
            loss, figures = self.rewarded(rng)
        else:
            loss = self.likelihood(self.draw(phase, rng))
            figures = {'words': float(loss.detach())}
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        keep = min(0.99, (1 + self.step) / (10 + self.step))
        for name, value in self.decoder.state_dict().items():
            self.average[name].lerp_(value.detach(), 1 - keep)
        return figures

    def train(self, held_out: Sequence[int]) -> None:
        """Take all steps that remain; then put the averaged weights in place."""
        phase, progress = self.phase()
        while phase:
            if phase == 'rewarded' and self.step == sum(self.steps[:3]):
                # Rewards begin from the averaged weights, with an optimiser of their own.
                self.decoder.load_state_dict(self.average)
                self.optimiser = self._optimiser()
            figures = self.take_step(phase, progress)
            last = phase
            phase, progress = self.phase()
            if self.step % _TELL_EVERY == 0:
                self.tell(last, self.step, figures)
            if self.step % _SAVE_EVERY == 0 or phase != last:
                self.save()
                self.tell(f'{last}, held out', self.step, self.check(held_out))
        self.decoder.load_state_dict(self.average)
        self.decoder.eval()

    @torch.no_grad()
    def check(self, held_out: Sequence[int]) -> dict[str, float]:
        """Score the averaged weights' sentences about frames that trained nothing."""
        # Each frame once: the list may go on with its variants.
        plain = {self.info[i]['id']: i for i in reversed(held_out) if self.info[i]['caption']}
        kept = sorted(plain.values())
        if not kept:
            return {}
        current = {k: v.detach().clone() for k, v in self.decoder.state_dict().items()}
        self.decoder.load_state_dict(self.average)
        self.decoder.eval()
        texts: list[str] = []
        for first in range(0, len(kept), 32):
            x = self.memories.take(kept[first : first + 32], self.device)
            texts += [self.vocabulary.decode(t) for t in self.decoder.greedy(*x)[0].tolist()]
        self.decoder.load_state_dict(current)
        wanted = [[self.info[i]['caption']] for i in kept]
        scores = CiderD(wanted).score_all(texts, wanted)
        return {
            'cider': sum(scores) / len(scores),
            'distinct': len(set(texts)) / len(texts),
            'words': sum(len(t.split()) for t in texts) / len(texts),
        }

    # Checkpoints ----------------------------------------------------------------------------

    def resume(self) -> None:
        """Take up the last checkpoint of this very scene encoder, if there is one."""
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
        if state['scene'] != digest_of(self.model.scene) or state['steps'][:3] != self.steps[:3]:
            return
        self.decoder.load_state_dict(state['decoder'])
        self.average = state['average']
        self.optimiser.load_state_dict(state['optimiser'])
        self.step = int(state['step'])

    def save(self) -> None:
        """Write a checkpoint beside its name and rename it."""
        scratch = self.checkpoint.with_suffix('.tmp')
        state = {
            'decoder': self.decoder.state_dict(),
            'average': self.average,
            'optimiser': self.optimiser.state_dict(),
            'step': self.step,
            'steps': self.steps,
            'scene': digest_of(self.model.scene),
        }
        torch.save(state, scratch)
        os.replace(scratch, self.checkpoint)
