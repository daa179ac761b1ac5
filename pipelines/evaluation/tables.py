"""A summary as tables for a terminal of 100 columns. Everything else is in `evaluation.parquet`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipelines.evaluation.predictors import FLOORS, SHUFFLED, in_order
from pipelines.evaluation.retrieval import MOST_EVENTS
from pipelines.evaluation.scores import ALL_LEVELS, TRUTH
from pipelines.evaluation.summary import BEST_LEVEL
from pipelines.wording import counted

TABLE_WIDTH = 96
LONGEST_NAME = 15
"""Characters of a predictor; longer names are cut."""

NAME_WIDTH = len(max(FLOORS, key=len))
OWN_STYLE = "bold cyan"

Columns = Mapping[str, tuple[str, int]]
"""Header to metric and digits."""

WHOLE: Columns = {"HLR IoU": ("hlr_iou", 3), "MoF": ("hlr_mof", 3), "sym.F1": ("symmetric_f1", 3)}
TREE: Columns = {"T full": ("t_full_f1", 3)}
LABELLED_TREE: Columns = {"L": ("l_f1", 3)}
LEVEL: Columns = {
    "F1@.5s": ("boundary_f1@0.5s", 3),
    "F1@3s": ("boundary_f1@3s", 3),
    "GEBD": ("gebd_f1@0.05", 3),
    "events": ("events", 1),
}
EVERY_LEVEL: Columns = {
    **{
        f"{short}@{seconds}": (f"boundary_{part}@{tolerance}", 3)
        for seconds, tolerance in ((".5s", "0.5s"), ("3s", "3s"))
        for short, part in (("P", "precision"), ("R", "recall"), ("F1", "f1"))
    },
    "GEBD": ("gebd_f1@0.05", 3),
    "events": ("events", 1),
    "median s": ("event_length_median_s", 1),
}
LABELS: Columns = {
    "accuracy": ("frame_accuracy", 3),
    "IoU": ("frame_iou", 3),
    "F1": ("frame_f1", 3),
    "Edit": ("edit", 3),
    "F1@10": ("segmental_f1@10", 3),
    "F1@25": ("segmental_f1@25", 3),
    "F1@50": ("segmental_f1@50", 3),
}
CLUSTERED = "clustered_"
REPRESENTATIONS: Columns = {
    "events": ("representation_events", 0),
    "mAP": ("retrieval_map", 3),
    "recall@1": ("retrieval_recall@1", 3),
    "recall@10": ("retrieval_recall@10", 3),
    "kNN": ("knn_accuracy", 3),
}


def render_tables(summary: pd.DataFrame, own: str) -> Table:
    """Lays a summary out.

    Args:
        summary: what `summarise` returned.
        own: what the run's own predictor is called.

    Returns:
        Per level of annotation a table of the predictors and one of every level of the run's own; where
        there are labels or representations, tables of these.
    """
    page = Table.grid()
    trees = summary.loc[summary["truth_level"] == ALL_LEVELS]
    for name, rows in summary.groupby("truth_level", sort=False):
        if not _has(rows, "hlr_iou"):
            continue
        tables = [_predictor_table(str(name), rows, trees, own), _level_table(str(name), rows, own)]
        if _has(rows, "frame_accuracy"):
            tables.append(_label_table(str(name), rows, trees, own))
        if _is_defined(rows, "retrieval_map"):
            tables.append(_representation_table(str(name), rows, own))
        for table in tables:
            page.add_row(Padding(table, (0, 0, 1, 0)))
    return page


def _has(rows: pd.DataFrame, metric: str) -> bool:
    return bool((rows["metric"] == metric).any())


def _is_defined(rows: pd.DataFrame, metric: str) -> bool:
    return bool(rows.loc[rows["metric"] == metric, "mean"].notna().any())


def _predictor_table(name: str, rows: pd.DataFrame, trees: pd.DataFrame, own: str) -> Table:
    headers = (*WHOLE, *TREE, "level", *LEVEL)
    title = f"Scores against the annotated level {name!r}"
    table = _table(title, headers, _caption(rows, trees), NAME_WIDTH)
    for predictor in in_order(own):
        means = _means(rows, predictor)
        cells = [
            *_cells(means, WHOLE),
            *_cells(_means(trees, predictor), TREE),
            _best_level(rows, predictor),
            *_cells(means, LEVEL, prefix=BEST_LEVEL),
        ]
        _add(table, predictor, cells, own)
    return table


def _level_table(name: str, rows: pd.DataFrame, own: str) -> Table:
    table = _table(f"Levels of {own} against {name!r}", (*EVERY_LEVEL, "videos"))
    for level, of_level in _levels(rows, own):
        means = of_level.set_index("metric")["mean"].to_dict()
        videos = int(of_level.loc[of_level["metric"] == "events", "videos"].max())
        table.add_row(f"level {level}", *_cells(means, EVERY_LEVEL), str(videos))
    return table


def _label_table(name: str, rows: pd.DataFrame, trees: pd.DataFrame, own: str) -> Table:
    headers = (*LABELLED_TREE, "level", *LABELS)
    table = _table(f"Labels of {name!r}", headers, _label_caption(rows), NAME_WIDTH)
    for predictor in in_order(own):
        level, means = _best_level(rows, predictor), _means(rows, predictor)
        whole = _cells(_means(trees, predictor), LABELLED_TREE)
        _add(table, predictor, [*whole, level, *_cells(means, LABELS, prefix=BEST_LEVEL)], own)
        if predictor == own and _has(rows, CLUSTERED + "frame_accuracy"):
            cells = _cells(means, LABELS, prefix=BEST_LEVEL + CLUSTERED)
            _add(table, "  clustered", ["", level, *cells], own)
    return table


def _representation_table(name: str, rows: pd.DataFrame, own: str) -> Table:
    caption = (
        "Of events that a label covers by half: is the label the same among the nearest of other videos?\n"
        f"{SHUFFLED}: the same events with their representations dealt out at random."
    )
    if (rows.loc[rows["metric"] == "representation_events", "mean"] > MOST_EVENTS).any():
        caption += f"\nOf more than {MOST_EVENTS} events that many, drawn at random."
    title = f"Representations of {own} and labels of {name!r}"
    table = _table(title, REPRESENTATIONS, caption, NAME_WIDTH)
    shuffled = dict(_levels(rows, SHUFFLED))
    for level, of_level in _levels(rows, own):
        if _is_defined(of_level, "retrieval_map"):
            table.add_row(f"level {level}", *_cells(_means(of_level, own), REPRESENTATIONS), style=OWN_STYLE)
            table.add_row(f"  {SHUFFLED}", *_cells(_means(shuffled[level], SHUFFLED), REPRESENTATIONS))
    return table


def _table(title: str, headers: Iterable[str], caption: str = "", width: int = 0) -> Table:
    # Text, not markup: names of levels come from outside and may hold brackets.
    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        caption=Text(caption, style="dim") if caption else None,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        width=TABLE_WIDTH,
        pad_edge=False,
    )
    table.add_column("", no_wrap=True, min_width=width)
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def _add(table: Table, who: str, cells: Sequence[str], own: str) -> None:
    name = Text(who if len(who) <= LONGEST_NAME else f"{who[: LONGEST_NAME - 1]}…")
    table.add_row(name, *cells, style=OWN_STYLE if who == own else None)


def _cells(means: Mapping[str, float], columns: Columns, prefix: str = "") -> list[str]:
    return [_number(means, prefix + metric, digits) for metric, digits in columns.values()]


def _means(rows: pd.DataFrame, predictor: str) -> dict[str, float]:
    """Means by metric; of the metrics of levels only those of the best level are one of a kind."""
    own = rows.loc[rows["predictor"] == predictor]
    return own.set_index("metric")["mean"].to_dict()


def _levels(rows: pd.DataFrame, predictor: str) -> list[tuple[int, pd.DataFrame]]:
    """A predictor's levels in order, each with its rows."""
    own = rows.loc[(rows["predictor"] == predictor) & ~rows["metric"].str.startswith(BEST_LEVEL)]
    return [(int(level), of_level) for level, of_level in own.loc[own["level"].notna()].groupby("level")]


