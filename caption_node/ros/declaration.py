# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The table of parameters as rclpy wants it: declared, with descriptors and ranges."""

from collections.abc import Mapping
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from caption_node.errors import ConfigError
from caption_node.ros.parameters import PARAMETERS, Parameter, check, type_name

_EFFECT = {
    'at once': 'Takes effect at once.',
    'inactive': 'Refused while active; takes effect at the next activation.',
    'start': 'Read at start only.',
}


def describe(spec: Parameter) -> ParameterDescriptor:
    """Return what ``ros2 param describe`` shows of a parameter."""
    descriptor = ParameterDescriptor(
        name=spec.name, description=spec.description, read_only=spec.when == 'start'
    )
    constraints = [_EFFECT[spec.when]]
    if spec.choices:
        constraints.insert(0, 'One of ' + ', '.join(spec.choices) + '.')
    descriptor.additional_constraints = ' '.join(constraints)
    if spec.minimum is not None and spec.maximum is not None:
        if isinstance(spec.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(spec.minimum), to_value=float(spec.maximum))
            ]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(spec.minimum), to_value=int(spec.maximum), step=1)
            ]
    return descriptor


def declare_parameters(node: Node) -> None:
    """
    Declare every parameter of the table.

    :raises ConfigError: If one was set to something that the table does not allow.
    """
    given = _overrides(node)
    for spec in PARAMETERS.values():
        if spec.name in given:
            value = given[spec.name].value
            try:
                check(spec.name, value)
            except ConfigError as err:
                hint = 'ros2 param describe shows what is allowed; so does docs/ros.md'
                if isinstance(spec.default, float) and isinstance(value, int):
                    hint = f'write {value}.0: ROS tells integers and doubles apart'
                raise ConfigError(str(err), hint) from err
        try:
            node.declare_parameter(spec.name, spec.default, describe(spec))
        except ParameterException as err:
            raise ConfigError(f'parameter {spec.name} must be {type_name(spec)}: {err}') from err


def unknown_overrides(node: Node) -> list[str]:
    """Return the names that were set at start although there are no such parameters."""
    return sorted(
        name
        for name in _overrides(node)
        if not node.has_parameter(name) and not name.startswith('qos_overrides.')
    )


def _overrides(node: Node) -> Mapping[str, Any]:
    # rclpy has no public way to ask what was given on the command line or in a file.
    given: Mapping[str, RosParameter] = getattr(node, '_parameter_overrides', {})
    return given
