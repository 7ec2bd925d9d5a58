# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
From nothing to a model of radiograph-like phantoms, by the commands that anybody would type.

Renders a data set, checks it, trains on it, describes the phantoms that trained nothing, reads the
facts back from the sentences, and says how many are right. Exit status 1 below ``--least``.
"""

import argparse
import json
from pathlib import Path
import resource
import subprocess
import sys
from time import perf_counter
from typing import Any

from caption_node.frame import Frame
from caption_node.image_codec import read_image
from caption_node.pipeline import CaptionPipeline
from caption_node.scenes.phantoms import facts_of, right_share

CONFIG = Path(__file__).resolve().parent.parent / 'configs' / 'phantoms.yaml'


def main() -> int:
    """Run the whole chain and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--work', type=Path, default=Path('runs/phantoms'))
    parser.add_argument('--output', type=Path, default=Path('models/phantoms'))
    parser.add_argument('--config', type=Path, default=CONFIG)
    parser.add_argument('--count', type=int, default=2000, help='phantoms that train')
    parser.add_argument('--held-out', type=int, default=200, help='phantoms that judge')
    parser.add_argument('--least', type=float, default=0.9, help='share of facts to reach')
    options = parser.parse_args()
    begun_s = perf_counter()
    data = options.work / 'data'
    held = ['--held-out', str(options.held_out)]
    run('data', 'phantoms', '-o', data, '--count', str(options.count), *held)
    run('data', 'check', data / 'captions.json', '--config', options.config)
    where = ['--output', options.output, '--work', options.work / 'training']
    run('train', '--data', data / 'captions.json', '--config', options.config, *where)
    result = judge(data, options.output)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    result['wall_s'] = round(perf_counter() - begun_s, 1)
    result['cpu_s'] = round(used.ru_utime + used.ru_stime, 1)
    print(json.dumps(result, indent=1))
    return 0 if result['facts_right'] >= options.least else 1


def run(*arguments: object) -> None:
    """Run the ``caption`` command; its end is ours if it fails."""
    command = [sys.executable, '-m', 'caption_node', *(str(a) for a in arguments)]
    print('$ caption', *arguments, file=sys.stderr)
    status = subprocess.run(command, check=False).returncode
    if status:
        sys.exit(status)


def judge(data: Path, model: Path) -> dict[str, Any]:
    """Describe the phantoms of split ``test`` and hold every fact against the truth."""
    labels = json.loads((data / 'captions.json').read_text(encoding='utf-8'))
    truths = {a['image_id']: a['attributes'] for a in labels['annotations']}
    images = [i for i in labels['images'] if i['split'] == 'test']
    said, wrong = [], []
    by_field = dict.fromkeys(next(iter(truths.values())), 0)
    values = 0
    with CaptionPipeline.open(model) as pipeline:
        for image in images:
            pixels = read_image(data / 'images' / image['file_name'])
            description = pipeline.describe([Frame(pixels)])[0]
            truth, facts = truths[image['id']], facts_of(description.caption)
            said.append(description.caption)
            values += sum(v.value == truth[name] for name, v in description.scene.items())
            for name in by_field:
                by_field[name] += facts.get(name) == truth[name]
            if any(facts.get(name) != truth[name] for name in truth):
                wrong.append([description.caption, truth])
    facts_right = right_share(said, [truths[i['id']] for i in images])
    return {
        'held_out': len(images),
        'facts_right': round(facts_right, 4),
        'by_field': {name: round(n / len(images), 4) for name, n in by_field.items()},
        'sentences_wholly_right': round(1 - len(wrong) / len(images), 4),
        'field_values_right': round(values / (len(by_field) * len(images)), 4),
        'example': said[0],
        'wrong': wrong[:3],
    }


if __name__ == '__main__':
    sys.exit(main())
