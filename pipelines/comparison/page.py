"""A comparison as a page of Markdown, for an issue or a paper; and how its figures are written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.comparison.columns import FLOOR, Shared
from pipelines.comparison.runs import ComparedRun
from pipelines.comparison.settings import Difference
from pipelines.comparison.statistics import ENOUGH, POOLED, UNDIRECTED, Figure
from pipelines.evaluation.scores import ALL_LEVELS
from pipelines.wording import counted

CORPUS = ("corpus", "shuffled")
"""Selections without a value per video, and so without intervals and differences."""


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        metric: what was measured.
        cells: the figure of each column that has one, by its heading.
    """

    metric: str
    cells: Mapping[str, Figure]

    @property
    def first(self) -> Figure:
        """One of its figures; all share metric, selection and aggregate."""
        return next(iter(self.cells.values()))


def rows_of(figures: Sequence[Figure], truth_level: str) -> list[Row]:
    """The rows that are shown against one level of annotation: whole hierarchies and best levels.

    Values of single levels are in `comparison.parquet` alone. Of the two aggregates the mean is shown, and
    the pooled value as well where papers report that.
    """
    rows: dict[tuple[str, str, str, int | None], dict[str, Figure]] = {}
    for figure in figures:
        pooled = figure.aggregate == "pooled"
        if figure.truth_level != truth_level or figure.selection == "level":
            continue
        if pooled and not POOLED.fullmatch(figure.metric):
            continue
        level = figure.level if figure.selection in CORPUS else None
        key = (figure.metric, figure.selection, figure.aggregate, level)
        rows.setdefault(key, {})[figure.column] = figure
    defined = {
        key: cells for key, cells in rows.items() if not all(math.isnan(f.value) for f in cells.values())
    }
    return [Row(metric, cells) for (metric, *_), cells in defined.items()]


def title_of(row: Row) -> str:
    """What a row shows."""
    figure = row.first
    if figure.selection in CORPUS:
        level = "" if figure.level is None else f", level {figure.level}"
        return row.metric + level + (", shuffled" if figure.selection == "shuffled" else "")
    return f"{row.metric}, pooled" if figure.aggregate == "pooled" else row.metric


def number(value: float, metric: str) -> str:
    """A value, to three digits after the point, or one where it is no share."""
    if math.isnan(value):
        return "-"
    return f"{value:.1f}" if UNDIRECTED.fullmatch(metric) else f"{value:.3f}"


def signed(value: float, metric: str) -> str:
    """A difference, with its sign."""
    text = number(value, metric)
    return text if text == "-" or text.startswith("-") else f"+{text}"


def outcome(figure: Figure) -> str:
    """`3/1/2`: videos better, worse, the same."""
    return f"{figure.wins}/{figure.losses}/{figure.ties}"


def comparison_page(
    figures: Sequence[Figure],
    shared: Shared,
    runs: Sequence[ComparedRun],
    differences: Sequence[Difference],
    inputs: Sequence[str],
) -> str:
    """The whole comparison as Markdown.

    Args:
        figures: all figures.
        shared: what they were made of.
        runs: the reference first.
        differences: settings that differ.
        inputs: what differs between what they read, a line each.
    """
    parts = ["# Comparison of " + ", ".join(_code(run.label) for run in runs), _runs_table(runs)]
    for name, videos in shared.truth_levels.items():
        rows = rows_of(figures, name)
        if rows:
            parts += [f"## {_level_title(name)}, {counted(len(videos), 'video')}"]
            parts += [_scores_table(rows), _differences_table(rows)]
    parts += ["Values of every level are in `comparison.parquet`.", _EXPLANATION]
    parts += ["## Videos that count", _lines(shared.remarks or ["All scored videos of all runs."])]
    parts += ["## Settings that differ", _settings_table(differences, [run.label for run in runs])]
    parts += ["## Inputs", _lines(inputs)]
    return "\n\n".join(part for part in parts if part) + "\n"


