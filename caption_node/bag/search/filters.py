# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Filters on fields: a small language that is read here and computed on columns, never run as code.

    filter     = either {"or" either}
    either     = both {"and" both}
    both       = "not" both | "(" filter ")" | comparison
    comparison = name [operator value | "in" "(" value {"," value} ")"]
    operator   = "=" | "!=" | "<" | "<=" | ">" | ">="

A name alone asks for true, or for a count above 0. Own fields of models go by their names as well,
or with ``own.`` before them where something else has that name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from difflib import get_close_matches
import fnmatch
import operator
import re
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from caption_node.bag.search.blocks import class_column
from caption_node.bag.search.own_fields import PREFIX, UNKNOWN
from caption_node.description import FIELDS, MAX_COUNT, OBJECT_CLASSES, STATUSES, Field
from caption_node.errors import ConfigError

Mask = NDArray[np.bool_]
_TOKEN = re.compile(
    r'\s*(?:(?P<sign><=|>=|!=|==|=|<|>|\(|\)|,)|"(?P<double>[^"]*)"|\'(?P<single>[^\']*)\''
    r'|(?P<word>[^\s<>=!(),"\']+))'
)
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    '=': operator.eq,
    '==': operator.eq,
    '!=': operator.ne,
    '<': operator.lt,
    '<=': operator.le,
    '>': operator.gt,
    '>=': operator.ge,
}
_BOOLEANS = {'true': 1, 'yes': 1, '1': 1, 'false': 0, 'no': 0, '0': 0}
_LONGEST, _DEEPEST = 2000, 50
_HINT = "write it like 'lead=truck and road=highway and people>=2 and not time in (dusk, night)'"


class Rows(Protocol):
    """What a filter looks at: the columns of an index."""

    def column(self, name: str) -> NDArray[Any]:
        """Return a column as codes."""
        ...

    def rows_of_streams(self, chooses: Callable[[str, str], bool]) -> Mask:
        """Return the rows whose recording and topic are chosen."""
        ...


Filter = Callable[[Rows], Mask]


@dataclass(frozen=True, slots=True)
class _Name:
    """
    What can be asked for.

    :param kind: Of a field, or what it is: ``status``, ``confidence``, ``bag`` and so on.
    :param words: In the order of their codes.
    :param most: Greatest number that it can be.
    """

    name: str
    column: str
    kind: str
    words: tuple[str, ...] = ()
    most: float = MAX_COUNT


_OTHERS = ('confidence', 'bag', 'topic', 'recorded')
_NAMES = {
    **{f.name: _Name(f.name, f.name, f.kind, f.values) for f in FIELDS.values()},
    **{n: _Name(n, n, 'count', (), 255.0) for n in map(class_column, OBJECT_CLASSES)},
    'status': _Name('status', 'status', 'categorical', STATUSES),
    **{n: _Name(n, n, n) for n in _OTHERS},
}


def _names(own: Mapping[str, Field]) -> dict[str, _Name]:
    added = {
        name: _Name(f.name, PREFIX + f.name, f.kind, f.values)
        for f in own.values()
        for name in (PREFIX + f.name, f.name)
    }
    return added | _NAMES


def read_filter(text: str, own: Mapping[str, Field] | None = None) -> Filter:
    """
    Read a filter.

    :param own: Fields beyond those of driving.
    :returns: What computes, for an index, which rows pass.
    :raises ConfigError: If it is not one; says what was expected.
    """
    if len(text) > _LONGEST:
        raise ConfigError(f'the filter is longer than {_LONGEST} characters')
    parser = _Parser(_tokens(text), _names(own or {}))
    found = parser.either_of(0)
    if parser.peek() is not None:
        raise ConfigError(f'{parser.peek()!r} cannot follow there in the filter', _HINT)
    return found


