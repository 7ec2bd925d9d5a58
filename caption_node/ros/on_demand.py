# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The service ``~/describe``: a description now, of a camera's newest image or a given one."""

from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as NotDone
from time import perf_counter
from typing import Any

from caption_msgs.msg import SceneDescription as DescriptionMessage
from caption_msgs.srv import Describe
from rclpy.lifecycle import LifecycleNode

from caption_node.errors import CaptionError
from caption_node.ros.conversions import caption_to_message, description_to_message
from caption_node.ros.describing import Describing
from caption_node.ros.inputs import Message
from caption_node.sampling import Wish

_LONGEST_S = 5.0
_LONGEST_SEVERAL_S = 20.0
_TICK_S = 0.1


class DescribeService:
    """
    Answers requests for as long as it exists.

    :param describing: Returns the active part of the node, None while it is not active.
    """

    def __init__(self, node: LifecycleNode, describing: Callable[[], Describing | None]) -> None:
        self._node = node
        self._describing = describing
        self._service = node.create_service(Describe, '~/describe', self._answer)

    def close(self) -> None:
        """Take the service back."""
        self._node.destroy_service(self._service)

    def _answer(self, request: Any, response: Any) -> Any:
        try:
            camera, message = self._image(request)
            description = self._describe(message, camera, _wish(request))
        except CaptionError as err:
            hint = f' ({err.hint})' if err.hint else ''
            response.message = f'{err}{hint}'
            return response
        header = message.header
        now_ns = self._node.get_clock().now
        full = description_to_message(description, header, lambda: int(now_ns().nanoseconds))
        response.success = True
        response.text = caption_to_message(description).data
        response.description = full
        for sample in description.samples or ():
            response.samples.append(sample.caption)
            response.sample_confidences.append(float(sample.confidence))
        if request.text_only:
            response.description = DescriptionMessage(
                header=header, camera=camera, status=full.status
            )
        return response

    def _image(self, request: Any) -> tuple[str, Message]:
        active = self._describing()
        if active is None:
            raise CaptionError('the node is not active', 'activate it first')
        if len(request.image.data):
            return request.camera or 'request', request.image
        if len(request.compressed.data):
            return request.camera or 'request', request.compressed
        camera, message, why = active.newest(request.camera)
        if message is None:
            raise CaptionError(why)
        return camera, message

    def _describe(self, message: Message, camera: str, wish: Wish | None) -> Any:
        active = self._describing()
        if active is None:
            raise CaptionError('the node is not active', 'activate it first')
        future = active.ask(message, camera, wish)
        # The executor waits here for the model: images lie in their queues of one.
        longest_s = _LONGEST_SEVERAL_S if wish else _LONGEST_S
        begin_s = perf_counter()
        while self._node.context.ok() and perf_counter() - begin_s < longest_s:
            try:
                return future.result(_TICK_S)
            except NotDone:
                continue
            except CancelledError:
                break
        future.cancel()
        raise CaptionError(f'no description within {longest_s:g} s', 'ask again')


def _wish(request: Any) -> Wish | None:
    if not request.samples:
        return None
    # 0 is what a request holds that says nothing of it.
    return Wish(request.samples, request.temperature or None, request.seed)
