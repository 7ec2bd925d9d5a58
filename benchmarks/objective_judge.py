# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
One discriminator for all objectives, trained when they are done: none has learnt to please it.

It learns from training frames: their own sentences, sentences about others, and what every
objective draws about them. Its score is the probability that it gives to "written about this
picture", on frames that trained nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.objective_runs import CPU, Bench, Test, tell
from caption_node.training.objectives.discriminator import OWN, Discriminator, behind_start
from caption_node.training.objectives.gan import judged_loss
from caption_node.training.objectives.protocol import Scenes, Spoken
from caption_node.training.sentence_run import SentenceRun

_STEPS = 200
_SIZE = 64
_RATE = 2e-3


def judge_all(
    bench: Bench,
    warm: SentenceRun,
    test: Test,
    results: Mapping[str, Mapping[str, Any]],
    others: Mapping[str, Sequence[str]],
    seed: int,
) -> dict[str, float]:
    """
    Return the score of every objective's greedy and drawn sentences, and of annotators.

    :param others: Sentences of another origin about the same frames, by name.
    """
    pool = [pair for r in results.values() for pair in r['pool']]
    judge = train_judge(bench, warm, pool, seed)
    sight = eyesight(judge, warm, test)
    scores = {
        'annotators': sight['own'],
        'annotators of other frames': sight['strange'],
        'area under the curve': sight['auc'],
    }
    for name, said in others.items():
        scores[name] = score(judge, warm, test, said)
    for name, result in results.items():
        scores[name] = score(judge, warm, test, result['said']['greedy'])
        drawn = zip(*result['said']['drawn'], strict=True)
        scores[f'{name} drawn'] = float(
            np.mean([score(judge, warm, test, list(row)) for row in drawn])
        )
    return scores


def train_judge(
    bench: Bench, warm: SentenceRun, pool: Sequence[tuple[int, str]], seed: int
) -> Discriminator:
    """Train a new discriminator on own, strange and made sentences about training frames."""
    torch.manual_seed(seed)
    judge = Discriminator(len(bench.vocabulary), bench.model.config.width, bench.model.facts)
    optimiser = torch.optim.AdamW(judge.parameters(), lr=_RATE, weight_decay=0.05)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=_STEPS)
    decoder_mode = warm.decoder.training
    warm.decoder.train()  # noise on the memories, as objectives have it
    for step in range(_STEPS):
        rng = np.random.default_rng([seed, 23, step])
        chosen = [pool[int(k)] for k in rng.integers(len(pool), size=_SIZE)]
        index = [i for i, _ in chosen]
        rows = [warm.info[i] for i in index]
        own = [row['caption'] for row in rows]
        x = warm.frames(index, own, 0.0)
        strange = warm.encode([own[(k + 5) % _SIZE] for k in range(_SIZE)])
        batch = Spoken(Scenes(x.memory, x.bias, x.evidence), x.tokens, strange, rows)
        loss = judged_loss(judge, batch, warm.encode([text for _, text in chosen]))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
        optimiser.step()
        plan.step()
        if (step + 1) % 50 == 0:
            tell('judge', step + 1, {'loss': float(loss.detach())})
    warm.decoder.train(decoder_mode)
    return judge.eval()


@torch.no_grad()
def eyesight(judge: Discriminator, warm: SentenceRun, test: Test) -> dict[str, float]:
    """
    Return whether a discriminator looks at pictures: annotators' sentences about all frames.

    :returns: mean probability of being an own one, for own and strange pairs; and how often an own
        one has more of it than a strange one (area under the curve).
    """
    memory, bias, _ = test.memories.take(range(len(test.frames)), CPU)
    seen = judge.see(memory, bias)
    count = len(test.frames)
    own, strange = [], []
    for k in range(min(len(f.captions) for f in test.frames)):
        read = judge.read(behind_start(warm.encode([f.captions[k] for f in test.frames])))
        answers = [judge.answers(read, row.expand(count, -1)) for row in seen]
        chance = torch.stack(answers, 1).softmax(2)[:, :, OWN]  # (sentences, scenes)
        diagonal = torch.eye(count, dtype=torch.bool)
        own.append(chance[diagonal])
        strange.append(chance[~diagonal])
    right, wrong = torch.cat(own), torch.cat(strange)
    more = (right[:, None] > wrong).float().mean() + (right[:, None] == wrong).float().mean() / 2
    return {'own': float(right.mean()), 'strange': float(wrong.mean()), 'auc': float(more)}


@torch.no_grad()
def score(judge: Discriminator, warm: SentenceRun, test: Test, said: Sequence[str]) -> float:
    """Return the mean probability that sentences were written about their pictures."""
    tokens: Tensor = behind_start(warm.encode(said))
    memory, bias, _ = test.memories.take(range(len(said)), CPU)
    return float(judge(tokens, memory, bias).softmax(1)[:, OWN].mean())
