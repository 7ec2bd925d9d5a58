# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""A recording in, its descriptions out: every frame, in order, none dropped silently."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from caption_node.bag.images import RecordedImage
from caption_node.bag.reader import BagReader, Message, Topic
from caption_node.bag.writer import BagWriter
from caption_node.batching import Described, Describer, describe_all


class Thinning:
    """
    Keeps one image in every period, for each camera by itself.

    :param period_s: Seconds of recording time; 0 keeps all.
    """

    def __init__(self, period_s: float) -> None:
        self._period_ns = round(period_s * 1e9)
        self._due_ns: dict[str, int] = {}
        self._last_ns: dict[str, int] = {}

    def keeps(self, camera: str, time_ns: int) -> bool:
        """
        Say whether to keep an image.

        :param time_ns: When it was recorded: its own stamp may be missing.
        """
        if self._period_ns <= 0:
            return True
        due_ns = self._due_ns.get(camera, time_ns)
        if time_ns < self._last_ns.get(camera, time_ns):
            due_ns = time_ns  # the clock was set back: begin anew
        self._last_ns[camera] = time_ns
        if time_ns < due_ns:
            return False
        missed = (time_ns - due_ns) // self._period_ns
        self._due_ns[camera] = due_ns + (missed + 1) * self._period_ns
        return True


def describe_bag(
    reader: BagReader,
    pipeline: Describer,
    batch: int,
    topics: Collection[str] = (),
    every_s: float = 0.0,
) -> Iterator[Described[RecordedImage]]:
    """
    Describe the frames of a recording.

    What cannot be read is in ``reader.damage`` afterwards; what cannot be decoded has a
    description with the status ``error``.

    :param batch: Frames per run of the model.
    :param topics: Image topics; none means all.
    :param every_s: Describe one frame in so many seconds of each camera; 0 means all.
    :raises BagError: If a topic is not there or does not carry images.
    """
    thinning = Thinning(every_s)
    images = reader.images(topics)
    kept = (i for i in images if thinning.keeps(i.camera, i.log_time_ns))
    return describe_all(pipeline, kept, batch)


class Copier:
    """
    Copies the messages of a recording, bit by bit between what else is written.

    :param original: The recording.
    :param writer: Where the messages go.
    """

    def __init__(self, original: BagReader, writer: BagWriter) -> None:
        self._writer = writer
        self._topics = {t.name: t for t in original.topics}
        self._messages: Iterator[Message] = original.messages(list(self._topics))
        self._next = next(self._messages, None)

    def copy_until(self, time_ns: int | None) -> None:
        """Copy what was recorded up to a log time; None copies the rest."""
        while self._next is not None and (time_ns is None or self._next.log_time_ns <= time_ns):
            self._writer.copy(self._next, topic_of(self._next, self._topics))
            self._next = next(self._messages, None)


def topic_of(message: Message, topics: Mapping[str, Topic]) -> Topic:
    """
    Return the topic of a message, for a copy of it.

    Two publishers may use one name for two types; the definition recorded is that of one of them.
    """
    topic = topics[message.topic]
    if message.type == topic.type:
        return topic
    return replace(topic, type=message.type, definition='', type_hash='')