def _best_level(rows: pd.DataFrame, predictor: str) -> str:
    chosen = rows.loc[(rows["predictor"] == predictor) & (rows["metric"] == f"{BEST_LEVEL}events"), "level"]
    return str(chosen.iloc[0]) if len(chosen) else "-"


def _caption(rows: pd.DataFrame, trees: pd.DataFrame) -> str:
    annotated = rows[rows["predictor"] == TRUTH].set_index("metric")
    videos = int(annotated.loc["events", "videos"])
    events = _number(annotated["mean"].to_dict(), "events", digits=1)
    lines = [
        f"Means over {counted(videos, 'video')} with {events} annotated events each.",
        'T full: against all annotated levels together. Right of "level": scores of the one level with',
        "the highest mean F1@.5s, chosen knowing the annotation. GEBD: F1 within 5 % of the duration.",
    ]
    clipped = round(annotated.loc["events_clipped", "mean"] * videos)
    if clipped:
        lines.append(f"Annotated events cut at the end of their video, past which they reach: {clipped}.")
    shown = {"HLR IoU": "hlr_iou", "MoF": "hlr_mof", "Boundary scores": "boundary_"}
    for name, start in shown.items():
        lines += _undefined(rows, name, start)
    return "\n".join([*lines, *_undefined(trees, "T full", TREE["T full"][0])])


def _label_caption(rows: pd.DataFrame) -> str:
    lines = [
        "L: the whole hierarchy against the labels of all annotated levels. The rest: of the level named;",
        "every event is a cluster, and clusters are matched with labels one to one per video.",
    ]
    if _has(rows, f"{CLUSTERED}frame_accuracy"):
        lines.append("clustered: by representation, into as many clusters as the video has labels.")
    return "\n".join([*lines, *_undefined(rows, "Accuracy", "frame_accuracy")])


def _undefined(rows: pd.DataFrame, name: str, start: str) -> list[str]:
    count = rows.loc[rows["metric"].str.startswith(start), "undefined"].max()
    if pd.isna(count) or count == 0:
        return []
    return [f"{name}: undefined in {counted(int(count), 'video')}, which the means leave out."]


def _number(means: Mapping[str, float], metric: str, digits: int = 3) -> str:
    value = means.get(metric, math.nan)
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
