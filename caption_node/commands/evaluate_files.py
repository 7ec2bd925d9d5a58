# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What ``caption evaluate`` reads and writes beside its table: pictures, and files of results."""

from collections.abc import Mapping, Sequence
import json
import os
from pathlib import Path, PurePosixPath
from typing import IO, Any

from caption_node.closing import Closed
from caption_node.description import SceneDescription
from caption_node.errors import ConfigError
from caption_node.evaluation.calibration import Calibration
from caption_node.evaluation.diagram import reliability_svg
from caption_node.evaluation.measure import Evaluation
from caption_node.evaluation.tables import Table


def frame_path(folder: Path, file: str) -> Path:
    """
    Find the picture of a frame.

    :param file: As the label gives it; ``folder`` may be the folder that it is relative to, or
        any folder on the way to the picture.
    :returns: A path that exists, or the one where the picture should be.
    """
    parts = PurePosixPath(file).parts
    for start in range(len(parts)):
        path = folder.joinpath(*parts[start:])
        if path.is_file():
            return path
    return folder / file


class Results(Closed):
    """
    The files that a run leaves.

    :param folder: Where to write all of them; None writes none.
    :param diagram: Where to write the reliability diagram as well.
    :param with_predictions: Keep the descriptions as they come, so that a killed run loses none.
    """

    def __init__(self, folder: Path | None, diagram: Path | None, with_predictions: bool) -> None:
        self._folder = folder
        self._diagram = diagram
        self._predictions: IO[str] | None = None
        if diagram is not None and diagram.suffix.lower() != '.svg':
            raise ConfigError(f'--diagram {diagram} is no .svg file')
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                if with_predictions:
                    self._predictions = (folder / 'predictions.jsonl').open('w', encoding='utf-8')
        except OSError as err:
            raise _not_written(folder, err) from err

    def add(self, description: SceneDescription) -> None:
        """
        Keep one description.

        :raises ConfigError: If it cannot be written.
        """
        if self._predictions is None:
            return
        try:
            self._predictions.write(json.dumps(description.to_json(), allow_nan=False) + '\n')
            self._predictions.flush()
        except OSError as err:
            raise _not_written(self._predictions.name, err) from err

    def write(
        self, data: Mapping[str, Any], tables: Sequence[Table], measured: Mapping[str, Evaluation]
    ) -> None:
        """
        Write what was measured.

        :raises ConfigError: If a file cannot be written.
        """
        diagram = reliability_svg(_panels(measured))
        if self._folder is not None:
            write_results(self._folder, 'evaluation', data, tables)
            _write(self._folder / 'reliability.svg', diagram)
        if self._diagram is not None:
            _write(self._diagram, diagram)

    def close(self) -> None:
        """Close what is open."""
        if self._predictions is not None:
            try:
                self._predictions.close()
            except OSError as err:
                raise _not_written(self._predictions.name, err) from err


def open_results(folder: str | None, diagram: str | None, with_predictions: bool) -> Results:
    """
    Prepare the files of a run, before the work begins.

    :raises ConfigError: If they cannot be written.
    """
    return Results(
        Path(folder) if folder else None, Path(diagram) if diagram else None, with_predictions
    )


def write_results(
    folder: Path, name: str, data: Mapping[str, Any], tables: Sequence[Table]
) -> None:
    """
    Write figures as JSON, and as tables in Markdown.

    :raises ConfigError: If a file cannot be written.
    """
    _write(folder / f'{name}.json', json.dumps(data, indent=1, allow_nan=False) + '\n')
    _write(folder / f'{name}.md', '\n'.join(t.to_markdown() for t in tables))


def _panels(measured: Mapping[str, Evaluation]) -> dict[str, Calibration]:
    panels = {}
    for name, result in measured.items():
        used = result.confidences
        for title, found in (
            (f'fields, {name}', used.pooled),
            (f'sentence, {name}', used.caption),
        ):
            if found is not None:
                panels[title] = found
    return panels


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(text, encoding='utf-8')
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as err:
        raise _not_written(path, err) from err


def _not_written(path: object, err: OSError) -> ConfigError:
    return ConfigError(
        f'{path} cannot be written: {err.strerror or err}', 'give another place with --output'
    )
