"""Scores the hierarchies of a run against annotations, beside the blind floors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import track

from pipelines import figures
from pipelines.evaluation.scores import Score
from pipelines.evaluation.scoring import PREDICTORS, render_table, score_video, summarise
from pipelines.run_folder import RunFolder
from pipelines.store import read_signals
from pipelines.tracking import Tracker
from pipelines.truth import Truth
from streamer.atomic import file_name
from streamer.errors import TruthError
from streamer.hierarchy import Hierarchy

FALLBACK_FPS = 30.0  # grid of the MoF where a recording has no frame rate
FIGURED_VIDEOS = 6
NAMED_AT_MOST = 5
LONGEST_NAME = 100  # characters of a truth level in the name of a metric; MLflow takes 250 for the whole


@dataclass(frozen=True)
class Evaluation:
    """Scores of a run.

    Attributes:
        scores: one per video, predictor, level and metric.
        summary: their means over videos.
        scored: ids of the videos that were scored.
        missing: ids of annotated videos that have no hierarchy.
    """

    scores: list[Score]
    summary: pd.DataFrame
    scored: list[str]
    missing: list[str]


def evaluate_run(folder: RunFolder, truth: Truth, seed: int, console: Console) -> Evaluation:
    """Scores every annotated video of a run that has a hierarchy; writes nothing.

    Raises:
        TruthError: the annotations name unknown videos, or none that was segmented.
        HierarchyError: a hierarchy is damaged.
    """
    rows = {row["video_id"]: row for row in folder.read_videos()}
    truth.check_videos(list(rows))
    scored = [video_id for video_id in truth.videos if rows[video_id]["status"] == "done"]
    missing = [video_id for video_id in truth.videos if rows[video_id]["status"] != "done"]
    if not scored:
        raise TruthError(
            f"{truth.path}: none of its {len(truth.videos)} videos has a hierarchy in {folder.root}"
        )
    scores: list[Score] = []
    for video_id in track(
        scored, "scoring", console=console, transient=True, disable=not console.is_terminal
    ):
        hierarchy = Hierarchy.from_parquet(folder.hierarchy_of(video_id))
        scores += score_video(
            video_id,
            [hierarchy.segments(level) for level in range(hierarchy.num_levels)],
            truth.videos[video_id],
            duration=hierarchy.duration_s,
            fps=rows[video_id]["fps"] or FALLBACK_FPS,
            seed=seed,
        )
    return Evaluation(scores, summarise(scores), scored, missing)


def show(evaluation: Evaluation, console: Console) -> None:
    """Prints the scores beside the floors."""
    console.print(render_table(evaluation.summary))
    if evaluation.missing:
        named = ", ".join(evaluation.missing[:NAMED_AT_MOST])
        more = len(evaluation.missing) - NAMED_AT_MOST
        console.print(
            f"{len(evaluation.missing)} annotated videos have no hierarchy and no score: {named}"
            + (f" and {more} more" if more > 0 else ""),
            soft_wrap=True,
            highlight=False,
            markup=False,
        )


def track_evaluation(evaluation: Evaluation, folder: RunFolder, truth: Truth, tracker: Tracker) -> None:
    """Records scores, the table and the figures with a run of MLflow."""
    tracker.log_metrics(metric_values(evaluation.summary))
    tracker.log_artifact(folder.evaluation)
    for path in draw_figures(folder, evaluation.scored[:FIGURED_VIDEOS], truth):
        tracker.log_artifact(path, "figures")


def metric_values(summary: pd.DataFrame) -> dict[str, float]:
    """Defined means under the names that MLflow takes: `clip/streamer/boundary_f1_at_3s/level0`.

    Of the floors only what is of their whole hierarchy or of their best level: `evaluation.parquet` has the
    rest, and a page of MLflow with hundreds of charts helps nobody.
    """
    names = _unique_names(dict.fromkeys(summary["truth_level"]))
    values: dict[str, float] = {}
    for row in summary.to_dict("records"):
        of_a_level = not pd.isna(row["level"]) and not row["metric"].startswith("best_level")
        if pd.isna(row["mean"]) or (of_a_level and row["predictor"] != PREDICTORS[0]):
            continue
        parts = [names[row["truth_level"]], row["predictor"], row["metric"].replace("@", "_at_")]
        if of_a_level:
            parts.append(f"level{int(row['level'])}")
        values["/".join(parts)] = float(row["mean"])
    return values


def _unique_names(levels: Iterable[str]) -> dict[str, str]:
    """Names for levels of annotation, different for different levels, that may stand in a metric's name."""
    names: dict[str, str] = {}
    for level in levels:
        # MLflow takes names for paths, in which leading dots have a meaning.
        plain = re.sub(r"^\.+", "_", re.sub(r"[^\w\-. ]", "_", level[:LONGEST_NAME]))
        name, number = plain, 1
        while name in names.values():
            number += 1
            name = f"{plain}-{number}"
        names[level] = name
    return names


def draw_figures(folder: RunFolder, video_ids: Sequence[str], truth: Truth | None) -> list[Path]:
    """Draws timeline and signals of some videos into the run's folder.

    Returns:
        The files.
    """
    signal_name = _signal_name(folder.read_run().get("config", {}).get("model", {}))
    folder.figures.mkdir(exist_ok=True)
    paths = []
    for video_id in video_ids:
        hierarchy = Hierarchy.from_parquet(folder.hierarchy_of(video_id))
        lanes: Mapping[str, Any] = truth.videos.get(video_id, {}) if truth is not None else {}
        name = file_name(video_id)
        paths.append(folder.figures / f"{name}.timeline.png")
        figures.save(figures.timeline_figure(hierarchy, lanes), paths[-1])
        signals = read_signals(folder, video_id)
        if signals is not None:
            paths.append(folder.figures / f"{name}.signal.png")
            figure = figures.signal_figure(hierarchy, signals, lanes, signal_name=signal_name)
            figures.save(figure, paths[-1])
    return paths


def _signal_name(model: Mapping[str, Any]) -> str:
    """What the signals of a run are, for the axes of its figures."""
    if model.get("force_base_distance"):
        return "signal"  # an error at level 0, a similarity above
    return "similarity" if model.get("distance", "similarity") == "similarity" else "error"
