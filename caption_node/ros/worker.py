# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread that describes: the freshest image of every camera, as one batch."""

from collections.abc import Callable
import threading
from time import perf_counter
import traceback

from rclpy.node import Node

from caption_node.description import SceneDescription
from caption_node.errors import CaptionError
from caption_node.frame import Frame
from caption_node.mailbox import Mailbox, Parcel
from caption_node.pipeline import CaptionPipeline
from caption_node.ros.conversions import frame_from_message, stamp_to_ns
from caption_node.ros.inputs import Message

Publish = Callable[[SceneDescription, Message, float], None]
Batch = list[tuple[Parcel[Message], Frame]]


class FrameWorker:
    """
    Describes what lies in the mailbox until it is stopped; no frame, however broken, ends it.

    :param publish: Called in the worker's thread with a description, its image message, and how
        long the image lay in the mailbox, milliseconds.
    :param wanted: Whether anybody wants descriptions now.
    :param node: Whose log and context it uses.
    """

    def __init__(
        self,
        pipeline: CaptionPipeline,
        mailbox: Mailbox[Message],
        publish: Publish,
        wanted: Callable[[], bool],
        node: Node,
    ) -> None:
        self._pipeline = pipeline
        self._mailbox = mailbox
        self._publish = publish
        self._wanted = wanted
        self._logger = node.get_logger()
        self._context = node.context
        self._thread = threading.Thread(target=self._run, name='caption-worker', daemon=True)

    def start(self) -> None:
        """Begin to describe."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.5) -> bool:
        """
        Close the mailbox and wait for the batch in hand.

        :returns: Whether the thread has ended.
        """
        self._mailbox.close()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._mailbox.closed:
            parcels = self._mailbox.take()
            if not parcels or not self._wanted():
                continue
            taken_s = perf_counter()
            try:
                self._describe(parcels, taken_s)
            except Exception:
                # Publishing fails when the context goes down; anything else is our own fault.
                if self._context.ok() and not self._mailbox.closed:
                    self._logger.error(
                        f'the frame worker failed, and goes on:\n{traceback.format_exc()}',
                        throttle_duration_sec=5.0,
                    )

    def _describe(self, parcels: list[Parcel[Message]], taken_s: float) -> None:
        batch: Batch = []
        for parcel in parcels:
            try:
                batch.append((parcel, frame_from_message(parcel.item, parcel.camera)))
            except CaptionError as err:
                self._fail(parcel, taken_s, err)
        size = self._pipeline.bundle.max_batch
        for begin in range(0, len(batch), size):
            self._run_batch(batch[begin : begin + size], taken_s)

    def _run_batch(self, batch: Batch, taken_s: float) -> None:
        try:
            descriptions = self._pipeline.describe([frame for _, frame in batch])
        except CaptionError as err:
            for parcel, _ in batch:
                self._fail(parcel, taken_s, err)
            return
        for (parcel, _), description in zip(batch, descriptions, strict=True):
            self._publish(description, parcel.item, (taken_s - parcel.put_s) * 1e3)

    def _fail(self, parcel: Parcel[Message], taken_s: float, err: CaptionError) -> None:
        hint = f' (hint: {err.hint})' if err.hint else ''
        self._logger.warning(
            f'camera {parcel.camera}: no description of this frame: {err}{hint}',
            throttle_duration_sec=5.0,
        )
        header = parcel.item.header
        description = SceneDescription(
            stamp_ns=stamp_to_ns(header.stamp),
            frame_id=header.frame_id,
            camera=parcel.camera,
            status='error',
            error=str(err),
            model=self._pipeline.model,
        )
        self._publish(description, parcel.item, (taken_s - parcel.put_s) * 1e3)
