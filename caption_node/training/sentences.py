# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Learn to write: the second stage of a run, on the encoders that earlier stages left.

    python -m caption_node.training.sentences configs/drive_small.yaml

Reads ``network.safetensors`` of the configuration's work folder, trains its decoder and writes it
back; the whole training calls :func:`train_sentences` itself. Killed at any point, the same
command goes on where it was.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
import sys

import torch

from caption_node.training.config import TrainConfig, load_config
from caption_node.training.data import Batches, is_held_out
from caption_node.training.limits import check_device
from caption_node.training.model.captioner import Captioner
from caption_node.training.objectives.judge_export import JUDGE_FILE, write_judge
from caption_node.training.objectives.run import ObjectiveRun
from caption_node.training.programs import run_program
from caption_node.training.render_store import RENDER_SOURCE
from caption_node.training.sentence_run import SentenceRun, Tell
from caption_node.training.weights import NETWORK, load_network, save_network
from caption_node.vocabulary import Vocabulary


def tell_lines(phase: str, step: int, figures: Mapping[str, float]) -> None:
    """Write figures as one line."""
    text = ' '.join(f'{name} {value:.3f}' for name, value in figures.items())
    print(f'sentences {step} ({phase}): {text}', file=sys.stderr, flush=True)


def train_sentences(
    config: TrainConfig,
    model: Captioner,
    vocabulary: Vocabulary,
    batches: Batches,
    held_out: Sequence[int],
    tell: Tell = tell_lines,
) -> None:
    """
    Train the decoder of a model whose encoders are done; the trained one stays in the model.

    :param batches: Cached features of this model; ``batches.indices`` are the samples that train.
    :param held_out: Samples to score now and then; they train nothing.
    :param tell: Takes phase, step and figures.
    """
    chosen = config.objective != 'self_critical'
    warm = replace(config, reward_steps=0) if chosen else config
    run = SentenceRun(warm, model, vocabulary, batches, tell)
    run.resume()
    run.train(held_out)
    judge = None
    if chosen:
        last = ObjectiveRun(config, run, tell)
        last.resume()
        last.train()
        judge = dict(last.trained.named_children()).get('discriminator')
    if judge is not None:
        write_judge(config.output / JUDGE_FILE, model, judge, vocabulary)
        model.to(config.device)
    else:
        # One of an earlier run would judge for a model that it does not know.
        (config.output / JUDGE_FILE).unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run the second stage; 1 on an error that the user can mend."""
    parser = argparse.ArgumentParser(prog='sentences', description='Train the decoder.')
    parser.add_argument('config', type=Path, help='YAML file, as for the whole training')
    parser.add_argument(
        '--work', type=Path, help='folder with network.safetensors, for checkpoints'
    )
    options = parser.parse_args(arguments)

    def run() -> None:
        config = load_config(options.config)
        changes = {k: v for k, v in vars(options).items() if k != 'config' and v is not None}
        _second_stage(replace(config, **changes))

    return run_program(run, 'interrupted; the same command goes on from the last checkpoint')


def _second_stage(config: TrainConfig) -> None:
    # Imported here, since the whole training calls this stage in turn.
    from caption_node.training.train import fill_cache, read_frames

    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    check_device(config.name, config.device)
    model, vocabulary = load_network(config.work / NETWORK)
    model.to(config.device)
    cache = fill_cache(config, model, read_frames(config))
    used = [i for i, row in enumerate(cache.info) if not is_held_out(row['id'])]
    kept = [
        i
        for i, row in enumerate(cache.info[: cache.first_shard])
        if is_held_out(row['id']) and row['source'] != RENDER_SOURCE
    ]
    batches = Batches(cache, vocabulary, used, model.config.tokens)
    train_sentences(config, model, vocabulary, batches, kept)
    save_network(config.work / NETWORK, model, vocabulary)


if __name__ == '__main__':
    sys.exit(main())
