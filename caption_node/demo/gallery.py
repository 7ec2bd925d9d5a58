# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
``python -m caption_node.demo.gallery``: renders on which the model is most wrong, on one sheet.

The model card shows ``docs/images/failures.jpg``, which this writes: of every kind of scene the
worst of a few renders, with what is true beside what the model said.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caption_node.commands.progress import Progress
from caption_node.demo.sheet import Panel, draw_sheet, encode_jpeg
from caption_node.description import SceneDescription
from caption_node.errors import CaptionError, ConfigError
from caption_node.evaluation.denials import denied_claims
from caption_node.evaluation.fields import comparable
from caption_node.evaluation.frames import Annotation, LabelledFrame
from caption_node.frame import Frame
from caption_node.pipeline import CaptionPipeline
from caption_node.scenes import SceneTruth, render_scene

WIDTH, HEIGHT = 960, 540
_MAX_BYTES = 390_000
_DENIED_WEIGHT = 2.0
"""A claim that is not true weighs as much as so many wrong fields told with full confidence."""
_TRIES = 4
"""So many renders are drawn for each that must show something, before a scene is given up."""


@dataclass(frozen=True)
class Kind:
    """
    A kind of scene.

    :param options: Of :func:`caption_node.scenes.render_scene`.
    :param least: Least values of counts that the truth must show.
    :param shows: Values of other fields that it must show.
    """

    name: str
    options: Mapping[str, Any]
    least: Mapping[str, int] = field(default_factory=dict)
    shows: Mapping[str, str] = field(default_factory=dict)

    def fits(self, truth: SceneTruth) -> bool:
        """Whether a render shows what the kind asks for."""
        return all(int(truth.fields[n]) >= least for n, least in self.least.items()) and all(
            truth.fields[n] == wanted for n, wanted in self.shows.items()
        )


KINDS = (
    Kind('night in town', {'road': 'city', 'time': 'night'}),
    Kind('night in the country', {'road': 'rural', 'time': 'night'}),
    Kind('rain', {'road': 'city', 'weather': 'rain', 'time': 'day'}),
    Kind('snow', {'weather': 'snow', 'time': 'day'}),
    Kind('fog', {'weather': 'fog', 'time': 'day'}),
    Kind('dusk', {'time': 'dusk', 'weather': 'clear'}),
    Kind('many people', {'road': 'city', 'time': 'day'}, {'people': 4}),
    Kind('lead far ahead', {'road': 'highway', 'time': 'day'}, shows={'lead_range': 'far'}),
    Kind('red light', {'road': 'city', 'light': 'red', 'time': 'day'}),
    Kind('works', {'construction': True, 'time': 'day'}),
)


@dataclass(frozen=True)
class Finding:
    """
    One render with what the model said of it.

    :param wrong: Fields that are wrong, the surest first.
    :param denied: Claims of the sentence that are not true.
    """

    kind: str
    pixels_rgb: NDArray[np.uint8]
    truth: SceneTruth
    description: SceneDescription
    wrong: tuple[str, ...]
    denied: tuple[str, ...]

    @property
    def badness(self) -> float:
        """How far the description is off; 0 if nothing is wrong."""
        sure = sum(self.description.scene[name].confidence for name in self.wrong)
        return sure + _DENIED_WEIGHT * len(self.denied)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Write the sheet.

    :returns: Exit status: 0, 1 after an error, 130 when interrupted.
    """
    parser = argparse.ArgumentParser(prog='caption_node.demo.gallery', description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('docs/images/failures.jpg'))
    parser.add_argument('--seed', type=int, default=0, help='another number, other scenes')
    parser.add_argument('--renders', type=int, default=8, help='scenes of each kind (default: 8)')
    parser.add_argument('--panels', type=int, default=8, help='pictures on it (default: 8)')
    parser.add_argument('--model', metavar='DIR', help='model folder, or name of a shipped model')
    parser.add_argument('-q', '--quiet', action='store_true', help='no progress')
    options = parser.parse_args(arguments)
    try:
        _run(options)
    except CaptionError as err:
        sys.stderr.write(f'error: {err}\n')
        if err.hint:
            sys.stderr.write(f'hint: {err.hint}\n')
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    for name, high in (('seed', 1 << 30), ('renders', 1000), ('panels', len(KINDS))):
        value, low = getattr(options, name), 0 if name == 'seed' else 1
        if not low <= value <= high:
            raise ConfigError(f'--{name} is {value}, allowed is {low} to {high}')
    if options.out.suffix.lower() not in ('.jpg', '.jpeg'):
        raise ConfigError(f'--out {options.out} is no .jpg file')
    worst: list[Finding] = []
    with (
        CaptionPipeline.open(options.model) as pipeline,
        Progress(options.renders * len(KINDS), options.quiet) as progress,
    ):
        for number, kind in enumerate(KINDS):
            found: Finding | None = None
            seeds = range(
                options.seed + 10_000 * number, options.seed + 10_000 * number + options.renders
            )
            for pixels, truth in _renders(kind, seeds):
                finding = _find(kind, pixels, truth, pipeline)
                if found is None or finding.badness > found.badness:
                    found = finding
                progress.advance(False)
            if found is not None:
                worst.append(found)
    worst.sort(key=lambda f: -f.badness)
    kept = worst[: options.panels]
    data = encode_jpeg(draw_sheet([_panel(f) for f in kept]), _MAX_BYTES)
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_bytes(data)
    except OSError as err:
        raise ConfigError(f'{options.out} cannot be written: {err.strerror or err}') from err
    sys.stdout.write(f'{options.out}: {len(kept)} scenes, {len(data) // 1000} kB\n')


def _renders(kind: Kind, seeds: range) -> Iterator[tuple[NDArray[np.uint8], SceneTruth]]:
    """Render a scene for every seed; leave those out that never show what the kind asks for."""
    for seed in seeds:
        for attempt in range(_TRIES):
            pixels, truth = render_scene(seed + 1000 * attempt, WIDTH, HEIGHT, **kind.options)
            if kind.fits(truth):
                yield pixels, truth
                break


def _find(
    kind: Kind, pixels: NDArray[np.uint8], truth: SceneTruth, pipeline: CaptionPipeline
) -> Finding:
    said = pipeline.describe([Frame(pixels)])[0]
    annotation = Annotation(truth.fields, truth.caption)
    sides = frozenset((o.class_name, o.position) for o in truth.objects)
    frame = LabelledFrame('', '', '', '', (annotation,), sides)
    wrong = [
        name
        for name, true in truth.fields.items()
        if comparable(name, said.scene[name].value) != comparable(name, true)
    ]
    wrong.sort(key=lambda name: -said.scene[name].confidence)
    denied = denied_claims(said.caption, frame, annotation)
    return Finding(kind.name, pixels, truth, said, tuple(wrong), tuple(denied))


def _panel(found: Finding) -> Panel:
    said = found.description
    wrong = [
        f'{name}: {_word(found.truth.fields[name])}, not {_word(said.scene[name].value)} '
        f'({said.scene[name].confidence:.2f})'
        for name in found.wrong
    ]
    status = said.status + (f', {said.reason}' if said.reason else '')
    denied = [f'untrue in the sentence: {", ".join(found.denied)}'] if found.denied else []
    return Panel(
        found.kind,
        found.pixels_rgb,
        tuple(o.box for o in said.objects),
        found.truth.caption,
        said.caption,
        (f'confidence {said.confidence:.2f}, {status}', *denied, *wrong),
    )


def _word(value: object) -> str:
    return {'True': 'yes', 'False': 'no'}.get(str(value), str(value))


if __name__ == '__main__':
    sys.exit(main())
