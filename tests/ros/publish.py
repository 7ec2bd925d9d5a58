# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
The camera of the tests, a process of its own: publishes what it is told, again and again.

    python -m tests.ros.publish {good|bad|fast|large} TOPIC...
"""

from contextlib import suppress
from itertools import count, cycle
import sys
from threading import Event

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image

from tests.drawn import draw_street, jpeg, png
from tests.ros.picture_messages import ENCODINGS, bad_messages, compressed, header, raw

BASE_NS = 1_700_000_000_123_456_789
SPEEDS = {'fast': ((640, 480), 60.0), 'large': ((1280, 720), 30.0)}


def good_messages() -> dict[str, Image | CompressedImage]:
    """Return one message of every encoding; its name is the frame_id too."""
    rgb = draw_street(3)
    messages: dict[str, Image | CompressedImage] = {}
    for number, encoding in enumerate(ENCODINGS):
        messages[encoding] = raw(rgb, encoding, header(encoding, BASE_NS + number), padding=number)
    for kind, data in (('jpeg', jpeg(rgb)), ('png', png(rgb))):
        messages[kind] = compressed(data, kind, header(kind, BASE_NS + 1000 + len(messages)))
    return messages


def main() -> None:
    """Publish until the process is ended."""
    kind, topics = sys.argv[1], sys.argv[2:]
    rclpy.init()
    node = rclpy.create_node('camera')
    pause = Event()
    if kind in SPEEDS:
        size, rate_hz = SPEEDS[kind]
        publishers = [node.create_publisher(Image, t, qos_profile_sensor_data) for t in topics]
        message = raw(draw_street(3, *size), 'bgr8', header(kind, 0))
        for number in count():
            if not rclpy.ok():
                break
            message.header.stamp = node.get_clock().now().to_msg()
            publishers[number % len(publishers)].publish(message)
            pause.wait(1 / rate_hz / len(publishers))
        return
    messages = good_messages() if kind == 'good' else bad_messages(draw_street(3))
    raw_topic = node.create_publisher(Image, topics[0], 10)
    compressed_topic = node.create_publisher(CompressedImage, f'{topics[0]}/compressed', 10)
    for message in cycle(messages.values()):
        if not rclpy.ok():
            break
        (raw_topic if isinstance(message, Image) else compressed_topic).publish(message)
        pause.wait(0.1)


if __name__ == '__main__':
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        main()
