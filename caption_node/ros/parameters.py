# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The node's parameters: one table for declaration, descriptors, checks, documentation and YAML.

``python -m caption_node.ros.parameter_files --write`` writes what is generated from it. Importing
this module needs no ROS.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from caption_node.backends.engine_build import PRECISIONS
from caption_node.errors import ConfigError
from caption_node.frame import MAX_PIXELS
from caption_node.ros.cameras import DEFAULT_CAMERAS, FORM, MAX_CAMERAS

Setting = bool | int | float | str | list[str]
When = Literal['at once', 'inactive', 'start']


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


_ROWS = (
    Parameter(
        'cameras',
        list(DEFAULT_CAMERAS),
        f'The cameras, at most {MAX_CAMERAS}: {FORM}. Raw images come on the topic itself, '
        'compressed ones on the same with /compressed behind it.',
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
        'Reliability of the image subscriptions; auto is best effort, and reliable where every '
        'publisher offers it.',
        choices=('auto', 'best_effort', 'reliable'),
        when='inactive',
    ),
    Parameter(
        'durability',
        'auto',
        'Durability of the image subscriptions; auto is volatile, and transient local where '
        'every publisher offers it.',
        choices=('auto', 'volatile', 'transient_local'),
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
        'Inference backend, for instance onnxruntime; auto takes the best that is there.',
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
        'sentences',
        'model',
        'Who words the sentences: the model, or rules from its fields and boxes (driving only).',
        choices=('model', 'rules'),
        when='inactive',
    ),
    Parameter(
        'fallback',
        True,
        'Serve with ONNX Runtime while an engine is built, and if it cannot be; off, configuring '
        'waits for the engine.',
        when='inactive',
    ),
    Parameter(
        'precision',
        'auto',
        'Precision of a TensorRT engine; auto takes the best for the model.',
        choices=('auto', *PRECISIONS),
        when='inactive',
    ),
    Parameter(
        'device',
        0,
        'Number of the GPU.',
        minimum=0,
        maximum=63,
        when='inactive',
    ),
    Parameter(
        'engines',
        '',
        'Folder of built engines; empty: $CAPTION_ENGINES, or one in the cache of the user.',
        when='inactive',
    ),
    Parameter(
        'publish',
        'every_frame',
        'Publish a description of every frame that is taken, or only when it says something new.',
        choices=('every_frame', 'on_change'),
    ),
    Parameter(
        'repeat_after_s',
        5.0,
        'With publish on_change: publish an unchanged description again after so many seconds.',
        minimum=0.1,
        maximum=3600.0,
    ),
    Parameter(
        'smoothing_s',
        0.4,
        'Time constant of the evidence for the value of a scene field, seconds; 0 takes every '
        'frame as it is.',
        minimum=0.0,
        maximum=10.0,
    ),
    Parameter(
        'sentence_hold_s',
        3.0,
        'Longest time that a sentence is kept while the scene stays the same and bears it out, '
        'seconds; 0 keeps none.',
        minimum=0.0,
        maximum=60.0,
    ),
    Parameter(
        'same_scene',
        0.95,
        'Least cosine of two embeddings that are taken for the same scene.',
        minimum=-1.0,
        maximum=1.0,
    ),
    Parameter(
        'motion_gate_s',
        0.0,
        'Longest time that a description is used again without the model while nothing in the '
        'picture moves, seconds; 0 asks the model every time.',
        minimum=0.0,
        maximum=10.0,
    ),
    Parameter(
        'lazy',
        False,
        'Describe nothing while nobody subscribes to what comes of it.',
    ),
    Parameter(
        'max_age_ms',
        0.0,
        'Drop, and count as late, what is older than this when it is taken up or ready to be '
        'published; 0 drops nothing. Never applies to simulated time or replayed stamps.',
        minimum=0.0,
        maximum=60000.0,
    ),
    Parameter(
        'max_rate_hz',
        0.0,
        'Take no more images of one camera a second than this; 0 takes all.',
        minimum=0.0,
        maximum=1000.0,
    ),
    Parameter(
        'max_image_pixels',
        MAX_PIXELS,
        'Refuse larger images, before memory is taken for them.',
        minimum=1,
        maximum=MAX_PIXELS,
    ),
    Parameter(
        'stale_after_s',
        2.0,
        'After so many seconds without an image a camera is stale: a description says so, and '
        '/diagnostics warns.',
        minimum=0.1,
        maximum=3600.0,
    ),
    Parameter(
        'lost_after_s',
        10.0,
        'After so many seconds without an image a camera is an error in /diagnostics, and the log '
        'says what may be wrong.',
        minimum=0.1,
        maximum=3600.0,
    ),
    Parameter(
        'least_rate_hz',
        0.0,
        '/diagnostics warns while a camera has fewer descriptions a second; 0 never warns.',
        minimum=0.0,
        maximum=1000.0,
    ),
    Parameter(
        'age_warning_ms',
        0.0,
        '/diagnostics warns while the 95th percentile of ages is above; 0 never warns.',
        minimum=0.0,
        maximum=60000.0,
    ),
    Parameter(
        'output_deadline_ms',
        0.0,
        'Deadline that the description topics offer, milliseconds; 0 offers none.',
        minimum=0.0,
        maximum=60000.0,
        when='inactive',
    ),
    Parameter(
        'output_liveliness_ms',
        0.0,
        'Lease of automatic liveliness that the description topics offer, milliseconds; 0 offers '
        'none.',
        minimum=0.0,
        maximum=60000.0,
        when='inactive',
    ),
    Parameter(
        'overlay_rate_hz',
        5.0,
        'Most overlay pictures a second of one camera.',
        minimum=0.1,
        maximum=60.0,
    ),
    Parameter(
        'overlay_width',
        640,
        'Width of overlay pictures, pixels.',
        minimum=320,
        maximum=3840,
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
PARAMETERS: Mapping[str, Parameter] = {row.name: row for row in _ROWS}


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
            raise ConfigError(f'parameter {name} is {value}, allowed is {span(spec)}')
    if spec.choices and value not in spec.choices:
        allowed = ', '.join(spec.choices)
        raise ConfigError(f'parameter {name} is {value!r}, allowed is one of {allowed}')


def span(spec: Parameter) -> str:
    """Return the range of a number in words, or an empty text if it has none."""
    if spec.minimum is None or spec.maximum is None:
        return ''
    return f'{_written(spec.minimum)} to {_written(spec.maximum)}'


def type_name(spec: Parameter) -> str:
    """Return the ROS name of a parameter's type."""
    names = {bool: 'bool', int: 'integer', float: 'double', str: 'string', list: 'string array'}
    return names[type(spec.default)]


def _written(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else f'{number:g}'


def _same_type(value: object, default: Setting) -> bool:
    if isinstance(default, list):
        return isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)
    return type(value) is type(default)
