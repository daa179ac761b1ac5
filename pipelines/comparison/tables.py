"""A comparison for the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipelines.comparison.columns import FLOOR, Shared
from pipelines.comparison.page import CORPUS, Row, number, outcome, rows_of, signed, title_of
from pipelines.comparison.settings import Difference
from pipelines.comparison.statistics import ENOUGH, Figure
from pipelines.wording import counted

METRIC_WIDTH = 25
SCORE_WIDTH = 21
FLOOR_WIDTH = 6
DIFFERENCE_WIDTH = 29
BETWEEN = 3  # columns of the terminal from one column of a table to the next
SHOWN_SETTINGS = 20
LONGEST_VALUE = 40

Cell = Callable[[Figure], Text]


def render_comparison(figures: Sequence[Figure], shared: Shared, width: int) -> RenderableType:
    """Lays the tables out: per level of annotation one of scores and one of differences to the reference.

    Runs that do not fit beside each other go on in tables below. Pooled values are in the files alone.

    Args:
        figures: all figures.
        shared: what they were made of.
        width: columns of the terminal.
    """
    runs = [column.label for column in shared.columns if column.run is not None]
    floors = [column.label for column in shared.columns if column.run is None]
    parts: list[RenderableType] = []
    for name, videos in shared.truth_levels.items():
        rows = [row for row in rows_of(figures, name) if row.first.aggregate == "mean"]
        if not rows:
            continue
        # Text, not markup: names come from outside and may hold brackets.
        heading = Text(f"Against the annotated level {name!r}, {counted(len(videos), 'video')}", style="bold")
        scores = _scores_tables(rows, runs, floors, width)
        differences = _differences_tables(rows, runs, width)
        parts += [heading, *(Padding(table, (0, 0, 1, 0)) for table in (*scores, *differences))]
    return Group(*parts, Text(_explanation(runs[0]), style="dim"))


def _scores_tables(
    rows: Sequence[Row], runs: Sequence[str], floors: Sequence[str], width: int
) -> Iterator[Table]:
    headings = {label: label.removeprefix(FLOOR).replace("_", "\n") for label in floors}
    blind = [(label, max(FLOOR_WIDTH, *map(len, text.split("\n")))) for label, text in headings.items()]
    together = sum(needed + BETWEEN for _, needed in blind) <= width - METRIC_WIDTH
    columns = [[(label, SCORE_WIDTH)] for label in runs] + ([blind] if together else [[one] for one in blind])
    for chosen in _packed(columns, width):
        table = _table()
        for label in chosen:
            if label in runs:
                style = "bold cyan" if label == runs[0] else "bold"
                table.add_column(Text(label, style=style), min_width=SCORE_WIDTH)
            else:
                table.add_column(Text(headings[label], style="dim"), justify="right", min_width=FLOOR_WIDTH)
        for row in rows:
            if any(label in row.cells for label in chosen):
                cells = [_cell(row, label, _score if label in runs else _floor) for label in chosen]
                table.add_row(_title(row), *cells)
        yield table


def _differences_tables(rows: Sequence[Row], runs: Sequence[str], width: int) -> Iterator[Table]:
    rows = [row for row in rows if row.first.selection not in CORPUS]
    columns = [[(label, DIFFERENCE_WIDTH)] for label in runs[1:]] if rows else []
    for chosen in _packed(columns, width):
        table = _table()
        for label in chosen:
            table.add_column(Text(f"{label} less {runs[0]}", style="bold"), min_width=DIFFERENCE_WIDTH)
        for row in rows:
            table.add_row(Text(title_of(row)), *(_cell(row, label, _difference) for label in chosen))
        yield table


def _packed(blocks: Sequence[Sequence[tuple[str, int]]], width: int) -> list[list[str]]:
    """Deals columns to tables, as many to each as fit beside the metrics; those of a block stay together."""
    tables: list[list[str]] = []
    room = 0
    for block in blocks:
        needed = sum(wide + BETWEEN for _, wide in block)
        room -= needed
        if not tables or room < 0:
            tables.append([])
            room = width - METRIC_WIDTH - needed
        tables[-1] += [label for label, _ in block]
    return tables


def _table() -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", width=METRIC_WIDTH - 1)
    return table


def _title(row: Row) -> Text:
    """A row's title; the floor of representations stands below what it is the floor of."""
    return Text("  shuffled" if row.first.selection == "shuffled" else title_of(row))


def _cell(row: Row, label: str, content: Cell) -> Text:
    figure = row.cells.get(label)
    return Text("-", style="dim") if figure is None or math.isnan(figure.value) else content(figure)


def _floor(figure: Figure) -> Text:
    return Text(number(figure.value, figure.metric), style="dim")


def _score(figure: Figure) -> Text:
    """`0.321 [.308, .333] L1`."""
    text = Text(number(figure.value, figure.metric))
    if not math.isnan(figure.low):
        text.append(f" [{_short(figure.low, figure.metric)}, {_short(figure.high, figure.metric)}]")
    if figure.selection == "best":
        text.append(f" L{figure.level}", style="dim")
    return text


def _difference(figure: Figure) -> Text:
    """`+0.021 [-.010, +.052] 3/1/2`."""
    if math.isnan(figure.difference):
        return Text("-", style="dim")
    style = ""
    if figure.is_clear and figure.wins is not None:
        style = "green" if figure.is_better else "red"
    text = Text(signed(figure.difference, figure.metric), style=style)
    if not math.isnan(figure.difference_low):
        ends = (figure.difference_low, figure.difference_high)
        text.append(" [" + ", ".join(_short(end, figure.metric, signed) for end in ends) + "]")
    if figure.wins is not None:
        text.append(f" {outcome(figure)}")
    return text


def _short(value: float, metric: str, form: Callable[[float, str], str] = number) -> str:
    """The end of an interval, without the zero before the point."""
    text = form(value, metric)
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def _explanation(reference: str) -> str:
    return (
        "Means over the videos that all runs share, with 95 % bootstrap intervals over videos.\n"
        "L1: the predictor's best level, chosen knowing the annotation.\n"
        f"Differences are to {reference} over the same videos, then the videos in which a run is\n"
        f"better/worse/the same. Coloured: the interval leaves out zero, with {ENOUGH} videos or more."
    )


def render_settings(differences: Sequence[Difference], runs: Sequence[str]) -> RenderableType:
    """The settings that differ, as far as a terminal takes them."""
    if not differences:
        return Text("All settings are the same.")
    title = Text("Settings that differ", style="bold")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for label in runs:
        table.add_column(Text(label), overflow="fold")
    for row in differences[:SHOWN_SETTINGS]:
        table.add_row(Text(row.key), *(Text(_shortened(value)) for value in row.values))
    more = len(differences) - SHOWN_SETTINGS
    return Group(table, Text(f"and {more} more in comparison.md")) if more > 0 else table


def _shortened(value: str) -> str:
    return value if len(value) <= LONGEST_VALUE else f"{value[: LONGEST_VALUE - 1]}…"
