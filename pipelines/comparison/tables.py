"""A comparison for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipelines.comparison.columns import FLOOR, Shared
from pipelines.comparison.page import Row, number, outcome, rows_of, signed, title_of
from pipelines.comparison.settings import Difference
from pipelines.comparison.statistics import Figure
from pipelines.wording import counted

METRIC_WIDTH = 24
RUN_WIDTH = 24
FLOOR_WIDTH = 9
SHOWN_SETTINGS = 20
LONGEST_VALUE = 40


def render_comparison(figures: Sequence[Figure], shared: Shared, width: int) -> RenderableType:
    """Lays the tables out, one per level of annotation; more runs than fit go on in tables below.

    Args:
        figures: all figures.
        shared: what they were made of.
        width: columns of the terminal.
    """
    runs = [column.label for column in shared.columns if column.run is not None]
    floors = [column.label for column in shared.columns if column.run is None]
    room = width - METRIC_WIDTH - len(floors) * FLOOR_WIDTH
    beside = max(1, room // RUN_WIDTH - 1)
    parts: list[RenderableType] = []
    for name, videos in shared.truth_levels.items():
        rows = rows_of(figures, name)
        if not rows:
            continue
        others = runs[1:]
        for start in range(0, len(others), beside):
            chosen = [runs[0], *others[start : start + beside]]
            table = _table(name, len(videos), rows, chosen, floors if start == 0 else [])
            parts.append(Padding(table, (0, 0, 1, 0)))
    parts.append(Text(_explanation(runs[0]), style="dim"))
    return Group(*parts)


def _table(name: str, videos: int, rows: Sequence[Row], runs: Sequence[str], floors: Sequence[str]) -> Table:
    # Text, not markup: names come from outside and may hold brackets.
    title = Text(f"Against the annotated level {name!r}, {counted(videos, 'video')}", style="bold")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", min_width=METRIC_WIDTH - 2)
    for label in runs:
        table.add_column(
            Text(label, style="bold cyan" if label == runs[0] else "bold"), min_width=RUN_WIDTH - 2
        )
    for label in floors:
        short = label.removeprefix(FLOOR).replace("_", "\n")
        table.add_column(Text(short, style="dim"), justify="right")
    for row in rows:
        cells = [_run_cell(row.cells[label]) for label in runs]
        cells += [Text(number(row.cells[label].value, row.metric), style="dim") for label in floors]
        table.add_row(Text(title_of(row)), *cells)
    return table


def _run_cell(figure: Figure) -> Text:
    """Value with its interval; below, the difference to the reference with its own, and who won."""
    cell = Text(_with_interval(figure, figure.value, figure.low, figure.high, number))
    if figure.selection == "best" and figure.level is not None:
        cell.append(f" L{figure.level}", style="dim")
    if figure.column != figure.reference and figure.selection != "corpus":
        line = _with_interval(
            figure, figure.difference, figure.difference_low, figure.difference_high, signed
        )
        cell.append("\n" + line, style=_style(figure))
        if figure.wins is not None:
            cell.append(f"\n{outcome(figure)}", style="dim")
    return cell


def _with_interval(figure: Figure, value: float, low: float, high: float, form) -> str:
    return f"{form(value, figure.metric)} [{form(low, figure.metric)}, {form(high, figure.metric)}]"


def _style(figure: Figure) -> str:
    if not figure.is_clear or figure.wins is None:
        return ""
    return "green" if figure.difference > 0 else "red"


def _explanation(reference: str) -> str:
    return (
        "Means over the videos that all runs share, with 95 % bootstrap intervals over videos. Below:\n"
        f"the difference to {reference} over the same videos, coloured where its interval leaves out zero,\n"
        "and in how many it is better, worse, the same. L1: the best level, chosen knowing the annotation."
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
