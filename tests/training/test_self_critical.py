# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Rewards: better sentences get likelier, false claims cost, sentences about like frames help."""

from collections.abc import Mapping
import math
from typing import Any

import pytest
import torch

from caption_node.description import FIELDS, Value
from caption_node.training.labels import swap_sides
from caption_node.training.model.captioner import Captioner
from caption_node.training.objectives.self_critical import advantages, policy_loss
from caption_node.training.rewards import Judge, false_claims
from caption_node.vocabulary import BOS, EOS, PAD, Vocabulary

COMMON = 'A car is ahead in our lane on a dry city street with parked cars on the right'


def row(name: str, caption: str, **changed: Value) -> Mapping[str, Any]:
    fields: dict[str, Value] = {
        n: f.values[0] if f.values else f.kind == 'count' and 0 for n, f in FIELDS.items()
    }
    fields |= {'lead': 'car', 'lead_range': 'mid', 'vehicles': 3, 'parked': True, 'road': 'city'}
    return {'id': name, 'source': 's', 'fields': fields | changed, 'caption': caption}


ROWS = [
    row('a', f'{COMMON} and trees'),
    row('b', f'{COMMON} and houses'),
    row('c', f'{COMMON} beside a wall'),
    row('d', 'An oddly painted wagon rolls towards a distant purple hill somewhere far away'),
    row('e', 'Two pedestrians cross in front of us', people=2, lead='none', lead_range='none'),
]


def test_advantage_is_the_distance_from_the_others() -> None:
    found = advantages(torch.tensor([[1.0, 2.0, 6.0]]))
    assert found.tolist() == [[-3.0, -1.5, 4.5]]
    assert float(found.sum()) == pytest.approx(0.0)


def test_policy_loss_makes_the_better_sentence_likelier() -> None:
    logits = torch.zeros(2, 3, 8, requires_grad=True)
    tokens = torch.tensor([[BOS, 5, EOS, PAD], [BOS, 6, EOS, PAD]])
    policy_loss(logits, tokens, torch.tensor([[1.0, -1.0]])).backward()
    assert logits.grad is not None
    step = logits.detach() - logits.grad
    assert step[0, 0].softmax(0)[5] > 1 / 8
    assert step[1, 0].softmax(0)[6] < 1 / 8
    assert (logits.grad[:, 2] == 0).all()  # behind the end nothing counts


def test_policy_loss_by_hand() -> None:
    tokens = torch.tensor([[BOS, 5, EOS, PAD], [BOS, 6, 7, EOS]])
    # Eight words, all as likely: 2 and 3 words of log 8 nats, gains of 2 and -1, by 5 words.
    found = policy_loss(torch.zeros(2, 3, 8), tokens, torch.tensor([[2.0, -1.0]]))
    assert float(found) == pytest.approx((2 * 2 - 3) * math.log(8) / 5)


def test_own_sentence_is_worth_most_and_a_false_claim_costs() -> None:
    judge = Judge(ROWS, neighbours=2, penalty=0.5)
    own = judge.reward(ROWS[0]['caption'], ROWS[0])
    other = judge.reward(ROWS[3]['caption'], ROWS[0])
    assert own > other
    invented = 'a pedestrian crosses'
    assert false_claims(invented, ROWS[0]) == ['people']
    free = Judge(ROWS, neighbours=2, penalty=0.0)
    assert free.reward(invented, ROWS[0]) - judge.reward(invented, ROWS[0]) == pytest.approx(0.5)


def test_like_frames_lend_only_sentences_that_fit() -> None:
    like = Judge(ROWS, neighbours=4).like(ROWS[0])
    assert ROWS[1]['caption'] in like
    assert ROWS[0]['caption'] not in like
    assert ROWS[4]['caption'] not in like  # its pedestrians are not here
    assert Judge(ROWS, neighbours=0).like(ROWS[0]) == []


def test_mirrored_frame_borrows_mirrored_sentences() -> None:
    mirrored = {**ROWS[0], 'caption': swap_sides(ROWS[0]['caption'])}
    assert swap_sides(ROWS[1]['caption']) in Judge(ROWS, neighbours=3).like(mirrored)


def test_consensus_prefers_what_several_say() -> None:
    sentences, share = Judge(ROWS, neighbours=3).consensus(ROWS[3], 0.5)
    assert share.sum() == pytest.approx(1.0)
    by_text = dict(zip(sentences, share, strict=True))
    assert by_text[ROWS[0]['caption']] > by_text[ROWS[3]['caption']]


def test_sentences_about_one_scene_are_read_as_if_each_stood_alone(captioner: Captioner) -> None:
    torch.manual_seed(0)
    decoder, width = captioner.decoder, captioner.config.width
    memory, bias = torch.randn(2, 9, width), torch.zeros(2, 1, 1, 9)
    bias[1, :, :, 4:] = -1e4
    words = len(decoder.bias)
    tokens = torch.randint(4, words, (6, 7))
    with torch.no_grad():
        together = decoder(tokens, memory, bias)
        alone = torch.cat(
            [decoder(t[None], memory[[k // 3]], bias[[k // 3]]) for k, t in enumerate(tokens)]
        )
        changed = decoder(
            tokens[3:], memory[1:] * torch.cat([torch.ones(4), torch.zeros(5)])[:, None], bias[1:]
        )
    assert torch.allclose(together, alone, atol=1e-4)
    assert torch.allclose(together[3:], changed, atol=1e-4)  # hidden tokens say nothing


def test_samples_keep_the_rules_and_end_in_padding(
    captioner: Captioner, vocabulary: Vocabulary
) -> None:
    decoder, width = captioner.decoder, captioner.config.width
    person = vocabulary.encode('pedestrian')[0]
    memory, bias = torch.randn(2, 5, width), torch.zeros(2, 1, 1, 5)
    groups = decoder.groups.shape[0]
    torch.manual_seed(1)
    with torch.no_grad():
        decoder.bias[person] += 50.0
        try:
            denied = decoder.sample(memory, bias, torch.zeros(2, groups), 8)
            allowed = decoder.sample(memory, bias, torch.ones(2, groups), 8)
        finally:
            decoder.bias[person] -= 50.0
    assert denied.shape == (16, decoder.length + 1)
    assert not (denied == person).any()
    assert (allowed == person).any()
    for said in (denied, allowed):
        assert (said[:, 0] == BOS).all()
        assert (said[:, 1:] != BOS).all()
        assert not ((said[:, 1:] == said[:, :-1]) & (said[:, 1:] != PAD)).any()
        for sentence in said:
            ends = (sentence == EOS).nonzero()
            if len(ends):
                assert (sentence[int(ends[0]) + 1 :] == PAD).all()


def test_grammar_s_tone_is_kept_apart(captioner: Captioner) -> None:
    decoder, width = captioner.decoder, captioner.config.width
    tokens, memory = torch.tensor([[BOS, 5], [BOS, 5]]), torch.randn(2, 3, width)
    bias = torch.zeros(2, 1, 1, 3)
    with torch.no_grad():
        plain = decoder(tokens, memory, bias)
        marked = decoder(tokens, memory, bias, torch.tensor([0.0, 1.0]))
    assert torch.allclose(plain[0], marked[0], atol=1e-5)
    assert not torch.allclose(plain[1], marked[1], atol=1e-3)
