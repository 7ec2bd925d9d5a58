# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Lifecycle transitions that say how they ended: rclpy swallows what they raise."""

from collections.abc import Callable
from functools import wraps
from time import perf_counter
import traceback
from typing import Any, TypeVar

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from caption_node.errors import CaptionError

Node = TypeVar('Node', bound=Any)
Transition = Callable[[Node, LifecycleState], TransitionCallbackReturn]

_LEADS_TO = {
    'configure': 'inactive',
    'activate': 'active',
    'deactivate': 'inactive',
    'cleanup': 'unconfigured',
    'shutdown': 'finalized',
    'error': 'unconfigured',
}


def transition(otherwise: str) -> Callable[[Transition[Node]], Transition[Node]]:
    """
    Make a transition log its outcome, and fail instead of raise.

    An error that was foreseen is a FAILURE and leaves the node where it was; anything else is an
    ERROR, logged with its traceback.

    :param otherwise: The state in which a FAILURE leaves the node.
    """

    def decorate(method: Transition[Node]) -> Transition[Node]:
        name = method.__name__.removeprefix('on_')

        @wraps(method)
        def wrapped(node: Node, state: LifecycleState) -> TransitionCallbackReturn:
            begin_s = perf_counter()
            try:
                result = method(node, state)
            except Exception as err:
                if not node.context.ok():
                    # Interrupted: whatever broke on the way out is no news, and no log takes it.
                    return TransitionCallbackReturn.FAILURE
                return _report(node, name, otherwise, err)
            if result == TransitionCallbackReturn.SUCCESS and node.context.ok():
                node.note_state(_LEADS_TO[name])
                node.get_logger().info(
                    f'{name}: {_LEADS_TO[name]} after {(perf_counter() - begin_s) * 1e3:.0f} ms'
                )
            return result

        return wrapped

    return decorate


def _report(node: Any, name: str, otherwise: str, err: Exception) -> TransitionCallbackReturn:
    if isinstance(err, CaptionError):
        node.note_state(otherwise, f'{name} failed: {err}')
        node.get_logger().error(f'{name} failed: {err}')
        if err.hint:
            node.get_logger().error(f'hint: {err.hint}')
        return TransitionCallbackReturn.FAILURE
    node.note_state('unconfigured', f'{name} failed: {err!r}')
    trace = ''.join(traceback.format_exception(err))
    node.get_logger().error(f'{name} failed:\n{trace}')
    return TransitionCallbackReturn.ERROR