_EXPLANATION = (
    "Means over the videos that all runs share, in brackets the 95 % percentile bootstrap interval over "
    "videos. *Pooled*: the sum of all videos' numerators by the sum of their denominators. L1: the "
    "predictor's best level, chosen by its mean boundary F1 at 0.5 s with the annotation in hand. Floors see "
    "no pixel. Differences are to the reference over the same videos, bold where the interval leaves out "
    f"zero and there are {ENOUGH} videos or more; then the videos in which the score is better/worse/the "
    "same. *Shuffled*: the floor of representations, the same events with theirs dealt out at random."
)


def _level_title(name: str) -> str:
    if name == ALL_LEVELS:
        return "All annotated levels together"
    return f"Annotated level {_code(name)}"


def _runs_table(runs: Sequence[ComparedRun]) -> str:
    rows = []
    for place, run in enumerate(runs):
        revision = (run.facts.get("software") or {}).get("revision")
        role = "reference" if place == 0 else ""
        rows.append(
            [_code(run.label), _code(run.predictor), _code(str(run.folder.root)), _code(revision), role]
        )
    return _table(["run", "predictor", "folder", "revision", ""], rows)


def _scores_table(rows: Sequence[Row]) -> str:
    columns = list(dict.fromkeys(label for row in rows for label in row.cells))
    body = [[_title(row), *(_score(row.cells.get(label)) for label in columns)] for row in rows]
    return _table(["metric", *map(_heading, columns)], body, right=True)


def _title(row: Row) -> str:
    """A row's title, with the name of the metric as code."""
    return title_of(row).replace(row.metric, _code(row.metric), 1)


def _heading(label: str) -> str:
    """A column's heading, with the name of its run or floor as code."""
    return f"{FLOOR}{_code(label.removeprefix(FLOOR))}" if label.startswith(FLOOR) else _code(label)


def _score(figure: Figure | None) -> str:
    if figure is None or math.isnan(figure.value):
        return "-"
    metric = figure.metric
    text = number(figure.value, metric)
    if not math.isnan(figure.low):
        text += f" [{number(figure.low, metric)}, {number(figure.high, metric)}]"
    if figure.selection == "best":
        text += f" L{figure.level}"
    return f"{text} ({figure.undefined} undefined)" if figure.undefined else text


def _differences_table(rows: Sequence[Row]) -> str:
    reference = rows[0].first.reference
    rows = [row for row in rows if row.first.selection not in CORPUS]
    if not rows:
        return ""
    columns = list(dict.fromkeys(label for row in rows for label in row.cells))[1:]
    body = [[_title(row), *(_difference(row.cells.get(label)) for label in columns)] for row in rows]
    return _table([f"difference to {_code(reference)}", *map(_heading, columns)], body, right=True)


def _difference(figure: Figure | None) -> str:
    if figure is None or math.isnan(figure.difference):
        return "-"
    metric = figure.metric
    text = signed(figure.difference, metric)
    if not math.isnan(figure.difference_low):
        text += f" [{signed(figure.difference_low, metric)}, {signed(figure.difference_high, metric)}]"
    if figure.is_clear:
        text = f"**{text}**"
    return text if figure.wins is None else f"{text} {outcome(figure)}"


def _settings_table(differences: Sequence[Difference], labels: Sequence[str]) -> str:
    if not differences:
        return "None."
    body = [[_code(row.key), *(_code(value) for value in row.values)] for row in differences]
    return _table(["setting", *map(_code, labels)], body)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: bool = False) -> str:
    rule = ["---", *(["---:" if right else "---"] * (len(header) - 1))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_plain(line)}" for line in lines)


def _plain(text: str) -> str:
    """Text from outside as Markdown shows it, whatever signs it holds; on one line."""
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", " ".join(text.split()))


def _code(text: str | None) -> str:
    """Text from outside as code, in as many backquotes as it takes; a bar would end the cell of a table."""
    if not text or not text.strip():
        return "-"
    line = " ".join(text.split()).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"
