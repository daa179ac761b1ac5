"""Runs with scores that nobody measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from pipelines.comparison.runs import ComparedRun, open_runs
from pipelines.evaluation.predictors import FLOORS
from pipelines.evaluation.scores import TRUTH, Score, write_scores
from pipelines.run_folder import RunFolder, VideoRow
from tests.pipelines.finished_run import entry

VIDEOS = tuple(f"v{number}" for number in range(8))
QUIET = Console(quiet=True)


def values_of(seed: int, videos: Sequence[str] = VIDEOS, shift: float = 0.0) -> dict[str, float]:
    """A value below one for every video."""
    random = np.random.default_rng(seed)
    return {
        name: float(value) + shift for name, value in zip(videos, random.random(len(videos)) / 2, strict=True)
    }


def rows(
    values: Mapping[str, float],
    metric: str = "hlr_iou",
    *,
    predictor: str = "streamer",
    level: int | None = None,
    truth_level: str = "scene",
    denominator: float | None = None,
) -> list[Score]:
    """Scores of one metric, one per video; shares of `denominator` where there is one."""
    parts = (math.nan, math.nan)
    scores = []
    for name, value in values.items():
        if denominator is not None:
            parts = (value * denominator, denominator)
        scores.append(Score(name, predictor, truth_level, level, metric, value, *parts))
    return scores


def annotated(videos: Sequence[str] = VIDEOS, events: float = 5.0, truth_level: str = "scene") -> list[Score]:
    """How many events each video has in the annotation."""
    return rows(dict.fromkeys(videos, events), "events", predictor=TRUTH, truth_level=truth_level)


def floors(videos: Sequence[str] = VIDEOS, metric: str = "hlr_iou") -> list[Score]:
    """Scores of the floors, the same for every run."""
    return [
        score
        for place, floor in enumerate(FLOORS)
        for score in rows(values_of(100 + place, videos), metric, predictor=floor)
    ]


def scored_run(
    root: Path,
    scores: Sequence[Score],
    *,
    videos: Sequence[str] = VIDEOS,
    predictor: str | None = None,
    config: Mapping[str, object] | None = None,
    mlflow: Mapping[str, str] | None = None,
    command: str = "train",
) -> RunFolder:
    """The folder of a run with these scores and no hierarchies."""
    folder = RunFolder(root)
    folder.create()
    facts = {
        "command": command,
        "config": {"inputs": ["/data/videos"], "out": str(root), **(config or {})},
        "software": {"streamer-ray": "0.1.0", "revision": "abc123"},
    }
    named = {} if predictor is None else {"predictor": predictor}
    folder.write_run("finished", {**facts, **named, **({} if mlflow is None else {"mlflow": mlflow})})
    folder.write_videos(VideoRow(entry(name), "done", None, 20.0, 40) for name in videos)
    write_scores(scores, folder, Path("truth.csv"))
    return folder


def simple_run(
    root: Path, seed: int, videos: Sequence[str] = VIDEOS, shift: float = 0.0, **named
) -> RunFolder:
    """A run with one metric, the floors and the annotation."""
    predictor = named.get("predictor") or "streamer"
    own = rows(values_of(seed, videos, shift), predictor=predictor)
    beside = [score for score in floors(videos) if score.predictor != predictor]
    return scored_run(root, [*annotated(videos), *own, *beside], videos=videos, **named)


def opened(*folders: RunFolder) -> list[ComparedRun]:
    """The runs as `compare` opens them."""
    paths = [str(folder.root) for folder in folders]
    return open_runs(paths, truth=None, reference=None, seed=0, console=QUIET)
