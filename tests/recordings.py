# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings that the tests make with rosbags, not with the code under test."""

from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from tests.drawn import draw_street, jpeg

START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
STAMP_LAG_NS = 7_000_001
"""The camera exposes this much before the recorder writes."""
CAMERA = '/camera/front/image_raw'
COMPRESSED_CAMERA = '/camera/left/image_raw/compressed'
CHATTER = '/chatter'


def stamp_ns(i: int) -> int:
    """Return the header stamp of the i-th image."""
    return START_NS + i * PERIOD_NS - STAMP_LAG_NS


def make_message(types: Any, kind: str, i: int, encoding: str = 'bgr8') -> Any:
    """Return the i-th message of a recording: an image, a compressed image or a text."""
    if kind == 'std_msgs/msg/String':
        return types.types[kind](data=f'hello {i}')
    time = types.types['builtin_interfaces/msg/Time'](*divmod(stamp_ns(i), 1_000_000_000))
    header_type = types.types['std_msgs/msg/Header']
    fields: dict[str, Any] = {'stamp': time, 'frame_id': 'front_optical'}
    if 'seq' in header_type.__dataclass_fields__:
        fields['seq'] = i
    header = header_type(**fields)
    rgb = draw_street(i)
    if kind == 'sensor_msgs/msg/CompressedImage':
        data = np.frombuffer(jpeg(rgb), dtype=np.uint8)
        return types.types[kind](header=header, format='bgr8; jpeg compressed bgr8', data=data)
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    return types.types[kind](
        header=header,
        height=rgb.shape[0],
        width=rgb.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=rgb.shape[1] * 3,
        data=bgr.reshape(-1),
    )


TOPICS = {
    CAMERA: 'sensor_msgs/msg/Image',
    COMPRESSED_CAMERA: 'sensor_msgs/msg/CompressedImage',
    CHATTER: 'std_msgs/msg/String',
}


def write_rosbag2(
    path: Path,
    storage: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode = CompressionMode.NONE,
    frames: int = 10,
    topics: dict[str, str] | None = None,
) -> Path:
    """Write a rosbag2 folder with every topic at 10 Hz."""
    types = get_typestore(Stores.ROS2_JAZZY)
    writer = Writer(path, version=9, storage_plugin=storage)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connections = {
            name: writer.add_connection(name, kind, typestore=types)
            for name, kind in (TOPICS if topics is None else topics).items()
        }
        for i in range(frames):
            for connection in connections.values():
                message = make_message(types, connection.msgtype, i)
                data = types.serialize_cdr(message, connection.msgtype)
                writer.write(connection, START_NS + i * PERIOD_NS, data)
    return path


def write_rosbag1(path: Path, frames: int = 10) -> Path:
    """Write a ROS 1 bag with the same topics."""
    types = get_typestore(Stores.ROS1_NOETIC)
    with Ros1Writer(path) as writer:
        connections = {
            name: writer.add_connection(name, kind, typestore=types)
            for name, kind in TOPICS.items()
        }
        for i in range(frames):
            for connection in connections.values():
                message = make_message(types, connection.msgtype, i)
                data = types.serialize_ros1(message, connection.msgtype)
                writer.write(connection, START_NS + i * PERIOD_NS, data)
    return path


def storage_file(bag: Path) -> Path:
    """Return the one storage file of a rosbag2 folder."""
    (found,) = [p for p in bag.iterdir() if p.name != 'metadata.yaml']
    return found


def cut(path: Path, share: float) -> None:
    """Cut a file to a share of its length."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
