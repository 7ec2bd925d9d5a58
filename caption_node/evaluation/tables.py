# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""An evaluation as tables for people: on a terminal, and in Markdown for the model card."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from caption_node.evaluation.calibration import Calibration
from caption_node.evaluation.claims import ClaimRates, Rate
from caption_node.evaluation.measure import Evaluation
from caption_node.evaluation.sentences import Score

Evaluations = Mapping[str, Evaluation]

_NOTHING = '-'
_SENTENCES = {
    'cider_d_one_reference': ('CIDEr-D against one reference', 3),
    'rouge_l_one_reference': ('ROUGE-L against one reference', 3),
    'bleu_4_one_reference': ('BLEU-4 against one reference', 3),
    'rouge_l': ('ROUGE-L, best of the references', 3),
    'bleu_4': ('BLEU-4, all references', 3),
    'words': ('words a sentence', 1),
}
_CLAIMS = {
    'people': 'people',
    'cyclists': 'two-wheelers',
    'light': 'a lamp colour',
    'lead': 'a lead vehicle',
    'night': 'night',
}


_MADE_UP = ('people', 'cyclists', 'light')


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of text; the first column names the rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def to_markdown(self) -> str:
        """Return the table as Markdown, its title above it."""
        lines = [
            self.columns,
            ('---', *('---:' for _ in self.columns[1:])),
            *self.rows,
        ]
        escaped = ([cell.replace('|', '\\|') for cell in line] for line in lines)
        body = '\n'.join(f'| {" | ".join(line)} |' for line in escaped)
        return f'**{self.title}**\n\n{body}\n'


def all_tables(results: Evaluations) -> list[Table]:
    """
    Return every table.

    :param results: By split.
    """
    makers = (
        frames_table,
        fields_table,
        sentences_table,
        claims_table,
        calibration_table,
        denials_table,
    )
    return [*(make(results) for make in makers), *groups_tables(results)]


def frames_table(results: Evaluations) -> Table:
    """Tell how many frames there were, and what became of them."""
    rows = (
        ('frames', *(str(r.frames) for r in results.values())),
        ('annotators of each', *(str(r.annotators) for r in results.values())),
        ('left out, fewer annotators', *(str(r.left_out) for r in results.values())),
        ('without a description', *(str(len(r.missing)) for r in results.values())),
        ('abstained', *(_percent(r.abstained) for r in results.values())),
    )
    return Table('Frames', ('', *results), rows)


def fields_table(results: Evaluations) -> Table:
    """Show the macro-F1 of every field."""
    names = next(iter(results.values())).fields
    rows = [(name, *_beside(results, _field(name), 2)) for name in names]
    rows.append(('**mean of the fields**', *_beside(results, lambda r: r.field_f1, 3)))
    return Table('Macro-F1 of the fields', _columns('', results), tuple(rows))


def sentences_table(results: Evaluations) -> Table:
    """Show what sentences share with the annotators' sentences, length and variety."""
    rows = [
        (title, *_beside(results, _sentence(name), places, name != 'words'))
        for name, (title, places) in _SENTENCES.items()
    ]
    rows.append(('different sentences', *_beside(results, _sentence('distinct'), None, False)))
    rows.append(
        ('true sentences: no claim denied', *_beside(results, lambda r: r.truth.right, None))
    )
    return Table('Sentences', _columns('', results), tuple(rows))


def claims_table(results: Evaluations) -> Table:
    """Show what is claimed and not there, what is left out, what no published box bears out."""
    rows = []
    for kind, said in (
        ('hallucinated', 'claimed where there is none'),
        ('omitted', 'left out where there is one'),
        ('boxless', 'claimed without a published box'),
    ):
        for topic, words in _CLAIMS.items():
            cells: list[str] = []
            for result in results.values():
                cells.append(_claim(result.claims[topic], kind))
                theirs = result.annotator_claims.get(topic)
                cells.append(_claim(theirs, kind) if theirs else _NOTHING)
            if any(c != _NOTHING for c in cells):
                rows.append((f'{said}: {words}', *cells))
    columns = [c for name in results for c in (name, 'annotators')]
    return Table('Claims of the sentences', ('', *columns), tuple(rows))


