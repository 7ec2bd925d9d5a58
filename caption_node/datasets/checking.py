# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Every check of a data set; what is wrong is noted with its line, and nothing stops the rest."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
import os
from pathlib import Path
import re
import unicodedata

from caption_node.datasets.alike import Look, groups_of, look_at, near_pairs
from caption_node.datasets.coco import read_coco
from caption_node.datasets.items import DataSet, Item
from caption_node.datasets.languages import looks_english
from caption_node.datasets.table import read_csv
from caption_node.datasets.text import read_text
from caption_node.description import Field
from caption_node.errors import ConfigError, FrameError
from caption_node.image_codec import read_image
from caption_node.vocabulary import split_words

# Chinese, Japanese, Thai, Lao, Khmer, Burmese: written without spaces between words.
_UNSPACED = re.compile('[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]')
_ENGLISH_SHARE = 0.4
# UTF-8 that was read as Latin-1 and saved again.
_GARBLED = re.compile('[\u00c2\u00c3\u00e2][\u0080-\u00bf\u20ac\u201a-\u2122]')
# Half of a character beyond 16 bits: JSON can write it, no file can hold it.
_HALF = re.compile('[\ud800-\udfff]')
# Marks that turn the direction of writing make a text look other than it is.
_CONTROL = re.compile('[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]')


def open_data(file: Path, images: Path | None, table: Mapping[str, Field]) -> DataSet:
    """
    Read a label file: COCO captions (``.json``), or a table (``.csv``, ``.tsv``).

    :param images: Folder of the pictures; None is the file's own, or ``images`` in it.
    :param table: Fields whose values are read.
    :raises ConfigError: If the file as a whole cannot be used.
    """
    if file.is_dir():
        try:
            inside = sorted(file.iterdir())
        except OSError as err:
            raise ConfigError(f'{file} cannot be read: {err.strerror or err}') from err
        found = [p for p in inside if p.suffix.lower() in ('.csv', '.tsv', '.json')]
        if len(found) != 1:
            what = ', '.join(p.name for p in found[:5]) or 'none'
            raise ConfigError(f'{file} is a folder; label files in it: {what}', 'name the file')
        file = found[0]
    readers = {'.json': read_coco, '.csv': read_csv, '.tsv': read_csv}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise ConfigError(
            f'{file}: the format cannot be told from the name',
            'COCO captions are .json, tables .csv or .tsv',
        )
    if images is not None and not images.is_dir():
        what = 'is no folder' if images.exists() else 'does not exist'
        raise ConfigError(f'the folder of pictures {images} {what}')
    data = DataSet(file)
    text = read_text(data)
    beside = file.parent / 'images'
    reader(data, text, images or (beside if beside.is_dir() else file.parent), table)
    return data


def check_data(
    data: DataSet,
    tokenizer: str = 'words',
    tokens: int = 0,
    step: Callable[[], None] = lambda: None,
) -> list[tuple[int, int]]:
    """
    Check captions and pictures, and note all problems, in the order of their lines.

    :param tokenizer: That captions will be split with.
    :param tokens: Most tokens of a caption; 0 is any number.
    :param step: Called for every picture that was looked at.
    :returns: Pairs of pictures that are all but the same.
    """
    _check_captions(data, tokenizer, tokens)
    _check_language(data, tokenizer)
    pairs = _check_pictures(data, step)
    data.problems.sort(key=lambda p: p.line)
    if not any(i.usable and i.captions for i in data.items):
        data.error('empty', 'there is no picture with a caption that could be learnt from')
    return pairs


def _check_captions(data: DataSet, tokenizer: str, tokens: int) -> None:
    for item in data.items:
        known: dict[str, int] = {}
        kept = []
        if not item.captions:
            data.warn('no-caption', 'the picture has no caption', item.place, item.line)
        for caption in item.captions:
            words = split_words(caption.text, tokenizer)
            if not words or not any(w.isalnum() or len(w) > 1 for w in words):
                message = 'the caption holds no word' if words else 'the caption is empty'
                data.error('empty-caption', message, caption.place, caption.line)
                continue
            fault = _text_fault(caption.text)
            if fault:
                data.error('garbled-text', fault, caption.place, caption.line)
                continue
            whole = unicodedata.normalize('NFC', caption.text)
            if whole != caption.text:
                message = 'accents stand apart from their letters: they are read as one (NFC)'
                data.warn('garbled-text', message, caption.place, caption.line)
                caption = replace(caption, text=whole)
                words = split_words(whole, tokenizer)
            said = ' '.join(words)
            if said in known:
                message = f'the same caption stands in line {known[said]} already'
                data.warn('duplicate-caption', message, caption.place, caption.line)
                continue
            known[said] = caption.line
            if tokens and len(words) >= tokens:
                message = f'{len(words)} tokens, the model says {tokens - 1} at most: it is cut'
                data.warn('long-caption', message, caption.place, caption.line)
            kept.append(caption)
        item.captions = kept


def _text_fault(text: str) -> str:
    if '\ufffd' in text:
        return 'the caption holds replacement characters: its encoding was lost before'
    if match := _HALF.search(text):
        return f'the caption holds {match.group()!r}, half of a character'
    if match := _GARBLED.search(text):
        return f'{match.group()!r} looks like UTF-8 that was read as Latin-1'
    if match := _CONTROL.search(text):
        return f'the caption holds the control character {match.group()!r}'
    return ''


