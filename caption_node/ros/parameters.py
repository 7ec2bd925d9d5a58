# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The node's parameters: one table for declaration, descriptors, checks, documentation and YAML.

``python -m caption_node.ros.parameters`` prints the table of the documentation, with ``--yaml``
the file of defaults in ``launch/config``. Importing this module needs no ROS.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import json
import re
import sys
from typing import Any, Literal

from caption_node.errors import ConfigError

Setting = bool | int | float | str | list[str]
When = Literal['at once', 'inactive', 'start']

MAX_CAMERAS = 8
_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*\Z')
_TOPIC = re.compile(r'[~/]?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*\Z|~/.+\Z')
# Last parts of a topic that say what it carries, not whose it is.
_GENERIC = re.compile(r'(image|compressed|color|colour|rgb|raw|rect|mono)(_[a-z]+)*\Z')


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    One row of the table.

    :param default: The only place where this default stands.
    :param description: One sentence for ``ros2 param describe`` and the documentation.
    :param minimum: Least number allowed.
    :param maximum: Greatest number allowed.
    :param choices: Words allowed; none means any.
    :param when: When a new value takes effect: ``at once``; ``inactive``: refused while the node
        is active, takes effect when it is next activated; ``start``: read once, never changes.
    """

    name: str
    default: Setting
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    when: When = 'at once'


PARAMETERS: Mapping[str, Parameter] = {
    p.name: p
    for p in (
        Parameter(
            'image_topics',
            ['image'],
            'Topics to listen to, one for each camera, at most 8: raw images on the topic itself, '
            'compressed ones on the same with /compressed behind it.',
            when='inactive',
        ),
        Parameter(
            'camera_names',
            [''],
            'Names of the cameras, in the order of image_topics; empty: taken from the topics.',
            when='inactive',
        ),
        Parameter(
            'transport',
            'auto',
            'Which images to receive; auto takes both, and one of a pair with equal stamps.',
            choices=('auto', 'raw', 'compressed'),
            when='inactive',
        ),
        Parameter(
            'reliability',
            'auto',
            'Reliability of the image subscriptions; auto is best effort, and reliable where '
            'every publisher offers it.',
            choices=('auto', 'best_effort', 'reliable'),
            when='inactive',
        ),
        Parameter(
            'model',
            '',
            'Model folder, or the name of an installed model; empty: the one that is shipped.',
            when='inactive',
        ),
        Parameter(
            'backend',
            'auto',
            'Inference backend, for instance onnxruntime-cpu; auto takes the best that is there.',
            when='inactive',
        ),
        Parameter(
            'threads',
            0,
            'CPU threads of the backend; 0 leaves it to the backend.',
            minimum=0,
            maximum=256,
            when='inactive',
        ),
        Parameter(
            'lazy',
            False,
            'Describe nothing while nobody subscribes to a description or caption.',
        ),
        Parameter(
            'silence_warning_s',
            5.0,
            'After so many seconds without an image a camera is reported, with what may be wrong.',
            minimum=0.5,
            maximum=3600.0,
        ),
        Parameter(
            'diagnostics_period_s',
            1.0,
            'Seconds between two messages on /diagnostics.',
            minimum=0.1,
            maximum=60.0,
        ),
        Parameter(
            'autostart',
            True,
            'Configure and activate at start, without a lifecycle manager.',
            when='start',
        ),
    )
}


def check(name: str, value: object) -> None:
    """
    Refuse a value that the table does not allow; names outside the table pass.

    :raises ConfigError: With the parameter, the value and what is allowed.
    """
    spec = PARAMETERS.get(name)
    if spec is None:
        return
    if not _same_type(value, spec.default):
        raise ConfigError(f'parameter {name} must be {type_name(spec)}, not {value!r}')
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = spec.minimum, spec.maximum
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            raise ConfigError(f'parameter {name} is {value}, allowed is {low:g} to {high:g}')
    if spec.choices and value not in spec.choices:
        allowed = ', '.join(spec.choices)
        raise ConfigError(f'parameter {name} is {value!r}, allowed is one of {allowed}')


def cameras(
    values: Mapping[str, Any], resolve: Callable[[str], str] = lambda topic: topic
) -> dict[str, str]:
    """
    Return the image topic of each camera by the camera's name.

    :param values: Parameter values by name.
    :param resolve: Remaps and expands a topic, so that a camera without a name is named by where
        it really is.
    :raises ConfigError: If topics or names are malformed, occur twice, or do not go together.
    """
    topics = [t for t in values['image_topics'] if t]
    names = [n for n in values['camera_names'] if n]
    if not 1 <= len(topics) <= MAX_CAMERAS:
        raise ConfigError(
            f'parameter image_topics has {len(topics)} topics, allowed is 1 to {MAX_CAMERAS}'
        )
    for topic in topics:
        if not _TOPIC.match(topic):
            raise ConfigError(
                f'parameter image_topics: {topic!r} is not a topic name',
                'letters, digits and _ between slashes, no part beginning with a digit',
            )
    if names and len(names) != len(topics):
        raise ConfigError(
            f'parameter camera_names has {len(names)} names for {len(topics)} image_topics',
            'give one name for each topic, or none at all',
        )
    names = names or names_from_topics([resolve(topic) for topic in topics])
    for name in names:
        if not _NAME.match(name):
            raise ConfigError(
                f'parameter camera_names: {name!r} cannot be part of a topic name',
                'begin with a letter, then letters, digits and _',
            )
    for what, words in (('image_topics', topics), ('camera_names', names)):
        twice = sorted({w for w in words if words.count(w) > 1})
        if twice:
            raise ConfigError(f'parameter {what}: {", ".join(twice)} occurs twice')
    return dict(zip(names, topics, strict=True))


def names_from_topics(topics: Sequence[str]) -> list[str]:
    """Name each camera after the last telling part of its topic: ``front`` of ``/front/image``."""
    names = []
    for number, topic in enumerate(topics):
        parts = [p for p in topic.strip('~/').split('/') if p and not _GENERIC.match(p)]
        names.append(
            parts[-1] if parts else ('camera' if len(topics) == 1 else f'camera_{number}')
        )
    if len(set(names)) < len(names):
        return [f'camera_{number}' for number in range(len(topics))]
    return names


def type_name(spec: Parameter) -> str:
    """Return the ROS name of a parameter's type."""
    names = {bool: 'bool', int: 'integer', float: 'double', str: 'string', list: 'string array'}
    return names[type(spec.default)]


