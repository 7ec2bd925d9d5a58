# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Publishes a recording as it was: same bytes, same stamps, same distances in time."""

from collections.abc import Iterator
from contextlib import ExitStack
import importlib
import json
from pathlib import Path
import re
import sys
from threading import Event
from time import monotonic, perf_counter
from typing import IO, Any

import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.utilities import try_shutdown
from rosgraph_msgs.msg import Clock

from caption_node.bag.reader import BagReader
from caption_node.bag.storage import Message, Topic
from caption_node.errors import BagError, ConfigError
from caption_node.ros.context import RCLError, ended_if_stuck, init_ros
from caption_node.ros.conversions import NS_PER_S
from caption_node.ros.replay import ReplayOptions

# rmw's numbers stand in older recordings, words in newer ones.
_BEST_EFFORT = {'2', 'best_effort'}
_TRANSIENT_LOCAL = {'1', 'transient_local'}
LATEST_WAKE_S = 0.05


def play(options: ReplayOptions) -> int:
    """
    Publish a recording in real time, until its end or until the process is interrupted.

    :returns: 0, or 1 if parts of the recording could not be read.
    :raises BagError: If nothing of it can be published.
    """
    with BagReader(options.bag) as reader, ExitStack() as stack:
        topics = _choose_topics(reader, options)
        if options.start_offset_s > reader.duration_s:
            raise ConfigError(
                f'--start-offset is {options.start_offset_s:g} s, '
                f'{options.bag} lasts {reader.duration_s:.3f} s'
            )
        rules = [part for rule in options.remap for part in ('-r', rule)]
        times = None if options.times is None else stack.enter_context(_open(options.times))
        try:
            init_ros(['caption', '--ros-args', *rules])
            Player(reader, topics, options, times).run()
        except (KeyboardInterrupt, ExternalShutdownException):
            pass
        except RCLError as err:
            # Interrupted while publishing: the context is gone, and that is no failure.
            if rclpy.ok():
                raise ConfigError(f'ROS failed: {err}') from err
        finally:
            try_shutdown()
        for damage in reader.damage:
            _say(f'warning: {damage}')
        return 1 if reader.damage else 0


class Player:
    """
    A node that publishes some topics of a recording.

    :param topics: Topics with the message class of each.
    :param times: Gets when each message was published.
    """

    def __init__(
        self,
        reader: BagReader,
        topics: dict[str, tuple[Topic, type[Any]]],
        options: ReplayOptions,
        times: IO[str] | None = None,
    ) -> None:
        self._reader = reader
        self._options = options
        self._times = times
        self._node = Node('caption_replay', enable_rosout=False)
        self._publishers: dict[str, Publisher] = {
            name: self._node.create_publisher(kind, name, publisher_qos(topic.qos))
            for name, (topic, kind) in topics.items()
        }
        self._clock: Publisher | None = None
        if options.clock_hz is not None:
            self._clock = self._node.create_publisher(Clock, '/clock', 10)
        self._last_clock_s = 0.0
        self._pause = Event()
        self._sent = 0

    def run(self) -> None:
        """Publish until the end, or for ever with ``loop``."""
        try:
            if self._options.wait_for_subscriber_s is not None:
                self._wait_for_subscriber(self._options.wait_for_subscriber_s)
            _say(
                f'replaying {self._options.bag}: {", ".join(self._publishers)}; '
                f'{self._reader.duration_s:.1f} s at rate {self._options.rate:g}'
            )
            while self._play_once() and self._options.loop:
                pass
            for publisher in self._publishers.values():
                publisher.wait_for_all_acked(Duration(seconds=2))
        finally:
            _say(f'replayed {self._sent} messages')
            if rclpy.ok():
                with ended_if_stuck():
                    self._node.destroy_node()

    def _play_once(self) -> bool:
        """Publish the recording once; whether it went to the end and there was anything in it."""
        before = self._sent
        begin_s = perf_counter()
        begin_ns = 0
        for message in self._messages():
            begin_ns = begin_ns or message.log_time_ns
            due_s = begin_s + (message.log_time_ns - begin_ns) / 1e9 / self._options.rate
            self._wait_until(due_s, begin_s, begin_ns)
            if not rclpy.ok():
                return False
            published_s = monotonic()
            self._publishers[message.topic].publish(message.cdr)
            self._sent += 1
            self._note(message, published_s)
        return self._sent > before

    def _note(self, message: Message, published_s: float) -> None:
        if self._times is None:
            return
        row = {'topic': message.topic, 'log_time_ns': message.log_time_ns}
        try:
            self._times.write(json.dumps({**row, 'monotonic_s': published_s}) + '\n')
        except OSError as err:
            raise _not_written(self._times.name, err) from err

    def _messages(self) -> Iterator[Message]:
        options = self._options
        end_ns = None
        if options.duration_s is not None:
            start_ns = self._reader.start_ns + round(options.start_offset_s * 1e9)
            end_ns = start_ns + round(options.duration_s * 1e9)
        for message in self._reader.messages(list(self._publishers), options.start_offset_s):
            if end_ns is not None and message.log_time_ns > end_ns:
                return
            yield message

    def _wait_until(self, due_s: float, begin_s: float, begin_ns: int) -> None:
        """Wait for a moment of the wall clock, publishing /clock meanwhile."""
        period_s = 1.0 / self._options.clock_hz if self._options.clock_hz else LATEST_WAKE_S
        while rclpy.ok():
            now_s = perf_counter()
            time_ns = begin_ns + int((now_s - begin_s) * self._options.rate * 1e9)
            self._publish_clock(now_s, period_s, time_ns)
            if now_s >= due_s:
                return
            # Not longer than that in one go: an interruption is noticed between two waits.
            self._pause.wait(min(due_s - now_s, period_s, LATEST_WAKE_S))

    def _publish_clock(self, now_s: float, period_s: float, time_ns: int) -> None:
        if self._clock is None or now_s - self._last_clock_s < period_s:
            return
        self._last_clock_s = now_s
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(time_ns, NS_PER_S)
        self._clock.publish(message)

    def _wait_for_subscriber(self, timeout_s: float) -> None:
        deadline_s = perf_counter() + timeout_s
        while rclpy.ok() and perf_counter() < deadline_s:
            if any(p.get_subscription_count() for p in self._publishers.values()):
                return
            self._pause.wait(LATEST_WAKE_S)
        if rclpy.ok():
            _say(f'warning: nobody listens after {timeout_s:g} s: replaying all the same')


