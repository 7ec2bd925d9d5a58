# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Label files as annotation tools read and write them.

``jsonl`` is the label file of training itself, one frame a line. ``csv`` is for spreadsheets.
``coco-captions`` is the annotation file of COCO captions, with fields and confidences as
``attributes`` of each annotation, where tools such as CVAT and Label Studio converters keep them.

Source: COCO data format, section 5 (image captioning), https://cocodataset.org/#format-data.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

from caption_node.datasets.json_places import object_lines
from caption_node.description import FIELDS
from caption_node.errors import ConfigError
from caption_node.labelling.frames import LabelledFrame, read_value

LABEL_FILES = {
    'jsonl': 'labels.jsonl',
    'csv': 'labels.csv',
    'coco-captions': 'captions_coco.json',
}
_TEXTS = ('hazard', 'caption')
_CSV_HEAD = ('id', 'file', 'width', 'height')
_CSV_NAMES = ('caption', 'hazard', *FIELDS)
_CSV_CONFIDENCES = tuple(f'{n}_confidence' for n in ('caption', *FIELDS))
_CARRIED = ('source', 'licence', 'camera', 'stamp_ns', 'status', 'model')


class Row(NamedTuple):
    """
    One frame of a label file, not checked yet.

    :param place: Where it stands, for messages: ``labels.csv, line 7``.
    :param data: As a line of ``labels.jsonl`` has it.
    :param faults: What could not be read of it.
    """

    place: str
    data: dict[str, Any]
    faults: list[str]


def render_labels(frames: Iterable[LabelledFrame], format: str) -> str:
    """Return the text of a label file, in one of :data:`LABEL_FILES`."""
    writers: Mapping[str, Callable[[Iterable[LabelledFrame]], str]] = {
        'jsonl': _to_jsonl,
        'csv': _to_csv,
        'coco-captions': _to_coco,
    }
    return writers[format](frames)


def read_rows(path: Path, format: str | None = None) -> Iterator[Row]:
    """
    Read a label file.

    :param format: One of :data:`LABEL_FILES`; None goes by the suffix.
    :raises ConfigError: If it cannot be read, or is not of that format as a whole.
    """
    suffixes = {'.jsonl': 'jsonl', '.csv': 'csv', '.json': 'coco-captions'}
    kind = format or suffixes.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(
            f'{path}: the format cannot be told from the name',
            'name it with --format, one of ' + ', '.join(LABEL_FILES),
        )
    try:
        # Spreadsheets put a byte order mark before their text.
        text = path.read_text(encoding='utf-8-sig')
    except OSError as err:
        raise ConfigError(f'{path} cannot be read: {err.strerror or err}') from err
    except UnicodeDecodeError as err:
        raise ConfigError(f'{path} is not UTF-8 text ({err})', 'save it as UTF-8') from err
    return {'jsonl': _from_jsonl, 'csv': _from_csv, 'coco-captions': _from_coco}[kind](path, text)


def _to_jsonl(frames: Iterable[LabelledFrame]) -> str:
    return ''.join(json.dumps(f.to_json(), ensure_ascii=False) + '\n' for f in frames)


def _from_jsonl(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split('\n'), 1):
        if not line.strip():
            continue
        place = f'{path}, line {number}'
        try:
            data = json.loads(line)
        except ValueError as err:
            yield Row(place, {}, [f'not JSON ({err})'])
            continue
        faults = [] if isinstance(data, dict) else ['not a JSON object']
        yield Row(place, data if isinstance(data, dict) else {}, faults)


def _to_csv(frames: Iterable[LabelledFrame]) -> str:
    text = io.StringIO()
    out = csv.writer(text, lineterminator='\n')
    out.writerow([*_CSV_HEAD, *_CSV_NAMES, *_CSV_CONFIDENCES, *_CARRIED, 'boxes'])
    for f in frames:
        row = f.to_json()
        label = [_cell(f.label.get(n, '')) for n in _CSV_NAMES]
        shares = [f.confidences.get(n, '') for n in ('caption', *FIELDS)]
        carried = [row.get(n, '') for n in _CARRIED]
        boxes = json.dumps(row['boxes'])
        out.writerow([f.id, f.file, f.width, f.height, *label, *shares, *carried, boxes])
    return text.getvalue()


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _from_csv(path: Path, text: str) -> Iterator[Row]:
    lines = csv.DictReader(io.StringIO(text, newline=''), strict=True)
    needed = ('id', 'file', *_CSV_NAMES)
    missing = [n for n in needed if n not in (lines.fieldnames or ())]
    if missing:
        raise ConfigError(
            f'{path}, line 1: no column {", ".join(missing)}',
            'keep the first line as `caption export --format csv` writes it',
        )
    while True:
        number = lines.line_num + 1
        try:
            cells = next(lines, None)
        except csv.Error as err:
            yield Row(f'{path}, line {number}', {}, [f'not CSV ({err})'])
            return
        if cells is None:
            return
        yield _csv_row(f'{path}, line {number}', cells)


