# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What the terminal shows: one line for every new sentence, colours where there is a terminal."""

import sys
from time import monotonic
from typing import Any, TextIO

from caption_node.description import SceneDescription
from caption_node.ros.listener import Heard

_REPEAT_S = 2.0
_STYLES = {'ok': 'green', 'abstain': 'yellow', 'error': 'red', 'stale': 'magenta'}


class Screen:
    """
    Prints as descriptions come.

    :param stream: Where to; a terminal gets colours and a line of progress that is overwritten.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._console = _console(self._stream) if self._is_terminal else None
        self._last_text = ''
        self._last_s = float('-inf')
        self._progress = ''

    def note(self, text: str) -> None:
        """
        Show progress; on a terminal it is overwritten, elsewhere only its first words count.

        :param text: A text that ends with a line feed stays, such as a warning.
        """
        if text.endswith('\n'):
            self._clear()
            self.say(text.rstrip())
        elif self._is_terminal:
            self._progress = text
            self._stream.write(f'\r\x1b[2K{text}')
            self._stream.flush()
        else:
            words = text.split(':')[0]
            if words != self._progress:
                self._progress = words
                self.say(words)

    def say(self, text: str) -> None:
        """Print one line."""
        self._clear()
        self._stream.write(text + '\n')
        self._stream.flush()

    def show(self, heard: Heard, elapsed_s: float) -> None:
        """Print a description, unless the last line said the same a moment ago."""
        description = heard.description
        text = describe(description)
        now_s = monotonic()
        if text == self._last_text and now_s - self._last_s < _REPEAT_S:
            return
        self._last_text, self._last_s = text, now_s
        age = f'{heard.age_ms:4.0f} ms' if heard.age_ms == heard.age_ms else '   ? ms'
        facts = key_fields(description)
        if self._console is None:
            self.say(f'{elapsed_s:5.1f} s  age {age}  {text}  [{facts}]')
            return
        self._clear()
        style = _STYLES.get(description.status, 'white')
        self._console.print(f'[dim]{elapsed_s:5.1f} s[/]  [cyan]age {age}[/]  ', end='')
        self._console.print(text, style=style, markup=False, highlight=False, end='')
        self._console.print(f'  ({facts})', style='dim', markup=False, highlight=False)

    def table(self, title: str, rows: list[tuple[str, str]]) -> None:
        """Print a table of two columns."""
        self._clear()
        if self._console is not None:
            from rich.table import Table

            table = Table(title=title, show_header=False, title_justify='left')
            for name, value in rows:
                table.add_row(name, value)
            self._console.print(table)
            return
        wide = max(len(name) for name, _ in rows)
        self.say(f'\n{title}')
        for name, value in rows:
            self.say(f'  {name:<{wide}}  {value}')

    def _clear(self) -> None:
        if self._is_terminal and self._progress:
            self._stream.write('\r\x1b[2K')
        if self._is_terminal:
            self._progress = ''


def _console(stream: TextIO) -> Any:
    """A rich console, or None where rich is not installed: plain lines do as well."""
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(file=stream)


def describe(description: SceneDescription) -> str:
    """The sentence, with whatever is not well in front of it."""
    if description.status == 'error':
        return f'ERROR {description.error}'
    if description.status != 'ok':
        return f'{description.status.upper()} ({description.reason}): {description.caption}'
    return description.caption


def key_fields(description: SceneDescription) -> str:
    """The most telling fields in a few words."""
    scene = {name: v.value for name, v in description.scene.items()}
    if not scene:
        return description.camera
    words = [str(scene.get(n, '')) for n in ('time', 'weather', 'road')]
    lead = scene.get('lead', 'none')
    words.append(f'lead {lead}' + (f' {scene.get("lead_range")}' if lead != 'none' else ''))
    words.append(f'{scene.get("vehicles", 0)} vehicles')
    if scene.get('people'):
        words.append(f'{scene["people"]} people')
    if scene.get('light') not in ('none', None):
        words.append(f'light {scene["light"]}')
    return ', '.join(w for w in words if w)