def _tokens(text: str) -> list[tuple[str, bool]]:
    """Return pairs of (token, whether it was quoted)."""
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ConfigError(f'the filter cannot be read from {text[place:][:20]!r} on', _HINT)
        quoted = match['double'] if match['double'] is not None else match['single']
        tokens.append((match['sign'] or match['word'] or quoted or '', quoted is not None))
        place = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: Sequence[tuple[str, bool]], names: Mapping[str, _Name]) -> None:
        self._tokens = tokens
        self._names = names
        self._place = 0

    def peek(self) -> str | None:
        """Return the next token; words of the language in lower case."""
        if self._place >= len(self._tokens):
            return None
        token, is_quoted = self._tokens[self._place]
        return token if is_quoted or token.lower() not in _KEYWORDS else token.lower()

    def either_of(self, depth: int) -> Filter:
        if depth > _DEEPEST:
            raise ConfigError(f'the filter is nested deeper than {_DEEPEST} times')
        parts = [self._all_of(depth)]
        while self._takes('or'):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else lambda rows: _fold(np.logical_or, parts, rows)

    def _all_of(self, depth: int) -> Filter:
        parts = [self._one(depth)]
        while self._takes('and'):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else lambda rows: _fold(np.logical_and, parts, rows)

    def _one(self, depth: int) -> Filter:
        if self._takes('not'):
            if depth > _DEEPEST:
                raise ConfigError(f'the filter is nested deeper than {_DEEPEST} times')
            inner = self._one(depth + 1)
            return lambda rows: ~inner(rows)
        if self._takes('('):
            inner = self.either_of(depth + 1)
            self._expect(')')
            return inner
        return self._comparison()

    def _comparison(self) -> Filter:
        asked = self._next('the name of a field')
        name = self._names.get(asked)
        if name is None:
            close = get_close_matches(asked, self._names, 1)
            hint = f'did you mean {close[0]!r}? ' if close else ''
            plain = [n for n in self._names if not n.startswith(PREFIX)]
            raise ConfigError(
                f'there is no field {asked!r} to filter by', f'{hint}fields: ' + ', '.join(plain)
            )
        sign = self.peek()
        if sign in _OPERATORS:
            self._place += 1
            return _compare(name, sign, self._next(f'a value for {asked}'))
        if self._takes('in'):
            self._expect('(')
            values = [self._next(f'a value for {asked}')]
            while self._takes(','):
                values.append(self._next(f'a value for {asked}'))
            self._expect(')')
            parts = [_compare(name, '=', v) for v in values]
            return lambda rows: _fold(np.logical_or, parts, rows)
        if name.kind == 'boolean':
            return _compare(name, '=', 'true')
        if name.kind == 'count':
            return _compare(name, '>', '0')
        raise ConfigError(f'{asked} needs a value in the filter', f'for instance {_example(name)}')

    def _takes(self, token: str) -> bool:
        is_there = self.peek() == token
        self._place += is_there
        return is_there

    def _expect(self, token: str) -> None:
        if not self._takes(token):
            found = self.peek()
            what = 'the end' if found is None else repr(found)
            raise ConfigError(f'the filter has {what} where {token!r} should be', _HINT)

    def _next(self, what: str) -> str:
        token = self.peek()
        if token is None:
            raise ConfigError(f'the filter ends where {what} should be', _HINT)
        quoted = self._tokens[self._place][1]
        if not quoted and (token in _KEYWORDS or token in _OPERATORS or token in '(),'):
            raise ConfigError(f'the filter has {token!r} where {what} should be', _HINT)
        self._place += 1
        return token


_KEYWORDS = ('and', 'or', 'not', 'in')


def _fold(join: Callable[[Mask, Mask], Mask], parts: Sequence[Filter], rows: Rows) -> Mask:
    mask = parts[0](rows)
    for part in parts[1:]:
        mask = join(mask, part(rows))
    return mask


def _example(name: _Name) -> str:
    if name.words:
        return f'{name.name}={name.words[0]}'
    examples = {'recorded': '2026-05-04', 'confidence': '0.5'}
    return f'{name.name}={examples.get(name.name, "2")}'


