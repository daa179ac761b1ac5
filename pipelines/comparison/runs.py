"""The runs that are compared: who they are, and their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from pipelines.annotations import Truth, read_truth
from pipelines.evaluation.predictors import own_predictor
from pipelines.evaluation.run import evaluate_run
from pipelines.evaluation.scores import read_scores, scores_frame
from pipelines.run_folder import RunFolder
from streamer.errors import StreamerError


class ComparisonError(StreamerError):
    """Runs that cannot be compared."""


@dataclass(frozen=True)
class ComparedRun:
    """One run.

    Attributes:
        label: the end of its folder's path, as long as it takes to tell the runs apart.
        folder: where it lies.
        facts: what `run.json` says.
        predictor: what made its hierarchies.
        videos: rows of `videos.parquet`.
        scores: as `read_scores` gives them.
        unscored: annotated videos that have no scores, as far as that is known.
    """

    label: str
    folder: RunFolder
    facts: Mapping[str, Any]
    predictor: str
    videos: Sequence[Mapping[str, Any]]
    scores: pd.DataFrame
    unscored: Sequence[str] = ()

    @property
    def scored(self) -> set[str]:
        """Ids of the videos that have scores."""
        own = self.scores.loc[self.scores["predictor"] == self.predictor, "video_id"]
        return set(own.dropna())


def open_runs(
    paths: Sequence[str], *, truth: str | None, reference: str | None, seed: int, console: Console
) -> list[ComparedRun]:
    """Opens the runs, the reference first, and reads their scores, or makes them where there is a truth.

    Args:
        paths: their folders.
        truth: annotations to score all of them against; None for the scores that they have.
        reference: one of `paths`, or the end of one; None for the first.
        seed: determines the random floor of new scores.
        console: shows how far the scoring is.

    Raises:
        ComparisonError: a run is given twice, or the reference is none of them.
        RunFolderError: a folder is not that of a run, or has no scores and there is no truth.
        TruthError: the truth cannot be read, or is of no video of a run.
    """
    folders = [RunFolder(path) for path in paths]
    labels = distinct_labels([folder.root.resolve() for folder in folders])
    first = 0 if reference is None else _find(reference, folders, labels)
    order = [first, *(place for place in range(len(folders)) if place != first)]
    facts = {place: folders[place].read_run() for place in order}
    videos = {place: folders[place].read_videos() for place in order}
    annotations = None if truth is None else read_truth(truth)
    opened = [
        ComparedRun(
            label=labels[place],
            folder=folders[place],
            facts=facts[place],
            predictor=own_predictor(folders[place], facts[place]),
            videos=videos[place],
            scores=scores_frame([]) if annotations is not None else _stored_scores(folders[place]),
        )
        for place in order
    ]
    return opened if annotations is None else [_scored(run, annotations, seed, console) for run in opened]


def _stored_scores(folder: RunFolder) -> pd.DataFrame:
    if not folder.evaluation.exists():
        raise ComparisonError(
            f"{folder.root}: has no scores (evaluation.parquet): give --truth FILE to score all runs now, or "
            f"score it with streamer evaluate {folder.root} --truth FILE"
        )
    return read_scores(folder)


def _scored(run: ComparedRun, truth: Truth, seed: int, console: Console) -> ComparedRun:
    evaluation = evaluate_run(run.folder, truth, seed, console)
    unscored = [*evaluation.missing, *evaluation.unknown]
    return replace(run, scores=scores_frame(evaluation.scores), unscored=unscored)


def distinct_labels(roots: Sequence[Path]) -> list[str]:
    """The shortest end of each path that none of the others has.

    Raises:
        ComparisonError: two paths are the same.
    """
    for place, root in enumerate(roots):
        if root in roots[:place]:
            raise ComparisonError(f"{root}: is given twice: name each run once")
    return [_label(root, [other for other in roots if other != root]) for root in roots]


def _label(root: Path, others: Sequence[Path]) -> str:
    for length in range(1, len(root.parts) + 1):
        end = root.parts[-length:]
        if not any(other.parts[-length:] == end for other in others):
            return "/".join(end)
    return str(root)  # the whole path is the end of another


def _find(reference: str, folders: Sequence[RunFolder], labels: Sequence[str]) -> int:
    """The place of the reference among the runs."""
    resolved = RunFolder(reference).root.resolve()
    for place, folder in enumerate(folders):
        if folder.root.resolve() == resolved or labels[place] == reference:
            return place
    raise ComparisonError(
        f"--reference {reference}: is none of the runs that are compared: give one of {', '.join(labels)}"
    )
