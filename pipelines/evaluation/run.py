"""Scores the hierarchies of a run against annotations, beside the blind floors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from rich.console import Console

from pipelines.annotations import Truth
from pipelines.annotations.matching import match_videos
from pipelines.evaluation.labels import UNLABELLED
from pipelines.evaluation.predictors import own_predictor
from pipelines.evaluation.retrieval import score_representations
from pipelines.evaluation.scores import ALL_LEVELS, Score, scores_frame
from pipelines.evaluation.scoring import Protocol
from pipelines.evaluation.summary import summarise
from pipelines.evaluation.tables import render_tables
from pipelines.evaluation.tracked import metric_values
from pipelines.evaluation.workers import VideoJob, score_jobs
from pipelines.run_figures import FIGURED_VIDEOS, draw_figures
from pipelines.run_folder import RunFolder
from pipelines.tracking import Tracker
from pipelines.wording import counted
from streamer.errors import TruthError

FALLBACK_FPS = 30.0  # grid of the MoF where a recording has no frame rate
NAMED_AT_MOST = 5


@dataclass(frozen=True)
class Evaluation:
    """Scores of a run.

    Attributes:
        predictor: what the run's own predictor is called.
        truth: the annotations of the videos of the run.
        scores: one per video, predictor, level and metric.
        summary: their means over videos.
        scored: ids of the videos that were scored.
        missing: ids of annotated videos of the run that have no hierarchy.
        unknown: ids of annotated videos that are not in the run.
        unannotated: ids of videos that have a hierarchy but no annotation.
    """

    predictor: str
    truth: Truth
    scores: list[Score]
    summary: pd.DataFrame
    scored: list[str]
    missing: list[str]
    unknown: list[str]
    unannotated: list[str]


def evaluate_run(folder: RunFolder, truth: Truth, seed: int, console: Console) -> Evaluation:
    """Scores every annotated video of a run that has a hierarchy; writes nothing.

    Raises:
        TruthError: the annotations are of no video of the run, or of none that was segmented, or a level has
            the name that stands for all levels.
        RunFolderError: the folder is not that of a run.
        HierarchyError: a hierarchy is damaged.
    """
    predictor = own_predictor(folder, folder.read_run())
    rows = {row["video_id"]: row for row in folder.read_videos()}
    fitted, unknown = _fit(truth, list(rows))
    done = [video_id for video_id, row in rows.items() if row["status"] == "done"]
    scored = [video_id for video_id in fitted.videos if rows[video_id]["status"] == "done"]
    if not scored:
        raise TruthError(
            f"{truth.path}: none of its {counted(len(fitted.videos), 'video')} that the run knows has a "
            f"hierarchy in {folder.root}: segment them, or give other annotations"
        )
    if any(ALL_LEVELS in fitted.videos[video_id] for video_id in scored):
        raise TruthError(
            f"{truth.path}: a level is called {ALL_LEVELS!r}, as scores against all of them together are: "
            "give it another name"
        )
    protocol = Protocol(predictor, seed, _labelled_levels(fitted, scored), fitted.background)
    videos = score_jobs([_job(folder, rows[video_id], fitted) for video_id in scored], protocol, console)
    events = [group for video in videos for group in video.events]
    scores = [score for video in videos for score in video.scores]
    scores += score_representations(events, predictor, seed)
    return Evaluation(
        predictor=predictor,
        truth=fitted,
        scores=scores,
        summary=summarise(scores_frame(scores)),
        scored=scored,
        missing=[video_id for video_id in fitted.videos if rows[video_id]["status"] != "done"],
        unknown=unknown,
        unannotated=[video_id for video_id in done if video_id not in fitted.videos],
    )


def _fit(truth: Truth, known_ids: Sequence[str]) -> tuple[Truth, list[str]]:
    """The annotations of the videos of a run, and which annotated videos it does not have.

    A run may be of some of the annotated videos, whatever the format of the annotations. That none of them
    is among its videos is an error.
    """
    found = match_videos(truth.videos, known_ids, truth.path)
    unknown = [video_id for video_id in truth.videos if video_id not in found]
    if found:
        truth = replace(truth, videos={name: truth.videos[name] for name in found})
    return truth.for_videos(known_ids), unknown


def _labelled_levels(truth: Truth, video_ids: Sequence[str]) -> frozenset[str]:
    """Levels of annotation that tell events apart by label in at least one of the videos."""
    unlabelled = {UNLABELLED, *truth.background}
    return frozenset(
        name
        for video_id in video_ids
        for name, events in truth.videos[video_id].items()
        if any(label not in unlabelled for _, _, label in events)
    )


def _job(folder: RunFolder, row: Mapping[str, Any], truth: Truth) -> VideoJob:
    video_id = row["video_id"]
    return VideoJob(
        video_id=video_id,
        hierarchy=folder.hierarchy_of(video_id),
        truth_levels=truth.videos[video_id],
        duration_s=row["duration_s"] or 0.0,
        fps=row["fps"] or FALLBACK_FPS,
    )


def show(evaluation: Evaluation, console: Console) -> None:
    """Prints the scores beside the floors, and which videos have none."""
    console.print(render_tables(evaluation.summary, evaluation.predictor))
    unscored = (
        (evaluation.missing, "annotated video", "without a hierarchy, and so without scores"),
        (evaluation.unknown, "annotated video", "not in the run"),
        (evaluation.unannotated, "video", "without annotation, and so without scores"),
    )
    for video_ids, noun, why in unscored:
        if video_ids:
            line = f"{counted(len(video_ids), noun)} {why}: {_named(video_ids)}"
            console.print(line, soft_wrap=True, highlight=False, markup=False)


def _named(video_ids: Sequence[str]) -> str:
    more = len(video_ids) - NAMED_AT_MOST
    return ", ".join(video_ids[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def track_evaluation(evaluation: Evaluation, folder: RunFolder, tracker: Tracker) -> None:
    """Records scores, the table and the figures with a run of MLflow."""
    tracker.log_truth(evaluation.truth)
    tracker.log_metrics(metric_values(evaluation.summary, evaluation.predictor))
    tracker.log_artifact(folder.evaluation)
    for path in draw_figures(folder, evaluation.scored[:FIGURED_VIDEOS], evaluation.truth):
        tracker.log_artifact(path, "figures")
