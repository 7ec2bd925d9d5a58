# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The play itself: node and replay as processes, and a listener that hears what comes back."""

from collections.abc import Callable
from dataclasses import dataclass, field
import os
from pathlib import Path
import re
from time import monotonic

from caption_node.demo.processes import Child, command, environment_for
from caption_node.demo.source import Recording, base_topics
from caption_node.errors import BackendUnavailableError, InferenceError
from caption_node.ros.listener import Heard, Listener

_START_S = 60.0
_QUIET_S = 2.0
_SLACK_S = 30.0
_POLL_S = 0.1


@dataclass(slots=True)
class Result:
    """
    What a play has brought.

    :param sent: Images that were published on the camera topics.
    :param heard: Descriptions in the order of their arrival.
    """

    sent: int = 0
    heard: list[Heard] = field(default_factory=list)


def free_domain() -> int:
    """A DDS domain that few others use; above 100 its ports would be ephemeral ones."""
    return 30 + os.getpid() % 70


def play(
    recording: Recording, out: Path, model: str | None, show: Callable[[Heard, float], None]
) -> Result:
    """
    Replay a recording in real time into the node.

    :param show: Called with every description and how far into the drive its image is, seconds.
    :raises CaptionError: If a process does not start, or ends too early.
    """
    domain = free_domain()
    environment = environment_for(domain)
    # The listener lives in this process: rclpy reads its range of discovery from here.
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    named = zip(recording.cameras.values(), base_topics(recording), strict=True)
    cameras = ', '.join(f'{name}={topic}' for name, topic in named)
    node_line = [
        *command('caption_node'), '--ros-args',
        '-p', f'cameras:=[{cameras}]',
    ]  # fmt: skip
    if model:
        node_line += ['-p', f'model:={model}']
    replay_line = [
        *command('caption'), 'replay', str(recording.bag), '--topics', *recording.topics,
        '--playback-duration', f'{recording.duration_s + 0.001:.3f}',
        '--wait-for-subscriber', '10',
    ]  # fmt: skip
    with (
        Listener(recording.topics, domain) as listener,
        Child('caption_node', node_line, environment, out / 'demo_node.log') as node,
    ):
        _wait_until_ready(listener, node)
        with Child('caption replay', replay_line, environment, out / 'demo_replay.log') as replay:
            return _listen(recording, listener, node, replay, show)


def _wait_until_ready(listener: Listener, node: Child) -> None:
    """Wait until the node has loaded its model and subscribed."""
    deadline_s = monotonic() + _START_S
    while not listener.is_ready():
        _check_alive(node)
        if monotonic() > deadline_s:
            raise BackendUnavailableError(
                f'the node has not come up within {_START_S:g} s\n{node.tail()}',
                f'see {node.log}; does a firewall block UDP on the loopback interface?',
            )
        listener.next(_POLL_S)


def _listen(
    recording: Recording,
    listener: Listener,
    node: Child,
    replay: Child,
    show: Callable[[Heard, float], None],
) -> Result:
    """Collect descriptions until the recording has ended and nothing more comes."""
    result = Result()
    last_s = monotonic()
    limit_s = last_s + recording.duration_s + _SLACK_S
    ended_s: float | None = None
    while monotonic() < limit_s:
        heard = listener.next(_POLL_S)
        now_s = monotonic()
        if heard is not None and heard.description.status == 'stale':
            continue  # it says that the camera has stopped, and describes no image
        if heard is not None:
            result.heard.append(heard)
            first_ns = result.heard[0].description.stamp_ns
            show(heard, (heard.description.stamp_ns - first_ns) / 1e9)
            last_s = now_s
            continue
        _check_alive(node)
        if replay.status() is not None and ended_s is None:
            ended_s = now_s
        if ended_s is not None and now_s - max(ended_s, last_s) > _QUIET_S:
            break
    result.sent = _sent(replay, listener)
    if result.sent == 0:
        raise BackendUnavailableError(
            f'no image came through DDS\n{replay.tail()}', f'see {replay.log} and {node.log}'
        )
    return result


def _sent(replay: Child, listener: Listener) -> int:
    """How many images were published: the sender knows best, a listener may have come late."""
    said = re.search(r'replayed (\d+) messages', replay.tail())
    return max(int(said[1]) if said else 0, listener.image_count)


def _check_alive(child: Child) -> None:
    status = child.status()
    if status is not None:
        raise InferenceError(
            f'{child.name} has ended with status {status}\n{child.tail()}', f'see {child.log}'
        )