def publisher_qos(recorded: str) -> QoSProfile:
    """
    Return what a publisher offers so that whoever heard the recorded ones hears it too.

    :param recorded: Offered QoS profiles of the recorded publishers, in YAML; may be empty.
    """
    reliability = set(re.findall(r'reliability:\s*(\w+)', recorded))
    durability = set(re.findall(r'durability:\s*(\w+)', recorded))
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=10,
        reliability=(
            ReliabilityPolicy.BEST_EFFORT
            if reliability & _BEST_EFFORT
            else ReliabilityPolicy.RELIABLE
        ),
        durability=(
            DurabilityPolicy.TRANSIENT_LOCAL
            if durability and durability <= _TRANSIENT_LOCAL
            else DurabilityPolicy.VOLATILE
        ),
    )


def _choose_topics(
    reader: BagReader, options: ReplayOptions
) -> dict[str, tuple[Topic, type[Any]]]:
    found = {topic.name: topic for topic in reader.topics}
    shown = ', '.join(f'{t.name} ({t.type})' for t in reader.topics) or 'nothing'
    for name in options.topics:
        if name not in found:
            raise BagError(f'{options.bag} has no topic {name}', f'it holds {shown}')
    chosen = {}
    for name in options.topics or sorted(found):
        topic = found[name]
        if name == '/clock' and options.clock_hz is not None:
            continue
        kind = _message_class(topic)
        if kind is None:
            _say(f'warning: topic {name} is left out: type {topic.type} is not installed')
            continue
        chosen[name] = (topic, kind)
    if not chosen:
        raise BagError(f'{options.bag} has no topic that can be published', f'it holds {shown}')
    return chosen


def _message_class(topic: Topic) -> type[Any] | None:
    if topic.encoding != 'cdr' or topic.type.count('/') != 2:
        return None
    package, kind, name = topic.type.split('/')
    try:
        found: type[Any] = getattr(importlib.import_module(f'{package}.{kind}'), name)
    except (ImportError, AttributeError):
        return None
    return found


def _open(path: Path) -> IO[str]:
    try:
        return path.open('w', buffering=1, encoding='utf-8')
    except OSError as err:
        raise _not_written(path, err) from err


def _not_written(path: object, err: OSError) -> ConfigError:
    return ConfigError(
        f'{path} cannot be written: {err.strerror or err}', 'give another file with --times'
    )


def _say(text: str) -> None:
    sys.stderr.write(f'{text}\n')
    sys.stderr.flush()