def calibration_table(results: Evaluations) -> Table:
    """Show the expected calibration errors, what chance alone would give, and too much trust."""
    columns = ['']
    for name in results:
        columns += [name, 'by chance', 'confidence', 'right']
    names = next(iter(results.values())).fields
    rows = [(name, *_calibrations(results, _confidence(name))) for name in names]
    rows.append(('**all fields pooled**', *_calibrations(results, lambda r: r.confidences.pooled)))
    means = (
        (
            _number(r.confidences.mean_ece, 3),
            _number(r.confidences.mean_by_chance, 3),
            _NOTHING,
            _NOTHING,
        )
        for r in results.values()
    )
    rows.append(('**mean of the fields**', *(cell for part in means for cell in part)))
    rows.append(('**sentence**', *_calibrations(results, lambda r: r.confidences.caption)))
    return Table('Expected calibration error', tuple(columns), tuple(rows))


def denials_table(results: Evaluations) -> Table:
    """Show which claims of sentences annotators deny, the commonest first."""
    names = dict.fromkeys(name for r in results.values() for name in r.truth.denied)
    rows = tuple(
        (name, *(str(r.truth.denied.get(name, 0)) for r in results.values())) for name in names
    )
    return Table('Denied claims, counted by frame and annotator', ('', *results), rows)


def groups_tables(results: Evaluations) -> list[Table]:
    """Show the main figures of every source and condition."""
    made_up = tuple(f'made up: {_CLAIMS[topic]}' for topic in _MADE_UP)
    columns = (
        *('', 'frames', 'fields', 'share', 'CIDEr-D', 'share'),
        *(*made_up, 'true sentences', 'ECE', 'abstained'),
    )
    tables = []
    for name, result in results.items():
        rows = tuple(
            _group_row(f'{grouping}: {value}', part)
            for grouping, parts in result.groups.items()
            for value, part in parts.items()
        )
        if rows:
            tables.append(Table(f'{name} by source and condition', columns, rows))
    return tables


def _group_row(name: str, part: Evaluation) -> tuple[str, ...]:
    cider = part.sentences['cider_d_one_reference']
    pooled = part.confidences.pooled
    return (
        name,
        str(part.frames),
        _number(part.field_f1.system, 3),
        _percent(part.field_f1.share),
        _number(cider.system, 3),
        _percent(cider.share),
        *(_percent(part.claims[topic].hallucinated) for topic in _MADE_UP),
        _percent(part.truth.right.system),
        _number(pooled.ece if pooled else None, 3),
        _percent(part.abstained),
    )


def _field(name: str) -> Callable[[Evaluation], Score]:
    return lambda result: result.fields[name]


def _sentence(name: str) -> Callable[[Evaluation], Score]:
    return lambda result: result.sentences[name]


def _confidence(name: str) -> Callable[[Evaluation], Calibration | None]:
    return lambda result: result.confidences.fields.get(name)


def _columns(first: str, results: Evaluations) -> tuple[str, ...]:
    return (first, *(c for name in results for c in (name, 'annotators', 'share')))


def _beside(
    results: Evaluations,
    take: Callable[[Evaluation], Score],
    places: int | None,
    with_share: bool = True,
) -> list[str]:
    """Return system, annotators and share for each split; ``places`` None shows per cent."""
    cells = []
    for result in results.values():
        score = take(result)
        for value in (score.system, score.annotators):
            cells.append(_percent(value) if places is None else _number(value, places))
        cells.append(_percent(score.share) if with_share else _NOTHING)
    return cells


def _calibrations(
    results: Evaluations, take: Callable[[Evaluation], Calibration | None]
) -> list[str]:
    cells = []
    for result in results.values():
        found = take(result)
        if found is None:
            cells += [_NOTHING] * 4
            continue
        figures = (found.ece, found.ece_by_chance, found.confidence, found.accuracy)
        cells += [_number(v, 3 if i < 2 else 2) for i, v in enumerate(figures)]
    return cells


def _claim(rates: ClaimRates, kind: str) -> str:
    rate: Rate | None = getattr(rates, kind)
    return _NOTHING if rate is None or not rate.frames else f'{_percent(rate)} of {rate.frames}'


def _number(value: float | None, places: int) -> str:
    return _NOTHING if value is None else f'{value:.{places}f}'


def _percent(value: float | Rate | None) -> str:
    share = value.share if isinstance(value, Rate) else value
    return _NOTHING if share is None else f'{100 * share:.1f}%'