def markdown_table() -> str:
    """Return the table of the documentation."""
    lines = [
        '| parameter | type | default | allowed | takes effect | meaning |',
        '|---|---|---|---|---|---|',
    ]
    for spec in PARAMETERS.values():
        allowed = ', '.join(spec.choices)
        if spec.minimum is not None and spec.maximum is not None:
            allowed = f'{spec.minimum:g} to {spec.maximum:g}'
        cells = [
            f'`{spec.name}`',
            type_name(spec),
            f'`{json.dumps(spec.default)}`',
            allowed,
            {'at once': 'at once', 'inactive': 'next activate', 'start': 'at start'}[spec.when],
            spec.description,
        ]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n'


def yaml_file() -> str:
    """Return ``launch/config/caption_node.params.yaml``: every default with its description."""
    lines = [
        '# SPDX-FileCopyrightText: 2026 The caption_node authors',
        '# SPDX-License-Identifier: Apache-2.0',
        '#',
        '# Written by `python -m caption_node.ros.parameters --yaml`: parameters and defaults.',
        '/**:',
        '  ros__parameters:',
    ]
    for spec in PARAMETERS.values():
        lines += [f'    # {spec.description}', f'    {spec.name}: {json.dumps(spec.default)}']
    return '\n'.join(lines) + '\n'


def _same_type(value: object, default: Setting) -> bool:
    if isinstance(default, list):
        return isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)
    return type(value) is type(default)


if __name__ == '__main__':
    sys.stdout.write(yaml_file() if '--yaml' in sys.argv[1:] else markdown_table())