def _csv_row(place: str, cells: Mapping[Any, Any]) -> Row:
    faults = []
    if None in cells:
        faults.append('more cells than columns: put quotes around sentences that have commas')
    texts = {k: v or '' for k, v in cells.items() if isinstance(k, str)}
    label: dict[str, Any] = {n: texts[n].strip() for n in _TEXTS}
    for name in FIELDS:
        try:
            label[name] = read_value(name, texts[name])
        except ConfigError as err:
            faults.append(f'{err}, {err.hint}')
    data: dict[str, Any] = {'id': texts['id'], 'file': texts['file'], 'labels': [label]}
    for name in ('width', 'height', 'stamp_ns'):
        if texts.get(name, '').isdecimal():
            data[name] = int(texts[name])
    data.update({n: texts[n] for n in _CARRIED if n != 'stamp_ns' and texts.get(n)})
    try:
        data['boxes'] = json.loads(texts.get('boxes') or '[]')
    except ValueError as err:
        faults.append(f'boxes are not JSON ({err})')
    return Row(place, data, faults)


def _to_coco(frames: Iterable[LabelledFrame]) -> str:
    images, annotations = [], []
    for number, f in enumerate(frames, 1):
        row = f.to_json()
        images.append(
            {
                'id': number,
                'file_name': f.file,
                'width': f.width,
                'height': f.height,
                'name': f.id,
                'boxes': row['boxes'],
                **{n: row[n] for n in _CARRIED if n in row},
            }
        )
        annotations.append(
            {
                'id': number,
                'image_id': number,
                'caption': f.label.get('caption', ''),
                'attributes': {k: v for k, v in f.label.items() if k != 'caption'},
                'confidences': dict(f.confidences),
            }
        )
    info = {'description': 'frames with pre-labels of caption_node', 'version': '1.0'}
    data = {'info': info, 'licenses': [], 'images': images, 'annotations': annotations}
    return json.dumps(data, ensure_ascii=False, indent=1) + '\n'


def _from_coco(path: Path, text: str) -> Iterator[Row]:
    lines = object_lines(text, ('annotations',))
    try:
        data = json.loads(text)
        images = {i['id']: i for i in data['images']}
        annotations = list(data['annotations'])
    except ValueError as err:
        raise ConfigError(f'{path} is not JSON ({err})') from err
    except (KeyError, TypeError) as err:
        raise ConfigError(
            f'{path} is no COCO captions file: no usable {err}',
            'it needs "images" with "id" and "file_name", and "annotations"',
        ) from err
    rows: dict[Any, Row] = {}
    for k, item in enumerate(annotations):
        at = f', line {lines["annotations", k]}' if ('annotations', k) in lines else ''
        place = f'{path}{at}, annotation {item.get("id", k) if isinstance(item, dict) else k}'
        image = images.get(item.get('image_id')) if isinstance(item, dict) else None
        if image is None:
            yield Row(place, {}, ['it belongs to no image'])
            continue
        attributes = item.get('attributes')
        label = {**(attributes if isinstance(attributes, dict) else {})}
        label['caption'] = item.get('caption')
        known = rows.get(image['id'])
        if known is not None:
            known.data['labels'].append(label)
            continue
        row: dict[str, Any] = {
            'id': str(image.get('name') or image['id']),
            'file': image.get('file_name'),
            'labels': [label],
            'boxes': image.get('boxes', []),
            **{n: image[n] for n in ('width', 'height', *_CARRIED) if n in image},
        }
        rows[image['id']] = Row(place, row, [])
    yield from rows.values()