def _compare(name: _Name, sign: str, text: str) -> Filter:
    compare, column = _OPERATORS[sign], name.column
    if name.kind in ('bag', 'topic'):
        return _compare_stream(name.kind, sign, text)
    if name.kind == 'recorded':
        begin_ns, end_ns = _read_time(text)
        return _compare_time(sign, begin_ns, end_ns)
    if name.kind == 'confidence':
        value = _number(name.name, text, 1.0)
        return lambda rows: compare(rows.column(column).astype(np.float32) / 255, value)
    if name.kind == 'count':
        count = int(_number(name.name, text, name.most))
        return lambda rows: _known(rows.column(column), compare(rows.column(column), count))
    if sign not in ('=', '==', '!='):
        raise ConfigError(f'{name.name} has no order: {sign} means nothing there', 'use = or !=')
    code = _code(name, text)
    return lambda rows: _known(rows.column(column), compare(rows.column(column), code))


def _known(column: NDArray[Any], mask: Mask) -> Mask:
    return np.asarray(mask & (column != UNKNOWN), dtype=bool)


def _code(name: _Name, text: str) -> int:
    if name.kind == 'boolean':
        if text.lower() not in _BOOLEANS:
            raise ConfigError(f'{name.name} cannot be {text!r}', 'allowed: true, false')
        return _BOOLEANS[text.lower()]
    # Words of own fields may have capitals, and differ in them only.
    words = name.words if text in name.words else tuple(w.lower() for w in name.words)
    asked = text if text in name.words else text.lower()
    if asked not in words:
        close = get_close_matches(asked, words, 1)
        hint = f'did you mean {close[0]!r}? ' if close else ''
        if name.column.startswith(PREFIX):
            raise ConfigError(
                f'no frame of the index has {name.name} = {text!r}',
                f'{hint}what it has: ' + ', '.join(name.words),
            )
        raise ConfigError(f'{name.name} cannot be {text!r}', f'{hint}allowed: ' + ', '.join(words))
    return words.index(asked)


def _number(name: str, text: str, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    is_whole = most <= 1 or value == int(value) if 0 <= value <= most else False
    if not is_whole:
        kind = 'a number' if most <= 1 else 'a whole number'
        raise ConfigError(f'{name} cannot be {text!r}', f'{kind} from 0 to {most:g} goes there')
    return value


def _compare_stream(name: str, sign: str, text: str) -> Filter:
    if sign not in ('=', '==', '!='):
        raise ConfigError(f'{name} has no order: {sign} means nothing there', 'use = or !=')
    pattern = text if any(c in text for c in '*?[') else f'*{text}*'

    def chooses(bag: str, topic: str) -> bool:
        return fnmatch.fnmatchcase(bag if name == 'bag' else topic, pattern) != (sign == '!=')

    return lambda rows: rows.rows_of_streams(chooses)


def _compare_time(sign: str, begin_ns: int, end_ns: int) -> Filter:
    """A day is all the time in it, so that ``recorded=2026-05-04`` means what it says."""

    def passes(rows: Rows) -> Mask:
        time_ns = rows.column('log_time_ns')
        mask: Mask = {
            '=': lambda: (time_ns >= begin_ns) & (time_ns < end_ns),
            '==': lambda: (time_ns >= begin_ns) & (time_ns < end_ns),
            '!=': lambda: (time_ns < begin_ns) | (time_ns >= end_ns),
            '<': lambda: time_ns < begin_ns,
            '<=': lambda: time_ns < end_ns,
            '>': lambda: time_ns >= end_ns,
            '>=': lambda: time_ns >= begin_ns,
        }[sign]()
        return mask

    return passes


def _read_time(text: str) -> tuple[int, int]:
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=timezone.utc)
        begin_ns = round(when.timestamp()) * 1_000_000_000
    except (ValueError, OverflowError) as err:
        raise ConfigError(
            f'{text!r} is no time of recording',
            'write 2026-05-04 or "2026-05-04T10:30:00" (UTC)',
        ) from err
    length_s = 86400 if len(text) <= 10 else 1
    return begin_ns, begin_ns + length_s * 1_000_000_000
