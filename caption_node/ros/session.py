# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A recording played into the node: node and replay as processes, and a listener that hears."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
from time import monotonic

from caption_node.errors import BackendUnavailableError, InferenceError
from caption_node.ros.listener import Heard, HeardEvent, Listener
from caption_node.ros.processes import Child, command, environment_for
from caption_node.ros.recorded_cameras import base_topic

_START_S = 120.0
_QUIET_S = 2.0
_SLACK_S = 30.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Play:
    """
    What is played, and into what.

    :param topics: Image topics with the name of their message type.
    :param cameras: Name of the camera of each topic.
    :param duration_s: So much of the recording, seconds.
    :param rate: Times as fast as recorded.
    :param model: Folder or name of the node's model; None is the one that is shipped.
    :param backend: The node's inference backend.
    :param hears_images: Listen to the images too, so that descriptions have an age.
    """

    bag: Path
    topics: Mapping[str, str]
    cameras: Mapping[str, str]
    duration_s: float
    rate: float = 1.0
    model: str | None = None
    backend: str = 'auto'
    hears_images: bool = True


@dataclass(slots=True)
class Result:
    """
    What a play has brought; times are those of :func:`time.monotonic`, seconds.

    :param sent_s: When each image was published, by topic and log time.
    :param heard: Descriptions in the order of their arrival.
    :param events: Events in the order of their arrival.
    """

    sent_s: dict[tuple[str, int], float] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    events: Sequence[HeardEvent] = ()


def free_domain() -> int:
    """A DDS domain that few others use; above 100 its ports would be ephemeral ones."""
    return 30 + os.getpid() % 70


def play(
    what: Play, logs: Path, show: Callable[[Heard, float], None] = lambda heard, time_s: None
) -> Result:
    """
    Replay a recording into the node.

    :param logs: Folder for what the processes print.
    :param show: Called with every description and how far into the drive its image is, seconds.
    :raises CaptionError: If a process does not start, or ends too early.
    """
    domain = free_domain()
    environment = environment_for(domain)
    # The listener lives in this process: rclpy reads its range of discovery from here.
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    times = logs / 'replay_times.jsonl'
    node_line, replay_line = _lines(what, times)
    with (
        Listener(what.topics, domain, what.hears_images) as listener,
        Child('caption_node', node_line, environment, logs / 'node.log') as node,
    ):
        _wait_until_ready(listener, node)
        with Child('caption replay', replay_line, environment, logs / 'replay.log') as replay:
            result = _listen(what, listener, node, replay, show)
        result.events = tuple(listener.events)
    result.sent_s = _read_times(times)
    if not result.sent_s:
        raise BackendUnavailableError(
            f'no image came through DDS\n{replay.tail()}', f'see {replay.log} and {node.log}'
        )
    return result


def _lines(what: Play, times: Path) -> tuple[list[str], list[str]]:
    """Return the command lines of node and replay."""
    named = ', '.join(f'{what.cameras[topic]}={base_topic(topic)}' for topic in what.topics)
    node = [
        *command('caption_node'), '--ros-args', '-p', f'cameras:=[{named}]',
        '-p', f'backend:={what.backend}',
    ]  # fmt: skip
    if what.model:
        node += ['-p', f'model:={what.model}']
    replay = [
        *command('caption'), 'replay', str(what.bag), '--topics', *what.topics,
        '--playback-duration', f'{what.duration_s + 0.001:.3f}', '--rate', f'{what.rate:g}',
        '--wait-for-subscriber', '10', '--times', str(times),
    ]  # fmt: skip
    return node, replay


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
    what: Play,
    listener: Listener,
    node: Child,
    replay: Child,
    show: Callable[[Heard, float], None],
) -> Result:
    """Collect descriptions until the recording has ended and nothing more comes."""
    result = Result()
    last_s = monotonic()
    limit_s = last_s + what.duration_s / what.rate + _SLACK_S
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
    return result


def _read_times(file: Path) -> dict[tuple[str, int], float]:
    """Read what the replay has noted; where two messages are alike, the first counts."""
    found: dict[tuple[str, int], float] = {}
    if file.exists():
        for line in file.read_text(encoding='utf-8').splitlines(keepends=True):
            if not line.endswith('\n'):
                break  # the replay was killed while it wrote this
            row = json.loads(line)
            key = (str(row['topic']), int(row['log_time_ns']))
            found.setdefault(key, float(row['monotonic_s']))
    return found


def _check_alive(child: Child) -> None:
    status = child.status()
    if status is not None:
        raise InferenceError(
            f'{child.name} has ended with status {status}\n{child.tail()}', f'see {child.log}'
        )
