"""A comparison in MLflow: a parent run with a child for every column, whose metrics have the same names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.comparison.columns import Column, Shared
from pipelines.comparison.config import CompareConfig
from pipelines.comparison.curves import copy_curves
from pipelines.comparison.page import CORPUS, rows_of
from pipelines.comparison.runs import ComparedRun
from pipelines.comparison.statistics import Figure
from pipelines.evaluation.scores import SCORES_SCHEMA
from pipelines.metric_names import metric_name, unique_names
from pipelines.run_folder import RunFolder, software
from pipelines.run_tags import LONGEST, dataset_name, run_tags
from pipelines.tracking import Tracker, ended

COMMAND = "compare"
NAMED = 3


def open_parent(
    config: CompareConfig, runs: Sequence[ComparedRun], page: str, database: Path | None
) -> Tracker:
    """Opens the parent run.

    Args:
        config: what is asked for.
        runs: the reference first.
        page: the comparison as Markdown, of which MLflow shows the beginning.
        database: what `prepare_store` returned.

    Raises:
        TrackingError: the store or server cannot be used.
    """
    folder = RunFolder(config.out)
    labels = [run.label for run in runs]
    more = len(labels) - NAMED
    tags = run_tags(
        COMMAND,
        predictor=", ".join(dict.fromkeys(run.predictor for run in runs)),
        folder=folder.root,
        inputs=_inputs(runs[0]),
        software=software(),
        description=_beginning(page),
    )
    tracker = Tracker(
        folder,
        config.experiment,
        f"comparison of {', '.join(labels[:NAMED])}" + (f" and {more} more" if more > 0 else ""),
        config.tracking_uri,
        source="streamer compare",
        database=database,
        tags=tags,
    )
    tracker.log_params(
        {"reference": labels[0], "runs": ", ".join(labels), "truth": config.truth, "seed": config.seed}
    )
    return tracker


def track_columns(
    config: CompareConfig, parent: Tracker, shared: Shared, figures: Sequence[Figure]
) -> list[str]:
    """Records a child for every column.

    Returns:
        What could not be taken over from the runs' own stores, a line each.
    """
    remarks = []
    names = unique_names(shared.truth_levels)
    for column in shared.columns:
        own = [figure for figure in figures if figure.column == column.label]
        tracker = Tracker(
            RunFolder(config.out),
            config.experiment,
            column.label,
            config.tracking_uri,
            source="streamer compare",
            parent=parent.run_id,
            tags=_tags(column, shared),
        )
        with ended(tracker):
            # Scores first: MLflow's page of a comparison begins with the first metric.
            tracker.log_metrics(child_metrics(own, names))
            if column.run is None:
                tracker.log_params({"predictor": column.predictor})
            else:
                remarks += _track_run(tracker, column.run, scored_now=config.truth is not None)
    return remarks


def child_metrics(figures: Sequence[Figure], names: Mapping[str, str]) -> dict[str, float]:
    """What MLflow is told of one column: values, intervals, and differences to the reference.

        scene/hlr_iou                         value over the shared videos
        scene/pooled/gebd_f1_at_0.05          pooled value, where papers report that
        scene/interval/hlr_iou_low            ends of its interval
        scene/difference/hlr_iou              less the reference, with _low and _high
        scene/wins/hlr_iou                    videos in which it is better than the reference

    Args:
        figures: of one column.
        names: names of levels of annotation that may stand in a metric's name.
    """
    values: dict[str, float] = {}
    for truth_level, name in names.items():
        for row in rows_of(figures, truth_level):
            figure = row.first
            if figure.selection not in CORPUS:
                values |= _of_figure(figure, name)
    for figure in figures:
        if figure.aggregate == "mean" and figure.selection in ("level", "corpus"):
            level = names[figure.truth_level]
            values[metric_name(level, figure.metric, level=figure.level)] = figure.value
    return {name: value for name, value in values.items() if not math.isnan(value)}


def _of_figure(figure: Figure, name: str) -> dict[str, float]:
    best = figure.selection == "best"

    def place(part: str, suffix: str = "") -> str:
        head = f"{name}/{part}" if part else name
        return metric_name(head, figure.metric, best=best) + suffix

    if figure.aggregate == "pooled":
        return {place("pooled"): figure.value}
    values = {
        place(""): figure.value,
        place("interval", "_low"): figure.low,
        place("interval", "_high"): figure.high,
        place("difference"): figure.difference,
        place("difference", "_low"): figure.difference_low,
        place("difference", "_high"): figure.difference_high,
    }
    if best and figure.level is not None:
        values[f"{name}/best_level/level"] = float(figure.level)
    if figure.wins is not None:
        values[place("wins")] = float(figure.wins)
    return values


def _tags(column: Column, shared: Shared) -> dict[str, str]:
    run = column.run
    if run is None:
        reference = shared.columns[0].run
        assert reference is not None, "the reference is a run"
        return run_tags(
            "floor",
            predictor=column.predictor,
            folder=reference.folder.root,
            inputs=_inputs(reference),
            software=software(),
            description=f"A blind floor on the same videos: `{column.predictor}` sees no pixel.",
        )
    tags = run_tags(
        run.facts.get("command") or "",
        predictor=run.predictor,
        folder=run.folder.root,
        inputs=_inputs(run),
        software=run.facts.get("software") or {},
        description=f"The run in `{run.folder.root}`, on the videos that all compared runs share.",
    )
    source = (run.facts.get("mlflow") or {}).get("run_id")
    return {**tags, "streamer.source_run": source} if source else tags


def _track_run(tracker: Tracker, run: ComparedRun, *, scored_now: bool) -> list[str]:
    """Settings, inputs, curves and files of a run; returns what could not be had."""
    tracker.log_params({**(run.facts.get("config") or {}), "predictor": run.predictor})
    inputs, command = _inputs(run), run.facts.get("command") or COMMAND
    tracker.log_dataset(run.videos, ", ".join(inputs), dataset_name(inputs), command)
    with TemporaryDirectory() as scratch:
        path = run.folder.evaluation
        if scored_now:
            path = Path(scratch) / path.name
            table = pa.Table.from_pandas(run.scores, schema=SCORES_SCHEMA, preserve_index=False)
            pq.write_table(table, path, compression="zstd")
        tracker.log_artifact(path)
    for path in sorted(run.folder.figures.glob("*.png")):
        tracker.log_artifact(path, "figures")
    return copy_curves(run, tracker)


def _inputs(run: ComparedRun) -> list[str]:
    return list((run.facts.get("config") or {}).get("inputs") or [])


def _beginning(page: str) -> str:
    """As many whole sections of a page as a tag takes; the artifact has the rest."""
    sections = page.split("\n\n")
    while len("\n\n".join(sections)) > LONGEST:
        sections.pop()
    return "\n\n".join(sections)
