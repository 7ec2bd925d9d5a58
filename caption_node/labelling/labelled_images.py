# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
What is known to be true of single images of a recording: from a label file, or from a topic of it.

Labels may hold some of the fields only, and need no sentence.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caption_node.bag.descriptions import read_descriptions
from caption_node.bag.message_types import DESCRIPTION_TYPE
from caption_node.bag.reader import BagReader
from caption_node.bag.writer import TRUTH_TOPIC
from caption_node.description import FIELDS, check_value
from caption_node.errors import BagError, ConfigError
from caption_node.evaluation.frames import ANNOTATORS, Annotation, LabelledFrame
from caption_node.evaluation.json_lines import read_json_lines

ImageKey = tuple[str, int]
"""Image topic, and the header's stamp in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Label:
    """
    What is true of an image.

    :param camera: Image topic; empty where the label does not say.
    """

    camera: str
    stamp_ns: int
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """
    The images of a recording, and the labels that belong to them.

    :param log_times_ns: When each image was recorded.
    :param frames: Labels by image; their ids are unique.
    :param strangers: Labels that belong to no image.
    """

    log_times_ns: Mapping[ImageKey, int]
    frames: Mapping[ImageKey, LabelledFrame]
    strangers: int


def read_labelled_images(
    reader: BagReader, file: Path | None, topic: str | None, cameras: Collection[str] = ()
) -> LabelledImages:
    """
    Find the labelled images of a recording.

    :param file: JSON lines; see :func:`read_label_lines`.
    :param topic: Topic of the recording with labels as ``caption_msgs/SceneDescription``; None,
        with no file either, means :data:`TRUTH_TOPIC`.
    :param cameras: Image topics; none means all.
    :raises CaptionError: If there are no labels, or none belongs to an image.
    """
    labels = list(read_label_lines(file) if file is not None else _on_topic(reader, topic))
    where = str(file) if file is not None else f'topic {topic or TRUTH_TOPIC} of {reader.path}'
    log_times_ns: dict[ImageKey, int] = {}
    for image in reader.images(cameras):
        log_times_ns.setdefault((image.camera, image.stamp_ns), image.log_time_ns)
    found = _match(labels, log_times_ns, where)
    if not found:
        raise ConfigError(
            f'{where}: none of {len(labels)} labels belongs to an image of {reader.path}',
            'labels belong to images by stamp_ns, the stamp in the header of the image, and '
            'camera, its topic',
        )
    frames = {
        key: LabelledFrame(f'{key[0]} {key[1]}', '', '', '', label.annotations)
        for key, label in sorted(found.items())
    }
    return LabelledImages(log_times_ns, frames, len(labels) - len(found))


def read_label_lines(file: Path) -> Iterator[Label]:
    """
    Read a label file: lines as ``caption export --format jsonl`` writes them.

    Of a line count ``stamp_ns``, ``camera`` or ``topic`` (may be left out where the stamp tells),
    and ``labels``, a list of objects with fields of the schema and ``caption``. Without ``labels``
    the fields may stand in the line itself.

    :raises ConfigError: If the file cannot be read, or a line is not a label.
    """
    for number, data in read_json_lines(file):
        if isinstance(data, ConfigError):
            raise data
        try:
            yield _label(data)
        except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as err:
            raise ConfigError(
                f'{file}, line {number}: not a label of an image ({err})',
                'a line needs stamp_ns and labels, as `caption export --format jsonl` writes them',
            ) from err


def _label(data: Mapping[str, Any]) -> Label:
    stamp_ns = data['stamp_ns']
    if type(stamp_ns) is not int or stamp_ns < 0:
        raise ConfigError(f'stamp_ns is {stamp_ns!r}, not a whole number of nanoseconds')
    rows = data.get('labels', [data])
    annotations = tuple(_annotation(row) for row in rows[:ANNOTATORS])
    if not annotations or not annotations[0].fields:
        raise ConfigError('it holds no field of the schema')
    return Label(str(data.get('camera') or data.get('topic') or ''), stamp_ns, annotations)


def _annotation(row: Mapping[str, Any]) -> Annotation:
    fields = {name: check_value(name, row[name]) for name in FIELDS if name in row}
    return Annotation(fields, str(row.get('caption') or ''))


def _on_topic(reader: BagReader, name: str | None) -> Iterator[Label]:
    topics = [t for t in reader.topics if t.name == (name or TRUTH_TOPIC)]
    if not topics or topics[0].type != DESCRIPTION_TYPE:
        what = f'it carries {topics[0].type}' if topics else 'there is no such topic'
        raise BagError(
            f'{reader.path} has no labels on {name or TRUTH_TOPIC}: {what}',
            'give a label file with --labels, or the topic of labels with --labels-topic',
        )
    for _, said in read_descriptions(reader, topics):
        fields = {field: found.value for field, found in said.scene.items()}
        if fields:
            yield Label(said.camera, said.stamp_ns, (Annotation(fields, said.caption),))


def _match(
    labels: Iterable[Label], images: Mapping[ImageKey, int], where: str
) -> dict[ImageKey, Label]:
    topics = {camera for camera, _ in images}
    by_stamp: dict[int, list[str]] = {}
    for camera, stamp_ns in images:
        by_stamp.setdefault(stamp_ns, []).append(camera)
    found: dict[ImageKey, Label] = {}
    for label in labels:
        # The name that a node gives its camera is no topic: then the stamp has to do.
        same = by_stamp.get(label.stamp_ns, [])
        cameras = [label.camera] if label.camera in topics else same
        if len(cameras) > 1:
            raise ConfigError(
                f'{where}: the label at {label.stamp_ns} ns may be of {" or ".join(cameras)}',
                'let camera name the topic, or choose topics with --topics',
            )
        for camera in cameras:
            if (camera, label.stamp_ns) in images:
                if (camera, label.stamp_ns) in found:
                    raise ConfigError(
                        f'{where}: two labels of the image at {label.stamp_ns} ns on {camera}'
                    )
                found[camera, label.stamp_ns] = label
    return found