def _check_language(data: DataSet, tokenizer: str) -> None:
    captions = [c for i in data.items for c in i.captions]
    if not captions:
        return
    unspaced = [c for c in captions if _UNSPACED.search(c.text)]
    if unspaced and tokenizer == 'words':
        advice = 'they are left out'
        if 2 * len(unspaced) > len(captions):
            advice = 'set "tokenizer: characters" (--tokenizer characters)'
        data.error(
            'language',
            f'{len(unspaced)} of {len(captions)} captions are written without spaces, from here '
            f'on: {advice}',
            unspaced[0].place,
            unspaced[0].line,
        )
        for item in data.items:
            item.captions = [c for c in item.captions if not _UNSPACED.search(c.text)]
        return
    spaced = [c for c in captions if not _UNSPACED.search(c.text)]
    if tokenizer == 'characters':
        if spaced:
            data.warn(
                'language',
                f'{len(spaced)} of {len(captions)} captions are written with spaces, from here '
                'on, but the tokenizer is "characters"',
                spaced[0].place,
                spaced[0].line,
            )
        return
    foreign = [c for c in spaced if not looks_english(split_words(c.text))]
    if len(foreign) > (1 - _ENGLISH_SHARE) * len(captions) and len(captions) > 1:
        data.warn(
            'language',
            f'{len(foreign)} of {len(captions)} captions look other than English, from here on: '
            'they are learnt as they are',
            foreign[0].place,
            foreign[0].line,
        )


def _check_pictures(data: DataSet, step: Callable[[], None]) -> list[tuple[int, int]]:
    files = Counter(os.path.normpath(i.file) for i in data.items)
    for item in data.items:
        if files[os.path.normpath(item.file)] > 1:
            message = f'{item.file} is listed {files[os.path.normpath(item.file)]} times'
            data.warn('duplicate-picture', message, item.place, item.line)
        item.look = _look(data, item)
        step()
    seen = [k for k, item in enumerate(data.items) if item.look is not None]
    looks = [item.look for item in data.items if item.look is not None]
    pairs = [(seen[i], seen[j]) for i, j in near_pairs(looks)]
    for group in _together(len(data.items), pairs):
        first = data.items[group[0]]
        for item in (data.items[k] for k in group[1:]):
            others = [data.items[k] for k in group if data.items[k].split != item.split]
            one = others[0] if others else first
            message = f'{item.file} looks like {one.file} (line {one.line})'
            if others:
                message += f', but one is in split {one.split!r}, the other in {item.split!r}'
                data.error('leak', message, item.place, item.line)
            elif files[os.path.normpath(item.file)] == 1:
                data.warn('near-duplicate', message, item.place, item.line)
    return pairs


def _together(count: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return the groups of two and more pictures that are all but the same."""
    groups: dict[int, list[int]] = {}
    for k, first in enumerate(groups_of(count, pairs)):
        groups.setdefault(first, []).append(k)
    return [group for group in groups.values() if len(group) > 1]


def check_against(data: DataSet, other: DataSet, step: Callable[[], None] = lambda: None) -> None:
    """
    Note pictures that another label file has as well, as of data that are to judge the model.

    :param data: Checked.
    :param other: As it was read; what is wrong in it is not noted.
    :param step: Called for every picture of it that was looked at.
    :raises ConfigError: If none of its pictures can be read.
    """
    scratch = DataSet(other.file)
    for item in other.items:
        item.look = _look(scratch, item)
        step()
    theirs = [i for i in other.items if i.look is not None]
    if not theirs:
        why = scratch.problems[0].message if scratch.problems else 'it lists none'
        raise ConfigError(
            f'{other.file}: none of its pictures can be read ({why})', 'give --against-images DIR'
        )
    ours = [i for i in data.items if i.look is not None]
    both = [*theirs, *ours]
    groups = groups_of(len(both), list(near_pairs([i.look for i in both if i.look is not None])))
    for item, first in zip(ours, groups[len(theirs) :], strict=True):
        if first < len(theirs):
            known = both[first]
            message = f'{item.file} looks like {known.file} of {other.file} (line {known.line})'
            data.error('leak', message, item.place, item.line)
    data.problems.sort(key=lambda p: p.line)


def _look(data: DataSet, item: Item) -> Look | None:
    """Decode a picture; None if it cannot be used."""
    item.usable = False
    parts = Path(item.file.replace('\\', '/')).parts
    if (
        '\0' in item.file
        or _HALF.search(item.file)
        or Path(item.file).is_absolute()
        or os.path.normpath('/'.join(parts)).split('/')[0] == '..'
    ):
        message = f'{item.file!r} leads out of the folder of pictures'
        data.error('picture-path', message, item.place, item.line)
        return None
    try:
        is_there = item.path.is_file()
    except OSError as err:
        message = f'{item.file[:80]!r} cannot be opened: {err.strerror or err}'
        data.error('missing-picture', message, item.place, item.line)
        return None
    if not is_there:
        data.error('missing-picture', f'there is no {item.path}', item.place, item.line)
        return None
    try:
        rgb = read_image(item.path)
    except FrameError as err:
        data.error('picture', str(err), item.place, item.line)
        return None
    item.usable = True
    size = (rgb.shape[1], rgb.shape[0])
    if item.size not in (None, size):
        message = f'the file has {size[0]} x {size[1]} pixels, not {item.size}'
        data.warn('picture-size', message, item.place, item.line)
    return look_at(rgb)
