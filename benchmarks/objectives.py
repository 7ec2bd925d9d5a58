# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Ways to learn to write, side by side: likelihood, rewards, adversarial, variational, both.

    python -m benchmarks.objectives configs/objectives.yaml

Reads the shipped network, or what `caption train` left in the configuration's work folder. Each
run begins with a decoder of its own, warm from likelihood, and is measured on `val`, or on the
source that it did not train on. What a run gives is kept as JSON; the command goes on where it
was, and prints the tables of docs/objectives.md from whatever is there. Beside them stand the
rules and the shipped model's own sentences, where a model folder lies beside the network.
"""

import argparse
from collections.abc import Sequence
import json
from pathlib import Path
import sys

import numpy as np
import torch

from benchmarks.objective_judge import eyesight, judge_all
from benchmarks.objective_runs import Bench, Test, latent_use, tell, write_json
from benchmarks.objective_tables import print_tables
from caption_node.errors import CaptionError
from caption_node.evaluation.cider import CiderD
from caption_node.evaluation.denials import denied_claims
from caption_node.evaluation.diversity import (
    distinct_share,
    novel_share,
    oracle_cider,
    self_bleu,
    words_used,
)
from caption_node.evaluation.frames import LabelledFrame
from caption_node.frame import Frame
from caption_node.image_codec import read_image
from caption_node.pipeline import CaptionPipeline
from caption_node.training.config import load_config
from caption_node.training.objectives.discriminator import Discriminator
from caption_node.training.objectives.protocol import Objective
from caption_node.training.sentence_run import SentenceRun
from caption_node.training.weights import load_network, network_of

NAMES = ('mle', 'self_critical', 'gan', 'vae', 'vae_gan')


def main() -> int:
    """Run what is missing and print the tables; 1 on an error that the user can mend."""
    parser = argparse.ArgumentParser(description='Compare objectives.')
    parser.add_argument('config', type=Path)
    parser.add_argument('--network', type=Path, help='default: that of the configuration')
    parser.add_argument('--output', type=Path, default=Path('runs/objectives'))
    parser.add_argument('--seeds', type=int, nargs='+', default=[1, 2, 3])
    parser.add_argument('--sets', nargs='+', help='val, or sources to leave out; default: all')
    parser.add_argument(
        '--only', nargs='*', default=NAMES, metavar='NAME', help='objectives; none: warm-ups alone'
    )
    parser.add_argument('--tables', action='store_true', help='print what is there, run nothing')
    options = parser.parse_args()
    try:
        config = load_config(options.config)
        network = options.network or network_of(config)
        model, vocabulary = load_network(network)
        torch.set_num_threads(config.threads)
        bench = Bench(config, model, vocabulary, options.output)
        for name in [] if options.tables else options.sets or ['val', *bench.sources]:
            measure_shipped(bench, network.parent, name)
            for seed in options.seeds:
                run_set(bench, name, seed, options.only)
    except CaptionError as err:
        print(f'error: {err}\nhint: {err.hint}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('interrupted; the same command goes on where it was', file=sys.stderr)
        return 130
    print_tables(bench.folder, NAMES)
    return 0


def measure_shipped(bench: Bench, folder: Path, place: str) -> None:
    """
    Measure what the model folder beside the network says: by rules, and on ``val`` its own words.

    It has trained on the sources, so there only the rules are measured, which learn no words.

    :param folder: The model's; nothing is measured where it is none.
    """
    if not (folder / 'manifest.json').is_file():
        return
    test = bench.test('' if place == 'val' else place)
    known = [row['caption'] for row in bench.info if row['caption']]
    for name, who in (('rules', 'rules'), ('shipped', 'model')):
        file = bench.folder / f'{place}-{name}-0.json'
        if file.exists() or (place != 'val' and who == 'model'):
            continue
        with CaptionPipeline.open(folder, threads=bench.config.threads, sentences=who) as pipeline:
            said = [
                pipeline.describe([Frame(read_image(bench.config.frames / f.file))])[0].caption
                for f in test.frames
            ]
        figures = {'greedy': measure(test.frames, said, known), 'said': {'greedy': said}}
        write_json(file, figures)


def run_set(bench: Bench, name: str, seed: int, wanted: Sequence[str]) -> None:
    """Train and measure what is missing of one set of frames with one seed."""
    left_out = '' if name == 'val' else name
    files = {n: bench.folder / f'{name}-{n}-{seed}.json' for n in NAMES}
    judged = bench.folder / f'{name}-judged-{seed}.json'
    if judged.exists() and all(f.exists() for f in files.values()):
        return
    test = bench.test(left_out)
    warm, warm_s = bench.begin(left_out, seed)
    begin = {k: v.clone() for k, v in warm.decoder.state_dict().items()}
    known = [row['caption'] for row in warm.judge._rows]
    for objective_name, file in files.items():
        if file.exists() or objective_name not in wanted:
            continue
        warm.decoder.load_state_dict(begin)
        objective, cost_s = bench.run(warm, objective_name)
        objective.parts.eval()
        said = bench.say(objective, test)
        rows = warm.written[:: max(1, len(warm.written) // 300)].tolist()
        result = {
            'warm_s': warm_s,
            'cost_s': cost_s,
            'greedy': measure(test.frames, said['greedy'], known),
            'drawn': {t: measure_drawn(test.frames, g, known) for t, g in said['drawn'].items()},
            'latent': latent_use(objective, warm, rows),
            'eyes': eyes_of(objective, warm, test),
            'said': {'greedy': said['greedy'], 'drawn': said['drawn']['1.0']},
            'frames': [f.id for f in test.frames],
            'pool': bench.pool(objective, warm),
        }
        write_json(file, result)
        tell(
            f'{name} {objective_name} {seed}',
            0,
            {k: v or 0.0 for k, v in result['greedy'].items()},
        )
    if not all(f.exists() for f in files.values()):
        return  # another process is at the rest
    warm.decoder.load_state_dict(begin)
    results = {n: json.loads(f.read_text(encoding='utf-8')) for n, f in files.items()}
    others = sentences_of_others(bench, name)
    write_json(judged, judge_all(bench, warm, test, results, others, seed))


def eyes_of(objective: Objective, warm: SentenceRun, test: Test) -> dict[str, float]:
    """Return whether the discriminator of an objective looks at pictures, if it has one."""
    parts = dict(objective.parts.named_children())
    judge = parts.get('discriminator')
    return eyesight(judge, warm, test) if isinstance(judge, Discriminator) else {}


def sentences_of_others(bench: Bench, place: str) -> dict[str, list[str]]:
    """Return the sentences that no run of an objective wrote, by name."""
    files = sorted(bench.folder.glob(f'{place}-*-0.json'))
    found = {f.stem.split('-')[1]: json.loads(f.read_text(encoding='utf-8')) for f in files}
    return {name: result['said']['greedy'] for name, result in found.items()}


def measure(
    frames: Sequence[LabelledFrame], said: Sequence[str], known: Sequence[str]
) -> dict[str, float | None]:
    """Measure one sentence a frame."""
    pairs = [
        (text, frame, annotation)
        for text, frame in zip(said, frames, strict=True)
        for annotation in frame.annotations
    ]
    denied = [len(denied_claims(*pair)) for pair in pairs]
    cider = CiderD([f.captions for f in frames])
    return {
        'right': float(np.mean([n == 0 for n in denied])),
        'denied': float(np.mean(denied)),
        'cider': float(np.mean([cider.score(t, [a.caption]) for t, _, a in pairs])),
        'distinct_1': distinct_share(said, 1),
        'distinct_2': distinct_share(said, 2),
        'words': float(words_used(said)),
        'novel': novel_share(said, known),
        'different': len(set(said)) / len(said),
    }


def measure_drawn(
    frames: Sequence[LabelledFrame], groups: Sequence[Sequence[str]], known: Sequence[str]
) -> dict[str, float | None]:
    """Measure several sentences a frame: each by itself on average, and together."""
    each = [measure(frames, list(row), known) for row in zip(*groups, strict=True)]
    names = ('right', 'denied', 'cider', 'novel')
    flat = [s for g in groups for s in g]
    return {
        **{n: float(np.mean([e[n] or 0.0 for e in each])) for n in names},
        'distinct_1': distinct_share(flat, 1),
        'distinct_2': distinct_share(flat, 2),
        'words': float(words_used(flat)),
        'self_bleu': self_bleu(groups),
        'oracle': oracle_cider(groups, [f.captions for f in frames]),
        'different': float(np.mean([len(set(g)) / len(g) for g in groups])),
    }


if __name__ == '__main__':
    sys.exit(main())
