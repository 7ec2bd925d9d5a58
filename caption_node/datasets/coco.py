# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
COCO captions files.

Source: COCO data format, section 5 (image captioning), https://cocodataset.org/#format-data.
"""

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

from caption_node.datasets.fields import take_values
from caption_node.datasets.items import Caption, DataSet, Item
from caption_node.datasets.json_places import object_lines
from caption_node.description import Field
from caption_node.errors import ConfigError

_LISTS = ('images', 'annotations')
_SLACK_PX = 1.0
_FARTHEST_PX = 1e9


def read_coco(data: DataSet, text: str, folder: Path, table: Mapping[str, Field]) -> None:
    """
    Read images and annotations; what is wrong with single ones is noted.

    :param folder: Of the pictures.
    :param table: The fields whose values are read, from annotations or their ``attributes``.
    :raises ConfigError: If the file as a whole is none of this format.
    """
    try:
        whole = json.loads(text)
    except ValueError as err:
        raise ConfigError(f'{data.file} is not JSON: {err}') from err
    except RecursionError as err:
        raise ConfigError(f'{data.file} is nested too deeply for a label file') from err
    if not isinstance(whole, dict) or not all(isinstance(whole.get(n), list) for n in _LISTS):
        raise ConfigError(
            f'{data.file} is no COCO captions file',
            'it needs the lists "images" (id, file_name) and "annotations" (image_id, caption)',
        )
    lines = object_lines(text, _LISTS)
    images: dict[Any, Item] = {}
    for k, row in enumerate(whole['images']):
        _read_image(data, images, row, lines.get(('images', k), 0), folder)
    seen: set[Any] = set()
    for k, row in enumerate(whole['annotations']):
        line = lines.get(('annotations', k), 0)
        if not isinstance(row, dict):
            data.error('format', f'{str(row)[:40]!r} is no annotation', f'annotation {k}', line)
            continue
        place = f'annotation {row.get("id", f"number {k}")}'
        key = _key(row.get('id'))
        if key is not None and key in seen:
            data.warn('duplicate-id', 'the id stands twice', place, line)
        seen.add(key)
        item = images.get(_key(row.get('image_id')))
        if item is None:
            message = f'there is no image {row.get("image_id")!r}'
            data.error('unknown-image', message, place, line)
            continue
        _read_annotation(data, item, row, place, line, table)


def _read_image(data: DataSet, images: dict[Any, Item], row: Any, line: int, folder: Path) -> None:
    if not isinstance(row, dict) or _key(row.get('id')) is None:
        data.error('format', f'{str(row)[:40]!r} is no image with an id', 'images', line)
        return
    place = f'image {row["id"]}'
    key = _key(row['id'])
    if key in images:
        data.error('duplicate-id', 'the id stands twice', place, line)
        return
    file = row.get('file_name')
    if not isinstance(file, str) or not file.strip():
        data.error('format', 'there is no file_name', place, line)
        return
    item = Item(str(row['id']), file, folder / file, place, line, str(row.get('split') or ''))
    data.take_size(item, row.get('width'), row.get('height'))
    images[key] = item
    data.items.append(item)


def _read_annotation(
    data: DataSet,
    item: Item,
    row: Mapping[str, Any],
    place: str,
    line: int,
    table: Mapping[str, Field],
) -> None:
    attributes = row.get('attributes')
    if attributes is not None and not isinstance(attributes, dict):
        message = f'attributes are {str(attributes)[:40]!r}, no object of names and values'
        data.error('format', message, place, line)
    given = {**row, **(attributes if isinstance(attributes, dict) else {})}
    data.fields |= set(attributes) if isinstance(attributes, dict) else set()
    values, faults = take_values(given, table)
    for fault in faults:
        data.error('field-value', fault, place, line)
    for name, value in values.items():
        if item.values.setdefault(name, value) != value:
            message = f'{name} is {value!r} here and {item.values[name]!r} before'
            data.warn('field-conflict', message, place, line)
    for box in (b for b in (row.get('bbox'), *_list(row.get('boxes'))) if b is not None):
        fault = box_fault(box, item.size)
        if fault:
            data.error('box', fault, place, line)
    caption = row.get('caption')
    if caption is None and ('bbox' in row or values):
        return  # an annotation of another kind about the same picture
    if not isinstance(caption, str):
        data.error('caption', f'the caption is {caption!r}, no text', place, line)
        return
    item.captions.append(Caption(caption, place, line))


def box_fault(box: Any, size: tuple[int, int] | None) -> str:
    """
    Say what is wrong with a box, or return an empty text.

    :param box: x, y, width and height in pixels, as COCO has them.
    :param size: Width and height of the picture, where they are known.
    """
    if not isinstance(box, list) or len(box) != 4:
        return f'the box {str(box)[:60]} is not x, y, width, height'
    if not all(type(v) in (int, float) and abs(v) < _FARTHEST_PX for v in box):
        return f'the box {str(box)[:60]} does not hold four finite numbers'
    x, y, width, height = box
    if width <= 0 or height <= 0:
        return f'the box {box} has no area'
    if size is None:
        return '' if x >= -_SLACK_PX and y >= -_SLACK_PX else f'the box {box} begins outside'
    inside = (
        x >= -_SLACK_PX
        and y >= -_SLACK_PX
        and x + width <= size[0] + _SLACK_PX
        and y + height <= size[1] + _SLACK_PX
    )
    return '' if inside else f'the box {box} reaches beyond {size[0]} x {size[1]} pixels'


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _key(value: Any) -> Any:
    """Return an id that can be compared: 7 and '7' are not the same, true is none."""
    return value if type(value) in (int, str) else None
